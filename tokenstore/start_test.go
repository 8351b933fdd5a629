// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain checks that nothing here leaks a goroutine. A dropped cache's end with
// a garbage collection, so there is one first.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(collected{m})
}

type collected struct{ m *testing.M }

func (c collected) Run() int {
	code := c.m.Run()
	for deadline := time.Now().Add(time.Minute); ; {
		runtime.GC()
		if goleak.Find() == nil || time.Now().After(deadline) {
			return code
		}
	}
}

// wall is a machine's clock that tests set.
type wall struct {
	mu  sync.Mutex
	now time.Time
}

func newWall() *wall { return &wall{now: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)} }

func (w *wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *wall) move(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// logs is a log that tests read.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

var testKey = GenerateSealKey()

// start opens a DB on store; the options' keys and clock have defaults.
func start(t testing.TB, store Store, opts Options) *DB {
	t.Helper()
	if opts.SealKeys == nil {
		opts.SealKeys = []SealKey{testKey}
	}
	if opts.CacheEntries == 0 {
		opts.CacheEntries = 1000
	}
	db, err := Open(t.Context(), store, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// token is a record like those of a protocol room.
type token struct {
	Scope string `cbor:"1,keyasint"`
}

// family is a credential with one anchor of every kind.
type family struct {
	key     Key
	digest  [32]byte
	anchors []Key // store, client, user, session, consent, grant
}

// newFamily saves a credential with all its anchors, the grant in the same change.
func newFamily(t testing.TB, db *DB, expires time.Time) family {
	t.Helper()
	f, err := mintFamily(t.Context(), db, expires)
	if err != nil {
		t.Fatalf("minting: %v", err)
	}
	return f
}

func mintFamily(ctx context.Context, db *DB, expires time.Time) (family, error) {
	var f family
	rand.Read(f.digest[:])
	f.key = CredentialKey(f.digest)
	for f.anchors == nil || displaced(db, f.anchors) {
		id := rand.Text()
		f.anchors = []Key{
			db.StoreAnchor(),
			ClientAnchorKey("client-" + id),
			NewKey("", KindUserAnchor, id),
			NewKey("", KindSessionAnchor, id),
			NewKey("", KindConsentAnchor, id),
			GrantKey(id),
		}
	}
	var gens []Generation
	for _, anchor := range f.anchors[:5] {
		g, err := db.EnsureAnchor(ctx, anchor)
		if err != nil {
			return f, err
		}
		gens = append(gens, g)
	}
	c := db.NewChange()
	c.Create(f.anchors[5], "a grant", time.Time{}, gens...)
	c.Create(f.key, token{Scope: "orders:read"}, expires, append(gens, SameChange(f.anchors[5]))...)
	_, err := db.Commit(ctx, c)
	return f, err
}

// displaced says whether two of the keys cannot be known at one time.
func displaced(db *DB, keys []Key) bool {
	slots := map[any]bool{}
	for _, key := range keys {
		slots[db.anchors.slot(db.epochs.capture(key))] = true
	}
	return len(slots) < len(keys)
}

// cached is how long a caller of Cached sees the record; err otherwise.
func cached(t testing.TB, db *DB, key Key) error {
	t.Helper()
	r, err := Cached[token](t.Context(), db, key)
	if err == nil && r.Value.Scope != "orders:read" {
		t.Fatalf("another record: %+v", r)
	}
	return err
}

// settle waits until the cache has taken what it was offered.
func settle(db *DB) {
	if c := db.cache.Load(); c != nil {
		c.r.Wait()
	}
}

// warm brings a record into the cache, and makes sure that it is there.
func warm(t testing.TB, db *DB, key Key) {
	t.Helper()
	for range 100 {
		if err := cached(t, db, key); err != nil {
			t.Fatalf("a valid record is refused: %v", err)
		}
		settle(db)
		if e := db.find(db.cacheHash(key)); e != nil && e.key == key {
			return
		}
	}
	t.Fatal("the record does not get into the cache")
}

// revoke revokes an anchor and waits for the acknowledgement.
func revoke(t testing.TB, db *DB, anchor Key) {
	t.Helper()
	c := db.NewChange()
	c.Revoke(anchor)
	if _, err := db.Commit(context.WithoutCancel(t.Context()), c); err != nil {
		t.Errorf("revoking a %s: %v", anchor.Kind(), err)
	}
}

// must is want, by errors.Is; nil wants none.
func must(t testing.TB, err, want error, what string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

// rand32 is 32 random bytes.
func rand32() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}
