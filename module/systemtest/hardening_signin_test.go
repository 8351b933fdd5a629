// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// sessionCookie is the name of the issuer's cookie over plain http.
const sessionCookie = "oauth2_session"

// signedIn reports whether the gateway knows who uses the browser.
func (p *person) signedIn() bool {
	p.g.t.Helper()
	switch s := p.at("/oauth/password"); s.title() {
	case "Change your password":
		return true
	case "Sign in":
		return false
	default:
		p.g.t.Fatalf("%d %q", s.status, s.title())
		return false
	}
}

// signedInPerson is a person who is signed in as ann.
func signedInPerson(g *gateway) *person {
	g.t.Helper()
	p := newPerson(g)
	p.at("/oauth/signin").signIn("ann", annPassword)
	if !p.signedIn() {
		g.t.Fatal("ann is not signed in")
	}
	g.canary(p.cookie(sessionCookie))
	return p
}

// Row U01: a form counts when a page of ours in the same browser sent it, and not
// otherwise.
func TestHardeningFormsOfOthers(t *testing.T) {
	t.Parallel()
	g := startPeopled(t, peopled)
	forms := map[string]struct {
		path, button string
		fields       []string
		signedIn     bool
	}{
		"sign in":  {"/oauth/signin", "signin", []string{"username", "ann", "password", annPassword}, false},
		"sign up":  {"/oauth/signup", "signup", []string{"username", "eve", "new_password", annPassword, "repeat", annPassword}, false},
		"sign out": {"/oauth/signout", "signout", nil, true},
		"choose":   {"/oauth/signin/choose", "choose", nil, true},
		"password": {"/oauth/password", "change", []string{"password", annPassword, "new_password", "another passphrase", "repeat", "another passphrase"}, true},
	}
	for name, form := range forms {
		victim, attacker := newPerson(g), newPerson(g)
		if form.signedIn {
			victim, attacker = signedInPerson(g), signedInPerson(g)
		}
		for attack, change := range map[string]func(*http.Request, url.Values){
			"another site":      func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"a sister site":     func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "same-site") },
			"no page":           func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "none") },
			"a nameless origin": func(r *http.Request, _ url.Values) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") },
			"another origin": func(r *http.Request, _ url.Values) {
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Set("Origin", "http://evil.example")
			},
			"nobody":            func(r *http.Request, _ url.Values) { r.Header.Del("Sec-Fetch-Site"); r.Header.Del("Origin") },
			"no handle":         func(_ *http.Request, v url.Values) { v.Del("handle") },
			"a made-up handle":  func(_ *http.Request, v url.Values) { v.Set("handle", strings.Repeat("A", 200)) },
			"another browser's": func(_ *http.Request, v url.Values) { v.Set("handle", attacker.handleOf(form.path, form.button)) },
			"another form's":    func(_ *http.Request, v url.Values) { v.Set("handle", victim.wrongHandle(form.path)) },
		} {
			before := victim.cookie(sessionCookie)
			action, values := victim.at(form.path).form(form.button)
			for i := 0; i < len(form.fields); i += 2 {
				values.Set(form.fields[i], form.fields[i+1])
			}
			req, err := http.NewRequest(http.MethodPost, action, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			change(req, values)
			req.Body = io.NopCloser(strings.NewReader(values.Encode()))
			if s := victim.send(req); s.status != http.StatusForbidden {
				t.Errorf("%s, from %s: %d %s", name, attack, s.status, s.text())
			}
			if victim.cookie(sessionCookie) != before {
				t.Errorf("%s, from %s: the browser has another cookie", name, attack)
			}
		}
		if victim.signedIn() != form.signedIn {
			t.Errorf("%s: somebody was signed in or out", name)
		}
	}
	if newPerson(g).at("/oauth/signin").signIn("eve", annPassword).status != http.StatusForbidden {
		t.Error("a forged form has made an account")
	}
}

// handleOf is a handle that the person's own browser got.
func (p *person) handleOf(path, button string) string {
	p.g.t.Helper()
	_, values := p.at(path).form(button)
	return values.Get("handle")
}

