// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// proceed goes on with somebody who has proved something: to the second factor, to
// a new password, or in. Everything is looked at anew: since the last page the user
// may have been disabled, or the password changed (row U15).
func (v *visit) proceed(ctx context.Context) error {
	p := &v.progress
	rec, err := v.config.Directory.BySubject(ctx, p.Subject)
	if err != nil {
		return v.goneIfAbsent(ctx, err)
	}
	u, generation, err := v.config.Directory.Present(ctx, p.Subject)
	if err != nil {
		return v.goneIfAbsent(ctx, err)
	}
	if p.Raise == "" && millis(rec.Value.PasswordAt) != p.PasswordAt {
		return v.expired(ctx)
	}
	set, err := factor.Load(ctx, v.db, p.Subject)
	if err != nil {
		return err
	}
	// U18: whoever has a second factor proves it, whatever they sign in for.
	if set.Demanded() && !p.Methods.TwoFactors() || !strong(p.Methods.ACR(), p.Order.ACR) {
		return v.askFactor(ctx, u, set)
	}
	// By a passkey, too: the password stays good beside it. Who has none gets in.
	if u.MustChange && u.Local() && u.Password != "" {
		return v.askNewPassword(ctx, u)
	}
	set.Expect(v.change)
	v.change.Expect(tokenstore.Generation{Key: rec.Key, Revision: rec.Revision})
	cookie, err := v.enter(ctx, v.change, generation)
	if err != nil {
		return err
	}
	return v.welcome(ctx, cookie)
}

// goneIfAbsent gives whoever is not there any more the answer of whoever never was.
func (v *visit) goneIfAbsent(ctx context.Context, err error) error {
	if errors.Is(err, user.ErrNotFound) {
		return v.askAgain(ctx)
	}
	return err
}

// enter makes change sign in whoever the progress is about, and returns the cookie
// for the browser. generation is the user's.
func (v *visit) enter(ctx context.Context, change *tokenstore.Change, generation tokenstore.Generation) (*http.Cookie, error) {
	p, now := &v.progress, v.db.Now()
	b, err := v.browser(ctx, v.db, v.r)
	if err != nil {
		return nil, err
	}
	session, err := v.seated(ctx, change, b)
	if err != nil {
		return nil, err
	}
	if p.Raise != "" && (session == nil || session.ID != p.Raise) {
		return nil, v.expired(ctx)
	}
	if session == nil {
		if session, err = v.begin(ctx, change, generation, b); err != nil {
			return nil, err
		}
	} else {
		if p.Raise == "" {
			session.AuthTime = now
		}
		session.methods, session.LastSeen = p.Methods, now
		session.Agent, session.Address = agent(v.r), v.network(v.r)
		change.Replace(sessionKey(session.Subject, session.ID), session.revision, session.record(), session.end, session.anchors...)
	}
	b.sit(session, now)
	for len(b.seats) > MaxAccounts {
		last := b.seats[len(b.seats)-1]
		b.leave(last.Subject)
		if err := v.vacate(ctx, change, last, authz.EventSessionEnded); err != nil {
			return nil, err
		}
	}
	v.spend()
	change.Audit(tokenstore.AuditEntry{Type: string(authz.EventSignedIn), Outcome: string(authz.Allowed), Subject: p.Subject})
	return v.rotate(ctx, v.db, change, b)
}

// seated returns the session that the user has in this browser, which goes on: codes,
// tokens and sites that came from it are still this user's in this browser. nil if
// there is none, or none that is still good.
func (v *visit) seated(ctx context.Context, change *tokenstore.Change, b *browser) (*Session, error) {
	i := b.find(v.progress.Subject)
	if i < 0 {
		return nil, nil
	}
	session, err := v.session(ctx, v.db, b.seats[i].Subject, b.seats[i].Session)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, v.vacate(ctx, change, b.seats[i], authz.EventSessionEnded)
	}
	return session, err
}

// vacate makes change end the session of a seat, if there still is something of it.
func (v *visit) vacate(ctx context.Context, change *tokenstore.Change, seat seat, event authz.EventType) error {
	_, err := v.db.Generations(ctx, tokenstore.SessionAnchorKey(seat.Session))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	end(change, &Session{Subject: seat.Subject, ID: seat.Session}, event, seat.Subject)
	return nil
}

// begin makes change begin a session in a browser.
func (v *visit) begin(ctx context.Context, change *tokenstore.Change, generation tokenstore.Generation, b *browser) (*Session, error) {
	if !v.alone {
		if err := v.makeRoom(ctx, v.db, change, v.progress.Subject, b.sessionOf(v.progress.Subject)); err != nil {
			return nil, err
		}
	}
	store, err := v.db.Generations(ctx, v.db.StoreAnchor())
	if err != nil {
		return nil, err
	}
	now := v.db.Now()
	session := &Session{
		ID: token.NewID(now), Subject: v.progress.Subject, Created: now, AuthTime: now, LastSeen: now,
		Agent: agent(v.r), Address: v.network(v.r), methods: v.progress.Methods, end: now.Add(v.config.Absolute),
	}
	anchor := tokenstore.SessionAnchorKey(session.ID)
	change.Create(anchor, nil, session.end)
	change.Create(sessionKey(session.Subject, session.ID), session.record(), session.end,
		store[0], generation, tokenstore.SameChange(anchor))
	return session, nil
}

// welcome commits the sign-in and sends the browser to where it came from.
func (v *visit) welcome(ctx context.Context, cookie *http.Cookie) error {
	if _, err := v.db.Commit(ctx, v.change); err != nil {
		return err
	}
	v.welcomed(ctx, cookie)
	return v.leave(v.target(v.progress.Order))
}

// welcomed is what follows a sign-in that is committed.
func (v *visit) welcomed(ctx context.Context, cookie *http.Cookie) {
	http.SetCookie(v.w, cookie)
	v.known().Remember(v.w, v.r, v.db, v.progress.Subject)
	v.note(ctx, authz.Event{Type: authz.EventSignedIn, Outcome: authz.Allowed, Subject: v.progress.Subject})
}
