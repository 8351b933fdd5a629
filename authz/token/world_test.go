// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

const issuer = "https://auth.example.com"

// world is a store with one client, and what mints and verifies upon it.
type world struct {
	db       *tokenstore.DB
	engine   *engine
	ahead    atomic.Int64 // how far the clock is ahead of the machine's
	minter   token.Minter
	jwt      *token.JWT // where tokens are signed
	verifier *token.Verifier
	client   tokenstore.Key
}

// engine is a store that can be made to fail.
type engine struct {
	tokenstore.Store
	failing atomic.Pointer[error]
	before  atomic.Pointer[func()] // the next read, once
	reads   atomic.Int64
}

func (e *engine) Get(ctx context.Context, keys ...tokenstore.Key) ([]tokenstore.Item, error) {
	e.reads.Add(1)
	if act := e.before.Swap(nil); act != nil {
		(*act)()
	}
	if err := e.failing.Load(); err != nil {
		return nil, *err
	}
	return e.Store.Get(ctx, keys...)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{engine: &engine{Store: store}, minter: token.Minter{Format: token.Opaque{}}, client: tokenstore.ClientAnchorKey("job")}
	w.db, err = tokenstore.Open(t.Context(), w.engine, tokenstore.Options{
		SealKeys:     []tokenstore.SealKey{tokenstore.GenerateSealKey()},
		CacheEntries: 1000,
		Now:          func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	w.verifier = &token.Verifier{
		Issuer:  issuer,
		Store:   func(context.Context) (*tokenstore.DB, error) { return w.db, nil },
		Formats: []token.Format{token.Opaque{}},
	}
	if _, err := w.db.EnsureAnchor(t.Context(), w.client); err != nil {
		t.Fatal(err)
	}
	return w
}

// newSignedWorld is a world whose access tokens are JWTs.
func newSignedWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	keys := keyring.New(w.db)
	w.jwt = new(token.JWT)
	w.jwt.Bind(issuer, func(context.Context) (*keyring.Keyring, error) { return keys, nil })
	w.minter.Format = w.jwt
	w.verifier.Formats = []token.Format{token.Opaque{}, w.jwt}
	return w
}

// eachFormat runs a test with a world of each format of access tokens.
func eachFormat(t *testing.T, test func(t *testing.T, newWorld func(testing.TB) *world)) {
	for name, newWorld := range map[string]func(testing.TB) *world{"opaque": newWorld, "jwt": newSignedWorld} {
		t.Run(name, func(t *testing.T) { test(t, newWorld) })
	}
}

// anchors notes the generations of store and client.
func (w *world) anchors(t testing.TB) []tokenstore.Generation {
	t.Helper()
	gens, err := w.db.Generations(t.Context(), w.db.StoreAnchor(), w.client)
	if err != nil {
		t.Fatal(err)
	}
	return gens
}

// order is a machine's usual order.
func (w *world) order(t testing.TB) token.Order {
	t.Helper()
	return token.Order{
		Grant:    &token.Grant{Type: "client_credentials", Client: "job", Audience: []string{issuer}},
		Facts:    token.Record{Client: "job", Scopes: scope.Of("orders:read"), Audience: []string{issuer}},
		Anchors:  w.anchors(t),
		Lifetime: time.Hour,
	}
}

// mint mints and commits.
func (w *world) mint(t testing.TB, o token.Order) token.Issued {
	t.Helper()
	change := w.db.NewChange()
	issued, err := w.minter.Mint(t.Context(), w.db, change, o)
	if err != nil {
		t.Fatal(err)
	}
	change.Audit(tokenstore.AuditEntry{Type: "token_issued", Routine: true}) // as the endpoint does; of a JWT alone nothing else is kept
	if _, err := w.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	return issued
}

// change commits what build puts into a change.
func (w *world) change(t testing.TB, build func(*tokenstore.Change)) {
	t.Helper()
	change := w.db.NewChange()
	build(change)
	if _, err := w.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}

// snapshot is the whole store as bytes.
func (w *world) snapshot(t testing.TB, to io.Writer) {
	t.Helper()
	if err := w.db.Snapshot(t.Context(), to); err != nil {
		t.Fatal(err)
	}
}