// wrongHandle is a good handle of this browser, for another form than that at path.
func (p *person) wrongHandle(path string) string {
	p.g.t.Helper()
	if path == "/oauth/password" || path == "/oauth/signout" {
		s := p.at("/oauth/signup")
		_, values := s.form("signup")
		return values.Get("handle")
	}
	if p.signedIn() {
		return p.handleOf("/oauth/signout", "signout")
	}
	return "signed-out browsers have no other"
}

// Row U02: no other kind of body, no overridden method, and no safe method does
// what a form does.
func TestHardeningFormsInDisguise(t *testing.T) {
	t.Parallel()
	g := startPeopled(t, peopled)
	p := signedInPerson(g)
	_, values := p.at("/oauth/signout").form("signout")
	for name, send := range map[string]func() *http.Request{
		"plain text": func() *http.Request {
			r := p.request(http.MethodPost, "/oauth/signout", values.Encode())
			r.Header.Set("Content-Type", "text/plain")
			return r
		},
		"JSON": func() *http.Request {
			r := p.request(http.MethodPost, "/oauth/signout", `{"handle":"`+values.Get("handle")+`","do":"signout"}`)
			r.Header.Set("Content-Type", "application/json")
			return r
		},
		"two types": func() *http.Request {
			r := p.request(http.MethodPost, "/oauth/signout", values.Encode())
			r.Header.Add("Content-Type", "text/plain")
			return r
		},
		"the URL": func() *http.Request { return p.request(http.MethodPost, "/oauth/signout?"+values.Encode(), "") },
		"HEAD":    func() *http.Request { return p.request(http.MethodHead, "/oauth/signout?"+values.Encode(), "") },
		"GET":     func() *http.Request { return p.request(http.MethodGet, "/oauth/signout?"+values.Encode(), "") },
		"PUT":     func() *http.Request { return p.request(http.MethodPut, "/oauth/signout", values.Encode()) },
		"a method parameter": func() *http.Request {
			return p.request(http.MethodGet, "/oauth/signout?_method=POST&"+values.Encode(), "")
		},
		"a method header": func() *http.Request {
			r := p.request(http.MethodGet, "/oauth/signout?"+values.Encode(), "")
			r.Header.Set("X-HTTP-Method-Override", "POST")
			return r
		},
		"fields twice": func() *http.Request {
			return p.request(http.MethodPost, "/oauth/signout", values.Encode()+"&"+values.Encode())
		},
	} {
		s := p.send(send())
		if !p.signedIn() {
			t.Fatalf("%s signs out: %d", name, s.status)
		}
	}
}

// request is a request of the person's browser from one of our pages.
func (p *person) request(method, path, body string) *http.Request {
	p.g.t.Helper()
	r, err := http.NewRequest(method, p.g.url("localhost", path), strings.NewReader(body))
	if err != nil {
		p.g.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// Rows U04, U26 and U30: no page can be framed, read by another origin's scripts, kept,
// or told of to where it leads; errors no more than others.
func TestHardeningPagesKeepToThemselves(t *testing.T) {
	t.Parallel()
	g := startPeopled(t, peopled)
	out, in := newPerson(g), signedInPerson(g)
	for _, c := range []struct {
		p            *person
		method, path string
		status       int
	}{
		{out, http.MethodGet, "/oauth/signin", 200},
		{out, http.MethodGet, "/oauth/signup", 200},
		{out, http.MethodGet, "/oauth/signout", 200},
		{out, http.MethodGet, "/oauth/password", 200},
		{out, http.MethodGet, "/oauth/password?ticket=nonsense", 403},
		{in, http.MethodGet, "/oauth/signin", 200},
		{in, http.MethodGet, "/oauth/signin/choose", 200},
		{in, http.MethodGet, "/oauth/signout", 200},
		{in, http.MethodGet, "/oauth/password", 200},
		{in, http.MethodPost, "/oauth/password", 403},
		{in, http.MethodDelete, "/oauth/signin", 405},
		{in, http.MethodOptions, "/oauth/signin", 405},
	} {
		r := c.p.request(c.method, c.path, "")
		r.Header.Set("Origin", "https://evil.example")
		s := c.p.send(r)
		h := s.header
		if s.status != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, s.status, c.status)
		}
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s %s: can be framed: %q %q", c.method, c.path, csp, h.Get("X-Frame-Options"))
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "strict-origin" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: %v", c.method, c.path, h)
		}
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s %s: %s: %s", c.method, c.path, name, h.Get(name))
			}
		}
	}
}

