// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// askNewPassword asks somebody who is as good as in for another password first.
// What was proved so far is used up.
func (v *visit) askNewPassword(ctx context.Context, u *user.User) error {
	if v.used {
		v.spend()
		if _, err := v.db.Commit(ctx, v.change); err != nil {
			return err
		}
	}
	return v.showMust(ctx, http.StatusOK)
}

// showMust settles the answer: the page for a password that must be changed.
func (v *visit) showMust(ctx context.Context, status int, faults ...pages.Fault) error {
	page := pages.PasswordChange{Must: true}
	page.Leads = v.leads(v.progress.Order)
	return v.showPassword(ctx, status, page, faults)
}

// showChange settles the answer: the page for who wants another password.
func (v *visit) showChange(ctx context.Context, status int, faults ...pages.Fault) error {
	v.progress = progress{Subject: v.progress.Subject}
	return v.showPassword(ctx, status, pages.PasswordChange{Cancel: v.path(pages.PathAccountSecurity)}, faults)
}

func (v *visit) showPassword(ctx context.Context, status int, page pages.PasswordChange, faults []pages.Fault) error {
	u, _, err := v.config.Directory.Known(ctx, v.progress.Subject)
	if err != nil {
		return v.goneIfAbsent(ctx, err)
	}
	if !u.Local() {
		return authz.ErrDenied.Describe("The password of this account is not kept here.")
	}
	p := v.progress
	p.Ceremony = nil
	if page.Handle, err = v.seal(ctx, forPassword, pageLifetime, p); err != nil {
		return err
	}
	page.Action, page.Faults = v.path(pages.PathPassword), faults
	page.Username, page.MinPassword = pages.Untrusted(u.Username), user.MinPassword
	return v.show(status, page)
}

// showReset settles the answer: the page that a one-time link leads to. The link
// stays good until a password is set: programs that look at mail follow links too.
func (v *visit) showReset(ctx context.Context, status int, faults ...pages.Fault) error {
	u, err := v.config.Directory.ResetUser(ctx, v.progress.Ticket)
	if errors.Is(err, user.ErrTicket) {
		return v.noTicket()
	}
	if err != nil {
		return err
	}
	sealed, err := v.seal(ctx, forPassword, pageLifetime, progress{Ticket: v.progress.Ticket})
	if err != nil {
		return err
	}
	return v.show(status, pages.PasswordReset{
		Form:     pages.Form{Action: v.path(pages.PathPassword), Handle: sealed, Faults: faults},
		Username: pages.Untrusted(u.Username), MinPassword: user.MinPassword,
	})
}

// noTicket is the answer to a link that is not good, or not any more.
func (v *visit) noTicket() error {
	return v.show(http.StatusForbidden, pages.Problem{
		Code: authz.ErrDenied.Code, Message: pages.MessageLink, Summary: "The link has expired or was used.", Back: v.path(pages.PathSignIn),
	})
}
