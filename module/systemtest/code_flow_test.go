// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	codeCallback = "https://shop.example.com/callback"
	codeSecret   = "the-secret-of-the-shop-0123456789"
)

// coded is a gateway whose clients have people send them codes. Its access log would
// show what must not be in one.
const coded = `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		scope orders:read "See your orders"
		scope orders:write "Change your orders"
		users {
			argon2id {
				memory 8192
				time 1
			}
			sign_up
		}
		grant_type refresh_token {
			reuse_window {$REUSE}
		}
		client shop {
			name "Example Shop"
			secret {env.SECRET}
			grant_types authorization_code refresh_token
			redirect_uris https://shop.example.com/callback
			scopes orders:read orders:write
			default_scopes orders:read
			optional_scopes orders:write
		}
		client pad {
			auth_method none
			grant_types authorization_code refresh_token
			redirect_uris http://127.0.0.1/callback
			scopes orders:read
		}
		client bank {
			secret {env.SECRET}
			grant_types authorization_code
			redirect_uris https://bank.example.com/callback
			scopes orders:read
			require_par
		}
	}
}

http://localhost:{$PORT} {
	log
	oauth2_server
}

http://api.localhost:{$PORT} {
	oauth2_protect {
		allow GET /* orders:read
		allow POST /* orders:write
	}
	respond "orders"
}
`

// startCoded runs it, and ann is signed in.
func startCoded(t testing.TB, env ...string) (*gateway, *person) {
	t.Helper()
	g := start(t, coded, append([]string{"SECRET=" + codeSecret, "REUSE=10m"}, env...)...)
	g.canary(annPassword)
	ann := newPerson(g)
	ann.signUp("ann", annPassword)
	return g, ann
}

// challenged is an authorization request with a code challenge, changed by pairs of
// names and values; an empty value takes a parameter away.
func challenged(pairs ...string) string {
	params := url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {codeCallback}, "state": {"xyz"},
		"code_challenge": {codeChallenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if params.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			params.Del(pairs[i])
		}
	}
	return "/oauth/authorize?" + params.Encode()
}

// code is the code that the browser was sent to a client with.
func (s *screen) code(uri string) string {
	s.p.g.t.Helper()
	q := s.url.Query()
	if !strings.HasPrefix(s.url.String(), uri) || q.Get("code") == "" || q.Get("iss") != s.p.g.issuer() {
		s.p.g.t.Fatalf("%s, %d: %s", s.url, s.status, s.text())
	}
	return s.p.g.canary(q.Get("code"))
}

// allow has a person allow the shop what it asks for, if that is asked.
func (p *person) allow(request string) string {
	p.g.t.Helper()
	s := p.at(request)
	if s.status == http.StatusOK {
		s = s.submit("allow")
	}
	return s.code(codeCallback)
}

// grantAnswer is what the token endpoint says.
type grantAnswer struct {
	status  int
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Scope   string `json:"scope"`
	Error   string `json:"error"`
}

// grant sends a token request of a client; without a secret it only says who it is.
func (g *gateway) grant(id, secret string, pairs ...string) grantAnswer {
	g.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	if secret == "" {
		form.Set("client_id", id)
		id = ""
	}
	resp, body := g.post("/oauth/token", id, secret, form)
	a := grantAnswer{status: resp.StatusCode}
	if err := json.Unmarshal(body, &a); err != nil {
		g.t.Fatalf("%s: %s", resp.Status, body)
	}
	for _, secret := range []string{a.Access, a.Refresh} {
		if secret != "" {
			g.canary(secret)
		}
	}
	return a
}

// redeem redeems a code of the shop with all its proofs.
func (g *gateway) redeem(code string) grantAnswer {
	g.t.Helper()
	return g.grant("shop", codeSecret, "grant_type", "authorization_code", "code", code, "redirect_uri", codeCallback, "code_verifier", codeVerifier)
}

// refresh uses a refresh token of the shop.
func (g *gateway) refresh(raw string, more ...string) grantAnswer {
	g.t.Helper()
	return g.grant("shop", codeSecret, append([]string{"grant_type", "refresh_token", "refresh_token", raw}, more...)...)
}

