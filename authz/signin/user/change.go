// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

var (
	// ErrExists: another user has that user name or e-mail address.
	ErrExists = errors.New("user: the name is taken")
	// ErrReserved: nobody may choose that name for themselves.
	ErrReserved = errors.New("user: the name is reserved")
	// ErrSignUp: people may not make accounts for themselves here.
	ErrSignUp = errors.New("user: accounts are made by administrators only")
	// ErrElsewhere: the password of the account is at its source.
	ErrElsewhere = errors.New("user: the password is kept elsewhere")
)

// Addition is a new user of this server.
type Addition struct {
	// Username is required, or else Email, which then is the user name too.
	Username, Email string
	// Name is what people read. Default: the user name.
	Name string
	// Password is that of the user; see [ValidatePassword]. Hash is one that exists
	// already; see [ParseHash]. At most one of both; with neither the user can sign in
	// once a password is set.
	Password string
	Hash     Hash
	// MustChange: the password has to be changed after the first sign-in.
	MustChange bool
	Disabled   bool
	Groups     []string
	Claims     map[string]any
}

// Create adds a user. actor is who does it, for the audit log. Errors: [ErrExists],
// what derives from [ErrName] or [ErrPassword], or says what else is wrong with the
// addition, [authz.ErrTemporarilyUnavailable], or trouble of the store.
func (d *Directory) Create(ctx context.Context, actor string, a Addition) (*tokenstore.Record[User], error) {
	d, db, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	u, err := d.build(ctx, a)
	if err != nil {
		return nil, err
	}
	change := db.NewChange()
	d.put(db, change, u, actor)
	if err := commit(ctx, db, change, u.names()); err != nil {
		return nil, err
	}
	d.record(ctx, authz.EventUserAdded, u.Subject, actor)
	return bySubject(ctx, db, u.Subject)
}

// Register adds a user who makes the account for themselves, and may choose names,
// and a password, but neither groups nor claims. A name that an account of a source has
// is taken. Errors: as of Create, [ErrSignUp], and [ErrReserved].
func (d *Directory) Register(ctx context.Context, a Addition) (*tokenstore.Record[User], error) {
	d = d.current()
	if !d.config.SignUp {
		return nil, ErrSignUp
	}
	if a.Password == "" {
		return nil, fmt.Errorf("%w: it is empty", ErrPassword)
	}
	own := Addition{Username: a.Username, Email: a.Email, Name: a.Name, Password: a.Password}
	for _, name := range []string{own.Username, own.Email} {
		canonical, err := Canonical(name)
		if err != nil {
			continue // Create says what is wrong with it
		}
		if Reserved(canonical) {
			return nil, ErrReserved
		}
		if elsewhere, err := d.isElsewhere(ctx, canonical); err != nil || elsewhere {
			return nil, cmp.Or(err, ErrExists)
		}
	}
	return d.Create(ctx, actorSelf, own)
}

// actorSelf is the actor of what users do to their own accounts.
const actorSelf = "self"

// build makes a user of an addition, with the hash of the password.
func (d *Directory) build(ctx context.Context, a Addition) (*User, error) {
	u, err := a.check()
	if err == nil && a.Password != "" {
		u.Password, err = d.hashing.of(ctx, a.Password)
	}
	return u, err
}

// check makes a user of an addition, all but the hash of the password, or says what is
// wrong with it.
func (a Addition) check() (*User, error) {
	u := &User{
		Username: a.Username, Email: a.Email, Name: a.Name, Password: a.Hash,
		Disabled: a.Disabled, MustChange: a.MustChange, Groups: a.Groups, Claims: a.Claims,
	}
	err := u.normalize()
	switch {
	case err != nil:
	case a.Hash != "" && a.Password != "":
		err = errors.New("a user has a password or its hash, not both")
	case a.Hash != "":
		_, err = ParseHash(string(a.Hash))
	case a.Password != "":
		err = ValidatePassword(a.Password)
	}
	return u, err
}

