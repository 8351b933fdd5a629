// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// signed is something derived, with the anchors of a family.
type signed struct {
	family
	id   string
	gens []Generation
}

func newSigned(t testing.TB, db *DB) signed {
	t.Helper()
	s := signed{family: newFamily(t, db, time.Time{}), id: rand.Text()}
	gens, err := db.Generations(t.Context(), s.anchors...)
	must(t, err, nil, "the generations")
	gens[len(gens)-1].Revision = 0 // of the grant only its being there counts
	s.gens = gens
	return s
}

// derived asks for s as a guard does: from memory, else anew.
func derived(ctx context.Context, db *DB, s signed) error {
	if _, ok := Recall[token](db, "scope", s.id); ok {
		return nil
	}
	return errorOf(Derive(ctx, db, "scope", s.id, func(context.Context) (Derived[token], error) {
		return Derived[token]{Value: token{Scope: "orders:read"}, Anchors: s.gens, Unless: RevokedKey(s.id)}, nil
	}))
}

// signedEndings are all ways in which s ends.
func signedEndings(s signed) map[string]func(*Change) {
	ways := map[string]func(*Change){
		"it is marked":       func(c *Change) { c.Put(RevokedKey(s.id), nil, time.Time{}) },
		"it is marked anew":  func(c *Change) { c.Create(RevokedKey(s.id), nil, time.Time{}) },
		"the grant is ended": func(c *Change) { c.Delete(s.anchors[5]) },
	}
	for _, anchor := range s.anchors {
		ways[anchor.Kind().String()+" is revoked"] = func(c *Change) { c.Revoke(anchor) }
	}
	return ways
}

func warmDerived(t testing.TB, db *DB, s signed) {
	t.Helper()
	for range 100 {
		must(t, derived(t.Context(), db, s), nil, "deriving")
		settle(db)
		if _, ok := Recall[token](db, "scope", s.id); ok {
			return
		}
	}
	t.Fatal("it does not get into the cache")
}

// Ensure that what is derived and remembered is refused once it was marked, or
// any one of its anchors was revoked.
func TestRevokedIsNotRecalled(t *testing.T) {
	db := start(t, newMemory(), Options{})
	for name := range signedEndings(newSigned(t, db)) {
		s := newSigned(t, db)
		warmDerived(t, db, s)
		c := db.NewChange()
		signedEndings(s)[name](c)
		_, err := db.Commit(t.Context(), c)
		must(t, err, nil, name)
		if _, ok := Recall[token](db, "scope", s.id); ok {
			t.Errorf("%s: it is recalled", name)
		}
		must(t, derived(t.Context(), db, s), ErrNotFound, name)
	}
}

// Ensure that a revocation acknowledged at any step of deriving leaves nothing in
// the cache that counts, whether the anchors were known or not.
func TestRevokeAtEachStepOfDeriving(t *testing.T) {
	for _, at := range []step{stepLoadBegun, stepLoadKnown, stepLoadCaptured, stepLoadVerified, stepLoadCached} {
		for _, knows := range []bool{false, true} {
			if at == stepLoadKnown && !knows {
				continue
			}
			t.Run(fmt.Sprintf("%s, anchors known: %v", at, knows), func(t *testing.T) {
				db := start(t, newMemory(), Options{})
				for name := range signedEndings(newSigned(t, db)) {
					s := newSigned(t, db)
					if knows {
						known(t, db, s.family)
					}
					reached := false
					once(db, at, func() {
						reached = true
						c := db.NewChange()
						signedEndings(s)[name](c)
						if _, err := db.Commit(context.WithoutCancel(t.Context()), c); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					})
					// This request came before the acknowledgement; it may pass.
					if err := derived(t.Context(), db, s); err != nil && !errors.Is(err, ErrNotFound) {
						t.Fatalf("%s: %v", name, err)
					}
					db.step = nil
					if !reached {
						t.Fatalf("%s: the step was not reached", name)
					}
					settle(db)
					must(t, derived(t.Context(), db, s), ErrNotFound, name+", then the next request")
				}
			})
		}
	}
}

// Ensure that a revocation between the read and its answer makes the read worthless.
func TestRevokeWhileDeriving(t *testing.T) {
	for _, knows := range []bool{false, true} {
		m := newMemory()
		db := start(t, m, Options{})
		for name := range signedEndings(newSigned(t, db)) {
			s := newSigned(t, db)
			if knows {
				known(t, db, s.family)
			}
			reads := 0
			m.afterGet = func([]Key) {
				if reads++; reads == 1 {
					c := db.NewChange()
					signedEndings(s)[name](c)
					_, err := db.Commit(t.Context(), c)
					must(t, err, nil, name)
				}
			}
			if err := derived(t.Context(), db, s); err != nil && !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
			m.afterGet = nil
			if reads != 1 {
				t.Fatalf("%s: %d reads, want one", name, reads)
			}
			settle(db)
			must(t, derived(t.Context(), db, s), ErrNotFound, name)
		}
	}
}

