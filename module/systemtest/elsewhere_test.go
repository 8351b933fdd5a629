// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// vouched is a gateway with accounts of its own, and those of an application that can
// be asked whether it still has them.
const vouched = `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		scope orders:read "See your orders"
		users {
			argon2id {
				memory 8192
				time 1
			}
			sign_up
			http {$LOGIN}/login {
				cookie session
				check {$LOGIN}/check
			}
		}
		client shop {
			secret {env.SECRET}
			grant_types authorization_code refresh_token
			redirect_uris https://shop.example.com/callback
			scopes orders:read
		}
	}
}

http://localhost:{$PORT} {
	oauth2_server
}

http://legacy.localhost:{$PORT} {
	oauth2_protect {
		accept session
		allow /*
	}
	respond "legacy"
}

http://wiki.localhost:{$PORT} {
	oauth2_protect {
		accept session
		allow /*
	}
	respond "wiki"
}
`

// voucher is that application, where bob has an account.
type voucher struct {
	*httptest.Server
	// check is the status that it answers with when it is asked for bob, and asked
	// counts that.
	check, asked atomic.Int64
}

func newVoucher(t *testing.T) *voucher {
	v := &voucher{}
	v.check.Store(http.StatusOK)
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bob := r.FormValue("username") == "bob"
		switch {
		case r.URL.Path == "/check" && bob:
			v.asked.Add(1)
			w.WriteHeader(int(v.check.Load()))
		case r.URL.Path == "/check":
			w.WriteHeader(http.StatusNotFound)
		case bob && r.FormValue("password") == otherPassword:
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "s"})
		}
	}))
	t.Cleanup(v.Close)
	return v
}

// tryRefresh is the status of the answer to a refresh token of the shop, and its text.
func (g *gateway) tryRefresh(raw string) (int, string) {
	g.t.Helper()
	resp, body := g.post("/oauth/token", "shop", codeSecret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {raw}})
	return resp.StatusCode, string(body)
}

// Ensure that an application whose users sign in here keeps nobody, while it is down,
// from looking at what they have here and ending it, nor anybody else in the same
// browser from anything; that nothing new is given to its users meanwhile; and that who
// has no account there any more is out.
func TestASourceThatIsDown(t *testing.T) {
	t.Parallel()
	app := newVoucher(t)
	g := start(t, vouched, "LOGIN="+app.URL, "SECRET="+codeSecret)
	g.canary(annPassword)
	g.canary(otherPassword)
	p := newPerson(g)
	p.signUp("ann", annPassword)
	p.at("/oauth/signin").signIn("bob", otherPassword)
	legacy, wiki := g.url(legacySite, "/"), g.url(wikiSite, "/")
	if s := p.open(legacy); s.body != "legacy" {
		t.Fatalf("%d %s", s.status, s.text())
	}
	asBob := func() *screen { // the active account is the first one to choose
		return p.at(challenged("prompt", "consent")).submit("choose").is(http.StatusOK, "shop asks for access to your account")
	}
	issued := g.redeem(asBob().submit("allow").code(codeCallback))
	if issued.Refresh == "" {
		t.Fatalf("%+v", issued)
	}

	app.check.Store(http.StatusServiceUnavailable)
	asked := app.asked.Load()
	for _, path := range []string{"/oauth/account", "/oauth/account/sessions", "/oauth/account/security", "/oauth/signout", "/oauth/signin/choose"} {
		if s := p.at(path); s.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, s.status, s.text())
		}
	}
	question := asBob()
	if s := p.open(legacy); s.body != "legacy" {
		t.Errorf("a site that was visited: %d %s", s.status, s.text())
	}
	if n := app.asked.Load() - asked; n != 0 {
		t.Errorf("the application was asked %d times", n)
	}
	for what, s := range map[string]*screen{"a code": question.submit("allow"), "another site": p.open(wiki)} {
		if s.status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", what, s.status, s.url)
		}
	}
	if status, body := g.tryRefresh(issued.Refresh); status != http.StatusServiceUnavailable {
		t.Errorf("refreshed: %d %s", status, body)
	}
	if s := p.at("/oauth/account").submit("revoke"); s.status != http.StatusOK || strings.Contains(s.text(), "See your orders") {
		t.Errorf("revoked: %d %s", s.status, s.text())
	}
	p.at("/oauth/signout").submit("signout")
	if s := p.at("/oauth/account"); s.status != http.StatusOK || !strings.Contains(s.text(), "ann") {
		t.Errorf("without bob: %d %s", s.status, s.text())
	}

	app.check.Store(http.StatusOK)
	bob := newPerson(g)
	bob.at("/oauth/signin").signIn("bob", otherPassword)
	issued = g.redeem(bob.at(challenged()).submit("allow").code(codeCallback))
	app.check.Store(http.StatusGone)
	if status, body := g.tryRefresh(issued.Refresh); status != http.StatusBadRequest || !strings.Contains(body, "invalid_grant") {
		t.Errorf("refreshed without an account: %d %s", status, body)
	}
	if s := bob.at(challenged("prompt", "none")); !strings.Contains(s.url.RawQuery, "error=login_required") {
		t.Errorf("asked silently without an account: %d %s", s.status, s.url)
	}
	for what, address := range map[string]string{"a code": g.url("localhost", challenged()), "a site": wiki, "the account": g.url("localhost", "/oauth/account")} {
		if s := bob.open(address); s.title() != "Sign in" {
			t.Errorf("%s without an account: %d %s", what, s.status, s.text())
		}
	}
}
