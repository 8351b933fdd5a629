// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var racingTries = flag.Int64("racing-tries", 1_000_000, "look-ups that race with revocation")

// once calls do at the first time that step s is reached.
func once(db *DB, s step, do func()) {
	var done atomic.Bool
	db.step = func(at step) {
		if at == s && done.CompareAndSwap(false, true) {
			do()
		}
	}
}

// endings are all ways in which a credential ends.
func endings(f family) map[string]func(*Change) {
	ways := map[string]func(*Change){
		"the credential is deleted": func(c *Change) { c.Delete(f.key) },
	}
	for _, anchor := range f.anchors {
		ways[anchor.Kind().String()+" is revoked"] = func(c *Change) { c.Revoke(anchor) }
	}
	return ways
}

// Ensure that a credential is refused once any one of its anchors was revoked, or
// it was deleted, with and without the cache.
func TestRevokedIsRefused(t *testing.T) {
	db := start(t, newMemory(), Options{})
	names := endings(newFamily(t, db, time.Time{}))
	for name := range names {
		t.Run(name, func(t *testing.T) {
			f := newFamily(t, db, time.Time{})
			warm(t, db, f.key)
			c := db.NewChange()
			endings(f)[name](c)
			if _, err := db.Commit(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			must(t, cached(t, db, f.key), ErrNotFound, "through the cache")
			_, err := Load[token](t.Context(), db, f.key)
			must(t, err, ErrNotFound, "past the cache")
		})
	}
}

// loadSteps are the steps of a load that ends well.
var loadSteps = []step{stepLoadBegun, stepLoadRead, stepLoadCaptured, stepLoadVerified, stepLoadCached}

// known makes what f shares with other credentials known from an earlier load:
// its anchors but for the grant.
func known(t testing.TB, db *DB, f family) {
	t.Helper()
	gens, err := db.Generations(t.Context(), f.anchors[:5]...)
	must(t, err, nil, "the generations")
	other := CredentialKey([32]byte(rand32()))
	c := db.NewChange()
	c.Create(other, token{Scope: "orders:read"}, time.Time{}, gens...)
	_, err = db.Commit(t.Context(), c)
	must(t, err, nil, "minting another")
	must(t, cached(t, db, other), nil, "the other")
	for _, anchor := range f.anchors[:5] {
		if db.anchors.get(db, anchor) == nil {
			t.Fatalf("%s is not known", anchor.Kind())
		}
	}
}

// Ensure that a revocation acknowledged at any step of a load leaves nothing in
// the cache that counts: not even when the loaded facts get there afterwards, and
// not when the anchors were known from an earlier load.
func TestRevokeAtEachStepOfLoad(t *testing.T) {
	for _, at := range append(loadSteps, stepLoadKnown) {
		for _, knows := range []bool{false, true} {
			if at == stepLoadKnown && !knows {
				continue
			}
			t.Run(fmt.Sprintf("%s, anchors known: %v", at, knows), func(t *testing.T) {
				db := start(t, newMemory(), Options{})
				for name := range endings(newFamily(t, db, time.Time{})) {
					f := newFamily(t, db, time.Time{})
					if knows {
						known(t, db, f)
					}
					reached := false
					once(db, at, func() {
						reached = true
						c := db.NewChange()
						endings(f)[name](c)
						if _, err := db.Commit(context.WithoutCancel(t.Context()), c); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					})
					// This request came before the acknowledgement; it may pass.
					if err := cached(t, db, f.key); err != nil && !errors.Is(err, ErrNotFound) {
						t.Fatalf("%s: %v", name, err)
					}
					db.step = nil
					if !reached {
						t.Fatalf("%s: the step was not reached", name)
					}
					settle(db)
					must(t, cached(t, db, f.key), ErrNotFound, name+", then the next request")
				}
			})
		}
	}
}

// Ensure that epochs are captured before the reads that they vouch for: a
// revocation between a read's snapshot and its answer must make it worthless.
func TestRevokeWhileReading(t *testing.T) {
	for _, read := range []int{1, 2} {
		for _, knows := range []bool{false, true} {
			t.Run(fmt.Sprintf("read %d, anchors known: %v", read, knows), func(t *testing.T) {
				m := newMemory()
				db := start(t, m, Options{})
				for name := range endings(newFamily(t, db, time.Time{})) {
					f := newFamily(t, db, time.Time{})
					if knows {
						known(t, db, f)
					}
					n := 0
					m.afterGet = func([]Key) {
						if n++; n == read {
							c := db.NewChange()
							endings(f)[name](c)
							if _, err := db.Commit(t.Context(), c); err != nil {
								t.Errorf("%s: %v", name, err)
							}
						}
					}
					if err := cached(t, db, f.key); err != nil && !errors.Is(err, ErrNotFound) {
						t.Fatal(err)
					}
					m.afterGet = nil
					if n < read {
						t.Fatalf("%d reads", n)
					}
					settle(db)
					must(t, cached(t, db, f.key), ErrNotFound, name)
				}
			})
		}
	}
}

// Ensure that what is known of an anchor from an earlier load refuses nobody: it
// may be behind a revocation that is committed but not yet answered, while a
// token was minted below the new generation already. At every step.
func TestKnownAnchorsRefuseNobody(t *testing.T) {
	db := start(t, newMemory(), Options{})
	for _, i := range []int{0, 1, 2} { // those that live on
		f := newFamily(t, db, time.Time{})
		known(t, db, f)
		once(db, stepCommitDone, func() {
			gens, err := db.Generations(t.Context(), f.anchors[:3]...)
			must(t, err, nil, "the new generations")
			key := CredentialKey([32]byte(rand32()))
			c := db.NewChange()
			c.Create(key, token{Scope: "orders:read"}, time.Time{}, gens...)
			_, err = db.Commit(t.Context(), c)
			must(t, err, nil, "minting below them")
			if db.anchors.get(db, f.anchors[i]) == nil {
				t.Error("nothing is known that could be behind")
			}
			must(t, cached(t, db, key), nil, "the new token below "+f.anchors[i].Kind().String())
		})
		revoke(t, db, f.anchors[i])
		db.step = nil
	}
}

// Ensure that a record that is replaced together with its anchor is valid all the
// while, also for who reads the one before and the other after.
func TestReplacedTogetherWithItsAnchor(t *testing.T) {
	db := start(t, newMemory(), Options{})
	for _, at := range []step{stepLoadBegun, stepLoadRead, stepLoadCaptured, stepLoadCapturedAll, stepLoadVerified} {
		f := newFamily(t, db, time.Time{})
		replace := func() {
			r, err := Load[token](t.Context(), db, f.key)
			must(t, err, nil, "loading")
			c := db.NewChange()
			c.Revoke(f.anchors[2])
			c.Replace(f.key, r.Revision, r.Value, time.Time{}, SameChange(f.anchors[2]))
			_, err = db.Commit(t.Context(), c)
			must(t, err, nil, "replacing")
		}
		if at == stepLoadCapturedAll { // is reached by who meets a replacement before
			once(db, stepLoadRead, func() {
				db.step = nil
				replace()
				once(db, stepLoadCapturedAll, replace)
			})
		} else {
			once(db, at, replace)
		}
		must(t, cached(t, db, f.key), nil, string(at))
		db.step = nil
		must(t, cached(t, db, f.key), nil, string(at)+", then the next request")
	}
}

// Ensure that epochs are raised after the commit, not before: a record loaded in
// between still shows the old state and must not survive the acknowledgement.
func TestLoadAtEachStepOfRevoke(t *testing.T) {
	for _, when := range []string{"before the engine applies", "applied, not raised", "raised, not answered"} {
		t.Run(when, func(t *testing.T) {
			m := newMemory()
			db := start(t, m, Options{})
			f := newFamily(t, db, time.Time{})
			look := func() {
				if err := cached(t, db, f.key); err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
				settle(db)
			}
			switch when {
			case "before the engine applies":
				m.beforeApply = func(Batch) fault { look(); return faultNone }
			case "applied, not raised":
				once(db, stepCommitDone, look)
			default:
				once(db, stepCommitRaised, look)
			}
			revoke(t, db, f.anchors[5])
			m.beforeApply, db.step = nil, nil
			must(t, cached(t, db, f.key), ErrNotFound, "after the acknowledgement")
		})
	}
}

// Ensure that epochs are raised when the outcome is unknown: it may have happened.
func TestRevokeWithUnknownOutcome(t *testing.T) {
	for name, what := range map[string]fault{"done": faultUnknownDone, "done, with an error nobody knows": faultOdd} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			db := start(t, m, Options{})
			f := newFamily(t, db, time.Time{})
			warm(t, db, f.key)
			tries := 0
			m.beforeApply = func(Batch) fault {
				if tries++; tries == 1 {
					return what
				}
				return faultUnavailable
			}
			c := db.NewChange()
			c.Revoke(f.anchors[5])
			_, err := db.Commit(t.Context(), c)
			must(t, err, ErrUnknown, "the revocation")
			if tries != commitTries {
				t.Errorf("%d tries, want %d", tries, commitTries)
			}
			must(t, cached(t, db, f.key), ErrNotFound, "the credential")
		})
	}
}

