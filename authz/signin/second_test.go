// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor/factortest"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const factorPage = `value="code"`

// application gives a user an application for one-time codes, and returns the code
// that it shows at present.
func (w *world) application(subject string) (code func() string) {
	w.Helper()
	set := w.set(subject)
	enrolment := set.BeginTOTP()
	code = func() string {
		w.Helper()
		code, err := totp.GenerateCode(strings.ReplaceAll(enrolment.Secret(), " ", ""), w.db.Now())
		if err != nil {
			w.Fatal(err)
		}
		return code
	}
	w.commit(func(change *tokenstore.Change) error {
		return set.ConfirmTOTP(w.db, change, enrolment, code(), subject)
	})
	w.pass(time.Minute) // that code is used up
	return code
}

// wrong returns another code.
func wrong(code string) string {
	return code[:5] + string('0'+(code[5]-'0'+5)%10)
}

// Ensure that who has a second factor is not in without it, whatever was asked for, and
// that a proof counts once (row U18).
func TestHardeningSecondFactor(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	code := w.application(ann.Subject)
	b := w.browser()
	s := b.open("/app").signIn("ann").want(200, factorPage)
	if b.cookie() != "" {
		t.Fatal("a password alone signs in")
	}
	b.open("/app").want(200, signInPage)
	s = s.submit("code", "code", wrong(code())).want(http.StatusForbidden, factorPage)
	s.submit("code").want(http.StatusForbidden, factorPage)
	s.submit("signin", "username", "ann", "password", right).want(http.StatusForbidden, factorPage)
	request := s.request("code", "code", code())
	s.submit("code", "code", code()).want(200, "acr=2 amr=pwd,otp,mfa")
	w.pass(time.Minute)
	if again := b.send(request); again.status != http.StatusForbidden {
		t.Errorf("a code counts twice: %d", again.status)
	}
	// The same page, with another good code.
	s.submit("code", "code", code()).want(http.StatusForbidden, signInPage)
	other := w.browser()
	other.open("/app")
	stolen := s.request("code", "code", code())
	if s := other.send(stolen); s.status != http.StatusForbidden || other.cookie() != "" {
		t.Errorf("the page of another browser: %d", s.status)
	}
}

// Ensure that a recovery code, or a passkey, is a second factor too.
func TestOtherFactors(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	w.application(ann.Subject)
	var codes []string
	w.commit(func(change *tokenstore.Change) (err error) {
		codes, err = w.set(ann.Subject).NewRecoveryCodes(w.db, change, ann.Subject)
		return err
	})
	b := w.browser()
	s := b.open("/app").signIn("ann").want(200, `value="recovery"`)
	s = s.submit("recovery", "recovery", "00000-00000").want(http.StatusForbidden, `value="recovery"`)
	s.submit("recovery", "recovery", codes[0]).want(200, "acr=2 amr=pwd,recovery,mfa")
	w.browser().open("/app").signIn("ann").submit("recovery", "recovery", codes[0]).want(http.StatusForbidden, `value="recovery"`)

	key := factortest.New(w.origin)
	w.enrol(ann, key)
	s = w.browser().open("/app").signIn("ann").want(200, `data-passkey`)
	answer, err := key.Get([]byte(s.find("data-passkey")))
	if err != nil {
		t.Fatal(err)
	}
	s.submit("passkey", "passkey", string(answer)).want(200, "acr=2 amr=pwd,pop,user,mfa")
}

// enrol gives a user a passkey.
func (w *world) enrol(u *user.User, key *factortest.Authenticator) {
	w.Helper()
	set := w.set(u.Subject)
	options, ceremony, err := w.passkeys.Enrol(w.db, set, u.Username, "")
	if err != nil {
		w.Fatal(err)
	}
	answer, err := key.Create(options)
	if err != nil {
		w.Fatal(err)
	}
	w.commit(func(change *tokenstore.Change) error {
		_, err := w.passkeys.Enrolled(w.Context(), w.db, change, set, ceremony, answer, "key", u.Subject)
		return err
	})
}