// Ensure that somebody who is not signed in comes from the application to the sign-in
// page, to the question, and back to the application, which then reaches what was
// allowed and nothing more; and that no log has a code or a token.
func TestCodeFlow(t *testing.T) {
	t.Parallel()
	g, _ := startCoded(t)
	p := newPerson(g)
	asked := p.at(challenged("scope", "orders:read orders:write")).is(http.StatusOK, "Sign in").signIn("ann", annPassword)
	asked.is(http.StatusOK, "Example Shop asks for access to your account")
	for _, want := range []string{"Example Shop", "See your orders", "Change your orders", "shop.example.com", "ann"} {
		if !strings.Contains(asked.text(), want) {
			t.Errorf("the page has no %q: %s", want, asked.text())
		}
	}
	// The box of the one that the shop can do without is left unticked.
	back := asked.submit("allow", "scope", "")
	if back.url.Query().Get("state") != "xyz" {
		t.Error(back.url)
	}
	issued := g.redeem(back.code(codeCallback))
	if issued.status != http.StatusOK || issued.Scope != "orders:read" || issued.Refresh == "" {
		t.Fatalf("%+v", issued)
	}
	if status := g.call("api.localhost", "/", issued.Access); status != http.StatusOK {
		t.Errorf("what was allowed: %d", status)
	}
	if a := g.request("POST", "api.localhost", "/", "", "Authorization: Bearer "+issued.Access); a.status != http.StatusForbidden {
		t.Errorf("what was not: %d", a.status)
	}
	next := g.refresh(issued.Refresh)
	if again := g.refresh(issued.Refresh); again.Access != next.Access || next.Access == "" {
		t.Errorf("a repeated refresh gets another answer: %+v, %+v", next, again)
	}
	// Remembered, with what was unticked.
	if again := g.redeem(p.at(challenged("scope", "orders:read orders:write", "prompt", "none")).code(codeCallback)); again.Scope != "orders:read" {
		t.Errorf("%+v", again)
	}
	denied := p.at(challenged("prompt", "consent")).submit("deny")
	if q := denied.url.Query(); q.Get("error") != "access_denied" || q.Get("state") != "xyz" || q.Get("iss") != g.issuer() {
		t.Errorf("denied: %s", denied.url)
	}
	p.at("/oauth/signout").submit("signout")
	if status := g.call("api.localhost", "/", next.Access); status != http.StatusOK {
		t.Errorf("signed out of the browser, the application gets %d", status)
	}
}

// Ensure that prompt and max_age have a real sign-in asked for, once, and that with
// two people in a browser it is asked who is meant.
func TestCodeFlowAsksWhoIsThere(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t)
	ann.allow(challenged())
	for _, again := range [][]string{{"prompt", "login"}, {"max_age", "0"}} {
		s := ann.at(challenged(again...)).is(http.StatusOK, "Sign in")
		s.signIn("ann", annPassword).code(codeCallback)
	}
	if q := ann.at(challenged("prompt", "none", "acr_values", "2")).url.Query(); q.Get("error") != "interaction_required" {
		t.Errorf("a second factor that nobody may be asked for: %v", q)
	}
	newPerson(g).signUp("bob", annPassword)
	ann.at(challenged("prompt", "select_account")).submit("another").signIn("bob", annPassword).submit("deny")
	chooser := ann.at(challenged())
	for _, name := range []string{"ann", "bob"} {
		if !strings.Contains(chooser.text(), name) {
			t.Errorf("nobody is asked whether %s is meant: %s", name, chooser.text())
		}
	}
}

// Ensure that a pushed request is answered once, that a native application's user is
// asked each time, and that a form post has a button for who has no scripts.
func TestCodeFlowOfOtherClients(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t)
	if q := ann.at(challenged("client_id", "bank", "redirect_uri", "")).url.Query(); q.Get("error") != "invalid_request" {
		t.Errorf("not pushed: %v", q)
	}
	push, err := url.ParseQuery(strings.TrimPrefix(challenged("client_id", "", "redirect_uri", ""), "/oauth/authorize?"))
	if err != nil {
		t.Fatal(err)
	}
	resp, body := g.post("/oauth/par", "bank", codeSecret, push)
	var pushed struct {
		Name string `json:"request_uri"`
	}
	if err := json.Unmarshal(body, &pushed); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	named := "/oauth/authorize?" + url.Values{"client_id": {"bank"}, "request_uri": {pushed.Name}}.Encode()
	code := ann.at(named).submit("allow").code("https://bank.example.com/callback")
	if a := g.grant("bank", codeSecret, "grant_type", "authorization_code", "code", code, "code_verifier", codeVerifier); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	ann.at(named).is(http.StatusBadRequest, "This did not work")

	for range 2 {
		uri := "http://127.0.0.1:4711/callback"
		code := ann.at(challenged("client_id", "pad", "redirect_uri", uri)).submit("allow").code(uri)
		a := g.grant("pad", "", "grant_type", "authorization_code", "code", code, "redirect_uri", uri, "code_verifier", codeVerifier)
		if a.status != http.StatusOK || g.grant("pad", "", "grant_type", "refresh_token", "refresh_token", a.Refresh).status != http.StatusOK {
			t.Errorf("%+v", a)
		}
	}

	page := ann.at(challenged("response_mode", "form_post")).submit("allow")
	if page.status != http.StatusOK || !strings.Contains(page.body, `action="`+codeCallback+`"`) || !strings.Contains(page.body, `name="state" value="xyz"`) {
		t.Errorf("%d: %s", page.status, page.body)
	}
}