// Ensure that a hit is judged by the epochs after it was found.
func TestRevokeBetweenFindingAndJudging(t *testing.T) {
	db := start(t, newMemory(), Options{})
	f := newFamily(t, db, time.Time{})
	warm(t, db, f.key)
	once(db, stepHitFound, func() { revoke(t, db, f.anchors[2]) })
	must(t, cached(t, db, f.key), ErrNotFound, "revoked before it was judged")
}

// Ensure that a request that arrives after a revocation does not pass on the
// strength of a load that began before it.
func TestJoinedLoadIsNotOlderThanRevocation(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{CacheEntries: -1})
	f := newFamily(t, db, time.Time{})
	read, revoked := make(chan struct{}), make(chan struct{})
	var first sync.Once
	db.step = func(at step) {
		if at == stepLoadVerified {
			first.Do(func() { close(read); <-revoked })
		}
	}
	early := make(chan error)
	go func() { early <- cached(t, db, f.key) }()
	<-read
	revoke(t, db, f.anchors[5])
	late := make(chan error)
	go func() { late <- cached(t, db, f.key) }()
	waitFor(t, func() bool { return db.Stats().CacheMisses >= 2 })
	close(revoked)
	must(t, <-early, nil, "the request before the revocation")
	must(t, <-late, ErrNotFound, "the request after the revocation")
}

