// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// The rules below are those of tokenstore.DB, in the places where the engine has
// a part in them.

// database is a tokenstore.DB above the engine, with a clock to turn.
type database struct {
	*tokenstore.DB
	f    *fixture
	key  tokenstore.SealKey
	time atomic.Int64 // Unix seconds
	rest atomic.Int64 // and nanoseconds
}

func newDatabase(f *fixture) *database {
	d := &database{f: f, key: tokenstore.GenerateSealKey()}
	d.time.Store(1_900_000_000)
	d.open()
	f.Store = closed{} // the DB closes its engine
	f.t.Cleanup(func() { d.close() })
	return d
}

// closed stands in for a store that somebody else closes.
type closed struct{ tokenstore.Store }

func (closed) Close() error { return nil }

func (d *database) now() time.Time { return time.Unix(d.time.Load(), d.rest.Load()) }

// set sets the clock.
func (d *database) set(t time.Time) {
	d.time.Store(t.Unix())
	d.rest.Store(int64(t.Nanosecond()))
}

// saveClock makes the time that the store has seen durable, as maintenance does.
func (d *database) saveClock() {
	ctx, cancel := context.WithCancel(d.f.t.Context())
	defer cancel()
	var maintenance sync.WaitGroup
	maintenance.Go(func() { d.Maintain(ctx) })
	for saved := false; !saved && ctx.Err() == nil; {
		r, err := tokenstore.Load[int64](ctx, d.DB, tokenstore.NewKey("", tokenstore.KindMeta, "clock"))
		saved = err == nil && r.Value >= d.Now().UnixMilli()
		runtime.Gosched()
	}
	cancel()
	maintenance.Wait()
}

func (d *database) open() {
	d.f.t.Helper()
	db, err := tokenstore.Open(d.f.t.Context(), d.f.Store, tokenstore.Options{SealKeys: []tokenstore.SealKey{d.key}, Now: d.now})
	if err != nil {
		d.f.t.Fatalf("opening the DB: %v", err)
	}
	d.DB = db
}

func (d *database) close() {
	d.f.t.Helper()
	if err := d.Close(); err != nil {
		d.f.t.Errorf("closing the DB: %v", err)
	}
}

func (d *database) reopen() {
	d.f.t.Helper()
	d.close()
	d.f.Store = d.f.openDir(d.f.dir)
	d.open()
	d.f.Store = closed{}
}

// mint saves a token below anchors.
func (d *database) mint(name string, expires time.Time, anchors ...tokenstore.Generation) (tokenstore.Key, error) {
	key := tokenstore.CredentialKey(sha256.Sum256([]byte(name)))
	c := d.NewChange()
	c.Create(key, name, expires, anchors...)
	_, err := d.Commit(d.f.t.Context(), c)
	return key, err
}

// valid says whether a record is shown, in the store and in the cache alike.
func (d *database) valid(key tokenstore.Key) bool {
	d.f.t.Helper()
	_, loadErr := tokenstore.Load[string](d.f.t.Context(), d.DB, key)
	_, cachedErr := tokenstore.Cached[string](d.f.t.Context(), d.DB, key)
	for _, err := range []error{loadErr, cachedErr} {
		if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
			d.f.t.Errorf("loading: %v", err)
		}
	}
	if (loadErr == nil) != (cachedErr == nil) {
		d.f.t.Errorf("the store says %v, the cache says %v", loadErr, cachedErr)
	}
	return loadErr == nil
}