// put adds a user, who is normalized, to change, with all that leads to them.
func (d *Directory) put(db *tokenstore.DB, change *tokenstore.Change, u *User, actor string) {
	u.Created = db.Now()
	u.Subject = token.NewID(u.Created)
	if u.Password != "" {
		u.PasswordAt = u.Created
	}
	change.Create(userKey(u.Subject), u, time.Time{})
	change.Create(tokenstore.UserAnchorKey(u.Subject), nil, time.Time{})
	for _, name := range u.names() {
		change.Create(nameKey(name), reference{u.Subject}, time.Time{})
	}
	if !u.Local() {
		change.Create(sourceKey(u.Source, u.SourceID), reference{u.Subject}, time.Time{})
	}
	change.Audit(auditEntry(authz.EventUserAdded, u.Subject, actor))
}

// Edit changes what an administrator may change: names, groups, claims, and whether the
// password has to be changed. edit gets a copy. It is in force at the next request.
// Errors: [ErrNotFound], edit's own, as of Create, and [tokenstore.ErrConflict] when
// somebody else changed the user meanwhile.
func (d *Directory) Edit(ctx context.Context, actor, subject string, edit func(*User) error) (*User, error) {
	return d.change(ctx, actor, subject, authz.EventUserEdited, func(_ *tokenstore.DB, _ *tokenstore.Change, u *User) error {
		before := *u
		u.Groups, u.Claims = slices.Clone(u.Groups), maps.Clone(u.Claims)
		if err := edit(u); err != nil {
			return err
		}
		edited := *u
		*u = before
		u.Username, u.Email, u.Name = edited.Username, edited.Email, edited.Name
		u.Groups, u.Claims, u.MustChange = edited.Groups, edited.Claims, edited.MustChange
		return u.normalize()
	})
}

// Disable shuts a user out: sessions and tokens end at once and for good, and nobody
// can sign in as them. Errors as of Edit.
func (d *Directory) Disable(ctx context.Context, actor, subject string) (*User, error) {
	return d.change(ctx, actor, subject, authz.EventUserDisabled, func(_ *tokenstore.DB, change *tokenstore.Change, u *User) error {
		u.Disabled = true
		change.Revoke(tokenstore.UserAnchorKey(u.Subject))
		return nil
	})
}

// Enable lets a user in again, who has to sign in anew. Errors as of Edit.
func (d *Directory) Enable(ctx context.Context, actor, subject string) (*User, error) {
	return d.change(ctx, actor, subject, authz.EventUserEdited, func(_ *tokenstore.DB, _ *tokenstore.Change, u *User) error {
		u.Disabled = false
		return nil
	})
}

// NewPassword is a password that a user is given.
type NewPassword struct {
	// Password; see [ValidatePassword].
	Password string
	// MustChange: it has to be changed after the next sign-in.
	MustChange bool
	// KeepSessions leaves sessions and tokens alone, for users who change their own
	// password. Else all end at once: whoever knew the old one may have made them.
	KeepSessions bool
	// Also puts into the same change what goes with it: the end of other sessions, say.
	// Default: nothing.
	Also func(*tokenstore.Change) error
}

// SetPassword gives a user of this server another password. Errors: as of Edit, and
// [ErrElsewhere].
func (d *Directory) SetPassword(ctx context.Context, actor, subject string, p NewPassword) (*User, error) {
	if err := ValidatePassword(p.Password); err != nil {
		return nil, err
	}
	hash, err := d.current().hashing.of(ctx, p.Password)
	if err != nil {
		return nil, err
	}
	return d.change(ctx, actor, subject, authz.EventPasswordChanged, func(db *tokenstore.DB, change *tokenstore.Change, u *User) error {
		if err := u.setPassword(change, db.Now(), hash, p); err != nil || p.Also == nil {
			return err
		}
		return p.Also(change)
	})
}

