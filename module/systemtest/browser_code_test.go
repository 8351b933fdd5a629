// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"testing"
)

// signIn signs ann in on the page in the tab.
func (b *tab) signIn() *tab {
	b.t.Helper()
	return b.is(http.StatusOK, "Sign in").fill("User name", "ann").fill("Password", annPassword).press("Sign in")
}

// Ensure that in a real browser somebody comes from an application on another host to
// the sign-in page, to the question, and back to the application, which then reaches
// what was allowed. A "form-action 'self'" on either page would hold the browser there:
// Chromium applies it to the redirects that answer a form.
func TestBrowserCodeFlow(t *testing.T) {
	g, _ := startShop(t)
	ann := chromium(t)
	ann.open(g.tls(shopHost, "/")).press("Connect your account").screenshot("signin")
	ann.signIn().is(http.StatusOK, "Example Shop asks for access to your account").screenshot("consent")
	for _, what := range []string{"See your orders", "Change your orders", shopHost} {
		ann.sees(what)
	}
	ann.press("Allow").is(http.StatusOK, "Example Shop").sees("GET orders: 200").sees("POST orders: 200")
}
