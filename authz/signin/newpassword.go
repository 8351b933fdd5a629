// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// parameterTicket is the parameter of a link for a new password.
const parameterTicket = authz.ParamTicket

// showing shows a page with what is wrong with its form.
type showing func(ctx context.Context, status int, faults ...pages.Fault) error

// getPassword shows the page for a new password: to who is signed in, or has a link
// for it.
func (v *visit) getPassword() error {
	ctx := v.r.Context()
	if ticket := v.r.URL.Query().Get(parameterTicket); ticket != "" {
		v.config.SecretInURL(v.r)
		v.progress.Ticket = ticket
		return v.showReset(ctx, http.StatusOK)
	}
	accounts, err := v.Accounts(ctx, v.r)
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		v.progress.Order.Return = v.path(pages.PathPassword)
		return v.showSignIn(ctx, http.StatusOK)
	}
	v.progress.Subject = accounts[0].Session.Subject
	return v.showChange(ctx, http.StatusOK)
}

// postPassword gives a user another password.
func (v *visit) postPassword() error {
	return v.submitted([]step{
		{"open the handle", v.open(forPassword)},
		{"read the new password", func(ctx context.Context) error { return v.newPassword(v.passwordPage())(ctx) }},
	}, []step{
		{"set it by a link", v.resetPassword},
		{"set it before the sign-in", v.setPassword},
		{"change it", v.changePassword},
	})
}

// passwordPage is the page that the form was on.
func (v *visit) passwordPage() showing {
	switch {
	case v.progress.Ticket != "":
		return v.showReset
	case v.progress.Proved != 0:
		return v.showMust
	}
	return v.showChange
}

// newPassword checks a password that somebody chooses, as far as it can be told
// from the form.
func (v *visit) newPassword(show showing) func(context.Context) error {
	return func(ctx context.Context) error {
		chosen := v.form.Get(pages.FieldNewPassword)
		fault := pages.Fault{Field: pages.FieldNewPassword}
		switch {
		case len(chosen) < user.MinPassword:
			fault.Message = pages.MessagePasswordShort
		case len(chosen) > user.MaxPassword:
			fault.Message = pages.MessagePasswordLong
		case user.ValidatePassword(chosen) != nil || !utf8.ValidString(chosen):
			fault.Message = pages.MessageInvalid
		case chosen != v.form.Get(pages.FieldRepeat):
			fault = pages.Fault{Field: pages.FieldRepeat, Message: pages.MessagePasswordDiffers}
		case chosen == v.form.Get(pages.FieldPassword):
			fault.Message = pages.MessagePasswordSame
		default:
			return nil
		}
		return show(ctx, http.StatusBadRequest, fault)
	}
}

// resetPassword takes the new password of whoever has a link. Everything that the
// user was signed in with ends.
func (v *visit) resetPassword(ctx context.Context) error {
	if v.progress.Ticket == "" {
		return nil
	}
	u, err := v.config.Directory.Redeem(ctx, v.progress.Ticket, v.form.Get(pages.FieldNewPassword))
	if errors.Is(err, user.ErrTicket) {
		return v.noTicket()
	}
	if err != nil {
		return err
	}
	sealed, err := v.seal(ctx, forDemand, pageLifetime, progress{Order: order{Hint: u.Username}})
	if err != nil {
		return err
	}
	return v.leave(v.link(pages.PathSignIn, sealed))
}

// setPassword takes the new password of somebody who must choose one, and signs
// them in with it.
func (v *visit) setPassword(ctx context.Context) error {
	p := &v.progress
	if p.Proved == 0 {
		return nil
	}
	rec, err := v.config.Directory.BySubject(ctx, p.Subject)
	if err != nil {
		return v.goneIfAbsent(ctx, err)
	}
	_, generation, err := v.config.Directory.Known(ctx, p.Subject)
	if err != nil {
		return v.goneIfAbsent(ctx, err)
	}
	if millis(rec.Value.PasswordAt) != p.PasswordAt {
		return v.expired(ctx)
	}
	if err := v.judgePresent(ctx, rec.Value.Username, v.showMust); err != nil {
		return err
	}
	var cookie *http.Cookie
	_, err = v.config.Directory.SetPassword(ctx, p.Subject, p.Subject, user.NewPassword{
		Password: v.form.Get(pages.FieldNewPassword), KeepSessions: true,
		Also: func(change *tokenstore.Change) (err error) {
			change.Expect(tokenstore.Generation{Key: rec.Key, Revision: rec.Revision})
			if err := v.EndAll(ctx, v.db, change, p.Subject, v.keep(ctx), p.Subject); err != nil {
				return err
			}
			v.change, v.alone = change, true
			cookie, err = v.enter(ctx, change, generation)
			return err
		},
	})
	if err != nil {
		return err
	}
	v.welcomed(ctx, cookie)
	return v.leave(v.target(p.Order))
}

// keep is the session that the user has in this browser: what signs in goes on with
// it. "" if there is none.
func (v *visit) keep(ctx context.Context) string {
	b, err := v.browser(ctx, v.db, v.r)
	if err != nil {
		return ""
	}
	return b.sessionOf(v.progress.Subject)
}

// mine returns the account that the form is about, if it still is signed in here.
func (v *visit) mine(ctx context.Context) (Account, bool, error) {
	accounts, err := v.Accounts(ctx, v.r)
	if err != nil {
		return Account{}, false, err
	}
	i := slices.IndexFunc(accounts, func(a Account) bool { return a.Session.Subject == v.progress.Subject })
	if i < 0 {
		return Account{}, false, nil
	}
	return accounts[i], true, nil
}

// judgePresent makes sure that it is the user, and not whoever found the browser
// open. That the new password is another one was seen before.
func (v *visit) judgePresent(ctx context.Context, name string, page showing) error {
	u, err := v.verify(ctx, name, v.form.Get(pages.FieldPassword), page)
	if err == nil && u.Subject != v.progress.Subject {
		err = user.ErrRefused
	}
	if errors.Is(err, user.ErrRefused) {
		v.refused(ctx, v.progress.Subject, authz.ErrDenied)
		return page(ctx, http.StatusForbidden, pages.Fault{Field: pages.FieldPassword, Message: pages.MessagePasswordWrong})
	}
	return err
}

// changePassword sets it, ends all other sessions of the user, and gives this
// browser another cookie (row U08).
func (v *visit) changePassword(ctx context.Context) error {
	a, ok, err := v.mine(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return v.expired(ctx)
	}
	if err := v.judgePresent(ctx, a.User.Username, v.showChange); err != nil {
		return err
	}
	subject := v.progress.Subject
	var cookie *http.Cookie
	_, err = v.config.Directory.SetPassword(ctx, subject, subject, user.NewPassword{
		Password: v.form.Get(pages.FieldNewPassword), KeepSessions: true,
		Also: func(change *tokenstore.Change) (err error) {
			v.change = change
			v.spend()
			cookie, err = v.Renew(ctx, v.r, change, a)
			return err
		},
	})
	switch {
	case errors.Is(err, user.ErrElsewhere):
		return authz.ErrDenied.Describe("The password of this account is not kept here.")
	case err != nil:
		return err
	}
	http.SetCookie(v.w, cookie)
	return v.leave(v.path(pages.PathAccount) + "?" + pages.ParameterDone + "=" + string(pages.MessagePasswordChanged))
}
