// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"golang.org/x/net/html"
)

const (
	consentTitle = "Example Shop asks for access to your account"
	factorTitle  = "One more step"
)

// app is an application for one-time codes.
type app struct {
	t      testing.TB
	secret string
}

// code is what the application shows, or will show after so many periods.
func (a app) code(later int) string {
	a.t.Helper()
	code, err := totp.GenerateCode(a.secret, time.Now().Add(time.Duration(later)*30*time.Second))
	if err != nil {
		a.t.Fatal(err)
	}
	return code
}

// enrol sets an application for one-time codes up, on the pages for that.
func (p *person) enrol() app {
	p.g.t.Helper()
	s := p.at("/oauth/account/security").submit("totp_begin")
	a := app{t: p.g.t}
	for code := range elements(s.doc, "code") {
		if attribute(code, "id") == "secret" {
			a.secret = p.g.canary(strings.Join(strings.Fields(textOf(code)), ""))
		}
	}
	// That of the period before: what comes after it is new. It is too old where a period
	// ends on the way, which does not happen twice in half a minute.
	if s = s.submit("totp_confirm", "code", a.code(-1)); s.status == http.StatusBadRequest {
		s = s.submit("totp_confirm", "code", a.code(-1))
	}
	if s.status != http.StatusOK {
		p.g.t.Fatalf("%d %s", s.status, s.text())
	}
	return a
}

// startScratch runs fromScratch with the user ann.
func startScratch(t testing.TB) *gateway {
	t.Helper()
	g := start(t, fromScratch)
	g.canary(shopSecret)
	g.addUser("ann", annPassword)
	return g
}

// Row U22: what an application wants of the sign-in is asked for once, and then the
// browser goes on; where nobody must be asked, nobody is.
func TestHardeningDemandsOfApplications(t *testing.T) {
	t.Parallel()
	g := startScratch(t)
	p := newPerson(g)
	refused := func(who *person, params ...string) string {
		t.Helper()
		s := who.at(authorizePath(append(params, "prompt", "none")...))
		return s.url.Query().Get("error")
	}
	if got := refused(p); got != "login_required" {
		t.Errorf("nobody is signed in: %q", got)
	}
	p.at("/oauth/signin").signIn("ann", annPassword)
	if got := refused(p); got != "consent_required" {
		t.Errorf("nothing was allowed: %q", got)
	}
	p.at(authorizePath()).is(http.StatusOK, consentTitle).submit("allow").redeem()
	if got := refused(p); got != "" {
		t.Errorf("signed in and allowed: %q", got)
	}
	for _, params := range [][]string{{"prompt", "login"}, {"max_age", "0"}} {
		before := p.cookie(sessionCookie)
		s := p.at(authorizePath(params...)).is(http.StatusOK, "Sign in")
		s.signIn("ann", annPassword).redeem()
		if p.cookie(sessionCookie) == before {
			t.Errorf("%s: the browser keeps its cookie", params)
		}
	}
	p.at(authorizePath("max_age", "3600")).redeem()
	s := p.at(authorizePath("prompt", "select_account")).is(http.StatusOK, "Choose an account")
	s.submit("choose").redeem()
	g.addUser("bob", "bob's own password")
	s = p.at(authorizePath("prompt", "select_account")).submit("another")
	s = s.is(http.StatusOK, "Sign in").signIn("bob", "bob's own password").is(http.StatusOK, consentTitle)
	if !strings.Contains(s.text(), "bob") || strings.Contains(s.text(), "ann") {
		t.Errorf("not bob is asked: %s", s.text())
	}
	hint := p.at(authorizePath("prompt", "login", "login_hint", `zoe"><script>alert(1)</script>`))
	for script := range elements(hint.doc, "script") {
		if script.FirstChild != nil && script.FirstChild.Type == html.TextNode {
			t.Errorf("a hint becomes a script: %s", script.FirstChild.Data)
		}
	}
}

// Rows U08 and U18: who has a second factor is asked for it on the way to an
// application too, and setting one up, or being disabled, ends what was signed in before.
func TestHardeningSecondFactorAtApplications(t *testing.T) {
	t.Parallel()
	g := startScratch(t)
	p, phone := newPerson(g), newPerson(g)
	p.at("/oauth/signin").signIn("ann", annPassword)
	phone.at("/oauth/signin").signIn("ann", annPassword)
	p.at(authorizePath("acr_values", "2")).is(http.StatusForbidden, "Another proof is needed")
	old := p.cookie(sessionCookie)
	a := p.enrol()
	thief := newPerson(g)
	thief.setCookie(sessionCookie, old)
	if phone.signedIn() || thief.signedIn() {
		t.Errorf("a cookie from before the second factor: another browser's %v, the same one's %v", phone.signedIn(), thief.signedIn())
	}
	s := phone.at(authorizePath()).is(http.StatusOK, "Sign in").signIn("ann", annPassword).is(http.StatusOK, factorTitle)
	phone.at(authorizePath()).is(http.StatusOK, "Sign in")
	if phone.signedIn() {
		t.Error("a password alone signs in")
	}
	s = s.submit("code", "code", a.code(0)).is(http.StatusOK, consentTitle)
	s.submit("allow").redeem()
	phone.at(authorizePath("acr_values", "2")).redeem()
	p.at(authorizePath("acr_values", "2")).is(http.StatusOK, factorTitle).submit("code", "code", a.code(1)).redeem()
	cookie := p.cookie(sessionCookie)
	g.cli(0, "", "user", "disable", "ann")
	g.cli(0, "", "user", "enable", "ann")
	p.setCookie(sessionCookie, cookie)
	if p.signedIn() || phone.signedIn() {
		t.Error("a disabled user is signed in again once enabled")
	}
}
