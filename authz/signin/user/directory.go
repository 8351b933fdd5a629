// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// ErrNotFound: there is no such user, or none that may do anything at present.
var ErrNotFound = errors.New("user: no such user")

// Config is what a [Directory] is made of.
type Config struct {
	// Store returns the open store. Required.
	Store func(context.Context) (*tokenstore.DB, error)
	// Sources are asked in this order for users that the store does not know.
	Sources []NamedSource
	// Params are the costs of new hashes. A hash that cost less is made anew when its
	// user signs in. Default: [DefaultParams].
	Params Params
	// SignUp lets people make accounts for themselves. The Sources must be [Naming] then.
	SignUp bool
	// Forget lists what puts into the change by which actor removes a user what else
	// goes with them: second factors, say.
	Forget []func(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, subject, actor string) error
	// Recorder learns of every change. Required.
	Recorder authz.Recorder
}

// Directory finds users and judges passwords. It is safe for concurrent use, and what
// it answers is exact: who was disabled or removed is so at the next call.
type Directory struct {
	config    Config
	hashing   hashing
	successor atomic.Pointer[Directory] // nil while d is that of the serving configuration
}

// New returns the directory of a configuration. It opens nothing.
func New(config Config) (*Directory, error) {
	for i, s := range config.Sources {
		if err := ValidateSourceName(s.Name); err != nil {
			return nil, err
		}
		for _, other := range config.Sources[:i] {
			if other.Name == s.Name {
				return nil, fmt.Errorf("two sources of users are called %s: their accounts would be the same; name one of them otherwise", s.Name)
			}
		}
	}
	if err := config.checkSignUp(); err != nil {
		return nil, err
	}
	return &Directory{config: config, hashing: hashing{params: config.Params.WithDefaults(), turns: cores}}, nil
}

// Retire makes d answer what its successor answers. Requests outlive the configuration
// that they came under, and a source that the serving one no longer names must not
// live on with them.
func (d *Directory) Retire(successor *Directory) { d.successor.Store(successor) }

// current is the directory of the serving configuration.
func (d *Directory) current() *Directory {
	for s := d.successor.Load(); s != nil; s = d.successor.Load() {
		d = s
	}
	return d
}

// open returns the directory of the serving configuration, and its store.
func (d *Directory) open(ctx context.Context) (*Directory, *tokenstore.DB, error) {
	d = d.current()
	db, err := d.config.Store(ctx)
	if err != nil {
		return d, nil, authz.ErrTemporarilyUnavailable.Because(err)
	}
	return d, db, nil
}

// Find returns the user of a user name or e-mail address, in whatever form, also a
// disabled one. Errors: [ErrNotFound], or [authz.ErrTemporarilyUnavailable].
func (d *Directory) Find(ctx context.Context, name string) (*tokenstore.Record[User], error) {
	_, db, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	canonical, err := Canonical(name)
	if err != nil {
		return nil, ErrNotFound
	}
	return find(ctx, db, canonical)
}

// Lookup returns the user whom an administrator means: by subject, exactly as it is, or
// else by user name or e-mail address as [Directory.Find] does. Errors as of Find.
func (d *Directory) Lookup(ctx context.Context, text string) (*tokenstore.Record[User], error) {
	rec, err := d.BySubject(ctx, text)
	if errors.Is(err, ErrNotFound) {
		return d.Find(ctx, text)
	}
	return rec, err
}

// BySubject returns the user of that subject, also a disabled one, and also one that no
// source has any more. Errors as of Find. A user in the cache costs no allocation.
func (d *Directory) BySubject(ctx context.Context, subject string) (*tokenstore.Record[User], error) {
	_, db, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	return bySubject(ctx, db, subject)
}

// Present returns a user who may act at present, as [Directory.Known] does, and of whom
// the source, which is asked, still says that there is such an account. Whatever gives
// access (a sign-in, a code, a token) is made on the strength of it. Errors as of Find.
func (d *Directory) Present(ctx context.Context, subject string) (*User, tokenstore.Generation, error) {
	d, db, err := d.open(ctx)
	if err != nil {
		return nil, tokenstore.Generation{}, err
	}
	u, generation, err := d.Known(ctx, subject)
	if err != nil {
		return nil, tokenstore.Generation{}, err
	}
	has, err := d.presentAtSource(ctx, u, db.Now())
	if err == nil && !has {
		err = ErrNotFound
	}
	if err != nil {
		return nil, tokenstore.Generation{}, err
	}
	return u, generation, nil
}

