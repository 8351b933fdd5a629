// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Ensure that another issuer's token opens what its scopes do, that the service
// learns who vouches for the caller and nothing of the token, and that our own
// tokens go on as before.
func TestForeignTokenOpensWhatItMay(t *testing.T) {
	t.Parallel()
	f := newForeignIssuer(t)
	g, u := startAbroad(t, f)
	if n := f.fetches.Load(); n != 0 {
		t.Errorf("%d fetches while the configuration was loaded", n)
	}
	bearer := "Authorization: Bearer "
	raw := f.issue(g, nil)
	if a := g.get("api.localhost", "/x", bearer+raw, "X-Auth-Issuer: http://forged.example", "x_auth_issuer: http://forged.example"); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	got := u.last()
	for name, want := range map[string]string{
		"X-Auth-Issuer": f.url(), "X-Auth-Subject": "ann", "X-Auth-Client": "shop", "X-Auth-Scope": "user", "X-Auth-Username": "", "Authorization": "",
	} {
		if lines := got.lines(name); want == "" && len(lines) > 0 || want != "" && (len(lines) != 1 || !strings.HasSuffix(lines[0], ": "+want)) {
			t.Errorf("%s: %q, want %q", name, lines, want)
		}
	}
	for i := range 3 {
		if status := g.call("api.localhost", "/x", raw); status != http.StatusOK {
			t.Errorf("again, %d: %d", i, status)
		}
	}
	if status := g.call("api.localhost", "/admin/x", raw); status != http.StatusForbidden {
		t.Errorf("beyond its scopes: %d", status)
	}
	if status := g.call("api.localhost", "/admin/x", f.issue(g, map[string]any{"scope": nil, "scp": []string{"admin"}})); status != http.StatusOK {
		t.Errorf("scopes as a list: %d", status)
	}
	if status := g.call("home.localhost", "/x", raw); status != http.StatusUnauthorized {
		t.Errorf("at a site that does not accept its issuer: %d", status)
	}
	own := g.shopToken("user")
	if status := g.call("api.localhost", "/x", own); status != http.StatusOK {
		t.Errorf("our own token: %d", status)
	}
	if lines := u.last().lines("X-Auth-Issuer"); len(lines) != 1 || !strings.HasSuffix(lines[0], "http://localhost:"+g.port) {
		t.Errorf("our own token's issuer: %q", lines)
	}
	if a := g.get("api.localhost", "/.well-known/oauth-protected-resource"); !strings.Contains(a.body, `"http://localhost:`+g.port+`","`+f.url()+`"`) {
		t.Errorf("metadata: %s", a.body)
	}
	if n := f.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want one", n)
	}
}

// Ensure that an issuer that is down while we start holds nothing up but its own
// tokens, which pass by themselves when it is up; and that one that goes down
// later takes nothing with it, nor does a reload (row FD11 for issuers).
func TestForeignIssuerGoesDown(t *testing.T) {
	t.Parallel()
	f := newForeignIssuer(t)
	f.down()
	g, _ := startAbroad(t, f)
	token := f.issue(g, nil)
	a := g.get("api.localhost", "/x", "Authorization: Bearer "+token)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || strings.Contains(a.body, f.address) {
		t.Fatalf("while it is down: %d %v %s", a.status, a.header, a.body)
	}
	if status := g.call("api.localhost", "/x", g.shopToken("user")); status != http.StatusOK {
		t.Errorf("our own token while it is down: %d", status)
	}
	f.set("<html>starting</html>", "")
	f.up()
	if status := g.call("api.localhost", "/x", token); status != http.StatusServiceUnavailable {
		t.Errorf("while it answers a page: %d", status)
	}
	f.set("", "")
	eventually(t, "its token passes", func() bool { return g.call("api.localhost", "/x", token) == http.StatusOK })

	fetches := f.fetches.Load()
	f.down()
	check := func(when string) {
		t.Helper()
		for name, raw := range map[string]string{"a known token": token, "a new one": f.issue(g, map[string]any{"jti": when})} {
			if status := g.call("api.localhost", "/x", raw); status != http.StatusOK {
				t.Errorf("%s, %s: %d", when, name, status)
			}
		}
	}
	check("when it went down again")
	g.mustReload(abroad + "# again\n")
	check("after a reload")
	if n := f.fetches.Load(); n != fetches {
		t.Errorf("%d fetches more", n-fetches)
	}
	m := g.metrics()
	if sum(m, "caddy_oauth2_keys_fetches_total", `outcome="failed"`) < 1 || sum(m, "caddy_oauth2_keys_fetches_total", `outcome="allowed"`) != 1 ||
		sum(m, "caddy_oauth2_keys_failing", f.url()) != 0 || sum(m, "caddy_oauth2_keys_age_seconds", f.url()) <= 0 {
		t.Errorf("metrics: %v", m)
	}
}

