// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// arrivals counts who has come to wait for a load, or to make it: not who has missed,
// and may be late for the load that the others wait for.
type arrivals struct{ n atomic.Int64 }

// context returns the context of one more request.
func (a *arrivals) context(ctx context.Context) context.Context {
	return arriving{ctx, sync.OnceFunc(func() { a.n.Add(1) })}
}

type arriving struct {
	context.Context
	arrived func()
}

func (a arriving) Done() <-chan struct{} {
	a.arrived()
	return a.Context.Done()
}

// Ensure that a thousand requests with one uncached token cost one load, and that
// one of them that gives up goes at once and does not fail the others: if it was
// the one that loads, another does.
func TestOneLoadForManyRequests(t *testing.T) {
	const requests = 1000
	for name, loads := range map[string]uint64{"the one that loads gives up": 2, "another gives up": 1} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			db := start(t, m, Options{})
			f := newFamily(t, db, time.Time{})
			reading, read := make(chan struct{}), make(chan struct{})
			var once sync.Once
			m.beforeGet = func(keys []Key) error {
				if keys[0] == f.key {
					once.Do(func() { close(reading); <-read })
				}
				return nil
			}
			before := db.Stats().Loads
			ask := func(ctx context.Context) <-chan error {
				answer := make(chan error, 1)
				go func() { answer <- errorOf(Cached[token](ctx, db, f.key)) }()
				return answer
			}

			impatient, cancel := context.WithCancel(t.Context())
			firstContext := t.Context()
			if loads == 2 {
				firstContext = impatient
			}
			first := ask(firstContext)
			<-reading
			var waiting arrivals
			another := ask(waiting.context(impatient))
			var others []<-chan error
			for range requests - 2 {
				others = append(others, ask(waiting.context(t.Context())))
			}
			waitFor(t, func() bool { return waiting.n.Load() == requests-1 })
			cancel()
			must(t, <-another, context.Canceled, "one that waits and gives up")
			close(read)
			if err := <-first; !errors.Is(err, firstContext.Err()) {
				t.Errorf("the one that loads: %v", err)
			}
			for _, other := range others {
				must(t, <-other, nil, "one that is patient")
			}
			if n := db.Stats().Loads - before; n != loads {
				t.Errorf("%d loads, want %d", n, loads)
			}
		})
	}
}

// Ensure that trouble with the store is told as such and not remembered.
func TestTroubleIsNotCached(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	f := newFamily(t, db, time.Time{})
	for _, trouble := range []error{ErrUnavailable, errOdd, context.DeadlineExceeded} {
		m.beforeGet = func([]Key) error { return trouble }
		must(t, cached(t, db, f.key), ErrUnavailable, trouble.Error())
		m.beforeGet = nil
		must(t, cached(t, db, f.key), nil, "afterwards")
		settle(db)
		c := db.NewChange() // so that the next round is a miss
		c.Delete(f.key)
		_, err := db.Commit(t.Context(), c)
		must(t, err, nil, "deleting")
		f = newFamily(t, db, time.Time{})
	}
}

// Ensure that an engine that panics fails the request, not the process.
func TestPanicInLoad(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	m.beforeGet = func([]Key) error { panic("engine trouble") }
	must(t, cached(t, db, CredentialKey([32]byte{})), ErrUnavailable, "the request")
	m.beforeGet = nil
}

// Ensure that an expired record, or one below an expired anchor, is refused from
// its very moment, though it is in the cache and in the store, and stays so when
// the machine's clock is set back.
func TestExpiredIsRefused(t *testing.T) {
	for name, life := range map[string]struct{ own, anchor time.Duration }{
		"the record": {time.Minute, time.Hour},
		"its anchor": {time.Hour, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWall()
			db := start(t, newMemory(), Options{Now: w.Now})
			grant := GrantKey(string(rand32()))
			key := CredentialKey([32]byte(rand32()))
			c := db.NewChange()
			c.Create(grant, "a grant", db.Now().Add(life.anchor))
			c.Create(key, token{Scope: "orders:read"}, db.Now().Add(life.own), SameChange(grant))
			_, err := db.Commit(t.Context(), c)
			must(t, err, nil, "saving")
			warm(t, db, key)
			w.move(time.Minute - time.Millisecond)
			must(t, cached(t, db, key), nil, "a millisecond before")
			w.move(time.Millisecond)
			for range 2 {
				must(t, cached(t, db, key), ErrNotFound, "through the cache")
				must(t, errorOf(Load[token](t.Context(), db, key)), ErrNotFound, "past the cache")
				w.move(-time.Hour)
			}
		})
	}
}

// Ensure that a flood of bogus tokens neither fills the cache nor drives the good
// ones out of it.
func TestBogusTokensDisplaceNobody(t *testing.T) {
	const good, bogus = 200, 20_000
	db := start(t, newMemory(), Options{CacheEntries: good * 5 / 4})
	var families []family
	for range good {
		f := newFamily(t, db, time.Time{})
		warm(t, db, f.key)
		families = append(families, f)
	}
	for i := range bogus {
		must(t, cached(t, db, CredentialKey([32]byte(rand32()))), ErrNotFound, "a bogus token")
		if i%10 == 0 {
			must(t, cached(t, db, families[i/10%good].key), nil, "a good token")
		}
	}
	settle(db)
	if n := db.Stats().CacheEntries; n > good*5/4 {
		t.Errorf("%d entries in the cache", n)
	}
	before := db.Stats().CacheHits
	for _, f := range families {
		must(t, cached(t, db, f.key), nil, "a good token")
	}
	if hits := db.Stats().CacheHits - before; hits < good*95/100 {
		t.Errorf("%d of %d good tokens are still cached", hits, good)
	}
}