// Known returns a user who may act at present as far as that can be told here, and the
// generation of their anchor, which whatever is made for them has among its own: who
// exists, is enabled, and is not missing from a [Roster]. It waits for no other source,
// so that people can look at, and end, what they have while theirs is down. Errors as
// of Find.
func (d *Directory) Known(ctx context.Context, subject string) (*User, tokenstore.Generation, error) {
	d, db, err := d.open(ctx)
	if err != nil {
		return nil, tokenstore.Generation{}, err
	}
	// The anchor first: a user who is disabled in between has another generation, and
	// nothing can be made below this one.
	anchor, err := db.KnownGenerations(ctx, tokenstore.UserAnchorKey(limited(subject)))
	if err != nil {
		return nil, tokenstore.Generation{}, notFound(err)
	}
	rec, err := bySubject(ctx, db, subject)
	if err != nil {
		return nil, tokenstore.Generation{}, err
	}
	u := &rec.Value
	if u.Disabled {
		return nil, tokenstore.Generation{}, ErrNotFound
	}
	named, err := d.namedAtSource(u)
	if err == nil && !named {
		err = ErrNotFound
	}
	if err != nil {
		return nil, tokenstore.Generation{}, err
	}
	return u, anchor[0], nil
}

// Person implements [token.People]: what guards tell of a user who may act at present,
// as far as that can be known without waiting for anybody.
func (d *Directory) Person(ctx context.Context, subject string) (token.Person, error) {
	d, db, err := d.open(ctx)
	if err != nil {
		return token.Person{}, err
	}
	rec, err := bySubject(ctx, db, subject)
	if errors.Is(err, ErrNotFound) {
		return token.Person{}, authz.ErrInvalidToken
	}
	if err != nil {
		return token.Person{}, err
	}
	u := &rec.Value
	if u.Disabled {
		return token.Person{}, authz.ErrInvalidToken
	}
	named, err := d.namedAtSource(u)
	if err != nil {
		return token.Person{}, err
	}
	if !named {
		return token.Person{}, authz.ErrInvalidToken
	}
	return token.Person{Username: u.Username, Claims: u.facts}, nil
}

// List returns up to limit users from cursor on, and the cursor of the rest ("" at the
// end). It is for administration only.
func (d *Directory) List(ctx context.Context, cursor tokenstore.Cursor, limit int) ([]*tokenstore.Record[User], tokenstore.Cursor, error) {
	_, db, err := d.open(ctx)
	if err != nil {
		return nil, "", err
	}
	return tokenstore.List[User](ctx, db, "", tokenstore.KindUser, cursor, limit)
}

// SignUp reports whether people may make accounts for themselves.
func (d *Directory) SignUp() bool { return d.current().config.SignUp }

// reference is what leads from a name, or an account at a source, to a user.
type reference struct {
	Subject string `cbor:"1,keyasint"`
}

func userKey(subject string) tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindUser, limited(subject))
}

func nameKey(name string) tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindUserName, name)
}

func sourceKey(source, id string) tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindUserSource, source+"\x00"+id)
}

// maxSubject is longer than any subject.
const maxSubject = 64

// limited returns a subject, or one that nobody has in the place of what cannot be one.
func limited(subject string) string {
	if len(subject) > maxSubject {
		return ""
	}
	return subject
}

func find(ctx context.Context, db *tokenstore.DB, canonical string) (*tokenstore.Record[User], error) {
	return follow(ctx, db, nameKey(canonical))
}

// follow returns the user that a reference leads to.
func follow(ctx context.Context, db *tokenstore.DB, key tokenstore.Key) (*tokenstore.Record[User], error) {
	ref, err := tokenstore.Cached[reference](ctx, db, key)
	if err != nil {
		return nil, notFound(err)
	}
	return bySubject(ctx, db, ref.Value.Subject)
}

func bySubject(ctx context.Context, db *tokenstore.DB, subject string) (*tokenstore.Record[User], error) {
	rec, err := tokenstore.CachedID[User](ctx, db, "", tokenstore.KindUser, limited(subject))
	if err != nil {
		return nil, notFound(err)
	}
	return rec, nil
}

// notFound gives errors of the store their meaning here.
func notFound(err error) error {
	if errors.Is(err, tokenstore.ErrNotFound) {
		return ErrNotFound
	}
	return authz.ErrTemporarilyUnavailable.Because(err)
}

// Interface guards
var _ token.People = (*Directory)(nil)
