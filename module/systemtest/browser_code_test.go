// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// The headlines of pages that one comes by on the way from the shop and back.
const (
	signInPage  = "Sign in"
	consentPage = "Example Shop asks for access to your account"
	shopHome    = "Example Shop"
)

// signIn signs ann in on the page in the tab.
func (b *tab) signIn() *tab {
	b.t.Helper()
	return b.is(http.StatusOK, signInPage).fill("User name", "ann").fill("Password", annPassword).press("Sign in")
}

// asked has the shop ask somebody who is not signed in for access, and comes to where
// that is answered.
func (g *gateway) asked(b *tab) *tab {
	g.t.Helper()
	b.open(g.tls(shopHost, "/")).press("Connect your account")
	return b.signIn().is(http.StatusOK, consentPage)
}

// Ensure that in a real browser somebody comes from an application on another host to
// the sign-in page, to the question, and back to the application, which then reaches
// what was allowed. A "form-action 'self'" on either page would hold the browser there:
// Chromium applies it to the redirects that answer a form.
func TestBrowserCodeFlow(t *testing.T) {
	g, _ := startShop(t)
	ann := chromium(t)
	ann.open(g.tls(shopHost, "/")).press("Connect your account").is(http.StatusOK, signInPage).screenshot("signin")
	ann.signIn().is(http.StatusOK, consentPage).screenshot("consent")
	for _, what := range []string{"See your orders", "Change your orders", shopHost} {
		ann.sees(what)
	}
	ann.press("Allow").is(http.StatusOK, shopHome).sees("GET orders: 200").sees("POST orders: 200")
	// Neither page is shown again: she is signed in, and has said what she thinks. That
	// chain of redirects begins with a link and is answered by no form.
	ann.press("Connect your account").is(http.StatusOK, shopHome).sees("GET orders: 200")
	// But somebody who has to sign in first gets there by one that answers a form.
	bob := chromium(t)
	bob.open(g.tls(shopHost, "/")).press("Connect your account")
	bob.signIn().is(http.StatusOK, shopHome).sees("GET orders: 200")
}

// Ensure that the answer comes by form post as well, by the page's script, and carries
// the cookie of the browser that asked.
func TestBrowserFormPost(t *testing.T) {
	g, s := startShop(t)
	s.asks(authz.ParamResponseMode, authz.ResponseModeFormPost)
	ann := chromium(t)
	g.asked(ann).press("Allow").is(http.StatusOK, shopHome).sees("GET orders: 200")
}

// Ensure that whoever says no comes back to an application that learns that, and
// reaches nothing; and may change her mind.
func TestBrowserDeny(t *testing.T) {
	g, _ := startShop(t)
	ann := chromium(t)
	g.asked(ann).press("Deny").is(http.StatusOK, shopHome).sees("Refused: access_denied")
	ann.press("Connect your account").is(http.StatusOK, consentPage)
	ann.press("Allow").is(http.StatusOK, shopHome).sees("GET orders: 200")
}

// Ensure that an application gets nothing that was unticked, and that the guard holds it
// to that; and that what was unticked can be allowed when it asks again.
func TestBrowserNarrowedConsent(t *testing.T) {
	g, s := startShop(t)
	ann := chromium(t)
	g.asked(ann).tick("Change your orders", false).press("Allow")
	ann.is(http.StatusOK, shopHome).sees("Scope: orders:read\n").sees("GET orders: 200").sees("POST orders: 403")

	s.asks(authz.ParamPrompt, authz.PromptConsent)
	ann.press("Connect your account").is(http.StatusOK, consentPage).screenshot("consent-again")
	if ann.ticked("Change your orders") {
		t.Error("what she had unticked is ticked again")
	}
	ann.tick("Change your orders", true).press("Allow").is(http.StatusOK, shopHome).sees("POST orders: 200")
}

// Ensure that what is ended on the account's page has ended at the next request, without
// anything being done at the application.
func TestBrowserRevoke(t *testing.T) {
	g, _ := startShop(t)
	ann := chromium(t)
	g.asked(ann).press("Allow").sees("GET orders: 200")
	account := ann.another().open(g.tls(authHost, "/oauth/account")).is(http.StatusOK, "Applications with access")
	account.sees("Example Shop").sees("See your orders").screenshot("applications")
	if strings.Contains(account.text(), "https://"+authHost) {
		t.Errorf("it names the place that no application names: %s", account.text())
	}
	account.press("End access of Example Shop").sees("No application has access to your account.").screenshot("applications-ended")
	ann.open(g.tls(shopHost, "/")).sees("GET orders: 401").sees("POST orders: 401")
	// And she is asked again.
	ann.press("Connect your account").is(http.StatusOK, consentPage)
}