// Ensure that what is known of an anchor from before refuses nothing: it may be
// behind a revocation that is not yet answered, after which s was signed.
func TestKnownAnchorsRefuseNothingDerived(t *testing.T) {
	db := start(t, newMemory(), Options{})
	s := newSigned(t, db)
	known(t, db, s.family)
	once(db, stepCommitDone, func() {
		gens, err := db.Generations(t.Context(), s.anchors[:5]...)
		must(t, err, nil, "the new generations")
		copy(s.gens, gens)
		must(t, derived(t.Context(), db, s), nil, "signed below the new generation")
	})
	c := db.NewChange()
	c.Revoke(s.anchors[1])
	_, err := db.Commit(t.Context(), c)
	must(t, err, nil, "revoking")
}

// Ensure that it expires with itself and with each of its anchors.
func TestDerivedExpires(t *testing.T) {
	for name, life := range map[string]struct{ own, anchor time.Duration }{
		"itself": {time.Minute, time.Hour}, "its anchor": {time.Hour, time.Minute},
	} {
		w := newWall()
		db := start(t, newMemory(), Options{Now: w.Now})
		grant := GrantKey(rand.Text())
		c := db.NewChange()
		c.Create(grant, "a grant", db.Now().Add(life.anchor))
		_, err := db.Commit(t.Context(), c)
		must(t, err, nil, "saving")
		text := rand.Text()
		expires := db.Now().Add(life.own)
		ask := func() error {
			if _, ok := Recall[token](db, "scope", text); ok {
				return nil
			}
			return errorOf(Derive(t.Context(), db, "scope", text, func(context.Context) (Derived[token], error) {
				return Derived[token]{Expires: expires, Anchors: []Generation{{Key: grant}}}, nil
			}))
		}
		for range 10 {
			must(t, ask(), nil, name)
			settle(db)
		}
		w.move(time.Minute - time.Millisecond)
		must(t, ask(), nil, name+", a millisecond before")
		w.move(time.Millisecond)
		must(t, ask(), ErrNotFound, name)
	}
}

// Ensure that many requests for one thing share the work, that errors of the work
// are told and not remembered, and that a hit allocates nothing.
func TestDeriveOnce(t *testing.T) {
	const requests = 200
	db := start(t, newMemory(), Options{})
	s := newSigned(t, db)
	var work atomic.Int64
	release := make(chan struct{})
	find := func(context.Context) (Derived[token], error) {
		work.Add(1)
		<-release
		return Derived[token]{Anchors: s.gens, Unless: RevokedKey(s.id)}, nil
	}
	var waiting arrivals
	var all sync.WaitGroup
	for range requests {
		all.Go(func() {
			if err := errorOf(Derive(waiting.context(t.Context()), db, "scope", s.id, find)); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(t, func() bool { return waiting.n.Load() == requests })
	close(release)
	all.Wait()
	if n := work.Load(); n != 1 {
		t.Errorf("the work was done %d times", n)
	}
	other := newSigned(t, db)
	must(t, errorOf(Derive(t.Context(), db, "scope", other.id, func(context.Context) (Derived[token], error) {
		return Derived[token]{}, errOdd
	})), errOdd, "work that fails")
	warmDerived(t, db, other)
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := Recall[token](db, "scope", other.id); !ok {
			t.Error("it is not recalled")
		}
	}); n != 0 {
		t.Errorf("a hit costs %v allocations", n)
	}
}

// Ensure that without a cache everything is derived anew, and right.
func TestDeriveWithoutCache(t *testing.T) {
	db := start(t, newMemory(), Options{CacheEntries: -1})
	s := newSigned(t, db)
	must(t, derived(t.Context(), db, s), nil, "deriving")
	if _, ok := Recall[token](db, "scope", s.id); ok {
		t.Error("it is recalled")
	}
	c := db.NewChange()
	c.Put(RevokedKey(s.id), nil, time.Time{})
	_, err := db.Commit(t.Context(), c)
	must(t, err, nil, "revoking")
	must(t, derived(t.Context(), db, s), ErrNotFound, "revoked")
}