// waitFor waits until a condition holds that another goroutine brings about.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !holds() {
		if !sleep(ctx, time.Millisecond) {
			t.Fatal("it does not come about")
		}
	}
}

// Ensure in a million racing look-ups that none passes after its revocation was
// acknowledged, and that none is refused while nothing was revoked.
func TestRacingTries(t *testing.T) {
	const slots, goroutines, revokeEvery = 32, 6, 100
	type live struct {
		family
		ending, ended atomic.Bool
	}
	db := start(t, newMemory(), Options{CacheEntries: 4 * slots})
	var table [slots]atomic.Pointer[live]
	for i := range table {
		table[i].Store(&live{family: newFamily(t, db, time.Time{})})
	}
	var tries, passed, refused, revocations atomic.Int64
	renew := func(slot int) {
		l := table[slot].Load()
		if !l.ending.CompareAndSwap(false, true) {
			return // another goroutine is at it
		}
		revoke(t, db, l.anchors[1+rand.N(5)]) // not the store: others' tokens would end with it
		l.ended.Store(true)
		revocations.Add(1)
		f, err := mintFamily(t.Context(), db, time.Time{})
		if err != nil {
			t.Error(err)
		}
		table[slot].Store(&live{family: f})
	}
	try := func(slot int) {
		l := table[slot].Load()
		ended := l.ended.Load()
		_, err := CachedCredential[token](t.Context(), db, l.digest)
		ending := l.ending.Load()
		switch {
		case err == nil && ended:
			t.Errorf("passed after its revocation was acknowledged")
		case errors.Is(err, ErrNotFound) && !ending:
			t.Errorf("refused though nothing was revoked")
		case err == nil:
			passed.Add(1)
		case errors.Is(err, ErrNotFound):
			refused.Add(1)
		default:
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for n := tries.Add(1); n <= *racingTries; n = tries.Add(1) {
				if n%revokeEvery == 0 {
					if renew(rand.N(slots)); t.Failed() {
						return
					}
				}
				try(rand.N(slots))
			}
		})
	}
	wg.Wait()
	t.Logf("%d passed, %d refused, %d revocations, %d hits", passed.Load(), refused.Load(), revocations.Load(), db.Stats().CacheHits)
	if db.Stats().CacheHits == 0 || refused.Load() == 0 || revocations.Load() < *racingTries/revokeEvery/2 {
		t.Error("nothing raced")
	}
}