// behindTLS is an issuer that browsers reach by https, which ends before the gateway.
var behindTLS = strings.NewReplacer("issuer http://localhost:{$PORT}", "issuer https://auth.localhost", "http://localhost:{$PORT} {", "http://localhost:{$PORT}, http://auth.localhost:{$PORT} {").Replace(peopled)

// Row U06: cookies are for this host, https and no script, and no other site's form
// or frame sends them along.
func TestHardeningCookiesOfSignIn(t *testing.T) {
	t.Parallel()
	g := start(t, behindTLS)
	g.canary(annPassword)
	jar := map[string]string{}
	send := func(method, path string, form url.Values) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, g.url("auth.localhost", path), strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "https://auth.localhost")
		for name, value := range jar {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		resp, err := g.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range resp.Cookies() {
			if !strings.HasPrefix(c.Name, "__Host-oauth2_") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("%s %s sets %s", method, path, c.Raw)
			}
			jar[c.Name] = c.Value
		}
		return resp
	}
	resp := send(http.MethodGet, "/oauth/signup", nil)
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	handle := regexp.MustCompile(`name="handle" value="([^"]+)"`).FindSubmatch(body)
	if handle == nil {
		t.Fatalf("no handle: %s", body)
	}
	resp = send(http.MethodPost, "/oauth/signup", url.Values{
		"handle": {string(handle[1])}, "do": {"signup"}, "username": {"ann"}, "new_password": {annPassword}, "repeat": {annPassword},
	})
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther || jar["__Host-oauth2_session"] == "" || jar["__Host-oauth2_known"] == "" {
		t.Errorf("%s, cookies %v", resp.Status, jar)
	}
	g.canary(jar["__Host-oauth2_session"])
}

// Rows U05 and U07: a cookie that somebody else has planted is none, two of one name are
// none, and whoever signs in gets one that nobody knew before.
func TestHardeningPlantedCookies(t *testing.T) {
	t.Parallel()
	g := startPeopled(t, peopled)
	attacker := signedInPerson(g)
	stolen := attacker.cookie(sessionCookie)
	g.canary(stolen)
	for name, values := range map[string][2]string{"the good one first": {stolen, "x"}, "the good one last": {"x", stolen}, "the same twice": {stolen, stolen}} {
		p := newPerson(g)
		r := p.request(http.MethodGet, "/oauth/password", "")
		r.Header.Set("Cookie", sessionCookie+"="+values[0]+"; "+sessionCookie+"="+values[1])
		if s := p.send(r); s.title() != "Sign in" {
			t.Errorf("two cookies, %s: %s", name, s.title())
		}
	}
	victim := newPerson(g)
	victim.setCookie(sessionCookie, stolen)
	victim.at("/oauth/signup").submit("signup", "username", "bob", "new_password", "bob's own password", "repeat", "bob's own password")
	if own := victim.cookie(sessionCookie); own == stolen || own == "" {
		t.Errorf("signing in keeps the planted cookie %q", own)
	}
	if attacker.signedIn() {
		t.Error("the planted cookie still counts")
	}
	for _, value := range []string{"", "x", strings.Repeat("A", 10000), stolen + "A", stolen[:len(stolen)-1], "co2at_" + stolen[6:]} {
		p := newPerson(g)
		p.setCookie(sessionCookie, value)
		if p.signedIn() {
			t.Errorf("%.80q signs in", value)
		}
	}
}

