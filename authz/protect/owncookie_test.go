// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// Ensure that no cookie of ours reaches a service, in whatever case and line, by
// whatever row, nor an error route, and that every other cookie does, as it was
// (row H11).
func TestOurCookiesStayHere(t *testing.T) {
	c, _ := sessionConfig(t, "allow /a", "optional /o", "public /p", "deny /d")
	g := newGuard(t, c)
	for sent, want := range map[string]string{
		"a=b":                             "a=b",
		"a=b; __Host-oauth2_site=ann;c=d": "a=b;c=d",
		"__Host-oauth2_site=ann|a=b; c":   "a=b; c",
		"a=b|__Host-oauth2_site=ann":      "a=b",
		"__Host-oauth2_site=ann; __Host-oauth2_session=x":    "",
		"__Host-oauth2_site=ann; __HOST-OAuth2_Browser=x; y": "y",
		"__Host-oauth2_site=ann; oauth2_site=theirs":         "oauth2_site=theirs",
		"_oauth2_proxy=x; __Host-oauth2_site=ann":            "_oauth2_proxy=x",
	} {
		for _, path := range []string{"/a", "/o", "/p", "/d"} {
			r := visitor(path, "", "Sec-Fetch-Mode: cors")
			r.Header["Cookie"] = strings.Split(sent, "|")
			w, seen, _ := serve(t, r, g)
			header := r.Header
			if seen != nil {
				header = seen.request.Header
			}
			if got := strings.Join(header["Cookie"], "|"); got != want || path == "/p" && seen == nil {
				t.Errorf("%s at %s: %d %q", sent, path, w.Code, got)
			}
		}
	}
}

// Ensure that a service cannot set a cookie of ours, by whatever way an answer takes,
// and can set every other (row H13).
func TestAttackServiceSetsOurCookies(t *testing.T) {
	c, _ := sessionConfig(t, "public /*")
	c.Resource = func(*http.Request) string { return "http://localhost" }
	g := newGuard(t, c)
	ours := []string{
		"oauth2_site=x; Path=/", "OAUTH2_site=x", " oauth2_site=x", "\toauth2_browser=x", "=oauth2_site=x", "= oauth2_site=x", "oauth2_session", "oauth2_x =y; Domain=localhost",
	}
	theirs := []string{"sid=1; Path=/", "x=oauth2_site", "my_oauth2_site=x"}
	lines := append(append([]string{theirs[0]}, ours...), theirs[1:]...)
	ways := map[string]func(http.ResponseWriter){
		"written":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, "hello") },
		"status":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) },
		"nothing":  func(http.ResponseWriter) {},
		"flushed":  func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"flushed2": func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"early": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
		},
		"copied": func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("hello")) },
	}
	for name, way := range ways {
		var informed [][]string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = g.ServeHTTP(w, r, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header()["Set-Cookie"] = slices.Clone(lines)
				way(w)
				w.Header()[http.TrailerPrefix+"Set-Cookie"] = slices.Clone(lines)
				return nil
			})
		}))
		request, err := http.NewRequestWithContext(traced(t, &informed), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		server.Close()
		for _, got := range append(informed, resp.Header["Set-Cookie"], resp.Trailer["Set-Cookie"]) {
			if len(got) > 0 && !slices.Equal(got, theirs) {
				t.Errorf("%s: %q", name, got)
			}
		}
		if !slices.Equal(resp.Header["Set-Cookie"], theirs) {
			t.Errorf("%s: %q", name, resp.Header["Set-Cookie"])
		}
	}
}

// traced returns a context in which informational answers are noted.
func traced(t *testing.T, informed *[][]string) context.Context {
	return httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
		*informed = append(*informed, h["Set-Cookie"])
		return nil
	}})
}

// Ensure that at the issuer's own host its cookies stay with it, whether or not the guard
// there accepts sessions.
func TestIssuersCookiesStayAtItsHost(t *testing.T) {
	c := testConfig(t, "public /*")
	for hide, want := range map[bool]string{true: "a=b", false: "a=b; __Host-oauth2_session=x"} {
		c.HideCookies = hide
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", "a=b; __Host-oauth2_session=x")
		w := httptest.NewRecorder()
		_ = newGuard(t, c).ServeHTTP(w, r, func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Set-Cookie", "__Host-oauth2_session=y; Path=/; Secure")
			_, err := io.WriteString(w, r.Header.Get("Cookie"))
			return err
		})
		if set := w.Result().Header.Get("Set-Cookie"); w.Body.String() != want || (set == "") != hide {
			t.Errorf("hide %v: %s, %q", hide, w.Body, set)
		}
	}
}

// Ensure that without sessions nothing stands between a service and its client.
func TestAnswersAreFilteredOnlyWhereSessionsAre(t *testing.T) {
	g := newGuard(t, testConfig(t, "public /*"))
	w := httptest.NewRecorder()
	_ = g.ServeHTTP(w, get("GET", "/", ""), func(inner http.ResponseWriter, _ *http.Request) error {
		if inner != http.ResponseWriter(w) {
			t.Errorf("the service writes to a %T", inner)
		}
		return nil
	})
}

// FuzzOwnCookies checks what is found and removed against net/http's reading.
func FuzzOwnCookies(f *testing.F) {
	for _, seed := range []string{"", "oauth2_site=x", "a=b; oauth2_site=x;c", "oauth2_site=x; oauth2_site=y", `oauth2_site="x"`, "oauth2_site=\tx", "OAUTH2_b=c", ";;oauth2_site=x;"} {
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		if strings.Count(first+second, ";") > 1000 {
			return // net/http reads none of so many
		}
		h := http.Header{"Cookie": {first, second}}
		var theirs, others []string
		for _, c := range (&http.Request{Header: h}).Cookies() {
			switch {
			case c.Name == plainCookies.session:
				theirs = append(theirs, c.Value)
			case !plainCookies.own(c.Name):
				others = append(others, c.Name+"="+c.Value)
			}
		}
		session, found := plainCookies.find(h)
		if found == present && (len(theirs) != 1 || theirs[0] != session) {
			t.Errorf("%q, %q: found %q, net/http finds %q", first, second, session, theirs)
		}
		plainCookies.strip(h)
		var left []string
		for _, c := range (&http.Request{Header: h}).Cookies() {
			left = append(left, c.Name+"="+c.Value)
		}
		if !slices.Equal(left, others) {
			t.Errorf("%q, %q: left %q of %q", first, second, left, others)
		}
	})
}