// Ensure S6: what has expired is not returned, before and after the sweep and
// after reopening, and the clock does not go back for it.
func testExpired(t *testing.T, f *fixture) {
	d := newDatabase(f)
	short, err := d.mint("short", d.now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	long, err := d.mint("long", d.now().Add(3*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if !d.valid(short) || !d.valid(long) {
		t.Error("a new token is not valid")
	}
	check := func(when string) {
		t.Helper()
		if d.valid(short) || !d.valid(long) {
			t.Errorf("%s: the expired token is valid: %v; the other: %v", when, d.valid(short), d.valid(long))
		}
	}
	d.time.Add(2 * 3600)
	check("before the sweep")
	if n, err := d.Sweep(t.Context()); err != nil || n != 1 {
		t.Errorf("the sweep removed %d, %v", n, err)
	}
	check("after the sweep")
	d.reopen()
	check("after reopening")
	d.time.Add(-2 * 3600)
	check("after the machine's clock went back")
}

// Ensure S6: under a steady load with sweeps the store stops growing, and the
// sweep's transactions are small.
func testSteadyLoad(t *testing.T, f *fixture) {
	small := &observed{Store: f.Store}
	f.Store = small
	d := newDatabase(f)
	const rounds, perRound = 12, 250
	var sizes []int64
	for round := range rounds {
		var minting sync.WaitGroup
		for w := range 10 {
			minting.Go(func() {
				for i := range perRound / 10 {
					if _, err := d.mint(fmt.Sprint("token ", round, w, " ", i), d.now().Add(90*time.Minute)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		minting.Wait()
		d.time.Add(3600)
		if _, err := d.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		items, err := all(t.Context(), small.Store)
		if err != nil {
			t.Fatal(err)
		}
		if limit := 5 * perRound; len(items) > limit {
			t.Fatalf("round %d: %d keys, with %d live tokens", round, len(items), 2*perRound)
		}
		if reporter, ok := small.Store.(tokenstore.StatsReporter); ok {
			sizes = append(sizes, reporter.Stats().FileBytes-reporter.Stats().FreeBytes)
		}
	}
	if len(sizes) > 0 && sizes[rounds-1] > sizes[rounds/2]*5/4 {
		t.Errorf("what is used of the file grew from %d to %d: %v", sizes[rounds/2], sizes[rounds-1], sizes)
	}
	if most := small.deletes.Load(); most == 0 || most > tokenstore.SweepBatch {
		t.Errorf("one transaction of the sweep deleted %d keys", most)
	}
}

// observed notes the most keys that one batch deleted.
type observed struct {
	tokenstore.Store
	deletes atomic.Int64
}

func (o *observed) Apply(ctx context.Context, b tokenstore.Batch) (tokenstore.Revision, error) {
	o.deletes.Store(max(o.deletes.Load(), int64(len(b.Delete))))
	return o.Store.Apply(ctx, b)
}

// Ensure S5: once a revocation has been acknowledged nothing below its anchor is
// valid, nor can be minted on what was seen before, then and after reopening.
func testRevokedStaysRevoked(t *testing.T, f *fixture) {
	d := newDatabase(f)
	for round := range 5 {
		anchor := tokenstore.ClientAnchorKey(fmt.Sprint("client ", round))
		seen, err := d.EnsureAnchor(t.Context(), anchor)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var minted []tokenstore.Key
		together(9, func(i int) {
			if i == 0 {
				c := d.NewChange()
				c.Revoke(anchor)
				if _, err := d.Commit(t.Context(), c); err != nil {
					t.Error(err)
				}
				return
			}
			for n := range 5 {
				key, err := d.mint(fmt.Sprint("token ", round, i, " ", n), time.Time{}, seen)
				switch {
				case err == nil:
					mu.Lock()
					minted = append(minted, key)
					mu.Unlock()
				case !errors.Is(err, tokenstore.ErrConflict):
					t.Error(err)
				}
			}
		})
		check := func(when string) {
			t.Helper()
			for _, key := range minted {
				if d.valid(key) {
					t.Errorf("%s: a token is valid below a revoked anchor", when)
				}
			}
			if _, err := d.mint(fmt.Sprint("late ", when, round), time.Time{}, seen); !errors.Is(err, tokenstore.ErrConflict) {
				t.Errorf("%s: minting on the old generation: %v", when, err)
			}
		}
		check("after the revocation")
		d.reopen()
		check("after reopening")
		again, err := d.EnsureAnchor(t.Context(), anchor)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := d.mint(fmt.Sprint("new ", round), time.Time{}, again); err != nil || !d.valid(key) {
			t.Errorf("a token on the new generation: %v", err)
		}
	}
}