// Ensure that two gateways can be one's clients and the other's service: signed
// tokens are accepted by their keys, and where the other one is asked, what it
// revokes is refused here within the time that its answers may be used.
func TestTokensOfAnotherGateway(t *testing.T) {
	t.Parallel()
	other := start(t, `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		scope user
		client shop {
			secret `+shopSecret+`
			grant_types client_credentials
			scopes user
		}
		client gate {
			secret `+gateSecret+`
			introspect http://localhost:{$PORT}
		}
		access_token {
			format jwt
		}
	}
}

http://localhost:{$PORT} {
	oauth2_server
}
`)
	issuer, u := "http://localhost:"+other.port, newUpstream(t)
	g := start(t, abroad, u.env(), "FOREIGN="+issuer, "INTROSPECT=/oauth/introspect", "GATE_SECRET="+gateSecret)
	raw := g.canary(other.shopToken("user"))
	for _, site := range []string{"api.localhost", "asked.localhost"} {
		if status := g.call(site, "/x", raw); status != http.StatusOK {
			t.Fatalf("%s: %d", site, status)
		}
		if got := u.last(); got.Header.Get("X-Auth-Issuer") != issuer || got.Header.Get("X-Auth-Client") != "shop" || len(got.lines("X-Auth-Subject")) != 0 {
			t.Errorf("%s: %v", site, got.Header)
		}
	}
	if status := g.call("home.localhost", "/x", raw); status != http.StatusUnauthorized {
		t.Errorf("at a site that does not accept its issuer: %d", status)
	}
	other.revoke(raw)
	eventually(t, "the revocation is noticed", func() bool { return g.call("asked.localhost", "/x", raw) == http.StatusUnauthorized })
	if status := g.call("api.localhost", "/x", raw); status != http.StatusOK {
		t.Errorf("where nobody is asked, a token is good until it expires: %d", status)
	}
}

// Ensure that a token which its issuer is asked about passes while the answer
// may be used, and is refused once the issuer says so or cannot be asked.
func TestIssuerIsAskedAboutTokens(t *testing.T) {
	t.Parallel()
	f := newForeignIssuer(t)
	f.set("", `{"active":true,"token_type":"Bearer","client_id":"app","sub":"ann","aud":["api"],"scope":"user"}`)
	g, u := startAbroad(t, f)
	token := g.canary("opaque-token-of-somebody-else")
	var all sync.WaitGroup
	began := time.Now()
	for range 20 {
		all.Go(func() {
			if a := g.get("asked.localhost", "/x", "Authorization: Bearer "+token); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	// An answer is used for a second, and for who comes while it is on its way.
	if n, took := f.asked.Load(), time.Since(began); n > 3+int32(took/time.Second) {
		t.Errorf("asked %d times about one token within %v", n, took)
	}
	if lines := u.last().lines("X-Auth-Subject"); len(lines) != 1 {
		t.Errorf("%q", lines)
	}
	f.set("", `{"active":false}`)
	eventually(t, "it is refused", func() bool { return g.call("asked.localhost", "/x", token) == http.StatusUnauthorized })
	// A refusal is used for a second, too.
	f.down()
	eventually(t, "the issuer cannot be asked", func() bool { return g.call("asked.localhost", "/x", token) == http.StatusServiceUnavailable })
	f.up()
	f.set("", `{"active":true,"token_type":"Bearer","client_id":"app","sub":"ann","aud":["api"],"scope":"user"}`)
	eventually(t, "it can be again", func() bool { return g.call("asked.localhost", "/x", token) == http.StatusOK })
	if status := g.call("api.localhost", "/x", token); status != http.StatusUnauthorized {
		t.Errorf("where nobody is asked: %d", status)
	}
	asked := f.asked.Load()
	if status := g.call("asked.localhost", "/x", g.shopToken("user")); status != http.StatusOK || f.asked.Load() != asked {
		t.Errorf("our own token: %d, asked %d times", status, f.asked.Load()-asked)
	}
}
