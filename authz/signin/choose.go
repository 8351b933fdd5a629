// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// getChoose shows the account chooser.
func (v *visit) getChoose() error {
	if err := v.arrived(); err != nil {
		return err
	}
	return v.showChooser(v.r.Context(), http.StatusOK)
}

// postChoose takes the account to go on with.
func (v *visit) postChoose() error {
	return v.submitted([]step{
		{"open the handle", v.open(forDemand)},
		{"see whether it is another account", v.another},
	}, []step{
		{"choose", v.choose},
	})
}

// another leads to the sign-in page.
func (v *visit) another(ctx context.Context) error {
	if v.form.Get(pages.FieldDo) != pages.DoAnother {
		return nil
	}
	v.progress.Order.Hint = ""
	return v.showSignIn(ctx, http.StatusOK)
}

// choose makes an account the active one. Who is no longer signed in, signs in.
func (v *visit) choose(ctx context.Context) error {
	b, err := v.browser(ctx, v.db, v.r)
	if err != nil {
		return err
	}
	i := b.find(v.form.Get(pages.FieldAccount))
	if i < 0 {
		return v.showChooser(ctx, http.StatusForbidden, pages.Fault{Message: pages.MessageExpired})
	}
	a, err := v.account(ctx, v.db, b.seats[i], v.network(v.r))
	if absent(err) {
		rec, err := v.config.Directory.BySubject(ctx, b.seats[i].Subject)
		if err != nil {
			return v.goneIfAbsent(ctx, err)
		}
		v.progress.Order.Hint = rec.Value.Username
		return v.showSignIn(ctx, http.StatusOK)
	}
	if err != nil {
		return err
	}
	b.sit(a.Session, v.db.Now())
	cookie, err := v.rotate(ctx, v.db, v.change, b)
	if err != nil {
		return err
	}
	if _, err := v.db.Commit(ctx, v.change); err != nil {
		return err
	}
	http.SetCookie(v.w, cookie)
	return v.leave(v.target(v.progress.Order))
}

// showChooser settles the answer: the account chooser, or the sign-in page where
// there is nobody to choose.
func (v *visit) showChooser(ctx context.Context, status int, faults ...pages.Fault) error {
	b, err := v.browser(ctx, v.db, v.r)
	if err != nil {
		return err
	}
	page := pages.Chooser{Application: pages.Untrusted(v.progress.Order.Application)}
	for _, seat := range b.seats {
		rec, err := v.config.Directory.BySubject(ctx, seat.Subject)
		if errors.Is(err, user.ErrNotFound) || err == nil && rec.Value.Disabled {
			continue
		}
		if err != nil {
			return err
		}
		_, err = v.account(ctx, v.db, seat, v.network(v.r))
		if err != nil && !absent(err) {
			return err
		}
		page.Accounts = append(page.Accounts, pages.Account{
			ID: seat.Subject, Name: pages.Untrusted(rec.Value.Name), Username: pages.Untrusted(rec.Value.Username), Expired: err != nil,
		})
	}
	if len(page.Accounts) == 0 {
		return v.showSignIn(ctx, status, faults...)
	}
	sealed, err := v.seal(ctx, forDemand, pageLifetime, progress{Order: v.progress.Order})
	if err != nil {
		return err
	}
	page.Form = pages.Form{Action: v.path(pathChoose), Handle: sealed, Faults: faults, Leads: v.leads(v.progress.Order)}
	return v.show(status, page)
}
