// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Ensure that of many who redeem one code at once exactly one wins.
func TestSingleUse(t *testing.T) {
	db := start(t, newMemory(), Options{})
	f := newFamily(t, db, time.Time{})
	r, err := Load[token](t.Context(), db, f.key)
	must(t, err, nil, "loading")
	var won, lost atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			c := db.NewChange()
			if i%2 == 0 {
				c.DeleteAt(r.Key, r.Revision)
			} else {
				c.Replace(r.Key, r.Revision, token{Scope: "spent"}, r.Expires, r.Anchors...)
			}
			c.Create(CredentialKey([32]byte(rand32())), token{}, time.Time{}, r.Anchors...)
			switch _, err := db.Commit(t.Context(), c); {
			case err == nil:
				won.Add(1)
			case errors.Is(err, ErrConflict):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 49 {
		t.Errorf("%d won, %d lost", won.Load(), lost.Load())
	}
}

// Ensure that an unknown outcome is cleared up by trying again under one id, and
// what each kind of failure is told as.
func TestCommitOutcomes(t *testing.T) {
	for name, run := range map[string]struct {
		faults []fault
		want   error
		exists bool
	}{
		"unknown but done, then answered":   {[]fault{faultUnknownDone}, nil, true},
		"unknown and not done, then done":   {[]fault{faultUnknownNotDone}, nil, true},
		"an odd error but done":             {[]fault{faultOdd}, nil, true},
		"unknown to the end, done":          {[]fault{faultUnknownDone, faultUnavailable, faultUnavailable, faultUnavailable}, ErrUnknown, true},
		"unknown to the end, not done":      {[]fault{faultUnknownNotDone, faultUnavailable, faultFull, faultUnknownNotDone}, ErrUnknown, false},
		"unavailable":                       {[]fault{faultUnavailable}, ErrUnavailable, false},
		"full":                              {[]fault{faultFull}, ErrFull, false},
		"unknown, then full, then answered": {[]fault{faultUnknownNotDone, faultFull}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			db := start(t, m, Options{})
			key := ClientKey("shop")
			var ids []BatchID
			m.beforeApply = func(b Batch) fault {
				ids = append(ids, b.ID)
				if b.ID != ids[0] {
					t.Error("a retry has another id")
				}
				if len(ids) <= len(run.faults) {
					return run.faults[len(ids)-1]
				}
				return faultNone
			}
			c := db.NewChange()
			c.Create(key, token{}, time.Time{})
			rev, err := db.Commit(t.Context(), c)
			must(t, err, run.want, "the commit")
			m.beforeApply = nil
			if m.has(key) != run.exists {
				t.Errorf("the record exists: %v", m.has(key))
			}
			if err == nil && m.items[key].Revision != rev {
				t.Errorf("revision %d, want %d", rev, m.items[key].Revision)
			}
		})
	}
}

// Ensure that an unknown outcome stays one when the caller has no time for a retry.
func TestCommitGivesUpWithItsContext(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	m.beforeApply = func(Batch) fault {
		if tries++; tries == 2 {
			cancel()
		}
		return faultUnknownNotDone
	}
	c := db.NewChange()
	c.Revoke(db.StoreAnchor())
	_, err := db.Commit(ctx, c)
	must(t, err, ErrUnknown, "the revocation")
	if tries != 2 {
		t.Errorf("%d tries", tries)
	}
	m.beforeApply = nil
}

