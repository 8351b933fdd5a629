// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor/factortest"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

const (
	next         = "another good passphrase"
	passwordPage = `value="change"`
)

// Ensure that who must change the password gets in with another one, and not before,
// and that the second factor comes first.
func TestMustChange(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	elsewhere := w.signedIn("ann")
	code := w.application(ann.Subject)
	if _, err := w.users.Edit(t.Context(), "admin", ann.Subject, func(u *user.User) error { u.MustChange = true; return nil }); err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	s := b.open("/app").signIn("ann").want(200, factorPage)
	s = s.submit("code", "code", code()).want(200, passwordPage)
	b.open("/app").want(200, signInPage)
	for name, fields := range map[string][]string{
		"the same":  {"password", right, "new_password", right, "repeat", right},
		"short":     {"password", right, "new_password", "short", "repeat", "short"},
		"different": {"password", right, "new_password", next, "repeat", next + "x"},
	} {
		if s = s.submit("change", fields...); s.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, s.status)
		}
	}
	s = s.submit("change", "password", "wrong", "new_password", next, "repeat", next).want(http.StatusForbidden, passwordPage)
	s.submit("change", "password", right, "new_password", next, "repeat", next).want(200, "/app ann")
	elsewhere.open("/app").want(200, signInPage)
	s.submit("change", "password", next, "new_password", right, "repeat", right).want(http.StatusForbidden, signInPage)
	b.open("/app").want(200, "acr=2 amr=pwd,otp,mfa")
}

// Ensure that a passkey is no way past another password, beside which it would stay
// good, and that who has a passkey alone is not kept out by a password that is not there.
func TestMustChangeByPasskey(t *testing.T) {
	for _, password := range []string{right, ""} {
		w := newWorld(t)
		rec, err := w.users.Create(t.Context(), "admin", user.Addition{Username: "ann", Password: password, MustChange: true})
		if err != nil {
			t.Fatal(err)
		}
		key := factortest.New(w.origin)
		w.enrol(&rec.Value, key)
		b := w.browser()
		s := b.open("/app")
		answer, err := key.Get([]byte(s.find("data-passkey")))
		if err != nil {
			t.Fatal(err)
		}
		s = s.submit("passkey", "passkey", string(answer))
		if password != "" {
			s.want(200, passwordPage)
			b.open("/app").want(200, signInPage)
			s = s.submit("change", "password", right, "new_password", next, "repeat", next)
		}
		s.want(200, "/app ann")
		b.open("/app").want(200, "acr=2 amr=pop,user,mfa")
	}
}

// Ensure that a link for a new password counts once, is not used up by looking at it,
// ends everything, and leads to the sign-in page.
func TestResetLink(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	elsewhere := w.signedIn("ann")
	ticket, _, err := w.users.NewReset(t.Context(), "admin", ann.Subject, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	w.browser().open("/oauth/password?ticket="+ticket).want(200, "ann")
	w.browser().open("/oauth/password?ticket=x"+ticket).want(http.StatusForbidden, "expired or was used")
	b := w.browser()
	s := b.open("/oauth/password?ticket="+ticket).want(200, "ann")
	s.submit("reset", "new_password", "short", "repeat", "short").want(http.StatusBadRequest, "too short")
	s.submit("reset", "new_password", next, "repeat", next).want(200, signInPage)
	if b.cookie() != "" {
		t.Error("a link signs in")
	}
	elsewhere.open("/app").want(200, signInPage)
	s.submit("reset", "new_password", right, "repeat", right).want(http.StatusForbidden, "expired or was used")
	b.open("/oauth/password?ticket="+ticket).want(http.StatusForbidden, "expired or was used")
	b.open("/app").submit("signin", "username", "ann", "password", next).want(200, "/app ann")
}

// Ensure that people make accounts with names that are free, and that one network
// does not make many at once.
func TestSignUp(t *testing.T) {
	w := newWorld(t)
	w.add("ann")
	b := w.browser()
	s := b.open("/oauth/signup")
	for name, want := range map[string]int{"Ann": http.StatusForbidden, "admin": http.StatusForbidden, "a\u202eb": http.StatusBadRequest} {
		s.submit("signup", "username", name, "new_password", right, "repeat", right).want(want, `value="signup"`)
	}
	s.submit("signup", "username", "bob", "new_password", right, "repeat", right).want(200, "/oauth/account bob")
	slow := false
	for i := range 10 {
		s := w.browser().open("/oauth/signup").submit("signup", "username", "c"+string(rune('a'+i)), "new_password", right, "repeat", right)
		slow = slow || s.status == http.StatusTooManyRequests
	}
	if !slow {
		t.Error("one network makes as many accounts as it likes")
	}
}