// Ensure that keys that share a hash are told apart by the whole key.
func TestSharedHash(t *testing.T) {
	db := start(t, newMemory(), Options{})
	mine := newFamily(t, db, time.Time{})
	warm(t, db, mine.key)
	theirs := mine.digest
	theirs[31] ^= 1
	if db.cacheHash(mine.key) != db.cacheHash(CredentialKey(theirs)) {
		t.Fatal("they share no hash")
	}
	must(t, cached(t, db, CredentialKey(theirs)), ErrNotFound, "by key")
	_, err := CachedCredential[token](t.Context(), db, theirs)
	must(t, err, ErrNotFound, "by digest")
	if e := db.find(db.cacheHash(mine.key)); e == nil || e.key != mine.key {
		t.Error("a bogus token displaced a good one")
	}
}

// Ensure that all ways to ask give one answer, and that a hit allocates nothing.
func TestWaysToAsk(t *testing.T) {
	db := start(t, newMemory(), Options{})
	f := newFamily(t, db, time.Time{})
	warm(t, db, f.key)
	ctx := t.Context()
	id := f.key.ID()
	ways := map[string]func() (*Record[token], error){
		"key":    func() (*Record[token], error) { return Cached[token](ctx, db, f.key) },
		"digest": func() (*Record[token], error) { return CachedCredential[token](ctx, db, f.digest) },
		"id":     func() (*Record[token], error) { return CachedID[token](ctx, db, "", KindCredential, id) },
	}
	for name, ask := range ways {
		hits := db.Stats().CacheHits
		r, err := ask()
		must(t, err, nil, name)
		if r.Key != f.key || db.Stats().CacheHits != hits+1 {
			t.Errorf("%s: another record, or no hit", name)
		}
		if n := testing.AllocsPerRun(100, func() { ask() }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	must(t, errorOf(Cached[string](ctx, db, f.key)), ErrDamaged, "as another type")
	must(t, cached(t, db, f.key), nil, "as its own type")
}

func errorOf[T any](_ *Record[T], err error) error { return err }

// Ensure that a long id, longer than what a hit keeps on its stack, works.
func TestLongID(t *testing.T) {
	db := start(t, newMemory(), Options{})
	id := string(make([]byte, MaxKey-2))
	c := db.NewChange()
	c.Create(ClientKey(id), token{Scope: "orders:read"}, time.Time{})
	_, err := db.Commit(t.Context(), c)
	must(t, err, nil, "saving")
	warm(t, db, ClientKey(id))
	must(t, errorOf(CachedID[token](t.Context(), db, "", KindClient, id)), nil, "loading")
	c = db.NewChange()
	c.Create(ClientKey(id+"x"), token{}, time.Time{})
	if _, err := db.Commit(t.Context(), c); err == nil {
		t.Error("a key that is too long was taken")
	}
}

// Ensure that the cache can be resized, turned off, and closed while it is used
// hard, without a panic and without a wrong answer.
func TestResizeAndCloseUnderLoad(t *testing.T) {
	db := start(t, newMemory(), Options{CacheEntries: 64})
	var families []family
	for range 32 {
		families = append(families, newFamily(t, db, time.Time{}))
	}
	closed := make(chan struct{})
	var lookups atomic.Int64
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := g; ; i++ {
				_, err := CachedCredential[token](t.Context(), db, families[i%len(families)].digest)
				lookups.Add(1)
				switch {
				case errors.Is(err, ErrUnavailable):
					select {
					case <-closed:
					default:
						t.Error("unavailable before it was closed")
					}
					return
				case err != nil:
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 50 {
		size := []int{10, 1000, -1, 64}[i%4]
		must(t, db.SetCacheEntries(size), nil, "resizing")
		at := lookups.Load()
		waitFor(t, func() bool { return t.Failed() || lookups.Load() > at+100 })
	}
	close(closed)
	must(t, db.Close(), nil, "closing")
	wg.Wait()
	must(t, cached(t, db, families[0].key), ErrUnavailable, "after closing")
	must(t, db.SetCacheEntries(10), ErrUnavailable, "resizing after closing")
	_, err := db.Commit(t.Context(), func() *Change { c := db.NewChange(); c.Revoke(db.StoreAnchor()); return c }())
	must(t, err, ErrUnavailable, "committing after closing")
	must(t, db.Close(), nil, "closing twice")
}

// Ensure that two tokens which share the slot in front of the cache take turns in
// it without a load, and that neither stands there any longer when it is revoked.
func TestTokensTakeTurnsInFront(t *testing.T) {
	db := start(t, newMemory(), Options{CacheEntries: 64})
	var pair []family
	for first := newFamily(t, db, time.Time{}); len(pair) < 2; {
		pair = []family{first}
		if second := newFamily(t, db, time.Time{}); second.digest[0]%64 == first.digest[0]%64 {
			pair = append(pair, second)
		}
	}
	for _, f := range pair {
		warm(t, db, f.key)
	}
	loads := db.Stats().Loads
	for i := range 200 {
		f := pair[i%2]
		must(t, cached(t, db, f.key), nil, "a token")
		if near := db.cache.Load().slot(db.cacheHash(f.key)).Load(); near == nil || near.key != f.key {
			t.Fatal("it is not in front")
		}
	}
	if n := db.Stats().Loads - loads; n != 0 {
		t.Errorf("%d loads", n)
	}
	c := db.NewChange()
	c.Delete(pair[1].key)
	if _, err := db.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	must(t, cached(t, db, pair[1].key), ErrNotFound, "the revoked one")
	if near := db.cache.Load().slot(db.cacheHash(pair[1].key)).Load(); near != nil && near.key == pair[1].key {
		t.Error("the revoked one is still in front")
	}
	must(t, cached(t, db, pair[0].key), nil, "the other one")
}
