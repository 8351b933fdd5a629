// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// selfServed is an authorization server at which people register clients, a site
// that these call, and pages for administrators.
const selfServed = `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		scope orders:read "See your orders"
		scope orders:write
		users {
			argon2id {
				memory 8192
				time 1
			}
			sign_up
		}
		developers everybody
		self_service_scopes orders:read
	}
}

http://localhost:{$PORT} {
	oauth2_server {
		admin staff
	}
}

http://api.localhost:{$PORT} {
	oauth2_protect orders:read
	respond "orders"
}
`

const (
	appCallback  = "https://app.example.com/callback"
	appVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	appDeveloper = "/oauth/developer"
)

// registered is a client that a person has made.
type registered struct{ id, secret string }

// register makes a client of that name, and returns what the page shows, once.
func (p *person) register(name string) registered {
	p.g.t.Helper()
	s := p.at(appDeveloper+"/new").submit("save", "client_name", name, "redirect_uris", appCallback, "scope", "orders:read")
	for a := range elements(s.doc, "a") {
		to, err := url.Parse(attribute(a, "href"))
		if err == nil && to.Path == appDeveloper+"/client" {
			return registered{to.Query().Get("id"), p.g.canary(secretOn(s))}
		}
	}
	p.g.t.Fatalf("%s, %d: no client: %s", s.url, s.status, s.text())
	return registered{}
}

// secretOn is the client secret that a page shows.
func secretOn(s *screen) string {
	for n := range s.doc.Descendants() {
		if text := strings.TrimSpace(n.Data); n.Type == html.TextNode && strings.HasPrefix(text, "co2cs_") {
			return text
		}
	}
	s.p.g.t.Fatalf("no secret: %s", s.text())
	return ""
}

// authorize sends a person to allow a client what it asks for, and returns the
// access token that the client gets for the code.
func (p *person) authorize(c registered) string {
	p.g.t.Helper()
	challenge := sha256.Sum256([]byte(appVerifier))
	s := p.at("/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {c.id}, "redirect_uri": {appCallback}, "scope": {"orders:read"}, "state": {"xyz"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()).submit("allow")
	code := s.url.Query().Get("code")
	if s.url.Host != "app.example.com" || code == "" || s.url.Query().Get("state") != "xyz" {
		p.g.t.Fatalf("%s, %d: %s", s.url, s.status, s.text())
	}
	resp, body := p.g.post("/oauth/token", c.id, c.secret, url.Values{
		"grant_type": {"authorization_code"}, "code": {p.g.canary(code)}, "redirect_uri": {appCallback}, "code_verifier": {appVerifier},
	})
	var issued token
	if err := json.Unmarshal(body, &issued); resp.StatusCode != http.StatusOK || err != nil {
		p.g.t.Fatalf("%s: %s", resp.Status, body)
	}
	return p.g.canary(issued.AccessToken)
}

// Ensure that a developer makes a client, that its user allows it something, and that
// the user's one click ends that for the client's very next request.
func TestUserRevokesAnApplication(t *testing.T) {
	t.Parallel()
	g := start(t, selfServed)
	dora, ann, bob := newPerson(g), newPerson(g), newPerson(g)
	for name, p := range map[string]*person{"dora": dora, "ann": ann, "bob": bob} {
		p.signUp(name, annPassword)
	}
	app := dora.register("Order Pad")
	anns, bobs := ann.authorize(app), bob.authorize(app)
	if status := g.call("api.localhost", "/", anns); status != http.StatusOK {
		t.Fatalf("before: %d", status)
	}
	home := ann.at("/oauth/account")
	for _, want := range []string{"Order Pad", "See your orders", "dora"} {
		if !strings.Contains(home.text(), want) {
			t.Errorf("the page has no %q: %s", want, home.text())
		}
	}
	home.submit("revoke")
	if status := g.call("api.localhost", "/", anns); status != http.StatusUnauthorized {
		t.Errorf("after the click: %d", status)
	}
	if status := g.call("api.localhost", "/", bobs); status != http.StatusOK {
		t.Errorf("another user's: %d", status)
	}
	if status := g.call("api.localhost", "/", ann.authorize(app)); status != http.StatusOK {
		t.Errorf("allowed anew: %d", status)
	}
	dora.at(appDeveloper + "/client?id=" + app.id).submit("delete").submit("delete")
	if status := g.call("api.localhost", "/", bobs); status != http.StatusUnauthorized {
		t.Errorf("of a deleted client: %d", status)
	}
}

// Ensure that a form that another site sends, or one that another account has opened,
// changes nothing (row U01).
func TestAccountFormsOfOthers(t *testing.T) {
	t.Parallel()
	g := start(t, selfServed)
	ann, mallory := newPerson(g), newPerson(g)
	ann.signUp("ann", annPassword)
	mallory.signUp("mallory", annPassword)
	app := ann.register("Order Pad")
	token := ann.authorize(app)
	mallory.authorize(app)
	own := ann.at("/oauth/account")
	theirs := mallory.at("/oauth/account")
	for name, edit := range map[string]func(*http.Request){
		"cross-site":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"same site":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"origin null": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") },
		"another origin": func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://evil.example.com")
		},
		"nothing said": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Del("Origin") },
		"text":         func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"HEAD":         func(r *http.Request) { r.Method = http.MethodHead },
	} {
		req := own.request("revoke")
		edit(req)
		if s := ann.send(req); s.status < 400 && name != "HEAD" {
			t.Errorf("%s: %d", name, s.status)
		}
	}
	// Mallory's page, posted by ann's browser.
	if s := ann.send(theirs.request("revoke")); s.status != http.StatusForbidden {
		t.Errorf("another account's form: %d", s.status)
	}
	if s := ann.send(own.request("revoke", "handle", "")); s.status != http.StatusForbidden {
		t.Errorf("no handle: %d", s.status)
	}
	if status := g.call("api.localhost", "/", token); status != http.StatusOK {
		t.Errorf("the application has lost its access: %d", status)
	}
}

