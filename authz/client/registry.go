// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// ErrNotFound: there is no such client, or it is disabled.
var ErrNotFound = errors.New("client: no such client")

// noSuchID is asked for where an id cannot be one: it is outside the alphabet
// of ids, so the store has no client of that name.
const noSuchID = "?"

// Registry finds clients: first those of the configuration, then those of the
// store. It is safe for concurrent use, and what it answers is exact: a client
// that was edited, disabled or removed is so at the next call.
type Registry struct {
	configured map[string]*Client
	store      func(context.Context) (*tokenstore.DB, error)
	successor  atomic.Pointer[Registry] // nil while r is that of the serving configuration
}

// NewRegistry returns a registry of the clients of a configuration and, beside
// them, those of the store that the function returns once it is open. A
// configured client hides a stored one of the same id, also when it is disabled.
func NewRegistry(configured []*Client, store func(context.Context) (*tokenstore.DB, error)) (*Registry, error) {
	r := &Registry{configured: make(map[string]*Client, len(configured)), store: store}
	for _, c := range configured {
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("client %q: %w", c.ID, err)
		}
		if r.configured[c.ID] != nil {
			return nil, fmt.Errorf("client %q is configured twice", c.ID)
		}
		r.configured[c.ID] = c
	}
	return r, nil
}

// Client returns the client of the given id. It is shared and read-only. A
// disabled client is [ErrNotFound], as an unknown one is, so that nobody
// forgets to ask; any other error is [authz.ErrTemporarilyUnavailable]. It does
// not allocate for a configured client, nor for a stored one in the cache.
func (r *Registry) Client(ctx context.Context, id string) (*Client, error) {
	f, err := r.find(ctx, id)
	return f.client, err
}

// Named returns a client that somebody has only named, as [Registry.Client] does,
// with what makes a change depend on its being as it was then.
func (r *Registry) Named(ctx context.Context, id string) (Authenticated, error) {
	f, err := r.find(ctx, id)
	return Authenticated{Client: f.client, record: f.record}, err
}

// Retire makes r find what its successor finds. Requests outlive the
// configuration that they came under, as slowly as their client likes; a client
// or secret that the serving one no longer names must not live on with them.
func (r *Registry) Retire(successor *Registry) { r.successor.Store(successor) }

// Configured reports whether the configuration has a client of that id, so that
// it can be changed there only.
func (r *Registry) Configured(id string) bool { return r.configured[id] != nil }

// ConfiguredClients returns the clients of the configuration, in no order.
func (r *Registry) ConfiguredClients() []*Client {
	clients := make([]*Client, 0, len(r.configured))
	for _, c := range r.configured {
		clients = append(clients, c)
	}
	return clients
}

// AllowsOrigin reports whether some configured client has the given web origin.
// It is for CORS preflight requests, which do not say for which client they ask.
func (r *Registry) AllowsOrigin(origin string) bool {
	for _, c := range r.configured {
		if !c.Disabled && c.AllowsOrigin(origin) {
			return true
		}
	}
	return false
}

// found is a client and what the answer rests on.
type found struct {
	client *Client
	record tokenstore.Generation // zero for a configured client
	now    time.Time             // by the store's clock; zero for a configured client
	missed bool                  // the store was asked, and has no such client
}

// secrets returns those of the client, none when there is no client.
func (f found) secrets() []Secret {
	if f.client == nil {
		return nil
	}
	return f.client.Secrets
}

// current is the registry of the serving configuration.
func (r *Registry) current() *Registry {
	for s := r.successor.Load(); s != nil; s = r.successor.Load() {
		r = s
	}
	return r
}

// open returns the store of the serving configuration.
func (r *Registry) open(ctx context.Context) (*tokenstore.DB, error) { return r.current().store(ctx) }

func (r *Registry) find(ctx context.Context, id string) (found, error) {
	r = r.current()
	if c := r.configured[id]; c != nil {
		if c.Disabled {
			return found{}, ErrNotFound
		}
		return found{client: c}, nil
	}
	if ValidateID(id) != nil {
		id = noSuchID
	}
	db, err := r.store(ctx)
	if err != nil {
		return found{}, authz.ErrTemporarilyUnavailable.Because(err)
	}
	rec, err := tokenstore.CachedID[Client](ctx, db, "", tokenstore.KindClient, id)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return found{missed: true}, ErrNotFound
	case err != nil:
		return found{}, authz.ErrTemporarilyUnavailable.Because(err)
	case rec.Value.Disabled:
		return found{}, ErrNotFound
	}
	return found{
		client: &rec.Value,
		record: tokenstore.Generation{Key: rec.Key, Revision: rec.Revision},
		now:    db.Now(),
	}, nil
}

// miss costs what it costs to ask the store for a client that it does not have.
func (r *Registry) miss(ctx context.Context) error {
	if _, err := r.find(ctx, noSuchID); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}
