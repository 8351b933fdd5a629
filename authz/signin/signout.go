// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// getSignOut asks whether to sign out, or says that nobody is signed in.
func (v *visit) getSignOut() error {
	ctx := v.r.Context()
	accounts, err := v.Accounts(ctx, v.r)
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		return v.show(http.StatusOK, pages.SignedOut{SignIn: v.path(pages.PathSignIn)})
	}
	// The page is about this account, whoever is active when it is sent.
	sealed, err := v.seal(ctx, forSignOut, pageLifetime, progress{Subject: accounts[0].Session.Subject})
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, pages.SignOut{
		Form:     pages.Form{Action: v.path(pages.PathSignOut), Handle: sealed},
		Username: pages.Untrusted(accounts[0].User.Username), Others: len(accounts) > 1, Cancel: v.path(pages.PathAccount),
	})
}

// postSignOut ends the session of one account in this browser, or of all.
func (v *visit) postSignOut() error {
	return v.submitted([]step{
		{"open the handle", v.open(forSignOut)},
	}, []step{
		{"sign out", v.signOut},
	})
}

func (v *visit) signOut(ctx context.Context) error {
	b, err := v.browser(ctx, v.db, v.r)
	if err != nil {
		return err
	}
	all := v.form.Get(pages.FieldDo) == pages.DoSignOutAll
	var out []seat
	for _, seat := range b.seats {
		if all || seat.Subject == v.progress.Subject {
			out = append(out, seat)
		}
	}
	for _, seat := range out {
		b.leave(seat.Subject)
		if err := v.vacate(ctx, v.change, seat, authz.EventSignedOut); err != nil {
			return err
		}
	}
	if len(out) > 0 {
		cookie, err := v.rotate(ctx, v.db, v.change, b)
		if err != nil {
			return err
		}
		if _, err := v.db.Commit(ctx, v.change); err != nil {
			return err
		}
		http.SetCookie(v.w, cookie)
	}
	for _, seat := range out {
		v.note(ctx, authz.Event{Type: authz.EventSignedOut, Outcome: authz.Allowed, Subject: seat.Subject})
	}
	return v.leave(v.path(pages.PathSignOut))
}
