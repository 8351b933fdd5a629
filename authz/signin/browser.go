// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// CookieName is the name of the cookie of a browser in which somebody is signed
// in, but for the prefix that [handle.CookieName] gives it.
const CookieName = authz.CookiePrefix + "session"

// browserRecord is who is signed in in a browser, under the digest of its cookie.
// The numbers are on disk.
type browserRecord struct {
	// Seats are the users' sessions, the active one first.
	Seats []seat `cbor:"1,keyasint"`
}

// seat is one user's place in a browser.
type seat struct {
	Subject string `cbor:"1,keyasint"`
	Session string `cbor:"2,keyasint"`
	// Chosen is when the user last signed in here or was picked among others, in
	// milliseconds since 1970.
	Chosen int64 `cbor:"3,keyasint"`
}

// browser is a browser as a request shows it. One in which nobody is signed in has
// no key.
type browser struct {
	key      tokenstore.Key
	revision tokenstore.Revision
	seats    []seat
}

// browser returns who has a seat in the browser that sends r. load is one of
// tokenstore's Load and Cached.
func (s *Service) browser(ctx context.Context, db *tokenstore.DB, r *http.Request) (*browser, error) {
	raw, ok := handle.CookieValue(r, CookieName, s.config.Handles.Secure)
	if !ok {
		return &browser{}, nil
	}
	if kind, ok := token.Check(raw); !ok || kind != token.Browser {
		return &browser{}, nil
	}
	rec, err := tokenstore.Cached[browserRecord](ctx, db, browserKey(raw))
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return &browser{}, nil
	case err != nil:
		return nil, err
	}
	return &browser{key: rec.Key, revision: rec.Revision, seats: slices.Clone(rec.Value.Seats)}, nil
}

func browserKey(raw string) tokenstore.Key {
	digest := token.Digest(raw)
	return tokenstore.NewKey("", tokenstore.KindBrowser, string(digest[:]))
}

// find returns the position of a user's seat, or -1.
func (b *browser) find(subject string) int {
	return slices.IndexFunc(b.seats, func(s seat) bool { return s.Subject == subject })
}

// sessionOf is the session of a user's seat, "" if there is none.
func (b *browser) sessionOf(subject string) string {
	if i := b.find(subject); i >= 0 {
		return b.seats[i].Session
	}
	return ""
}

// sit gives a session the first seat.
func (b *browser) sit(session *Session, now time.Time) {
	b.leave(session.Subject)
	b.seats = slices.Insert(b.seats, 0, seat{Subject: session.Subject, Session: session.ID, Chosen: now.UnixMilli()})
}

// leave takes a user's seat away.
func (b *browser) leave(subject string) {
	b.seats = slices.DeleteFunc(b.seats, func(s seat) bool { return s.Subject == subject })
}

// rotate makes change give the browser, with the seats that it has now, another
// cookie, which is sent once the change is committed. The old cookie is dead then.
// Two who do so at a time come across one another: one of them conflicts.
func (s *Service) rotate(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, b *browser) (*http.Cookie, error) {
	if b.key != "" {
		change.DeleteAt(b.key, b.revision)
	}
	secure := s.config.Handles.Secure
	if len(b.seats) == 0 {
		return handle.Cookie(CookieName, "", secure, -1), nil
	}
	store, err := db.Generations(ctx, db.StoreAnchor())
	if err != nil {
		return nil, err
	}
	raw := token.New(token.Browser)
	// No session lives longer than that from now on.
	change.Create(browserKey(raw), browserRecord{b.seats}, db.Now().Add(s.config.Absolute), store...)
	return handle.Cookie(CookieName, raw, secure, int(s.config.Absolute/time.Second)), nil
}
