// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
)

// fromScratch is all that an operator writes for people, an application and an API.
const fromScratch = `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		scope orders:read "See your orders"
		scope orders:write "Create and change orders"
		client shop {
			name "Example Shop"
			secret ` + shopSecret + `
			redirect_uris https://shop.example/callback
			grant_types authorization_code refresh_token
			scopes orders:read orders:write
		}
	}
}

http://localhost:{$PORT} {
	oauth2_server
}

http://api.localhost:{$PORT} {
	oauth2_protect {
		allow GET /orders/* orders:read
		allow POST /orders orders:write
	}
	respond "for {http.auth.user.name}, by {http.auth.oauth2.client_id}"
}
`

// Verifier and challenge of RFC 7636, appendix B.
const (
	codeVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	codeChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// addUser adds a user on the command line.
func (g *gateway) addUser(name, password string, flags ...string) {
	g.t.Helper()
	g.canary(password)
	g.cli(0, password, append([]string{"user", "add", name}, flags...)...)
}

// authorizePath is an authorization request of shop.
func authorizePath(params ...string) string {
	query := url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {"https://shop.example/callback"}, "scope": {"orders:read"},
		"state": {"af0ifjsldkj"}, "code_challenge": {codeChallenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	return "/oauth/authorize?" + query.Encode()
}

// redeem exchanges the code that a browser was sent to shop with for a token.
func (s *screen) redeem() token {
	s.p.g.t.Helper()
	answer := s.url.Query()
	if s.url.Host != "shop.example" || answer.Get("state") != "af0ifjsldkj" || answer.Get("iss") != "http://localhost:"+s.p.g.port {
		s.p.g.t.Fatalf("the browser is at %s, %d: %s", s.url, s.status, s.text())
	}
	resp, body := s.p.g.post("/oauth/token", "shop", shopSecret, url.Values{
		"grant_type": {"authorization_code"}, "code": {s.p.g.canary(answer.Get("code"))},
		"redirect_uri": {"https://shop.example/callback"}, "code_verifier": {codeVerifier},
	})
	var t token
	if err := json.Unmarshal(body, &t); err != nil || resp.StatusCode != http.StatusOK {
		s.p.g.t.Fatalf("%s: %s", resp.Status, body)
	}
	s.p.g.canary(t.AccessToken)
	return t
}

// Ensure the whole way: an operator adds a user, whom an application sends to sign in
// and to be asked, and whose token then opens what was allowed, and nothing else.
func TestFromAccountToGuardedCall(t *testing.T) {
	t.Parallel()
	g := start(t, fromScratch)
	g.canary(shopSecret)
	g.addUser("ann", annPassword)
	p := newPerson(g)
	s := p.at(authorizePath()).is(http.StatusOK, "Sign in").signIn("ann", annPassword)
	s = s.is(http.StatusOK, "Example Shop asks for access to your account").submit("allow")
	got := s.redeem()
	if got.Scope != "orders:read" {
		t.Errorf("scope %q", got.Scope)
	}
	a := g.get("api.localhost", "/orders/1", "Authorization: Bearer "+got.AccessToken)
	if a.status != http.StatusOK || a.body != "for ann, by shop" {
		t.Errorf("%d %s", a.status, a.body)
	}
	r, err := http.NewRequest(http.MethodPost, g.url("api.localhost", "/orders"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+got.AccessToken)
	if resp, body := g.do(r); resp.StatusCode != http.StatusForbidden {
		t.Errorf("what was not asked for: %s %s", resp.Status, body)
	}
	// Signed in and asked before: straight back.
	p.at(authorizePath()).redeem()
	g.cli(0, "", "user", "disable", "ann")
	if status := g.call("api.localhost", "/orders/1", got.AccessToken); status != http.StatusUnauthorized {
		t.Errorf("the token of a disabled user: %d", status)
	}
	p.at(authorizePath()).is(http.StatusOK, "Sign in").signIn("ann", annPassword).is(http.StatusForbidden, "Sign in")
}
