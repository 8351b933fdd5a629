// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

const (
	testForeign = "https://login.example.net"
	testOther   = "https://other.example.org"
)

// abroad is a configuration that accepts another issuer, whose client and user
// have the names of ours.
func abroad(t testing.TB, rows ...string) Config {
	c := testConfig(t, rows...)
	c.Foreign = []Foreign{{Issuer: testForeign, Audience: []string{"api", "https://api.example.com"}}}
	foreign := func(issuer string, audience ...string) authz.Principal {
		return changed(func(p *authz.Principal) {
			p.Issuer, p.Audience, p.Client, p.Scopes = issuer, audience, "shop", []string{"root", "user"}
		})
	}
	known := c.Authenticator.(tokens)
	known["foreign"] = foreign(testForeign, "other", "api")
	known["slash"] = foreign(testForeign, "https://api.example.com/")
	known["elsewhere"] = foreign(testForeign, testIssuer, testResource+"/x")
	known["aimless"] = foreign(testForeign)
	known["other"] = foreign(testOther, "api", testResource)
	known["late"] = changed(func(p *authz.Principal) { *p = foreign(testForeign, "api"); p.Expires = testTime })
	known["bound"] = changed(func(p *authz.Principal) { *p = foreign(testForeign, "api"); p.ConfirmationKey = "cnf" })
	known["clientless"] = changed(func(p *authz.Principal) { *p = foreign(testForeign, "api"); p.Client = "" })
	return c
}

// Ensure that another issuer's tokens are judged by its audiences and their own
// scopes, not by what our clients may have; and that nobody else's pass (rows
// S02, S07, S19).
func TestForeignTokens(t *testing.T) {
	g := newGuard(t, abroad(t, "allow /*", "allow /root root", "allow /admin admin"))
	for request, want := range map[string]int{
		"/ foreign": 200, "/ slash": 200, "/root foreign": 200, "/admin foreign": 403,
		"/ elsewhere": 401, "/ aimless": 401, "/ other": 401, "/ late": 401, "/ bound": 401, "/ clientless": 401,
		"/ user": 200, "/root user": 403,
	} {
		target, token, _ := strings.Cut(request, " ")
		if w, seen, err := serve(t, get("GET", target, token), g); err != nil || w.Code != want || (seen != nil) != (want == 200) {
			t.Errorf("%s: %d, %v", request, w.Code, err)
		}
	}
	c := abroad(t, "allow /*")
	c.Foreign = nil
	if w, _, _ := serve(t, get("GET", "/", "foreign"), newGuard(t, c)); w.Code != 401 {
		t.Errorf("an issuer that is not accepted: %d", w.Code)
	}
}

// Ensure that services can tell the same subject of two issuers apart: the issuer
// is sent where there are several, and cannot be forged where there is one.
func TestIssuersAreToldApart(t *testing.T) {
	for name, u := range map[string]Upstream{"": {}, "kong": {Preset: "kong"}, "own": {Headers: map[string]Fact{"X-Who": FactSubject}}} {
		c := abroad(t, "allow /*")
		c.Upstream = u
		for token, issuer := range map[string]string{"user": testIssuer, "foreign": testForeign} {
			if got := told(t, c, "/", token).Get("X-Auth-Issuer"); got != issuer {
				t.Errorf("preset %q, %s: issuer %q", name, token, got)
			}
		}
	}
	named := abroad(t, "allow /*")
	named.Upstream = Upstream{Headers: map[string]Fact{"X-Iss": FactIssuer, "X-Who": FactSubject}}
	if got := told(t, named, "/", "foreign"); got.Get("X-Iss") != testForeign || got.Get("X-Auth-Issuer") != "" {
		t.Errorf("a header of its own for the issuer: %v", got)
	}
	alone := newGuard(t, testConfig(t, "allow /*", "public /p"))
	for _, target := range []string{"/", "/p"} {
		r := get("GET", target, "user")
		r.Header.Set("X-Auth-Issuer", testForeign)
		if _, seen, err := serve(t, r, alone); err != nil || len(seen.request.Header["X-Auth-Issuer"]) != 0 {
			t.Errorf("%s: a forged issuer arrives: %v, %v", target, seen, err)
		}
	}
}

// Ensure that a guard further in judges another issuer's token by what itself
// accepts, and as itself verifies it.
func TestNestedGuardsDoNotShareIssuers(t *testing.T) {
	outer := newGuard(t, abroad(t, "allow /*"))
	for name, one := range map[string]struct {
		change func(*Config)
		want   int
	}{
		"the same":                    {func(*Config) {}, 200},
		"without the issuer":          {func(c *Config) { c.Foreign = nil }, 401},
		"with another audience":       {func(c *Config) { c.Foreign[0].Audience = []string{"inner"} }, 401},
		"which verifies it otherwise": {func(c *Config) { delete(c.Authenticator.(tokens), "foreign") }, 401},
	} {
		c := abroad(t, "allow /*")
		one.change(&c)
		if w, _, err := serve(t, get("GET", "/", "foreign"), outer, newGuard(t, c)); err != nil || w.Code != one.want {
			t.Errorf("a guard %s: %d, %v", name, w.Code, err)
		}
	}
}

// Ensure that another issuer's client and user are not counted as ours.
func TestForeignCallersAreNobodyOfOurs(t *testing.T) {
	c, events := abroad(t, "allow /*", "allow /admin admin"), new(record)
	c.Recorder = events
	g := newGuard(t, c)
	for _, target := range []string{"/", "/admin"} {
		_, _, _ = serve(t, get("GET", target, "foreign"), g)
	}
	for _, e := range events.events {
		if e.Client != "" || e.Subject != "" || e.Grant != "" {
			t.Errorf("recorded as ours: %+v", e)
		}
	}
}

// Ensure that the metadata names every issuer (RFC 9728 §2), and that an
// issuer without audience, or a second time, makes no guard.
func TestForeignIssuersInConfiguration(t *testing.T) {
	w, _, _ := serve(t, get("GET", "/.well-known/oauth-protected-resource", ""), newGuard(t, abroad(t, "allow /*")))
	if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, `"authorization_servers":["`+testIssuer+`","`+testForeign+`"]`) {
		t.Errorf("metadata: %d %s", w.Code, body)
	}
	for _, f := range []Foreign{{Issuer: testOther}, {Issuer: testIssuer, Audience: []string{"a"}}, {Issuer: testForeign, Audience: []string{"a"}}, {Issuer: "login", Audience: []string{"a"}}} {
		c := abroad(t, "allow /*")
		c.Foreign = append(c.Foreign, f)
		if _, err := New(c); err == nil {
			t.Errorf("%+v makes a guard", f)
		}
	}
	c := abroad(t, "allow /*")
	c.Upstream = Upstream{Headers: map[string]Fact{"x-auth-issuer": FactClient}}
	if _, err := New(c); err == nil {
		t.Error("the issuer's header may tell something else")
	}
}
