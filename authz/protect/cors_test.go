// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const app = "https://app.example.com"

// sharing is a guard for scripts of one web page.
func sharing(t testing.TB) Config {
	c := testConfig(t, "allow GET /a user", "allow POST /a admin", "public GET /p", "deny /no", "optional /o")
	c.CORS = &CORS{Origins: []string{app, "http://localhost:3000"}, Credentials: true, MaxAge: 600, Expose: []string{"X-Total"}}
	return c
}

// preflight returns the request by which a browser asks for a script.
func preflight(target, origin, method string) *http.Request {
	r := httptest.NewRequest(http.MethodOptions, target, nil)
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", method)
	r.Header.Set("Access-Control-Request-Headers", "authorization,x-evil")
	return r
}

// Ensure that preflights of listed origins are answered for rows that somebody
// may pass, and opens none; that all others are decided as any request; and that
// nothing that was sent comes back.
func TestPreflight(t *testing.T) {
	g := newGuard(t, sharing(t))
	for request, status := range map[string]int{
		"/a " + app + " GET":                             204,
		"/a " + app + " POST":                            204,
		"/a http://localhost:3000 POST":                  204,
		"/p " + app + " GET":                             204,
		"/o " + app + " DELETE":                          204,
		"/a " + app + " DELETE":                          403, // no row
		"/no " + app + " GET":                            403,
		"/nowhere " + app + " GET":                       403,
		"/a " + app + " TRACE":                           403,
		"/a " + app + " get":                             403,
		"//a " + app + " GET":                            400,
		"/a https://evil.example GET":                    403,
		"/a null GET":                                    403,
		"/a " + app + ".evil.example GET":                403,
		"/a HTTPS://APP.EXAMPLE.COM GET":                 403,
		"/a https://app.example.com:443 GET":             403,
		"/a https://app.example.com, evil GET":           403,
		"/o https://evil.example GET":                    200, // optional: passes on as it would
		"/.well-known/oauth-protected-resource null GET": 204,
	} {
		words := strings.Split(request, " ")
		origin, method := strings.Join(words[1:len(words)-1], " "), words[len(words)-1]
		w, seen, err := serve(t, preflight(words[0], origin, method), g)
		if err != nil || w.Code != status || (seen != nil) != (status == 200) {
			t.Errorf("%s: %d %v", request, w.Code, err)
		}
		h := w.Header()
		if strings.Contains(request, ".well-known") {
			continue
		}
		if listed := origin == app || origin == "http://localhost:3000"; listed != (h.Get("Access-Control-Allow-Origin") == origin) || !listed && h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %q", request, h)
		}
		if status == 204 && (h.Get("Access-Control-Allow-Methods") != "PUT, PATCH, DELETE" || h.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type" ||
			h.Get("Access-Control-Max-Age") != "600" || h.Get("Access-Control-Allow-Credentials") != "true") {
			t.Errorf("%s: %q", request, h)
		}
		if strings.Contains(fmt.Sprint(h), "evil") || h.Get("Vary") != "Origin" {
			t.Errorf("%s: %q", request, h)
		}
	}
	half := preflight("/a", app, "GET") // not a preflight: decided as any request
	half.Header.Del("Access-Control-Request-Method")
	if w, _, _ := serve(t, half, g); w.Code != 403 {
		t.Errorf("OPTIONS with an Origin alone: %d", w.Code)
	}
}

// Ensure that scripts of listed origins can read answers and refusals, with the
// guard's headers in the place of the service's; and that others cannot.
func TestSharedAnswers(t *testing.T) {
	g := newGuard(t, sharing(t))
	for origin, listed := range map[string]bool{app: true, "https://evil.example": false, "": false} {
		for request, status := range map[string]int{"/a user": 200, "/a ": 401, "/a bogus": 401, "/no user": 403, "/p ": 200, "//a user": 400} {
			target, token, _ := strings.Cut(request, " ")
			r := get("GET", target, token)
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			w := httptest.NewRecorder()
			err := g.ServeHTTP(w, r, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Access-Control-Allow-Origin", "*")
				w.Header().Add("Access-Control-Allow-Methods", "WEIRD")
				w.Header().Add("Vary", "Accept")
				_, err := w.Write([]byte("x"))
				return err
			})
			h := w.Header()
			if err != nil || w.Code != status || !strings.HasPrefix(strings.Join(h["Vary"], ","), "Origin") {
				t.Errorf("%s from %q: %d %q %v", request, origin, w.Code, h, err)
			}
			allowed, exposed := strings.Join(h["Access-Control-Allow-Origin"], ","), h.Get("Access-Control-Expose-Headers")
			switch {
			case origin == "" && status == 200: // no script asks
			case listed && (allowed != app || exposed != "WWW-Authenticate, X-Total" || h.Get("Access-Control-Allow-Credentials") != "true"),
				!listed && (allowed != "" || exposed != "" || h.Get("Access-Control-Allow-Credentials") != ""),
				h.Get("Access-Control-Allow-Methods") != "":
				t.Errorf("%s from %q: %q", request, origin, h)
			}
		}
	}
}

