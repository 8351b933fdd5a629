// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package keyring_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// world is a store whose clock can be moved and whose reads are counted.
type world struct {
	tokenstore.Store
	path  string
	seal  tokenstore.SealKey
	db    *tokenstore.DB
	keys  *keyring.Keyring
	ahead atomic.Int64
	reads atomic.Int64
}

func (w *world) Get(ctx context.Context, keys ...tokenstore.Key) ([]tokenstore.Item, error) {
	w.reads.Add(1)
	return w.Store.Get(ctx, keys...)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{path: filepath.Join(t.TempDir(), "store"), seal: tokenstore.GenerateSealKey()}
	w.open(t)
	return w
}

func (w *world) open(t testing.TB) {
	t.Helper()
	var err error
	if w.Store, err = bolt.Open(t.Context(), w.path, bolt.Options{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	w.db, err = tokenstore.Open(t.Context(), w, tokenstore.Options{
		SealKeys: []tokenstore.SealKey{w.seal}, CacheEntries: 1000,
		Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	w.keys = keyring.New(w.db)
}

func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

// sign signs something that lasts an hour, and returns it parsed.
func (w *world) sign(t testing.TB, purpose keyring.Purpose, policy keyring.Policy, lasts time.Duration) *jose.Token {
	t.Helper()
	raw, err := w.keys.Sign(t.Context(), purpose, policy, "at+jwt", []byte(`{"sub":"a"}`), w.db.Now().Add(lasts))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := jose.Parse(raw, keyring.Algorithms()...)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// warm signs until that reads the store no more: the cache takes the keys in its own
// time.
func (w *world) warm(t testing.TB) {
	t.Helper()
	deadline, before := time.Now().Add(time.Minute), int64(-1)
	for now := w.reads.Load(); now != before; now = w.reads.Load() {
		if time.Now().After(deadline) {
			t.Fatal("the keys do not come into the cache")
		}
		before = now
		w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour)
	}
}

// published is what a verifier elsewhere has of the keys.
func (w *world) published(t testing.TB, purpose keyring.Purpose) jose.KeySet {
	t.Helper()
	text, err := w.keys.Published(t.Context(), purpose)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.ParseKeySet(text)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// states lists the keys' states, the oldest first.
func (w *world) states(t testing.TB) string {
	t.Helper()
	list, err := w.keys.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, info := range list {
		states = append(states, string(info.State))
	}
	return strings.Join(states, " ")
}