// Ensure that a passkey signs in by itself, once for each challenge, and nobody who is
// disabled.
func TestPasskey(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	key := factortest.New(w.origin)
	w.enrol(ann, key)
	b := w.browser()
	s := b.open("/app")
	answer, err := key.Get([]byte(s.find("data-passkey")))
	if err != nil {
		t.Fatal(err)
	}
	s.submit("passkey", "passkey", "{}").want(http.StatusForbidden, signInPage)
	w.browser().open("/app").submit("passkey", "passkey", string(answer)).want(http.StatusForbidden, signInPage)
	s.submit("passkey", "passkey", string(answer)).want(200, "acr=2 amr=pop,user,mfa")
	s.submit("passkey", "passkey", string(answer)).want(http.StatusForbidden, signInPage)
	if _, err := w.users.Disable(t.Context(), "admin", ann.Subject); err != nil {
		t.Fatal(err)
	}
	s = b.open("/app")
	if answer, err = key.Get([]byte(s.find("data-passkey"))); err != nil {
		t.Fatal(err)
	}
	s.submit("passkey", "passkey", string(answer)).want(http.StatusForbidden, signInPage)
}

// Ensure that what was proved before does not count when it has become untrue
// meanwhile, or is old (row U15).
func TestHardeningBetweenTwoPages(t *testing.T) {
	for name, meanwhile := range map[string]func(*world, *user.User){
		"disabled": func(w *world, u *user.User) {
			if _, err := w.users.Disable(w.Context(), "admin", u.Subject); err != nil {
				w.Fatal(err)
			}
		},
		"removed": func(w *world, u *user.User) {
			if err := w.users.Remove(w.Context(), "admin", u.Subject); err != nil {
				w.Fatal(err)
			}
		},
		"another password": func(w *world, u *user.User) {
			w.pass(time.Second)
			if _, err := w.users.SetPassword(w.Context(), "admin", u.Subject, user.NewPassword{Password: "another passphrase"}); err != nil {
				w.Fatal(err)
			}
		},
		"time": func(w *world, _ *user.User) { w.pass(time.Minute) }, // 10 since the password, whatever was sent since
	} {
		w := newWorld(t)
		ann := w.add("ann")
		code := w.application(ann.Subject)
		b := w.browser()
		s := b.open("/app").signIn("ann").want(200, factorPage)
		w.pass(9 * time.Minute)
		s = s.submit("code", "code", wrong(code())).want(http.StatusForbidden, factorPage)
		meanwhile(w, ann)
		if s = s.submit("code", "code", code()); s.status != http.StatusForbidden || b.cookie() != "" {
			t.Errorf("%s: %d %s", name, s.status, s.body)
		}
	}
}

// Ensure that the same holds up to the commit of a sign-in (row U15).
func TestHardeningAtTheLastMoment(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*world, *user.User)
		status    int
		page      string
	}{
		"disabled": {func(w *world, u *user.User) {
			if _, err := w.users.Disable(w.Context(), "admin", u.Subject); err != nil {
				w.Error(err)
			}
		}, http.StatusForbidden, signInPage},
		"another password": {func(w *world, u *user.User) {
			w.pass(time.Second)
			if _, err := w.users.SetPassword(w.Context(), "admin", u.Subject, user.NewPassword{Password: "another passphrase", KeepSessions: true}); err != nil {
				w.Error(err)
			}
		}, http.StatusForbidden, signInPage},
		"a second factor": {func(w *world, u *user.User) { w.application(u.Subject) }, http.StatusOK, factorPage},
		"must change": {func(w *world, u *user.User) {
			if _, err := w.users.Edit(w.Context(), "admin", u.Subject, func(u *user.User) error { u.MustChange = true; return nil }); err != nil {
				w.Error(err)
			}
		}, http.StatusOK, passwordPage},
	} {
		w := newWorld(t)
		ann := w.add("ann")
		b := w.browser()
		s := b.open("/app")
		meanwhile := func() { c.meanwhile(w, ann) }
		w.engine.before.Store(&meanwhile)
		if s = s.signIn("ann"); s.status != c.status || !strings.Contains(s.body, c.page) || b.cookie() != "" {
			t.Errorf("%s: %d %s", name, s.status, s.body)
		}
	}
}

