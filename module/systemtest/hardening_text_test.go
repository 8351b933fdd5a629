// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/html"
)

// leak is what stands in the gateway's environment, and what a placeholder that is
// expanded would show.
const leak = "what-no-placeholder-may-show-0123456789"

// hostile are texts that a page could take for something else.
var hostile = map[string]string{
	"a script":         `"><script>alert(1)</script>`,
	"an attribute":     `x' onmouseover='alert(1)' "onfocus="alert(1)`,
	"a picture":        `<img src=x onerror=alert(1)>`,
	"another form":     `</form><form action=https://evil.example><button name=do value=allow>`,
	"a comment":        `<!--`,
	"a style":          `</title></style><style>*{display:none}</style>`,
	"a template":       `{{.}}{{template "page"}}`,
	"a placeholder":    `{env.LEAK}{$LEAK}{http.request.header.Cookie}`,
	"lines":            "x\r\nSet-Cookie: planted=1\r\n\r\n<script>alert(1)</script>",
	"right to left":    "\u202etxt.exe\u2066\u200b\u00ad",
	"no UTF-8":         "\xff\xfe<script\xc0>alert(1)</script>",
	"a NUL":            "x\x00<script>alert(1)</script>",
	"10 kB":            strings.Repeat("<b>", 10<<10/3),
	"10 kB of accents": "a" + strings.Repeat("\u0301", 5<<10),
	"another scheme":   "javascript:alert(1)//",
}

// untouched fails the test if a text has become part of a page, its header or what is
// kept from people.
func (s *screen) untouched(where string) *screen {
	t := s.p.g.t
	t.Helper()
	if s.status >= 500 || s.status == 0 {
		t.Errorf("%s: %d %.200s", where, s.status, s.body)
	}
	for n := range s.doc.Descendants() {
		switch {
		case n.Type == html.CommentNode, n.Type == html.ElementNode && (n.Data == "img" || n.Data == "b" || n.Data == "iframe" || n.Data == "base"):
			t.Errorf("%s: the page has <%.40s>", where, n.Data)
		case n.Type == html.ElementNode && (n.Data == "script" || n.Data == "style") && n.FirstChild != nil && s.header.Get("Content-Security-Policy") == "":
			t.Errorf("%s: the page has %s", where, n.FirstChild.Data)
		case n.Type == html.TextNode && n.Parent.Data == "textarea": // whoever wrote it mends it there
		case n.Type == html.TextNode && strings.ContainsAny(n.Data, "\u202e\u2066\u200b\x00"):
			t.Errorf("%s: the page shows what does not show: %.60q", where, n.Data)
		case n.Type == html.TextNode && strings.Contains(n.Data, "\u0301\u0301\u0301\u0301"):
			t.Errorf("%s: the page shows a pile of accents", where)
		case n.Type == html.TextNode && strings.Contains(n.Data, "alert(1)") && n.Parent.Data == "script":
			t.Errorf("%s: the page has a script %s", where, n.Data)
		}
		for _, a := range n.Attr {
			leads := a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction"
			to, err := url.Parse(a.Val)
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || leads && (err != nil || to.Scheme != "" && to.Scheme != "https" && to.Scheme != "http") {
				t.Errorf("%s: the page has %s=%.60q", where, a.Key, a.Val)
			}
		}
	}
	if s.header.Get("Planted") != "" || s.p.cookie("planted") != "" || strings.Contains(s.body, leak) || strings.Contains(strings.Join(s.header["Location"], " "), leak) {
		t.Errorf("%s: %v %s", where, s.header, s.body)
	}
	return s
}

// formTo is what the form holds that is sent to an address.
func (s *screen) formTo(address string) url.Values {
	values := url.Values{}
	for form := range elements(s.doc, "form") {
		if attribute(form, "action") != address {
			continue
		}
		for input := range elements(form, "input") {
			values.Add(attribute(input, "name"), attribute(input, "value"))
		}
	}
	return values
}

// headerOf is as much of a text as a header can hold.
func headerOf(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	return text[:min(len(text), 2<<10)]
}

// Rows U09 and U11: whatever is in a request, in a parameter, a path, a field or a
// header, no page takes it for its own, and nothing of it is expanded.
func TestHostileTextInRequests(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t, "LEAK="+leak)
	for name, text := range hostile {
		ann.language = headerOf(text)
		for _, parameter := range []string{
			"state", "scope", "redirect_uri", "client_id", "response_type", "response_mode", "code_challenge", "code_challenge_method", "prompt",
			"max_age", "acr_values", "login_hint", "ui_locales", "resource", "nonce", "claims", "request", "request_uri", "error_description", "handle", text,
		} {
			ann.at(challenged(parameter, text)).untouched(name + " as " + headerOf(parameter))
		}
		posted := ann.at(challenged("state", text, "response_mode", "form_post"))
		if posted.untouched(name + ", asked"); posted.title() == consentTitle {
			values := posted.submit("deny").untouched(name + ", posted").formTo(codeCallback)
			if got := values.Get("state"); values.Get("error") != "access_denied" || got != text && !strings.ContainsAny(text, "\r\x00") { // which no state may have
				t.Errorf("%s: the application gets %.80q", name, values)
			}
		} else if posted.status != http.StatusBadRequest && posted.status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %d %s", name, posted.status, posted.title())
		}
		stranger := newPerson(g)
		stranger.language = headerOf(text)
		for _, path := range []string{
			challenged("login_hint", text), "/oauth/" + url.PathEscape(text), "/oauth/errors/" + url.PathEscape(text), "/oauth/assets/" + url.PathEscape(text),
			"/oauth/signin?handle=" + url.QueryEscape(text), "/oauth/password?ticket=" + url.QueryEscape(text), "/oauth/session?request=" + url.QueryEscape(text),
		} {
			if len(path) < 12<<10 {
				stranger.at(path).untouched(name + " at " + headerOf(path)[:min(len(headerOf(path)), 40)])
			}
		}
		stranger.at("/oauth/signin").submit("signin", "username", text, "password", text).untouched(name + " as a user name")
		for _, field := range []string{"username", "name", "email", "new_password"} {
			fields := []string{"username", "user", "new_password", "short", "repeat", "short", field, text}
			stranger.at("/oauth/signup").submit("signup", fields...).untouched(name + " as " + field + " at sign-up")
		}
	}
}

