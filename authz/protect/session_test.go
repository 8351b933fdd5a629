// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// visits is a Visits that notes what it was asked for.
type visits struct {
	begun []Visit
	calls []string
	fails error
}

func (v *visits) Begin(w http.ResponseWriter, _ *http.Request, visit Visit) error {
	v.begun = append(v.begun, visit)
	if v.fails == nil {
		w.WriteHeader(http.StatusSeeOther)
	}
	return v.fails
}

func (v *visits) Arrive(w http.ResponseWriter, _ *http.Request, site string) error {
	v.calls = append(v.calls, "arrive "+site)
	return v.fails
}

func (v *visits) Leave(w http.ResponseWriter, _ *http.Request, site string) error {
	v.calls = append(v.calls, "leave "+site)
	return v.fails
}

// session returns who is signed in at this site since an hour ago, for as much longer.
func session(change func(*authz.Principal)) authz.Principal {
	p := authz.Principal{
		Issuer: testIssuer, Subject: "u-17", Username: "ann", Session: "s-1", Audience: []string{testResource},
		IssuedAt: testTime.Add(-20 * time.Minute), Expires: testTime.Add(time.Hour), ACR: authz.ACROneFactor, AuthTime: testTime.Add(-20 * time.Minute),
	}
	if change != nil {
		change(&p)
	}
	return p
}

// byScheme knows cookies of sessions beside tokens.
type byScheme struct {
	tokens
	sessions tokens
}

func (b byScheme) Authenticate(ctx context.Context, c authz.Credential) (authz.Principal, error) {
	if c.Scheme == authz.SchemeSession {
		return b.sessions.Authenticate(ctx, c)
	}
	return b.tokens.Authenticate(ctx, c)
}

// sessionConfig is testConfig of a guard that accepts sessions.
func sessionConfig(t testing.TB, rows ...string) (Config, *visits) {
	t.Helper()
	c, v := testConfig(t, rows...), new(visits)
	c.Schemes = []string{authz.SchemeBearer}
	c.Sessions = &Sessions{Scopes: scope.Of("read"), Visits: v}
	c.Authenticator = byScheme{c.Authenticator.(tokens), tokens{
		"ann":    session(nil),
		"strong": session(func(p *authz.Principal) { p.ACR = authz.ACRTwoFactors }),
		"old":    session(func(p *authz.Principal) { p.IssuedAt = testTime.Add(-2 * time.Hour) }),
		"new":    session(func(p *authz.Principal) { p.IssuedAt = testTime.Add(-time.Second) }),
		"dead":   session(func(p *authz.Principal) { p.Expires = testTime }),
		"other":  session(func(p *authz.Principal) { p.Audience = []string{"https://other.example.com"} }),
		"issuer": session(func(p *authz.Principal) { p.Audience = []string{testIssuer} }),
		"nobody": session(func(p *authz.Principal) { p.Subject = "" }),
	}}
	return c, v
}

// visitor returns a request of a browser that opens a page, with a session's cookie
// unless that is "", and further headers.
func visitor(target, cookie string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if cookie != "" {
		r.Header.Set("Cookie", securedCookies.session+"="+cookie)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header.Del(name); value != "" {
			r.Header.Set(name, value)
		}
	}
	return r
}

