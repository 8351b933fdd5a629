// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// getSignOut asks whether to sign out, or says that nobody is signed in.
func (v *visit) getSignOut() error {
	ctx := v.r.Context()
	users, err := v.leaving(ctx)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		return v.show(http.StatusOK, pages.SignedOut{SignIn: v.path(pages.PathSignIn)})
	}
	// The page is about this account, whoever is active when it is sent.
	sealed, err := v.seal(ctx, forSignOut, pageLifetime, progress{Subject: users[0].Subject})
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, pages.SignOut{
		Form:     pages.Form{Action: v.path(pages.PathSignOut), Handle: sealed},
		Username: pages.Untrusted(users[0].Username), Others: len(users) > 1, Cancel: v.path(pages.PathAccount),
	})
}

// leaving returns who has a session here, the active one first, and whether they may act
// is nobody's business: no source that is in trouble keeps anybody from signing out.
func (v *visit) leaving(ctx context.Context) ([]*user.User, error) {
	b, err := v.browser(ctx, v.db, v.r)
	if err != nil {
		return nil, trouble(err)
	}
	var users []*user.User
	for _, seat := range b.seats {
		_, err := v.session(ctx, v.db, seat.Subject, seat.Session)
		if err == nil {
			var rec *tokenstore.Record[user.User]
			if rec, err = v.config.Directory.BySubject(ctx, seat.Subject); err == nil {
				users = append(users, &rec.Value)
			}
		}
		if err != nil && !absent(err) {
			return nil, trouble(err)
		}
	}
	return users, nil
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
