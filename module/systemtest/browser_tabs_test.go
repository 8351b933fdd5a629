// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that what is begun in two tabs ends well in both, although they share every
// cookie.
func TestBrowserTwoTabs(t *testing.T) {
	g, _ := startShop(t)
	one := chromium(t)
	two := one.another()
	for _, tab := range []*tab{one, two} {
		tab.open(g.tls(shopHost, "/")).press("Connect your account").is(http.StatusOK, signInPage)
	}
	for _, tab := range []*tab{two, one} {
		tab.signIn().is(http.StatusOK, consentPage)
	}
	for _, tab := range []*tab{two, one} {
		tab.press("Allow").is(http.StatusOK, shopHome).sees("GET orders: 200")
	}
}

// Ensure that a question that was left open in a tab, while its reader signed out in
// another, can be answered all the same: with no at once, with yes after signing in and
// being asked anew, by whoever does so.
func TestBrowserStaleTab(t *testing.T) {
	g, _ := startShop(t)
	yes := chromium(t)
	g.asked(yes)
	no := yes.another().open(g.tls(shopHost, "/")).press("Connect your account").is(http.StatusOK, consentPage)
	yes.another().open(g.tls(authHost, "/oauth/signout")).press("Sign out").is(http.StatusOK, "You are signed out")

	no.press("Deny").is(http.StatusOK, shopHome).sees("Refused: access_denied")
	yes.press("Allow").signIn().is(http.StatusOK, consentPage)
	yes.press("Allow").is(http.StatusOK, shopHome).sees("GET orders: 200")
}

// Ensure that pages of the account that were left open do no harm and say how things
// stand: what was ended elsewhere cannot be ended twice, and nothing can be ended by
// somebody who has signed out.
func TestBrowserStaleAccount(t *testing.T) {
	g, _ := startShop(t)
	ann := chromium(t)
	g.asked(ann).press("Allow").sees("GET orders: 200")
	const button = "End access of Example Shop"
	first, second := ann.another(), ann.another()
	for _, tab := range []*tab{first, second} {
		tab.open(g.tls(authHost, "/oauth/account")).sees("Example Shop")
	}
	ann.open(g.tls(authHost, "/oauth/signout")).press("Sign out").is(http.StatusOK, "You are signed out")
	first.press(button).signIn().sees("Example Shop")
	// The others were of the session that is over.
	second.press(button).is(http.StatusForbidden, "This page has expired").screenshot("expired")
	ann.open(g.tls(shopHost, "/")).sees("GET orders: 200")
	second.press("Begin again").press(button).sees("No application has access to your account.")
	ann.open(g.tls(shopHost, "/")).sees("GET orders: 401")
	first.press(button).sees("The application no longer has access.").sees("No application has access to your account.")
}

// Ensure that all of it works where no script runs: the answer by form post waits for
// a button then.
func TestBrowserWithoutScripts(t *testing.T) {
	g, s := startShop(t)
	ann := chromium(t).withoutScripts()
	g.asked(ann).tick("Change your orders", false).press("Allow")
	ann.is(http.StatusOK, shopHome).sees("GET orders: 200").sees("POST orders: 403")

	s.asks(authz.ParamPrompt, authz.PromptConsent).asks(authz.ParamResponseMode, authz.ResponseModeFormPost)
	ann.press("Connect your account").is(http.StatusOK, consentPage).press("Allow")
	ann.is(http.StatusOK, "Almost there").screenshot("formpost").press("Continue")
	ann.is(http.StatusOK, shopHome).sees("GET orders: 200")

	ann.open(g.tls(authHost, "/oauth/account")).press("End access of Example Shop").sees("No application has access")
	ann.open(g.tls(shopHost, "/")).sees("GET orders: 401")
	ann.open(g.tls(authHost, "/oauth/signout")).press("Sign out").is(http.StatusOK, "You are signed out")
}