// Ensure that a client is its owner's alone, and that for others it does not exist
// (row U24); and that nothing shows its secret again (row U25).
func TestClientsAreTheirOwners(t *testing.T) {
	t.Parallel()
	g := start(t, selfServed)
	ann, mallory := newPerson(g), newPerson(g)
	ann.signUp("ann", annPassword)
	mallory.signUp("mallory", annPassword)
	app := ann.register(`"><script>alert(1)</script>`)
	page := appDeveloper + "/client?id="
	nothing := mallory.at(page + "nothing")
	if theirs := mallory.at(page + app.id); theirs.status != http.StatusNotFound || theirs.body != nothing.body {
		t.Errorf("%d: %s", theirs.status, theirs.text())
	}
	for _, button := range []string{"save", "secret_rotate", "delete"} {
		req := ann.at(page+app.id).request(button, "client_name", "Mallory's")
		if s := mallory.send(req); s.status != http.StatusNotFound && s.status != http.StatusForbidden {
			t.Errorf("%s: %d", button, s.status)
		}
	}
	for _, path := range []string{appDeveloper, page + app.id, "/oauth/account"} {
		s := ann.at(path)
		if strings.Contains(s.body, app.secret) || strings.Contains(s.body, "<script>alert") {
			t.Errorf("%s shows a secret or a script", path)
		}
		if got := s.header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: %q may read it", path, got)
		}
	}
	if resp, body := g.adminRequest(http.MethodGet, "/oauth2/clients", nil); resp.StatusCode != http.StatusOK || strings.Contains(string(body), app.secret) {
		t.Errorf("%s: %s", resp.Status, body)
	}
	if s := ann.at("/oauth/admin/users"); s.status != http.StatusNotFound {
		t.Errorf("pages for administrators: %d", s.status)
	}
	ann.authorize(app) // nothing of it has changed
}
