// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// Ensure that somebody sets up an authenticator app with the key that the page shows,
// is asked for its code after the password, and gets in without the telephone by a
// recovery code, once.
func TestBrowserAuthenticatorApp(t *testing.T) {
	g, _ := startShop(t)
	ann := chromium(t)
	ann.open(g.tls(authHost, "/oauth/account/security")).signIn().is(http.StatusOK, "Security").press("Set up")
	ann.is(http.StatusOK, "Set up an authenticator app").screenshot("totp")
	key := g.canary(strings.ReplaceAll(ann.shows("secret"), " ", ""))
	// Each step's code counts once, and those of its neighbours count too: for
	// this use that of the step before, for the next that of the step.
	code := func(earlier time.Duration) string {
		text, err := totp.GenerateCode(key, time.Now().Add(-earlier))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	ann.fill("Code from your authenticator app", code(30*time.Second)).press("Confirm").is(http.StatusOK, "Security").sees("The authenticator app is set up.")
	ann.press("Make new codes").is(http.StatusOK, "Recovery codes").screenshot("recovery")
	recovery := g.canary(strings.Fields(ann.shows("codes"))[0])

	ann.signOut(g).signIn().is(http.StatusOK, "One more step")
	ann.fill("Code from your authenticator app", code(0)).press("Continue").is(http.StatusOK, "Security").screenshot("security-full")
	for _, want := range []struct {
		status   int
		headline string
	}{{http.StatusOK, "Security"}, {http.StatusForbidden, "One more step"}} {
		ann.signOut(g).signIn().is(http.StatusOK, "One more step")
		ann.click("Use a recovery code instead")
		ann.fill("Recovery code", recovery).press("Use recovery code").is(want.status, want.headline)
	}
	ann.sees("This recovery code is not right, or was used before.").screenshot("factor-fault")
}
