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

// lax is coded with a client that needs no challenge.
var lax = strings.Replace(coded, "\t\tclient bank {", `		client old {
			secret {env.SECRET}
			grant_types authorization_code
			redirect_uris https://old.example.com/callback
			scopes orders:read
			pkce optional
		}
		client bank {`, 1)

// R12, R21: of a native application's redirect URI only the port is free, and what looks
// like its address is another one; signing out leads nowhere.
func TestAddressesThatLookLikeLoopback(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t)
	for _, uri := range []string{
		"http://127.0.0.1.evil.example/callback", "http://127.1/callback", "http://0x7f.1/callback", "http://2130706433/callback",
		"http://[::ffff:127.0.0.1]/callback", "http://[::1]/callback", "http://localhost/callback", "http://localhost.evil.example/callback",
		"https://127.0.0.1/callback", "http://127.0.0.1:0/callback", "http://127.0.0.1:65536/callback", "http://127.0.0.1:80@evil.example/callback",
		"http://127.0.0.1:4711/other", "http://127.0.0.1:4711/callback?x=1", "http://127.0.0.1\\@evil.example/callback",
	} {
		s := ann.at(challenged("client_id", "pad", "redirect_uri", uri))
		if s.status != http.StatusBadRequest || s.url.Port() != g.port || s.url.Path != "/oauth/authorize" {
			t.Errorf("%s: %d, at %s", uri, s.status, s.url)
		}
	}
	for _, uri := range []string{"http://127.0.0.1/callback", "http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback"} {
		if s := ann.at(challenged("client_id", "pad", "redirect_uri", uri)); s.status != http.StatusOK {
			t.Errorf("%s: %d %s", uri, s.status, s.text())
		}
	}
	out := ann.at("/oauth/signout?post_logout_redirect_uri=https://evil.example/&id_token_hint=eyJhbGciOiJub25lIn0.e30.")
	if s := out.submit("signout"); s.url.Path != "/oauth/signout" || s.url.RawQuery != "" {
		t.Errorf("R21: signing out leads to %s", s.url)
	}
}

// R24: nobody who registers a client can have people sent to its place by a request with
// a fault before they have signed in.
func TestClientsOfUsersRedirectNoStrangers(t *testing.T) {
	t.Parallel()
	g := start(t, selfServed)
	mallory := newPerson(g)
	mallory.signUp("mallory", annPassword)
	app := mallory.register("Lottery")
	for _, more := range [][]string{{"scope", "nope"}, {"response_type", "token"}, {"prompt", "none"}, {"code_challenge", ""}, {"resource", "https://unknown.example"}} {
		request := challenged(append([]string{"client_id", app.id, "redirect_uri", appCallback, "scope", "orders:read"}, more...)...)
		if s := newPerson(g).at(request); s.url.Port() != g.port {
			t.Errorf("%v: a stranger is sent to %s", more, s.url)
		}
		if s := mallory.at(request); s.url.Host != "app.example.com" || s.url.Query().Get("error") == "" {
			t.Errorf("%v: who is signed in is at %s, %d", more, s.url, s.status)
		}
	}
}

