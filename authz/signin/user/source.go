// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Source is where accounts are that somebody else keeps: the contract of the namespace
// oauth2.users. An account comes into the store when its user first signs in, under a
// subject of its own, and only the source ever knows its password. Implementations are
// safe for concurrent use.
type Source interface {
	// Verify returns the account that a name and a password belong to. The name is in
	// its [Canonical] form, or "", which is nobody's; the password is neither empty nor
	// longer than [MaxPassword].
	//
	// The error is [ErrRefused] when there is no such account or it has another
	// password. Any other is trouble: the user is asked to come back. None holds the
	// password.
	Verify(ctx context.Context, name, password string) (Account, error)

	// Has reports whether the source still has the account of that id. age is how long
	// ago Verify last returned it, for sources that cannot know. An error is trouble.
	Has(ctx context.Context, id string, age time.Duration) (bool, error)
}

// Roster is a [Source] that knows all its accounts, so that guards can ask it at each
// request, and whose Verify sends a password nowhere.
type Roster interface {
	Source
	// Names is Has, at once: it neither waits nor, but rarely, reads a disk. An error is
	// trouble.
	Names(id string) (bool, error)
}

// Naming is a [Source] that can tell which names its accounts have without a password.
// People make accounts for themselves only beside such sources: else somebody would
// take a name that services know as another's.
type Naming interface {
	Source
	// TellsNames reports whether it can, by its settings.
	TellsNames() bool
	// HasName reports whether an account has the name, which is in its [Canonical] form.
	// An error is trouble.
	HasName(ctx context.Context, name string) (bool, error)
}

// Account is what a source says of an account.
type Account struct {
	// ID is what the account is called for ever at the source, of 1 to [MaxSourceID]
	// bytes.
	ID string
}

// NamedSource is a source under the name that the configuration gives it. The name is
// part of each account's identity: another name makes them other accounts.
type NamedSource struct {
	Name string
	Source
}

// ErrRefused: nobody has that name and password, or may not sign in. Which of these is
// not told.
var ErrRefused = errors.New("user: the name or the password is wrong")

// ValidateSourceName reports what is wrong with the name of a source.
func ValidateSourceName(name string) error {
	if name == "" || len(name) > MaxGroup || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return fmt.Errorf("the name of a source of users has 1 to %d lower-case letters, digits, - and _", MaxGroup)
	}
	return nil
}

// source is the source of that name in the configuration, or nil.
func (d *Directory) source(name string) *NamedSource {
	for i := range d.config.Sources {
		if d.config.Sources[i].Name == name {
			return &d.config.Sources[i]
		}
	}
	return nil
}

// ask asks the sources whether a name and password are one of their accounts. A source
// that is not concerned, because the store knows whose account the name is, goes through
// the same motions if nobody else learns of it, so that time tells nobody which names
// there are.
func (d *Directory) ask(ctx context.Context, known *User, name, password string) (*NamedSource, Account, error) {
	var trouble error
	for i := range d.config.Sources {
		s, asked := &d.config.Sources[i], name
		if known != nil && known.Source != s.Name || checkPassword(password) != nil {
			asked = ""
		}
		if _, own := s.Source.(Roster); asked == "" && !own {
			continue
		}
		account, err := s.Verify(ctx, asked, password)
		switch {
		case errors.Is(err, ErrRefused):
		case err != nil:
			trouble = errors.Join(trouble, fmt.Errorf("source %s: %w", s.Name, err))
		case asked != "":
			return s, account, account.validate()
		}
	}
	if trouble != nil {
		return nil, Account{}, authz.ErrTemporarilyUnavailable.Because(trouble)
	}
	return nil, Account{}, ErrRefused
}

func (a Account) validate() error {
	if a.ID == "" || len(a.ID) > MaxSourceID || strings.ContainsRune(a.ID, 0) {
		return authz.ErrTemporarilyUnavailable.Because(errors.New("the source answers with an id that is none"))
	}
	return nil
}

// checkSignUp says which source keeps people from making accounts for themselves.
func (c *Config) checkSignUp() error {
	for _, s := range c.Sources {
		if naming, ok := s.Source.(Naming); c.SignUp && (!ok || !naming.TellsNames()) {
			return fmt.Errorf("sign_up lets anybody take a name that a user of source %s has, since that cannot tell its names: give it a check, or leave out sign_up", s.Name)
		}
	}
	return nil
}

// isElsewhere reports whether an account of a source has a canonical name.
func (d *Directory) isElsewhere(ctx context.Context, name string) (bool, error) {
	for _, s := range d.config.Sources {
		naming, ok := s.Source.(Naming)
		if !ok {
			continue // not beside sign_up
		}
		has, err := naming.HasName(ctx, name)
		if err != nil {
			return false, authz.ErrTemporarilyUnavailable.Because(fmt.Errorf("source %s: %w", s.Name, err))
		}
		if has {
			return true, nil
		}
	}
	return false, nil
}

// presentAtSource reports whether the source of an account still has it.
func (d *Directory) presentAtSource(ctx context.Context, u *User, now time.Time) (bool, error) {
	if u.Local() {
		return true, nil
	}
	s := d.source(u.Source)
	if s == nil {
		return false, nil
	}
	has, err := s.Has(ctx, u.SourceID, now.Sub(u.SourceAt))
	if err != nil {
		return false, authz.ErrTemporarilyUnavailable.Because(fmt.Errorf("source %s: %w", s.Name, err))
	}
	return has, nil
}

// namedAtSource is presentAtSource as far as it can be told at once.
func (d *Directory) namedAtSource(u *User) (bool, error) {
	if u.Local() {
		return true, nil
	}
	s := d.source(u.Source)
	if s == nil {
		return false, nil
	}
	roster, ok := s.Source.(Roster)
	if !ok {
		return true, nil
	}
	named, err := roster.Names(u.SourceID)
	if err != nil {
		return false, authz.ErrTemporarilyUnavailable.Because(fmt.Errorf("source %s: %w", s.Name, err))
	}
	return named, nil
}
