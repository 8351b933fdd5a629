// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// startProxied is startAdministered behind a proxy that says where people come from.
func startProxied(t testing.TB, env ...string) (*gateway, *person) {
	t.Helper()
	g := start(t, strings.Replace(selfServed, "oauth2 {", "servers {\n\t\ttrusted_proxies static private_ranges 127.0.0.1/8\n\t}\n\toauth2 {", 1), env...)
	g.cli(0, annPassword+"\n", "user", "add", "root", "--group", "staff")
	root := newPerson(g)
	root.at("/oauth/signin").signIn("root", annPassword)
	return g, root
}

// signUpFrom makes an account from an address that is told by a number: from one
// address a few can be made at a time.
func (p *person) signUpFrom(address int, fields ...string) *screen {
	p.g.t.Helper()
	req := p.at("/oauth/signup").request("signup", append(fields, "new_password", annPassword, "repeat", annPassword)...)
	req.Header.Set("X-Forwarded-For", "203.0.113."+strconv.Itoa(address))
	return p.navigate(req)
}

// stages are all that a client may have under way for a user at a moment.
type stages struct {
	user       *person
	registered registered
	page       *screen // the question, not yet answered
	withoutYes string  // an authorization request that needs no further yes
	code       string
	access     string
	refresh    string
}

// underWay has a user of that name allow an application of dora's everything.
func underWay(dora *person, name string, address int) stages {
	g := dora.g
	g.t.Helper()
	s := stages{user: newPerson(g), registered: dora.register("Pad of " + name)}
	s.user.signUpFrom(address, "username", name)
	request := func(more ...string) string {
		return challenged(append([]string{"client_id", s.registered.id, "redirect_uri", appCallback, "scope", "orders:read"}, more...)...)
	}
	s.withoutYes = request()
	a := s.redeem(s.user.at(request()).submit("allow").code(appCallback))
	if a.status != http.StatusOK || a.Refresh == "" {
		g.t.Fatalf("%+v", a)
	}
	s.access, s.refresh = a.Access, a.Refresh
	s.code = s.user.at(s.withoutYes).code(appCallback)
	s.page = s.user.at(request("prompt", "consent"))
	return s
}

func (s stages) redeem(code string) grantAnswer {
	return s.user.g.grant(s.registered.id, s.registered.secret,
		"grant_type", "authorization_code", "code", code, "redirect_uri", appCallback, "code_verifier", codeVerifier)
}

// C09: whatever happens to user, consent or client, it counts at each stage: for a page
// that is open, a code, a refresh token and an access token.
func TestWhatIsUnderWayEnds(t *testing.T) {
	t.Parallel()
	g, root := startProxied(t)
	dora := newPerson(g)
	dora.signUp("dora", annPassword)
	address := 0
	client := appDeveloper + "/client?id="
	for name, end := range map[string]func(stages){
		"disabled":  func(stages) { root.userPage("disabled").submit("disable") },
		"removed":   func(stages) { root.userPage("removed").submit("delete", "username", "removed") },
		"unwilling": func(s stages) { s.user.at("/oauth/account").submit("revoke") },
		"shut":      func(s stages) { root.at("/oauth/admin/clients?search=" + s.registered.id).submit("disable") },
		"deleted":   func(s stages) { dora.at(client + s.registered.id).submit("delete").submit("delete") },
		"cut":       func(s stages) { root.at("/oauth/admin/clients?search=" + s.registered.id).submit("revoke") },
	} {
		address++
		s := underWay(dora, name, address)
		if status := g.call("api.localhost", "/", s.access); status != http.StatusOK {
			t.Fatalf("%s, before: %d", name, status)
		}
		end(s)
		if status := g.call("api.localhost", "/", s.access); status != http.StatusUnauthorized {
			t.Errorf("%s: the access token gets %d", name, status)
		}
		if a := s.redeem(s.code); a.status < 400 || a.Access != "" {
			t.Errorf("%s: the code gives %+v", name, a)
		}
		a := g.grant(s.registered.id, s.registered.secret, "grant_type", "refresh_token", "refresh_token", s.refresh)
		if a.status < 400 || a.Access != "" {
			t.Errorf("%s: the refresh token gives %+v", name, a)
		}
		if now := s.user.at(s.withoutYes); now.url.Query().Has("code") {
			t.Errorf("%s: a code without another yes: %s", name, now.url)
		}
		// Who takes back what they allowed may say yes again, on a page that asks.
		again := name == "unwilling" || name == "cut"
		if now := s.page.submit("allow"); now.url.Query().Has("code") != again {
			t.Errorf("%s: the open page leads to %s, %d", name, now.url, now.status)
		}
	}
}

// Ensure that what a user unticks, asked once more, is gone from what the application
// had before too, as the page of applications says.
func TestWhatIsTakenBackIsGone(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t)
	wide := g.redeem(ann.at(challenged("scope", "orders:read orders:write")).submit("allow", "scope", "orders:write").code(codeCallback))
	if wide.Scope != "orders:read orders:write" || g.call("api.localhost", "/", wide.Access) != http.StatusOK {
		t.Fatalf("%+v", wide)
	}
	page := ann.at(challenged("scope", "orders:read orders:write", "prompt", "consent"))
	req := page.request("allow", "scope", "none of these")
	narrow := g.redeem(ann.navigate(req).code(codeCallback))
	if narrow.Scope != "orders:read" || g.call("api.localhost", "/", narrow.Access) != http.StatusOK {
		t.Errorf("%+v", narrow)
	}
	if text := ann.at("/oauth/account").text(); strings.Contains(text, "Change your orders") || !strings.Contains(text, "See your orders") {
		t.Errorf("the page says %s", text)
	}
	if a := g.refresh(wide.Refresh); a.Error != "invalid_grant" || g.call("api.localhost", "/", wide.Access) != http.StatusUnauthorized {
		t.Errorf("the application still may: %+v", a)
	}
}