// Ensure that a browser that opens a page is sent to sign in, and everybody else gets
// the 401 that they get anyway.
func TestOnlyPagesAreSentToSignIn(t *testing.T) {
	c, v := sessionConfig(t, "allow /*", "optional /o", "public /p", "deny /d")
	g := newGuard(t, c)
	for _, try := range []struct {
		name string
		r    *http.Request
		want int
	}{
		{"a page", visitor("/a?b=c", ""), 303},
		{"its head", func() *http.Request { r := visitor("/a", ""); r.Method = http.MethodHead; return r }(), 303},
		{"a page, an older browser", visitor("/a", "", "Sec-Fetch-Mode: ", "Accept: text/html,*/*;q=0.8"), 303},
		{"a frame of its own", visitor("/a", "", "Sec-Fetch-Dest: iframe", "Sec-Fetch-Site: same-origin"), 303},
		{"a frame of another site's", visitor("/a", "", "Sec-Fetch-Dest: iframe", "Sec-Fetch-Site: cross-site"), 401},
		{"a link on another site", visitor("/a", "", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: cross-site"), 303},
		{"fetch", visitor("/a", "", "Sec-Fetch-Mode: cors", "Accept: text/html"), 401},
		{"an image", visitor("/a", "", "Sec-Fetch-Mode: no-cors"), 401},
		{"a script that says so", visitor("/a", "", "Sec-Fetch-Mode: ", "Accept: text/html", "X-Requested-With: XMLHttpRequest"), 401},
		{"curl", visitor("/a", "", "Sec-Fetch-Mode: ", "Accept: */*"), 401},
		{"a form", func() *http.Request { r := visitor("/a", ""); r.Method = http.MethodPost; return r }(), 401},
		{"a WebSocket", visitor("/a", "", "Connection: Upgrade", "Upgrade: websocket"), 401},
		{"a wrong token", visitor("/a", "", "Authorization: Bearer wrong"), 401},
		{"a broken token", visitor("/a", "", "Authorization: Bearer"), 400},
		{"a good token", visitor("/a", "", "Authorization: Bearer user"), 200},
		{"a session", visitor("/a", "ann"), 200},
		{"a session that has ended", visitor("/a", "unknown"), 303},
		{"a session that has expired", visitor("/a", "dead"), 303},
		{"another site's", visitor("/a", "other"), 303},
		{"the issuer's", visitor("/a", "issuer"), 303},
		{"a machine's", visitor("/a", "nobody"), 303},
		{"no token at all", visitor("/a", "<>"), 303},
		{"a session that has ended, by fetch", visitor("/a", "unknown", "Sec-Fetch-Mode: cors"), 401},
		{"where nobody needs to sign in", visitor("/o", ""), 200},
		{"the same with a session that has ended", visitor("/o", "unknown"), 200},
		{"where all may", visitor("/p", "unknown"), 200},
		{"where nobody may", visitor("/d", ""), 403},
		{"trouble", visitor("/a", "trouble"), 503},
	} {
		v.begun = nil
		w, seen, err := serve(t, try.r, g)
		status := w.Code
		var e *authz.Error
		if errors.As(err, &e) {
			status = e.Status
		}
		if status != try.want || (seen != nil) != (try.want == 200) || (len(v.begun) > 0) != (try.want == 303) {
			t.Errorf("%s: %d, passed %v, begun %v", try.name, status, seen != nil, v.begun)
		}
		if try.name == "a page" && (v.begun[0].Site != testResource || v.begun[0].Back != "/a?b=c") {
			t.Errorf("begun %+v", v.begun[0])
		}
	}
}

// Ensure that a session may do what the guard says that sessions may, whatever else it
// or its user may do elsewhere, and tells the service who it is.
func TestSessionHasTheScopesOfTheGuard(t *testing.T) {
	c, _ := sessionConfig(t, "allow /read read", "allow /write write", "optional /o")
	g := newGuard(t, c)
	w, seen, _ := serve(t, visitor("/read", "ann"), g)
	if seen == nil || seen.principal.Scopes.String() != "read" || w.Header().Get("Cache-Control") != "private" {
		t.Fatalf("%d %+v", w.Code, seen)
	}
	h := seen.request.Header
	if h.Get("X-Auth-Subject") != "u-17" || h.Get("X-Auth-Username") != "ann" || h.Get("X-Auth-Client") != "" || h.Get("X-Auth-Scope") != "read" || h.Get("Cookie") != "" {
		t.Errorf("the service gets %v", h)
	}
	if w, seen, _ = serve(t, visitor("/write", "ann"), g); seen != nil || w.Code != http.StatusForbidden {
		t.Errorf("without its scope: %d", w.Code)
	}
	if _, seen, _ = serve(t, visitor("/o", "ann"), g); seen == nil || seen.principal == nil || seen.principal.Subject != "u-17" {
		t.Error("unknown where it need not be known")
	}
}

// Ensure that what a page wants of a sign-in is asked of the same user, and only where
// asking may help.
func TestPagesAskForMore(t *testing.T) {
	c, v := sessionConfig(t, "allow /*", "optional /o")
	two, day, foreign, either := c.Rows[0], c.Rows[0], c.Rows[0], c.Rows[0]
	two.Path, two.Conditions = "/two", &Conditions{ACRValues: []string{"phr", authz.ACRTwoFactors}}
	day.Path, day.Conditions = "/recent", &Conditions{MaxAge: 60}
	foreign.Path, foreign.Conditions = "/foreign", &Conditions{ACRValues: []string{"phr"}}
	either.Path, either.Conditions = "/one", &Conditions{ACRValues: []string{authz.ACROneFactor}}
	c.Rows = append(c.Rows, two, day, foreign, either)
	g := newGuard(t, c)
	for request, want := range map[string]int{
		"/two ann": 303, "/two strong": 200, "/two new": 303, "/two ": 303,
		"/recent ann":  303,
		"/foreign ann": 401, "/foreign ": 401,
		"/one ann": 200, "/one strong": 200,
		"/x ann": 200, "/x old": 303, "/o old": 200,
	} {
		v.begun = nil
		path, cookie, _ := strings.Cut(request, " ")
		w, _, _ := serve(t, visitor(path, cookie), g)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", request, w.Code, want)
			continue
		}
		if want != 303 {
			continue
		}
		visit := v.begun[0]
		if (visit.Subject == "u-17") != (cookie != "") || (path == "/two") != (strings.Join(visit.ACRValues, " ") == authz.ACRTwoFactors) || (path == "/recent") != (visit.MaxAge == time.Minute) {
			t.Errorf("%s begins %+v", request, visit)
		}
	}
	if w, _, _ := serve(t, visitor("/x", "old", "Sec-Fetch-Mode: cors"), g); w.Code != http.StatusOK {
		t.Errorf("a script whose session is half over: %d", w.Code)
	}
}

// Ensure that a session does something only for its own site's pages, and those of
// origins that are trusted by their exact names.
func TestSessionsNeedTheSameOriginOrATrustedOne(t *testing.T) {
	c, _ := sessionConfig(t, "allow /*")
	c.Trust = []string{"https://app.example.com", "http://localhost:3000"}
	g := newGuard(t, c)
	for headers, want := range map[string]int{
		"Sec-Fetch-Site: same-origin":                                              200,
		"Sec-Fetch-Site: same-site":                                                403,
		"Sec-Fetch-Site: cross-site":                                               403,
		"Sec-Fetch-Site: cross-site|Origin: https://app.example.com":               200,
		"Sec-Fetch-Site: same-site|Origin: http://localhost:3000":                  200,
		"Origin: https://app.example.com":                                          200,
		"Origin: https://app.example.com:444":                                      403,
		"Origin: http://app.example.com":                                           403,
		"Origin: https://x.app.example.com":                                        403,
		"Origin: null":                                                             403,
		"X-Nothing: said":                                                          403,
		"Authorization: Bearer user|Sec-Fetch-Site: cross-site":                    200,
		"Sec-Fetch-Site: cross-site|Origin: https://evil.example":                  403,
		"Sec-Fetch-Site: cross-site|Referer: https://app.example.com/":             403,
		"Sec-Fetch-Site: cross-site|X-Forwarded-Host: app.example.com":             403,
		"Sec-Fetch-Site: cross-site|Origin: https://app.example.com.evil.example/": 403,
	} {
		for _, what := range []string{http.MethodPost, http.MethodDelete, "WebSocket"} {
			r := visitor("https://api.example.com/x", "ann", append([]string{"Sec-Fetch-Mode: cors"}, strings.Split(headers, "|")...)...)
			if what == "WebSocket" {
				r.Header.Set("Connection", "Upgrade")
				r.Header.Set("Upgrade", "websocket")
			} else {
				r.Method = what
			}
			if w, _, _ := serve(t, r, g); w.Code != want {
				t.Errorf("%s with %s: %d", what, headers, w.Code)
			}
		}
	}
	for _, bad := range []string{"*", "null", "https://app.example.com/", "https://App.example.com", "app.example.com", "https://a.example:443", "https://*.example.com"} {
		c.Trust = []string{bad}
		if _, err := New(c); err == nil {
			t.Errorf("%s is trusted", bad)
		}
	}
}

// Ensure that the paths that browsers come to on their way are the guard's only where
// it accepts sessions, and only by the methods that they have.
func TestPathsOfTheWay(t *testing.T) {
	c, v := sessionConfig(t, "public /*")
	g := newGuard(t, c)
	plain := newGuard(t, testConfig(t, "public /*"))
	for request, want := range map[string]string{
		"GET /.oauth2/session":           "200 arrive " + testResource,
		"POST /.oauth2/session":          "405",
		"HEAD /.oauth2/session":          "405",
		"POST /.oauth2/signout":          "200 leave " + testResource,
		"GET /.oauth2/signout":           "405",
		"GET /.OAUTH2/session":           "404",
		"GET /.oauth2/session/":          "404",
		"POST /.oauth2/signout evil":     "403",
		"GET /.oauth2/session evil":      "200 arrive " + testResource,
		"GET /.oauth2/other":             "404",
		"GET /.oauth2/session elsewhere": "404",
	} {
		v.calls = nil
		words := strings.Fields(request)
		r := httptest.NewRequest(words[0], words[1], nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		guard := g
		switch {
		case strings.HasSuffix(request, "evil"):
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		case strings.HasSuffix(request, "elsewhere"):
			guard = plain
		}
		w, seen, _ := serve(t, r, guard)
		got := strings.TrimSpace(strings.Join(append([]string{http.StatusText(w.Code)}, v.calls...), " "))
		status, calls, _ := strings.Cut(want, " ")
		if seen != nil || strings.TrimPrefix(got, http.StatusText(w.Code)) != strings.TrimRight(" "+calls, " ") || status != statusOf(w.Code) {
			t.Errorf("%s: %d %v", request, w.Code, v.calls)
		}
	}
	v.fails = authz.ErrInvalidRequest
	if w, _, _ := serve(t, httptest.NewRequest("GET", "/.oauth2/session", nil), g); w.Code != http.StatusBadRequest {
		t.Errorf("a refusal: %d", w.Code)
	}
	v.fails = errors.New("disk on fire")
	if _, _, err := serve(t, httptest.NewRequest("GET", "/.oauth2/session", nil), g); !errors.Is(err, authz.ErrTemporarilyUnavailable) {
		t.Errorf("trouble: %v", err)
	}
	c.Rows[0].Verb = Allow
	if _, _, err := serve(t, visitor("/", ""), newGuard(t, c)); !errors.Is(err, authz.ErrTemporarilyUnavailable) {
		t.Errorf("trouble at the beginning: %v", err)
	}
}

func statusOf(code int) string {
	return map[int]string{200: "200", 403: "403", 404: "404", 405: "405"}[code]
}

// Ensure that a site whose address nobody knows sends nobody away: they would not find
// back.
func TestSiteWithoutAnAddressSendsNobodyAway(t *testing.T) {
	c, v := sessionConfig(t, "allow /*")
	c.Resource = nil
	g := newGuard(t, c)
	for _, cookie := range []string{"", "ann"} {
		if w, _, _ := serve(t, visitor("/", cookie), g); w.Code != http.StatusUnauthorized || len(v.begun) > 0 {
			t.Errorf("%q: %d %v", cookie, w.Code, v.begun)
		}
	}
}

// Ensure that a guard that accepts sessions alone takes no token, and says so.
func TestSessionsAlone(t *testing.T) {
	c, _ := sessionConfig(t, "allow /*")
	c.Schemes = nil
	g := newGuard(t, c)
	if w, seen, _ := serve(t, get("GET", "/", "user"), g); seen != nil || w.Code != http.StatusUnauthorized {
		t.Errorf("a token: %d", w.Code)
	}
	if _, seen, _ := serve(t, visitor("/", "ann"), g); seen == nil {
		t.Error("a session is refused")
	}
	w, _, _ := serve(t, httptest.NewRequest("GET", authz.PathResourceMetadata, nil), g)
	if !strings.Contains(w.Body.String(), `"bearer_methods_supported":[]`) {
		t.Error(w.Body)
	}
}

// Ensure that guards further in decide about the same session, by what they accept
// themselves, and that no Authorization header or Basic account comes of it.
func TestSessionAtNestedGuards(t *testing.T) {
	outer, _ := sessionConfig(t, "public /p/*", "allow /*")
	outer.Upstream.KeepCredential = true
	inner, v := sessionConfig(t, "allow /*")
	inner.Sessions.Scopes = scope.Of("write")
	tokensOnly := testConfig(t, "allow /*")
	for _, path := range []string{"/p/x", "/x"} {
		_, seen, _ := serve(t, visitor(path, "ann"), newGuard(t, outer), newGuard(t, inner))
		if seen == nil || seen.principal.Scopes.String() != "write" || seen.request.Header.Get("Authorization") != "" || seen.request.Header.Get("Cookie") != "" {
			t.Errorf("%s: %+v", path, seen)
		}
		if w, seen, _ := serve(t, visitor(path, "ann"), newGuard(t, outer), newGuard(t, tokensOnly)); seen != nil || w.Code != http.StatusUnauthorized {
			t.Errorf("%s where no session is accepted: %d", path, w.Code)
		}
	}
	if w, _, _ := serve(t, visitor("/p/x", ""), newGuard(t, outer), newGuard(t, inner)); w.Code != 303 || len(v.begun) != 1 {
		t.Errorf("the inner one sends nobody to sign in: %d", w.Code)
	}
}

// Ensure that an explanation tells of these paths where they are the guard's.
func TestExplainKnowsThePathsOfTheWay(t *testing.T) {
	c, _ := sessionConfig(t, "public /*")
	g, plain := newGuard(t, c), newGuard(t, testConfig(t, "public /*"))
	for request, status := range map[string]int{
		"GET /.oauth2/session?ticket=t": 400, "POST /.oauth2/session": 405, "POST /.oauth2/signout": 303, "GET /.oauth2/signout": 405, "GET /.oauth2/x": 404,
	} {
		method, target, _ := strings.Cut(request, " ")
		if got := g.Explain(method, target); got.Status != status || got.Row != "" || strings.Contains(got.Verdict, "reserved") != (status == 404) {
			t.Errorf("%s: %+v", request, got)
		}
		if got := plain.Explain(method, target); got.Status != 404 {
			t.Errorf("%s, where nobody can sign in: %+v", request, got)
		}
	}
}