func (u *User) setPassword(change *tokenstore.Change, now time.Time, hash Hash, p NewPassword) error {
	if !u.Local() {
		return ErrElsewhere
	}
	u.Password, u.PasswordAt, u.MustChange = hash, now, p.MustChange
	if !p.KeepSessions {
		change.Revoke(tokenstore.UserAnchorKey(u.Subject))
	}
	return nil
}

// Remove deletes a user, and ends all sessions and tokens. The subject is never used
// again; the names are free. Errors as of Edit.
func (d *Directory) Remove(ctx context.Context, actor, subject string) error {
	d, db, err := d.open(ctx)
	if err != nil {
		return err
	}
	rec, err := bySubject(ctx, db, subject)
	if err != nil {
		return err
	}
	u, change := &rec.Value, db.NewChange()
	change.DeleteAt(rec.Key, rec.Revision)
	for _, name := range u.names() {
		change.Delete(nameKey(name))
	}
	if !u.Local() {
		change.Delete(sourceKey(u.Source, u.SourceID))
	}
	change.Delete(tokenstore.UserAnchorKey(subject)) // a missing anchor refuses
	for _, forget := range d.config.Forget {
		if err := forget(ctx, db, change, subject, actor); err != nil {
			return err
		}
	}
	change.Audit(auditEntry(authz.EventUserRemoved, subject, actor))
	if _, err := db.Commit(ctx, change); err != nil {
		return err
	}
	d.record(ctx, authz.EventUserRemoved, subject, actor)
	return nil
}

// change makes a change of one user.
func (d *Directory) change(ctx context.Context, actor, subject string, event authz.EventType, edit func(*tokenstore.DB, *tokenstore.Change, *User) error) (*User, error) {
	d, db, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	rec, err := bySubject(ctx, db, subject)
	if err != nil {
		return nil, err
	}
	u, change := rec.Value, db.NewChange()
	if err := edit(db, change, &u); err != nil {
		return nil, err
	}
	added := rename(change, &rec.Value, &u)
	change.Replace(rec.Key, rec.Revision, &u, time.Time{})
	change.Audit(auditEntry(event, subject, actor))
	if err := commit(ctx, db, change, added); err != nil {
		return nil, err
	}
	d.record(ctx, event, subject, actor)
	return &u, nil
}

// rename moves the index entries of a user whose names change, and returns the new ones.
func rename(change *tokenstore.Change, before, after *User) (added []string) {
	for _, name := range before.names() {
		if !slices.Contains(after.names(), name) {
			change.Delete(nameKey(name))
		}
	}
	for _, name := range after.names() {
		if !slices.Contains(before.names(), name) {
			change.Create(nameKey(name), reference{after.Subject}, time.Time{})
			added = append(added, name)
		}
	}
	return added
}

// commit commits a change that brings in names.
func commit(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, names []string) error {
	_, err := db.Commit(ctx, change)
	if !errors.Is(err, tokenstore.ErrConflict) {
		return err
	}
	for _, name := range names {
		if taken(ctx, db, name) {
			return ErrExists
		}
	}
	return err
}

// taken reports whether some user has a canonical name, as far as is known: a commit
// decides.
func taken(ctx context.Context, db *tokenstore.DB, name string) bool {
	_, err := tokenstore.Cached[reference](ctx, db, nameKey(name))
	return err == nil
}

func auditEntry(event authz.EventType, subject, actor string) tokenstore.AuditEntry {
	return tokenstore.AuditEntry{Type: string(event), Outcome: string(authz.Allowed), Subject: subject, Actor: actor}
}

// record tells of a change that is committed.
func (d *Directory) record(ctx context.Context, event authz.EventType, subject, actor string) {
	d.config.Recorder.Record(ctx, authz.Event{Type: event, Outcome: authz.Allowed, Subject: subject, Actor: actor})
}
