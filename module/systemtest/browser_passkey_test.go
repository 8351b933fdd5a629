// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
)

// authenticator gives the tab one that is part of the machine: it makes passkeys, knows
// its user, and has the finger on it all the time.
func (b *tab) authenticator() {
	b.t.Helper()
	call(b, webauthn.Enable, webauthn.EnableParams{})
	call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
}

// asked makes the browser one that uses passkeys only when a button asks for them, as
// not all offer them by themselves.
func (b *tab) asked() {
	b.t.Helper()
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: "if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = undefined",
	})
}

// signOut signs out, and opens the account's page anew.
func (b *tab) signOut(g *gateway) *tab {
	b.t.Helper()
	b.open(g.tls(authHost, "/oauth/signout")).press("Sign out").is(http.StatusOK, "You are signed out")
	return b.open(g.tls(authHost, "/oauth/account/security")).is(http.StatusOK, "Sign in")
}

// Ensure that somebody makes a passkey, signs in by it alone, is asked for it after the
// password, and that it is worth nothing once it is removed, though the authenticator
// still has it.
func TestBrowserPasskey(t *testing.T) {
	g, _ := startShop(t)
	ann := chromium(t)
	ann.authenticator()
	ann.asked()
	ann.open(g.tls(authHost, "/oauth/account/security")).signIn().is(http.StatusOK, "Security").screenshot("security-plain")
	ann.fill("Name of the new passkey", "Laptop").press("Add a passkey")
	ann.is(http.StatusOK, "Security").sees("The passkey is added.").sees("Laptop").screenshot("security-passkey")

	ann.signOut(g).screenshot("signin-passkey").press("Use a passkey").is(http.StatusOK, "Security").sees("Laptop")

	ann.signOut(g).signIn().is(http.StatusOK, "One more step").screenshot("factor").press("Use a passkey").is(http.StatusOK, "Security")

	ann.press("Remove Laptop").is(http.StatusOK, "Security").sees("The passkey is removed.")
	ann.signOut(g).press("Use a passkey").is(http.StatusForbidden, "Sign in").sees("The passkey could not be verified.")
	ann.fill("User name", "ann").fill("Password", annPassword).press("Sign in").is(http.StatusOK, "Security")
}

// Ensure that the browser offers a passkey by itself where the user name is typed in,
// and that nothing has to be pressed then.
func TestBrowserOffersPasskeys(t *testing.T) {
	g, _ := startShop(t)
	ann := chromium(t)
	ann.open(g.tls(authHost, "/oauth/account/security")).signIn().is(http.StatusOK, "Security")
	ann.authenticator()
	ann.press("Add a passkey").is(http.StatusOK, "Security").sees("The passkey is added.")
	ann.open(g.tls(authHost, "/oauth/signout")).press("Sign out").is(http.StatusOK, "You are signed out")
	ann.open(g.tls(authHost, "/oauth/account/security")).is(http.StatusOK, "Security")
}