// Ensure that a change that makes no sense is refused and does nothing.
func TestSenselessChanges(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	key := ClientKey("shop")
	many := make([]Generation, MaxAnchors+1)
	for name, build := range map[string]func(*Change){
		"nothing":                func(*Change) {},
		"a key twice":            func(c *Change) { c.Put(key, 1, time.Time{}); c.Delete(key) },
		"no key":                 func(c *Change) { c.Put("", 1, time.Time{}) },
		"not a key":              func(c *Change) { c.Put("\x20short", 1, time.Time{}) },
		"too many anchors":       func(c *Change) { c.Put(key, 1, time.Time{}, many...) },
		"a value of no encoding": func(c *Change) { c.Put(key, make(chan int), time.Time{}) },
		"a value too large":      func(c *Change) { c.Put(key, make([]byte, MaxValue+1), time.Time{}) },
		"no anchor to revoke":    func(c *Change) { c.Revoke(key) },
		"an anchor of nowhere":   func(c *Change) { c.Put(key, 1, time.Time{}, SameChange(GrantKey("g"))) },
		"an anchor it deletes": func(c *Change) {
			c.Put(key, 1, time.Time{}, SameChange(GrantKey("g")))
			c.Revoke(GrantKey("g"))
		},
		"too much": func(c *Change) {
			for i := range MaxChange + 1 {
				c.Delete(ClientKey(fmt.Sprint(i)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := db.NewChange()
			build(c)
			before := m.rev
			if _, err := db.Commit(t.Context(), c); err == nil || m.rev != before {
				t.Errorf("error %v, and something was done: %v", err, m.rev != before)
			}
		})
	}
	c := db.NewChange()
	c.Put(key, 1, time.Time{})
	_, err := db.Commit(t.Context(), c)
	must(t, err, nil, "the first time")
	if _, err := db.Commit(t.Context(), c); err == nil {
		t.Error("a change was committed twice")
	}
	c = db.NewChange()
	c.Expect(Generation{Key: key, Revision: 1}, Generation{Key: key, Revision: 2})
	c.Delete(key)
	_, err = db.Commit(t.Context(), c)
	must(t, err, ErrConflict, "a key at two revisions")
}

// Ensure that only what revokes may use the room kept back for a full disk.
func TestRevocationIsUrgent(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	m.beforeApply = func(b Batch) fault {
		if !b.Urgent {
			return faultFull
		}
		return faultNone
	}
	revoke(t, db, ClientAnchorKey("shop"))
	_, err := db.EnsureAnchor(t.Context(), ClientAnchorKey("other"))
	must(t, err, ErrFull, "something else")
	m.beforeApply = nil
}

// Ensure that many who need an anchor at once all get the same generation.
func TestEnsureAnchor(t *testing.T) {
	db := start(t, newMemory(), Options{})
	var wg sync.WaitGroup
	gens := make([]Generation, 20)
	for i := range gens {
		wg.Go(func() {
			var err error
			if gens[i], err = db.EnsureAnchor(t.Context(), ClientAnchorKey("shop")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, g := range gens {
		if g != gens[0] || g.Revision == 0 {
			t.Errorf("got %v and %v", g, gens[0])
		}
	}
	_, err := db.Generations(t.Context(), db.StoreAnchor(), ClientAnchorKey("unknown"))
	must(t, err, ErrNotFound, "an anchor that is not there")
}

// Ensure that a listing shows what is valid, page by page, and only that.
func TestList(t *testing.T) {
	m, w := newMemory(), newWall()
	db := start(t, m, Options{Now: w.Now})
	all, err := db.EnsureAnchor(t.Context(), ClientAnchorKey("gone"))
	must(t, err, nil, "anchor")
	c := db.NewChange()
	for i := range 30 {
		key := ClientKey(fmt.Sprintf("%02d", i))
		switch i % 5 {
		case 1:
			c.Create(key, i, db.Now().Add(time.Second)) // expires
		case 2:
			c.Create(key, i, time.Time{}, all) // is revoked
		default:
			c.Create(key, i, time.Time{})
		}
	}
	_, err = db.Commit(t.Context(), c)
	must(t, err, nil, "saving")
	revoke(t, db, all.Key)
	w.move(time.Second)
	m.tamper(t, ClientKey("03"), func(v []byte) []byte { return v[1:] })

	var got []int
	cursor, pages := Cursor(""), 0
	for {
		page, next, err := List[int](t.Context(), db, "", KindClient, cursor, 7)
		must(t, err, nil, "a page")
		for _, r := range page {
			got = append(got, r.Value)
		}
		if pages++; next == "" {
			break
		}
		cursor = next
	}
	if len(got) != 17 || got[0] != 0 || got[1] != 4 || got[16] != 29 || pages != 5 {
		t.Errorf("%d pages with %v", pages, got)
	}
	for name, cursor := range map[string]Cursor{"another kind": GrantKey("x"), "another realm": NewKey("r", KindClient, "")} {
		if _, _, err := List[int](t.Context(), db, "", KindClient, cursor, 7); err == nil {
			t.Errorf("a cursor of %s was taken", name)
		}
	}
}