// Ensure that caches do not give the answer for one origin to another, whatever the
// service makes of Vary.
func TestAttackAnswersFromTheCacheOfAnotherOrigin(t *testing.T) {
	g := newGuard(t, sharing(t))
	for vary, want := range map[string]string{"": "Origin", "Accept": "Accept,Origin", "accept, origin": "accept, origin", "*": "*"} {
		r := get("GET", "/a", "user")
		r.Header.Set("Origin", app)
		w := httptest.NewRecorder()
		err := g.ServeHTTP(w, r, func(w http.ResponseWriter, _ *http.Request) error {
			if w.Header().Del("Vary"); vary != "" {
				w.Header().Set("Vary", vary)
			}
			_, err := w.Write([]byte("x"))
			return err
		})
		if got := strings.Join(w.Header()["Vary"], ","); err != nil || got != want {
			t.Errorf("the service's %q has become %q, %v", vary, got, err)
		}
	}
}

// Ensure that every page may be let in, but never with credentials.
func TestSharingWithEverybody(t *testing.T) {
	config := sharing(t)
	config.CORS = &CORS{Origins: []string{"*"}}
	w, _, _ := serve(t, preflight("/a", "https://evil.example", "GET"), newGuard(t, config))
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Allow-Credentials") != "" || w.Header().Get("Vary") != "" {
		t.Errorf("%d %q", w.Code, w.Header())
	}
}

// Ensure that trouble (5xx), which others answer, can be read too.
func TestSharedTrouble(t *testing.T) {
	r := get("GET", "/a", "trouble")
	r.Header.Set("Origin", app)
	if w, _, err := serve(t, r, newGuard(t, sharing(t))); err == nil || w.Header().Get("Access-Control-Allow-Origin") != app {
		t.Errorf("%v %q", err, w.Header())
	}
}

// Ensure that without the setting nothing is said.
func TestNothingIsSharedUnasked(t *testing.T) {
	config := sharing(t)
	config.CORS = nil
	g := newGuard(t, config)
	requests := []*http.Request{preflight("/a", app, "GET"), get("GET", "/a", "user"), get("GET", "/a", "")}
	for _, r := range requests {
		r.Header.Set("Origin", app)
		w, _, _ := serve(t, r, g)
		if text := fmt.Sprint(w.Header()); strings.Contains(text, "Access-Control") || strings.Contains(text, "Vary") || w.Code == 204 {
			t.Errorf("%d %s", w.Code, text)
		}
	}
}

// Ensure that a stream is flushed and a connection taken over through the writer.
func TestSharedStreams(t *testing.T) {
	g := newGuard(t, sharing(t))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = g.ServeHTTP(w, r, func(w http.ResponseWriter, r *http.Request) error {
			if r.URL.Query().Has("hijack") {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return err
				}
				defer func() { _ = conn.Close() }()
				_, err = conn.Write([]byte("HTTP/1.1 299 Ours\r\nContent-Length: 0\r\n\r\n"))
				return err
			}
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.(http.Flusher).Flush() // the client gets the headers now
			<-r.Context().Done()
			return nil
		})
	}))
	defer server.Close()
	client := &http.Client{Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	for query, status := range map[string]int{"?hijack": 299, "": 200} {
		r, _ := http.NewRequest("GET", server.URL+"/p"+query, nil)
		r.Header.Set("Origin", app)
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != status || status == 200 && response.Header.Get("Access-Control-Allow-Origin") != app {
			t.Errorf("%q: %d %q", query, response.StatusCode, response.Header)
		}
		_ = response.Body.Close()
	}
}

// Ensure that what opens too much, or never matches, does not load.
func TestCORSIsValidated(t *testing.T) {
	for name, c := range map[string]CORS{
		"no origin":             {},
		"any and another":       {Origins: []string{"*", app}},
		"any, with credentials": {Origins: []string{"*"}, Credentials: true},
		"null":                  {Origins: []string{"null"}},
		"path":                  {Origins: []string{app + "/"}},
		"usual port":            {Origins: []string{app + ":443"}},
		"capitals":              {Origins: []string{"https://App.example.com"}},
		"no scheme":             {Origins: []string{"app.example.com"}},
		"user":                  {Origins: []string{"https://a@app.example.com"}},
		"wildcard header":       {Origins: []string{app}, Headers: []string{"*"}},
		"broken header":         {Origins: []string{app}, Expose: []string{"a b"}},
		"small method":          {Origins: []string{app}, Methods: []string{"get"}},
		"CONNECT":               {Origins: []string{app}, Methods: []string{"CONNECT"}},
		"two days":              {Origins: []string{app}, MaxAge: MaxCORSAge + 1},
		"many":                  {Origins: make([]string, MaxCORS+1)},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: valid", name)
		}
		config := sharing(t)
		config.CORS = &c
		if _, err := New(config); err == nil {
			t.Errorf("%s: loads", name)
		}
	}
}