// Row U08: whatever ends a session, an old cookie leads to the sign-in page.
func TestHardeningOldCookies(t *testing.T) {
	t.Parallel()
	g := startPeopled(t, peopled)
	laptop, phone := signedInPerson(g), signedInPerson(g)
	old := laptop.cookie(sessionCookie)
	dead := func(what, cookie string) {
		t.Helper()
		p := newPerson(g)
		p.setCookie(sessionCookie, cookie)
		if p.signedIn() {
			t.Errorf("the cookie from before %s still counts", what)
		}
	}
	laptop.at("/oauth/signin").signIn("ann", annPassword)
	dead("signing in again", old)
	const next = "another good passphrase"
	g.canary(next)
	old = laptop.cookie(sessionCookie)
	s := laptop.at("/oauth/password").submit("change", "password", annPassword, "new_password", next, "repeat", next)
	if s.url.Path != "/oauth/account" || !strings.Contains(s.text(), "The password is changed.") || !laptop.signedIn() {
		t.Fatalf("changing the password leads to %s, %d %s", s.url, s.status, s.text())
	}
	dead("another password", old)
	if phone.signedIn() {
		t.Error("another password leaves other browsers signed in")
	}
	if newPerson(g).at("/oauth/signin").signIn("ann", annPassword).status != http.StatusForbidden {
		t.Error("the old password still counts")
	}
	old = laptop.cookie(sessionCookie)
	if s := laptop.at("/oauth/signout").submit("signout"); s.title() != "You are signed out" || laptop.cookie(sessionCookie) != "" {
		t.Errorf("%d %s, cookie %q", s.status, s.title(), laptop.cookie(sessionCookie))
	}
	dead("signing out", old)
}

var variable = regexp.MustCompile(`(name="handle" value="|challenge&#34;:&#34;|handle=)[A-Za-z0-9_-]+`)

// Row U13: nobody learns whether there is an account, whose it is, or that it may not
// sign in.
func TestHardeningOneAnswerToWhoeverIsNotLetIn(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte(zoePassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	g := prepare(t, strings.Replace(peopled, "sign_up", "sign_up\n\t\t\thtpasswd {$USERS}", 1))
	g.env = append(g.env, "USERS="+g.write("users", "zoe:"+string(hash)+"\nyan:"+string(hash)+"\n"))
	g.start()
	for _, name := range []string{"ann", "dan"} {
		g.addUser(name, annPassword)
	}
	g.cli(0, "", "user", "disable", "dan")
	g.cli(0, "", "user", "add", "pia", "--no-password")
	newPerson(g).at("/oauth/signin").signIn("yan", zoePassword)
	g.cli(0, "", "user", "disable", "yan")
	seen := map[string]string{}
	for name, try := range map[string][2]string{
		"wrong password": {"ann", "wrong"}, "unknown user": {"bob", "wrong"}, "no user": {"", "wrong"}, "no password": {"ann", ""},
		"a name that cannot be": {"\x00\u202e", "wrong"},
		"disabled":              {"dan", annPassword}, "disabled, and a wrong password": {"dan", "wrong"}, "no password set": {"pia", "wrong"},
		"of a file": {"zoe", "wrong"}, "of a file, disabled": {"yan", zoePassword}, "of a file, disabled, and a wrong password": {"yan", "wrong"},
		"the password of a user of a file": {"ann", zoePassword},
	} {
		s := newPerson(g).at("/oauth/signin").signIn(try[0], try[1])
		h := s.header.Clone()
		for _, name := range []string{"Date", "Content-Length"} {
			h.Del(name)
		}
		// What was typed stands in the form again.
		body := variable.ReplaceAllString(s.body, "$1…")
		body = regexp.MustCompile(`name="username" type="text" value="[^"]*"`).ReplaceAllString(body, "username")
		body = strings.ReplaceAll(body, " autofocus", "") // where nothing was typed
		answer := fmt.Sprint(s.status, h, body)
		seen[answer] += name + "; "
	}
	if len(seen) != 1 {
		for answer, names := range seen {
			t.Errorf("%s\n%s", names, answer)
		}
	}
}

// Row R23: no parameter says where a sign-in leads.
func TestHardeningWhereSignInLeads(t *testing.T) {
	t.Parallel()
	g := startPeopled(t, peopled)
	for _, to := range []string{
		"//evil.example", `/\evil.example`, "https:evil.example", "%2f%2fevil.example", "/%09//evil.example", "http:///evil.example",
		"http://localhost:" + g.port + "@evil.example/", "https://evil.example", "/oauth/signout",
	} {
		for _, name := range []string{"next", "rd", "return", "return_to", "Return", "url", "redirect_uri", "handle"} {
			if name != "next" && to != "//evil.example" {
				continue
			}
			query := "?" + name + "=" + url.QueryEscape(to)
			s := newPerson(g).at("/oauth/signin"+query).signIn("ann", annPassword)
			if s.url.Host != "localhost:"+g.port || s.url.Path != "/oauth/account" {
				t.Errorf("%s leads to %s", query, s.url)
			}
		}
	}
}