// Ensure that the longest state there may be goes all the way, over sign-in and question,
// and comes back as it was.
func TestLongStateGoesAllTheWay(t *testing.T) {
	t.Parallel()
	g, _ := startCoded(t)
	state := strings.Repeat("0123456789", 780)
	s := newPerson(g).at(challenged("state", state)).is(http.StatusOK, "Sign in")
	s.follow("Create an account").is(http.StatusOK, "Create an account")
	s = s.signIn("ann", annPassword)
	s = s.is(http.StatusOK, consentTitle).submit("allow")
	s.code(codeCallback)
	if got := s.url.Query().Get("state"); got != state {
		t.Errorf("%d bytes of %d come back", len(got), len(state))
	}
	if s := newPerson(g).at(challenged("state", state+state)); s.status != http.StatusBadRequest || s.url.Port() != g.port {
		t.Errorf("twice as long: %d, at %s", s.status, s.url)
	}
}

// Rows U09, U11 and U12: whatever users and developers call themselves and their
// applications, it is text to those who see it, where the answer leads is shown beside
// it, and no picture of theirs is fetched by anybody.
func TestHostileTextOfUsersAndDevelopers(t *testing.T) {
	t.Parallel()
	var fetched atomic.Int64
	pictures, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pictures.Close() })
	go func() {
		for {
			c, err := pictures.Accept()
			if err != nil {
				return
			}
			fetched.Add(1)
			_ = c.Close()
		}
	}()
	g, root := startProxied(t, "LEAK="+leak)
	ann := newPerson(g)
	ann.signUp("ann", annPassword)
	shown, address := 0, 0
	for name, text := range hostile {
		dora := newPerson(g)
		address++
		if s := dora.signUpFrom(address, "username", text, "name", text).untouched(name + " as a name"); s.url.Path != "/oauth/account" {
			dora.signUpFrom(address, "username", "dora"+strconv.Itoa(address))
		}
		new := dora.at(appDeveloper + "/new")
		for _, field := range []string{
			"client_uri", "logo_uri", "policy_uri", "tos_uri", "redirect_uris", "contacts", "jwks_uri", "software_id", "software_version",
			"grant_types", "token_endpoint_auth_method", "scope", "handle", "do",
		} {
			new.submit("save", "client_name", "Pad", "redirect_uris", "nowhere", field, text).untouched(name + " as " + field)
		}
		s := new.submit("save", "client_name", text, "redirect_uris", appCallback, "scope", "orders:read",
			"contacts", headerOf(text)[:min(len(headerOf(text)), 60)], "logo_uri", "https://"+pictures.Addr().String()+"/logo.png")
		if s.untouched(name + " as client_name"); s.status != http.StatusOK {
			continue // not printable: said so
		}
		shown++
		app := registered{secret: g.canary(secretOn(s))}
		for a := range elements(s.doc, "a") {
			if to, err := url.Parse(attribute(a, "href")); err == nil && to.Path == appDeveloper+"/client" {
				app.id = to.Query().Get("id")
			}
		}
		page := ann.at(challenged("client_id", app.id, "redirect_uri", appCallback, "scope", "orders:read")).untouched(name + ", asked")
		if !strings.Contains(page.text(), "app.example.com") {
			t.Errorf("%s: where the answer leads is not shown: %s", name, page.text())
		}
		page.submit("allow").untouched(name + ", allowed")
		for _, path := range []string{"", "/client?id=" + app.id, "/delete?id=" + app.id} {
			dora.at(appDeveloper + path).untouched(name + " to its developer" + path)
		}
		query := url.QueryEscape(headerOf(text))
		for _, path := range []string{"/account", "/account/sessions", "/account/security", "/account?done=" + query, "/developer/client?id=" + query} {
			ann.at("/oauth" + path).untouched(name + " to its user at " + path[:min(len(path), 40)])
		}
		for _, list := range []string{"users", "clients", "grants", "sessions", "audit"} {
			root.at("/oauth/admin/" + list).untouched(name + " to administrators, among " + list)
			root.at("/oauth/admin/" + list + "?search=" + query + "&after=" + query).untouched(name + " searched for among " + list)
		}
	}
	if shown < 5 {
		t.Errorf("%d of the texts came to be seen at all", shown)
	}
	if n := fetched.Load(); n > 0 {
		t.Errorf("a picture was fetched %d times", n)
	}
}
