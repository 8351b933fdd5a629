// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Users says who the people are that may sign in. Accounts of this server are kept in
// the store, whatever stands here (`caddy oauth2 user add`).
type Users struct {
	// Where else accounts are. Who has no account in the store yet is looked for here,
	// in this order, and gets one at the first sign-in; the password stays where it is.
	Sources []UserSource `json:"sources,omitempty"`

	// What one hash of a password costs. At most as many are computed at once as there
	// are cores.
	Argon2id Argon2id `json:"argon2id,omitzero"`

	// Whether people may make accounts for themselves. Default: false.
	SignUp bool `json:"sign_up,omitempty"`
}

// Argon2id says what one hash of a password costs (RFC 9106). When it is raised, the
// hashes there are follow as their users sign in.
type Argon2id struct {
	// The memory of one hash in KiB, 8192 to 1048576. Default: `19456`.
	Memory uint32 `json:"memory,omitempty"`

	// How often the memory is gone over, 1 to 64. Default: `2`.
	Time uint32 `json:"time,omitempty"`

	// How many threads compute one hash, 1 to 16. Default: `1`.
	Threads uint8 `json:"threads,omitempty"`
}

// UserSource is a place where accounts are that somebody else keeps.
type UserSource struct {
	// What the source is called here, lower-case letters, digits, - and _. It is part of
	// its accounts' identity: under another name they are other accounts. Default: the
	// name of the module, which is enough for one of each kind.
	Name string `json:"name,omitempty"`

	// A module of namespace `oauth2.users`: `htpasswd` or `http`. Required.
	FromRaw json.RawMessage `json:"from,omitempty" caddy:"namespace=oauth2.users inline_key=module"`
}

// name is the name of the source, its default filled in.
func (s UserSource) name() string {
	if s.Name != "" {
		return s.Name
	}
	var from struct {
		Module string `json:"module"`
	}
	_ = json.Unmarshal(s.FromRaw, &from) // what is wrong with it, is said when it is loaded
	return from.Module
}

func (a Argon2id) params() user.Params {
	return user.Params{Memory: a.Memory, Time: a.Time, Threads: a.Threads}
}

// Validate checks the settings as they are written, without the sources' own.
func (u *Users) Validate() error {
	var names []string
	for _, s := range u.Sources {
		name := s.name()
		if err := user.ValidateSourceName(name); err != nil {
			return err
		}
		if slices.Contains(names, name) {
			return fmt.Errorf("two sources of users are called %s: give one of them another name", name)
		}
		names = append(names, name)
	}
	return u.Argon2id.params().Validate()
}

// buildUsers makes the directory of users. It opens nothing.
func (a *App) buildUsers() error {
	if err := a.Users.Validate(); err != nil {
		return fmt.Errorf("users: %w", err)
	}
	config := user.Config{
		Store:    a.store,
		Params:   a.Users.Argon2id.params(),
		SignUp:   a.Users.SignUp,
		Recorder: a.recorder,
		Forget:   []forgetting{factor.Forget, actorless(consent.EndAll), client.RemoveOwned, actorless(forgetUser)},
	}
	for i := range a.Users.Sources {
		s := &a.Users.Sources[i]
		name := s.name() // the raw message is gone once it is loaded
		source, err := a.loadSource(s)
		if err != nil {
			return fmt.Errorf("users: source %s: %w", name, err)
		}
		config.Sources = append(config.Sources, user.NamedSource{Name: name, Source: source})
	}
	var err error
	a.users, err = user.New(config)
	a.verifier.People = a.users
	return err
}

// forgetting puts into the change by which actor removes a user what else goes with
// the user.
type forgetting = func(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, subject, actor string) error

// actorless makes a forgetting of what audits nothing.
func actorless(forget func(context.Context, *tokenstore.DB, *tokenstore.Change, string) error) forgetting {
	return func(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, subject, _ string) error {
		return forget(ctx, db, change, subject)
	}
}

func (a *App) loadSource(s *UserSource) (user.Source, error) {
	if s.FromRaw == nil {
		return nil, errors.New("from is missing: a module of namespace " + UsersNamespace)
	}
	guest, err := a.ctx.LoadModule(s, "FromRaw")
	if err != nil {
		return nil, err
	}
	source, ok := guest.(user.Source)
	if !ok {
		return nil, fmt.Errorf("%T is no source of users", guest)
	}
	if fetching, ok := source.(user.Fetching); ok {
		fetching.Bind(a.fetch)
	}
	return source, nil
}

// fetch returns what makes the requests of all configurations, once the app has started.
func (a *App) fetch(ctx context.Context) (*fetch.Client, error) {
	if err := a.gate.wait(ctx); err != nil {
		return nil, err
	}
	return a.runtime.fetch, nil
}
