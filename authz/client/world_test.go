// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

func sprint(format string, v any) string { return fmt.Sprintf(format, v) }

// world is a store, and a registry above it.
type world struct {
	db       *tokenstore.DB
	engine   *engine
	ahead    atomic.Int64 // how far the clock is ahead of the machine's
	registry *Registry
}

// engine is a store that can be made to fail, and that counts reads.
type engine struct {
	tokenstore.Store
	failing atomic.Bool
	reads   atomic.Int64
}

func (e *engine) Get(ctx context.Context, keys ...tokenstore.Key) ([]tokenstore.Item, error) {
	e.reads.Add(1)
	if e.failing.Load() {
		return nil, errors.New("disk on fire")
	}
	return e.Store.Get(ctx, keys...)
}

func newWorld(t testing.TB, configured ...*Client) *world {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{engine: &engine{Store: store}}
	w.db, err = tokenstore.Open(t.Context(), w.engine, tokenstore.Options{
		SealKeys:     []tokenstore.SealKey{tokenstore.GenerateSealKey()},
		CacheEntries: 1000,
		Now:          func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	w.registry, err = NewRegistry(configured, func(context.Context) (*tokenstore.DB, error) { return w.db, nil })
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// issuer is the audience of assertions.
const issuer = "https://auth.example.com"

// authenticator is what serves with the registry.
func (w *world) authenticator() *Authenticator {
	return &Authenticator{Clients: w.registry, Audience: []string{issuer}}
}

// build builds a client that is known to be right.
func build(t testing.TB, d *Declaration) *Client {
	t.Helper()
	c, err := d.Build()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// add adds a client to the store and returns its secret.
func (w *world) add(t testing.TB, c Client) string {
	t.Helper()
	raw, err := Add(t.Context(), w.db, "admin", c, "")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// warm asks for a stored client until it comes from the cache, which takes in
// entries with a delay.
func (w *world) warm(t testing.TB, id string) {
	t.Helper()
	deadline, before := time.Now().Add(time.Minute), w.db.Stats().CacheHits
	for w.db.Stats().CacheHits == before {
		if time.Now().After(deadline) {
			t.Fatal("the client does not come into the cache")
		}
		if _, err := w.registry.Client(t.Context(), id); err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err) // a disabled client is in the cache too
		}
	}
}
