// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor/factortest"
)

// security opens the page.
func (b *browser) security() pages.AccountSecurity {
	b.w.t.Helper()
	return shows[pages.AccountSecurity](b.w.t, b.get("/oauth/account/security"), http.StatusOK)
}

// code is what an authenticator app shows that was given a secret.
func (w *world) code(secret string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(strings.ReplaceAll(secret, " ", ""), w.db.Now())
	must(w.t, err)
	return code
}

// enrol gives the user of a browser an authenticator app, and returns its secret.
func (b *browser) enrol() string {
	b.w.t.Helper()
	app := shows[pages.AccountTOTP](b.w.t, b.press("/oauth/account/security", pages.DoTOTPBegin), http.StatusOK)
	leads(b.w.t, b.submit(app.Form, pages.DoTOTPConfirm, pages.FieldCode, b.w.code(app.Secret)), "/oauth/account/security?done=totp_added")
	return app.Secret
}

// Ensure that the means of signing in are changed by those only who have just
// proved who they are.
func TestSecurityNeedsARecentSignIn(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.signedIn("alice")
	opened := alice.security()
	w.ahead.Add(int64(recently + time.Second))
	if a := alice.get("/oauth/account/security"); a.Code != http.StatusOK && a.Code != http.StatusSeeOther {
		t.Errorf("%d", a.Code)
	} else if _, ok := a.page.(pages.AccountSecurity); ok {
		t.Error("the page opens after a while")
	}
	shows[pages.AccountTOTP](t, alice.submit(opened.Form, pages.DoTOTPBegin), http.StatusOK) // time to fill in the form
	w.ahead.Add(int64(recently))
	if _, ok := alice.submit(opened.Form, pages.DoTOTPBegin).page.(pages.AccountTOTP); ok {
		t.Error("the form counts after a while")
	}
	shows[pages.AccountHome](t, alice.get("/oauth/account"), http.StatusOK)
	alice.signIn("alice")
	alice.security()
}

// Ensure that an authenticator app is there once its first code was right, and that
// then only this browser is still signed in, by another cookie (row U08).
func TestAuthenticatorApp(t *testing.T) {
	w := newWorld(t, nil)
	alice, elsewhere := w.signedIn("alice"), w.signedIn("alice")
	app := shows[pages.AccountTOTP](t, alice.press("/oauth/account/security", pages.DoTOTPBegin), http.StatusOK)
	if len(app.QR) < 21 || len(app.QR) != len(app.QR[0]) || len(strings.ReplaceAll(app.Secret, " ", "")) != 32 {
		t.Errorf("%d modules, %q", len(app.QR), app.Secret)
	}
	wrong := shows[pages.AccountTOTP](t, alice.submit(app.Form, pages.DoTOTPConfirm, pages.FieldCode, "000 00x"), http.StatusBadRequest)
	if wrong.Fault(pages.FieldCode) == nil || wrong.Secret != app.Secret || alice.security().TOTP {
		t.Errorf("after a wrong code: %+v", wrong)
	}
	refuses(t, alice.press("/oauth/account/security", pages.DoTOTPConfirm, pages.FieldCode, w.code(app.Secret)), http.StatusBadRequest, "invalid_request")
	stolen := alice.clone()
	leads(t, alice.submit(wrong.Form, pages.DoTOTPConfirm, pages.FieldCode, w.code(app.Secret)), "/oauth/account/security?done=totp_added")
	for name, b := range map[string]*browser{"another browser": elsewhere, "the old cookie": stolen} {
		if _, ok := b.get("/oauth/account").page.(pages.AccountHome); ok {
			t.Errorf("%s is still signed in", name)
		}
	}
	if page := alice.security(); !page.TOTP || page.TOTPSince.IsZero() || !page.Password {
		t.Errorf("%+v", page)
	}
	leads(t, alice.press("/oauth/account/security", pages.DoTOTPRemove), "/oauth/account/security?done=totp_removed")
	refuses(t, alice.press("/oauth/account/security", pages.DoTOTPRemove), http.StatusNotFound, "not_found")
	if alice.security().TOTP {
		t.Error("the app is still there")
	}
}

// Ensure that recovery codes are shown once.
func TestRecoveryCodes(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.signedIn("alice")
	none := shows[pages.AccountSecurity](t, alice.press("/oauth/account/security", pages.DoRecoveryRenew), http.StatusConflict)
	if len(none.Faults) != 1 || none.RecoveryCodes != 0 {
		t.Errorf("%+v", none)
	}
	alice.enrol()
	form := alice.security().Form
	codes := shows[pages.AccountRecovery](t, alice.submit(form, pages.DoRecoveryRenew), http.StatusOK).Codes
	if len(codes) != 10 {
		t.Errorf("%q", codes)
	}
	refuses(t, alice.submit(form, pages.DoRecoveryRenew), http.StatusConflict, "conflict") // the page was loaded again
	if page := alice.security(); page.RecoveryCodes != 10 || page.RecoveryAt.IsZero() {
		t.Errorf("%+v", page)
	}
	if body := alice.get("/oauth/account/security").Body.String(); strings.Contains(body, codes[0]) {
		t.Error("a code is shown again")
	}
}

// Ensure that passkeys are added, by the page that asked for them only, and removed.
func TestPasskeys(t *testing.T) {
	w := newWorld(t, nil)
	alice, mallory := w.signedIn("alice"), w.signedIn("mallory")
	page := alice.security()
	key := factortest.New(origin)
	response, err := key.Create([]byte(page.NewPasskey))
	must(t, err)
	bad := shows[pages.AccountSecurity](t, alice.submit(page.Form, pages.DoPasskeyAdd, pages.FieldPasskey, "{}", pages.FieldName, "Key"), http.StatusBadRequest)
	if bad.Fault("") == nil {
		t.Errorf("%+v", bad.Faults)
	}
	bad = shows[pages.AccountSecurity](t, alice.submit(page.Form, pages.DoPasskeyAdd, pages.FieldPasskey, string(response), pages.FieldName, "Key\u202e"), http.StatusBadRequest)
	if bad.Fault(pages.FieldName) == nil {
		t.Errorf("%+v", bad.Faults)
	}
	theirs := shows[pages.AccountSecurity](t, mallory.press("/oauth/account/security", pages.DoPasskeyAdd, pages.FieldPasskey, string(response)), http.StatusBadRequest)
	if theirs.Fault("") == nil {
		t.Errorf("%+v", theirs.Faults)
	}
	leads(t, alice.submit(page.Form, pages.DoPasskeyAdd, pages.FieldPasskey, string(response), pages.FieldName, "Blue key"), "/oauth/account/security?done=passkey_added")
	page = alice.security()
	if len(page.Passkeys) != 1 || page.Passkeys[0].Name != "Blue key" {
		t.Fatalf("%+v", page.Passkeys)
	}
	refuses(t, alice.submit(page.Form, pages.DoPasskeyRemove, pages.FieldCredential, "0123456789abcdef"), http.StatusNotFound, "not_found")
	leads(t, alice.press("/oauth/account/security", pages.DoPasskeyRemove, pages.FieldCredential, page.Passkeys[0].ID), "/oauth/account/security?done=passkey_removed")
	if n := len(alice.security().Passkeys); n != 0 {
		t.Errorf("%d passkeys", n)
	}
}