// Ensure that guesses at the second factor have to wait (row U14), that a step of the
// machine's clock ends no wait (row FT01), and that this keeps nobody out for ever.
func TestHardeningGuessingCodes(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	code := w.application(ann.Subject)
	b := w.browser()
	s := b.open("/app").signIn("ann")
	for range 10 {
		s = s.submit("code", "code", wrong(code()))
	}
	if s.want(http.StatusTooManyRequests, factorPage).header.Get("Retry-After") == "" {
		t.Error("nobody says for how long")
	}
	s.submit("code", "code", code()).want(http.StatusTooManyRequests, factorPage)
	w.step(4 * time.Minute)
	s.submit("code", "code", code()).want(http.StatusTooManyRequests, factorPage)
	w.pass(5 * time.Minute)
	s.submit("code", "code", code()).want(200, "acr=2")
}

// Ensure that who is signed in is asked for what is missing and for no more, and is
// told when there is nothing to ask for.
func TestStepUp(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	b := w.signedIn("ann")
	before, _, _ := strings.Cut(b.open("/app").body, " acr")
	w.demand.ACR = []string{"urn:unknown", authz.ACRTwoFactors}
	b.open("/app").want(http.StatusForbidden, "second factor")
	code := w.application(ann.Subject)
	old := b.cookie()
	s := b.open("/app").want(200, factorPage)
	s.submit("code", "code", code()).want(200, before+" acr=2 amr=pwd,otp,mfa")
	if b.cookie() == old {
		t.Error("the browser keeps the cookie of a weaker sign-in")
	}
}

// Ensure that a page that asks for one more proof does not sign in again who has signed
// out meanwhile.
func TestSignOutBeforeStepUp(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	b := w.signedIn("ann")
	code := w.application(ann.Subject)
	w.demand.ACR = []string{authz.ACRTwoFactors}
	s := b.open("/app").want(200, factorPage)
	b.open("/oauth/signout").submit("signout")
	s.submit("code", "code", code()).want(http.StatusForbidden, signInPage)
	b.open("/app").want(200, signInPage)
}

// Ensure that a demand is met by a sign-in after it, and asks for no second one.
func TestDemands(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	w.add("bob")
	b := w.signedIn("ann")
	for name, demand := range map[string]func(now time.Time) signin.Demand{
		"login":   func(now time.Time) signin.Demand { return signin.Demand{MaxAge: -1, Since: now} },
		"max age": func(now time.Time) signin.Demand { return signin.Demand{MaxAge: time.Second, Asked: now} },
		"no age":  func(now time.Time) signin.Demand { return signin.Demand{Asked: now} },
	} {
		w.pass(time.Hour)
		w.demand = demand(w.db.Now())
		w.demand.Return, w.demand.Hint = "/app", "ann"
		s := b.open("/app").want(200, signInPage)
		if s.find(`name="username" type="text" value`) != "ann" {
			t.Errorf("%s: the page does not begin with the hint", name)
		}
		w.pass(10 * time.Second)
		s.signIn("ann").want(200, "/app ann")
		b.open("/app").want(200, "/app ann")
	}
	w.demand = signin.Demand{Return: "/app", MaxAge: -1, Subject: ann.Subject, Since: w.db.Now().Add(time.Second)}
	w.pass(time.Second)
	s := b.open("/app").want(200, "readonly")
	s.signIn("bob").want(http.StatusForbidden, "readonly")
	s.signIn("ann").want(200, "/app ann")
}
