// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// seenPause is how old User.SourceAt gets before a sign-in writes it anew.
	seenPause = time.Minute
	// tries is how often something is done over that another change came between.
	tries = 4
)

// Verify returns the user whom a user name or e-mail address and a password belong to.
// Whoever makes something on the strength of it expects the record to be at that
// revision still, or asks [Directory.Present] and expects the generation that it
// returns: a password may be changed in between.
//
// The error is [ErrRefused] for an unknown name, a wrong password, a disabled user and
// one whose password is elsewhere alike, and each costs the same hashes. It is
// [authz.ErrTemporarilyUnavailable] when too many passwords wait to be hashed (see
// [MaxWaiting]), or a source or the store has trouble.
func (d *Directory) Verify(ctx context.Context, name, password string) (*tokenstore.Record[User], error) {
	d, db, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	canonical, err := Canonical(name)
	if err != nil {
		canonical = "" // nobody's
	}
	rec, err := find(ctx, db, canonical)
	if errors.Is(err, ErrNotFound) {
		rec, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if checkPassword(password) != nil {
		password = "" // which belongs to no account: it is not even hashed whole
	}
	var known *User
	var hash Hash
	if rec != nil {
		if known = &rec.Value; known.Local() {
			hash = known.Password
		}
	}
	right, err := d.hashing.match(ctx, hash, password)
	if err != nil {
		return nil, err
	}
	source, account, err := d.ask(ctx, known, canonical, password)
	switch {
	case known != nil && known.Local():
		if !right || password == "" || known.Disabled {
			return nil, ErrRefused
		}
		return d.renew(ctx, db, rec, password)
	case err != nil:
		return nil, err
	}
	rec, err = d.adopt(ctx, db, source, canonical, account)
	if err == nil && rec.Value.Disabled {
		err = ErrRefused
	}
	if err != nil {
		return nil, err
	}
	return rec, nil
}

// renew gives a user whose password was found right another hash of it, if that they
// have is cheaper to search than the configuration wants it.
func (d *Directory) renew(ctx context.Context, db *tokenstore.DB, rec *tokenstore.Record[User], password string) (*tokenstore.Record[User], error) {
	if !rec.Value.Password.weaker(d.hashing.params) {
		return rec, nil
	}
	hash, err := d.hashing.of(ctx, password)
	if err != nil {
		return rec, nil // the old one still is a hash of the password
	}
	u := rec.Value
	u.Password = hash
	change := db.NewChange()
	change.Replace(rec.Key, rec.Revision, &u, time.Time{})
	_, err = db.Commit(ctx, change)
	if err != nil && !errors.Is(err, tokenstore.ErrConflict) {
		return rec, nil
	}
	after, err := bySubject(ctx, db, u.Subject)
	switch {
	case err != nil:
		return nil, err
	case after.Value.Password != hash && after.Value.Password != rec.Value.Password, after.Value.Disabled:
		return nil, ErrRefused // somebody changed the password in this moment, or it was renewed by another sign-in
	}
	return after, nil
}

// adopt returns the user of an account whose source said yes, made now if the account
// is new here.
func (d *Directory) adopt(ctx context.Context, db *tokenstore.DB, source *NamedSource, name string, account Account) (*tokenstore.Record[User], error) {
	key := sourceKey(source.Name, account.ID)
	var err error
	for range tries {
		var rec *tokenstore.Record[User]
		rec, err = follow(ctx, db, key)
		change, now := db.NewChange(), db.Now()
		var u User
		switch {
		case errors.Is(err, ErrNotFound):
			u = User{Source: source.Name, SourceID: account.ID, Username: name, SourceAt: now}
			d.put(db, change, &u, source.Name)
		case err != nil:
			return nil, err
		case rec.Value.Disabled || now.Sub(rec.Value.SourceAt) < seenPause:
			return rec, nil
		default:
			u = rec.Value
			u.SourceAt = now
			change.Replace(rec.Key, rec.Revision, &u, time.Time{})
		}
		created := rec == nil
		if _, err = db.Commit(ctx, change); err == nil {
			if created {
				d.record(ctx, authz.EventUserAdded, u.Subject, source.Name)
			}
			return bySubject(ctx, db, u.Subject)
		}
		if !errors.Is(err, tokenstore.ErrConflict) {
			return nil, authz.ErrTemporarilyUnavailable.Because(err)
		}
		if created && nameIsTaken(ctx, db, key, name) {
			return nil, ErrRefused // somebody else here has the name: accounts are never taken for each other by it
		}
	}
	return nil, authz.ErrTemporarilyUnavailable.Because(err)
}

// nameIsTaken reports whether a name is in use while no user has the account under key.
func nameIsTaken(ctx context.Context, db *tokenstore.DB, key tokenstore.Key, name string) bool {
	_, err := tokenstore.Cached[reference](ctx, db, key)
	return errors.Is(err, tokenstore.ErrNotFound) && taken(ctx, db, name)
}
