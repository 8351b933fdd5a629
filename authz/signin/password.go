// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// getSignIn shows the sign-in page.
func (v *visit) getSignIn() error {
	if err := v.arrived(); err != nil {
		return err
	}
	return v.showSignIn(v.r.Context(), http.StatusOK)
}

// postSignIn takes a user name and a password, or a passkey.
func (v *visit) postSignIn() error {
	return v.submitted([]step{
		{"open the handle", v.open(forDemand)},
	}, []step{
		{"judge the passkey", v.judgePasskey},
		{"judge the password", v.judgePassword},
		{"see whether it is the user who is wanted", v.expectSubject},
		{"go on", v.proceed},
	})
}

// judgePasskey judges a passkey that says itself whose it is.
func (v *visit) judgePasskey(ctx context.Context) error {
	if v.form.Get(pages.FieldDo) != pages.DoPasskey {
		return nil
	}
	proof, err := v.provePasskey(ctx)
	if errors.Is(err, factor.ErrRefused) {
		v.refused(ctx, "", authz.ErrDenied)
		return v.showSignIn(ctx, http.StatusForbidden, pages.Fault{Message: pages.MessagePasskey})
	}
	if err != nil {
		return err
	}
	rec, err := v.config.Directory.BySubject(ctx, proof.Subject)
	if err != nil {
		return v.goneIfAbsent(ctx, err)
	}
	v.used = true
	v.proved(&rec.Value, proof.Methods)
	return nil
}

// judgePassword finds out whose name and password they are.
func (v *visit) judgePassword(ctx context.Context) error {
	if v.used { // it was a passkey
		return nil
	}
	u, err := v.verify(ctx, v.form.Get(pages.FieldUsername), v.form.Get(pages.FieldPassword), v.showSignIn)
	if errors.Is(err, user.ErrRefused) {
		v.refused(ctx, "", authz.ErrDenied)
		return v.askAgain(ctx)
	}
	if err != nil {
		return err
	}
	methods := factor.ByPassword
	if !u.Local() {
		methods = factor.BySource
	}
	v.proved(u, methods)
	return nil
}

// proved notes who somebody is.
func (v *visit) proved(u *user.User, methods factor.Methods) {
	v.progress.Subject, v.progress.Methods = u.Subject, methods
	v.progress.PasswordAt, v.progress.Proved = millis(u.PasswordAt), v.db.Now().UnixMilli()
}

// expectSubject refuses somebody else where one certain user is to confirm who he
// is. The answer is that to a wrong password.
func (v *visit) expectSubject(ctx context.Context) error {
	if wanted := v.progress.Order.Subject; wanted != "" && wanted != v.progress.Subject {
		v.refused(ctx, v.progress.Subject, authz.ErrDenied)
		return v.askAgain(ctx)
	}
	return nil
}

// askAgain is the one answer to whoever does not get in (row U13).
func (v *visit) askAgain(ctx context.Context) error {
	v.progress = progress{Order: v.progress.Order}
	return v.showSignIn(ctx, http.StatusForbidden, pages.Fault{Message: pages.MessageRefused})
}

// expired is the answer to a form that is not good any more, or came from another
// browser.
func (v *visit) expired(ctx context.Context) error {
	v.progress = progress{Order: v.progress.Order}
	return v.showSignIn(ctx, http.StatusForbidden, pages.Fault{Message: pages.MessageExpired})
}

// showSignIn settles the answer: the sign-in page.
func (v *visit) showSignIn(ctx context.Context, status int, faults ...pages.Fault) error {
	o := v.progress.Order
	page := pages.SignIn{Application: pages.Untrusted(o.Application), Username: pages.Untrusted(o.Hint)}
	if typed := v.form.Get(pages.FieldUsername); typed != "" {
		page.Username = pages.Untrusted(typed)
	}
	if o.Subject != "" {
		rec, err := v.config.Directory.BySubject(ctx, o.Subject)
		if err != nil && !errors.Is(err, user.ErrNotFound) {
			return err
		}
		if err == nil {
			page.Username, page.Fixed = pages.Untrusted(rec.Value.Username), true
		}
	}
	p := progress{Order: o}
	if v.config.Passkeys != nil {
		options, ceremony, err := v.config.Passkeys.ChallengeAnybody(v.db)
		if err != nil {
			return err
		}
		page.Passkey, p.Ceremony = string(options), &ceremony
	}
	sealed, err := v.seal(ctx, forDemand, pageLifetime, p)
	if err != nil {
		return err
	}
	page.Form = pages.Form{Action: v.path(pages.PathSignIn), Handle: sealed, Faults: faults, Leads: v.leads(o)}
	if v.config.Directory.SignUp() && o.Subject == "" {
		page.SignUp = v.link(pages.PathSignUp, sealed)
	}
	b, err := v.browser(ctx, v.db, v.r)
	if err != nil {
		return err
	}
	if len(b.seats) > 0 && o.Subject == "" {
		page.Choose = v.link(pathChoose, sealed)
	}
	return v.show(status, page)
}

// link is a page's path with a handle of a demand.
func (s *Service) link(below, sealed string) string {
	return s.path(below) + "?" + parameterHandle + "=" + sealed // base64url needs no escaping
}
