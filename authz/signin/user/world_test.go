// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// cheap are the costs of hashes in tests: what they cost is not what is tested.
var cheap = Params{Memory: 64, Time: 1, Threads: 1}

// right is the password that tests use.
const right = "correct horse battery staple"

// world is a directory on a store of its own.
type world struct {
	*Directory
	t      testing.TB
	db     *tokenstore.DB
	ahead  atomic.Int64 // how far the clock is ahead of the machine's
	events events
}

// events remembers what it was told.
type events struct {
	mu   sync.Mutex
	list []authz.Event
}

func (e *events) Record(_ context.Context, event authz.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

func (e *events) has(kind authz.EventType, subject string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.list, func(event authz.Event) bool { return event.Type == kind && event.Subject == subject })
}

func newWorld(t testing.TB, sources ...NamedSource) *world {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t}
	w.db, err = tokenstore.Open(t.Context(), store, tokenstore.Options{
		SealKeys:     []tokenstore.SealKey{tokenstore.GenerateSealKey()},
		CacheEntries: 1000,
		Now:          func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
		Logger:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	w.Directory = w.directory(cheap, sources...)
	return w
}

// directory is another one on the same store.
func (w *world) directory(params Params, sources ...NamedSource) *Directory {
	w.t.Helper()
	d, err := New(Config{
		Store:    func(context.Context) (*tokenstore.DB, error) { return w.db, nil },
		Sources:  sources,
		Params:   params,
		SignUp:   len(sources) == 0,
		Recorder: &w.events,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	// Counts of its own, whatever other tests do at the same time.
	d.hashing.turns = newTurns(2, MaxWaiting)
	return d
}

// add creates a user with the right password.
func (w *world) add(name string) *User {
	w.t.Helper()
	rec, err := w.Create(w.t.Context(), "admin", Addition{Username: name, Password: right})
	if err != nil {
		w.t.Fatal(err)
	}
	return &rec.Value
}

// verify says what became of a sign-in: "" or the kind of error.
func (w *world) verify(name, password string) error {
	_, err := w.Verify(w.t.Context(), name, password)
	return err
}

// wantError checks what an error derives from; nil wants none.
func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}