// P02, P09, P10: a verifier without a challenge is none; of a pushed request the pushed
// challenge counts; and the metadata say what is so.
func TestChallengesThatAreNotThere(t *testing.T) {
	t.Parallel()
	g := start(t, lax, "SECRET="+codeSecret, "REUSE=10m")
	ann := newPerson(g)
	ann.signUp("ann", annPassword)
	const old, bank = "https://old.example.com/callback", "https://bank.example.com/callback"
	code := ann.at(challenged("client_id", "old", "redirect_uri", old, "code_challenge", "", "code_challenge_method", "")).submit("allow").code(old)
	redeem := func(client, code, uri string, more ...string) grantAnswer {
		return g.grant(client, codeSecret, append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", uri}, more...)...)
	}
	if a := redeem("old", code, old, "code_verifier", codeVerifier); a.Error != "invalid_grant" {
		t.Errorf("P02: %+v", a)
	}
	if a := redeem("old", code, old); a.status != http.StatusOK {
		t.Errorf("without challenge and verifier: %+v", a)
	}
	push, err := url.ParseQuery(strings.TrimPrefix(challenged("client_id", "", "redirect_uri", bank), "/oauth/authorize?"))
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
	forged := strings.Repeat("f", 43)
	code = ann.at(challenged("client_id", "bank", "redirect_uri", "https://evil.example/", "request_uri", pushed.Name, "code_challenge", forged)).submit("allow").code(bank)
	if a := redeem("bank", code, bank, "code_verifier", forged); a.Error != "invalid_grant" {
		t.Errorf("P09, the forged one: %+v", a)
	}
	if a := redeem("bank", code, bank, "code_verifier", codeVerifier); a.status != http.StatusOK {
		t.Errorf("P09, the pushed one: %+v", a)
	}
	if methods, ok := g.document("/.well-known/oauth-authorization-server")["code_challenge_methods_supported"].([]any); !ok || len(methods) != 1 || methods[0] != "S256" {
		t.Errorf("P10: %v", methods)
	}
}

// T09, T12: an audience that is out of service is not refreshed; who has lost an answer
// gets it again, until what was in it is used, and that ends nothing.
func TestRefreshingWhatIsGoneOrLost(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t)
	api := g.url("api.localhost", "")
	code := ann.allow(challenged("resource", api))
	first := g.redeem(code)
	second := g.refresh(first.Refresh, "resource", api)
	if again := g.refresh(first.Refresh, "resource", api); second.status != http.StatusOK || again.Access != second.Access || again.Refresh != second.Refresh {
		t.Errorf("T12: %+v, before %+v", again, second)
	}
	third := g.refresh(second.Refresh)
	if a := g.refresh(first.Refresh, "resource", api); a.Error != "invalid_grant" {
		t.Errorf("T12, once it was used: %+v", a)
	}
	if third.status != http.StatusOK || g.call("api.localhost", "/", third.Access) != http.StatusOK {
		t.Errorf("a repeated refresh has ended the grant: %+v", third)
	}
	g.mustReload(strings.Replace(coded, "http://api.localhost:", "http://other.localhost:", 1))
	if a := g.refresh(third.Refresh); a.Error != "invalid_target" {
		t.Errorf("T09: %+v", a)
	}
	g.mustReload(coded)
	if a := g.refresh(third.Refresh); a.status != http.StatusOK {
		t.Errorf("back in service: %+v", a)
	}
}

// U15: what happens to an account after the password counts too.
func TestDisabledBetweenTwoFactors(t *testing.T) {
	t.Parallel()
	g := startScratch(t)
	p := newPerson(g)
	p.at("/oauth/signin").signIn("ann", annPassword)
	a := p.enrol()
	half := newPerson(g).at("/oauth/signin").signIn("ann", annPassword).is(http.StatusOK, factorTitle)
	g.cli(0, "", "user", "disable", "ann")
	if s := half.submit("code", "code", a.code(0)); s.status != http.StatusForbidden || half.p.signedIn() {
		t.Errorf("%d %s", s.status, s.title())
	}
}

// U27, U28: scripts of other sites read no answer that is not for everybody, and a
// preflight request opens nothing.
func TestAnswersForScriptsOfOtherSites(t *testing.T) {
	t.Parallel()
	g, _ := startCoded(t)
	for _, origin := range []string{"https://evil.example", "null", "https://shop.example.com.evil.example", "http://localhost:" + g.port} {
		for _, c := range []struct{ host, method, path, want string }{
			{"localhost", http.MethodPost, "/oauth/token", ""}, {"localhost", http.MethodPost, "/oauth/revoke", ""},
			{"localhost", http.MethodPost, "/oauth/introspect", ""}, {"localhost", http.MethodPost, "/oauth/par", ""},
			{"localhost", http.MethodOptions, "/oauth/token", ""}, {"localhost", http.MethodGet, "/oauth/authorize", ""},
			{"localhost", http.MethodOptions, "/oauth/authorize", ""}, {"api.localhost", http.MethodOptions, "/", ""},
			{"localhost", http.MethodGet, "/.well-known/oauth-authorization-server", "*"},
		} {
			req, err := http.NewRequest(c.method, g.url(c.host, c.path), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", origin)
			req.Header.Set("Access-Control-Request-Method", http.MethodGet)
			req.Header.Set("X-Auth-Subject", "eve")
			resp, body := g.do(req)
			if h := resp.Header; h.Get("Access-Control-Allow-Origin") != c.want || h.Get("Access-Control-Allow-Credentials") != "" || string(body) == "orders" {
				t.Errorf("%s, %s %s: %s %v %s", origin, c.method, c.path, resp.Status, h, body)
			}
		}
	}
}
