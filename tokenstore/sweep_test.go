// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// expiring saves n tokens that expire after life, one change each.
func expiring(t *testing.T, db *DB, n int, life time.Duration) []Key {
	t.Helper()
	var keys []Key
	for range n {
		key := CredentialKey([32]byte(rand32()))
		c := db.NewChange()
		c.Create(key, token{Scope: "orders:read"}, db.Now().Add(life))
		_, err := db.Commit(t.Context(), c)
		must(t, err, nil, "saving")
		keys = append(keys, key)
	}
	return keys
}

// Ensure that the sweep deletes what has expired and its index entries, nothing
// else, in transactions of at most a hundred keys.
func TestSweep(t *testing.T) {
	m, w := newMemory(), newWall()
	db := start(t, m, Options{Now: w.Now})
	expiring(t, db, 333, time.Minute)
	stay := expiring(t, db, 7, time.Hour)
	stillborn := expiring(t, db, 1, 0)[0] // has expired as it is saved
	c := db.NewChange()
	for i := range 300 { // one change, one second: several entries of the index
		c.Create(ClientKey(fmt.Sprint(i)), i, db.Now().Add(time.Minute))
	}
	_, err := db.Commit(t.Context(), c)
	must(t, err, nil, "saving many")

	n, err := db.Sweep(t.Context())
	if must(t, err, nil, "early"); n != 1 {
		t.Errorf("%d swept before their time", n)
	}
	if m.has(stillborn) {
		t.Error("a token that was expired from the beginning stays")
	}
	w.move(time.Minute)
	m.beforeApply = func(b Batch) fault {
		if len(b.Delete) > SweepBatch {
			t.Errorf("a transaction deletes %d keys", len(b.Delete))
		}
		return faultNone
	}
	n, err = db.Sweep(t.Context())
	if must(t, err, nil, "in time"); n != 633 {
		t.Errorf("%d swept, want 633", n)
	}
	if got := m.ofKind(KindCredential) + m.ofKind(KindClient); got != len(stay) {
		t.Errorf("%d records are left, want %d", got, len(stay))
	}
	if got := m.ofKind(KindExpiry); got != len(stay) {
		t.Errorf("%d entries of the index are left, want %d", got, len(stay))
	}
	for _, key := range stay {
		must(t, cached(t, db, key), nil, "one that has time")
	}
	if s := db.Stats(); s.Swept != 634 || s.LastSweep.IsZero() || s.SweepTime == 0 {
		t.Errorf("figures: %d swept, last %v, took %v", s.Swept, s.LastSweep, s.SweepTime)
	}
}

// Ensure that a record whose expiry was extended, even between the sweep's look
// and its deletion, is not swept.
func TestSweepSparesTheExtended(t *testing.T) {
	m, w := newMemory(), newWall()
	db := start(t, m, Options{Now: w.Now})
	keys := expiring(t, db, 2, time.Minute)
	extend := func(key Key) {
		c := db.NewChange()
		c.Put(key, token{Scope: "orders:read"}, db.Now().Add(time.Hour))
		_, err := db.Commit(t.Context(), c)
		must(t, err, nil, "extending")
	}
	extend(keys[0])
	w.move(time.Minute)
	once(db, stepCommitReady, func() { extend(keys[1]) })
	_, err := db.Sweep(t.Context())
	must(t, err, nil, "sweeping")
	for _, key := range keys {
		must(t, cached(t, db, key), nil, "the extended one")
	}
	db.step = nil
	w.move(time.Hour)
	n, err := db.Sweep(t.Context())
	if must(t, err, nil, "at last"); n != 2 || m.ofKind(KindExpiry) != 0 {
		t.Errorf("%d swept, %d entries of the index left", n, m.ofKind(KindExpiry))
	}
}

// Ensure that a sweep that is interrupted anywhere leaves nothing behind that the
// next one does not find.
func TestSweepInterrupted(t *testing.T) {
	for _, what := range []fault{faultUnavailable, faultUnknownNotDone, faultFull} {
		m, w := newMemory(), newWall()
		db := start(t, m, Options{Now: w.Now})
		expiring(t, db, 250, time.Minute)
		w.move(time.Minute)
		applied := 0
		m.beforeApply = func(Batch) fault {
			if applied++; applied > 2 {
				return what
			}
			return faultNone
		}
		if _, err := db.Sweep(t.Context()); err == nil {
			t.Fatal("nothing was interrupted")
		}
		m.beforeApply = nil
		after := m.crash()
		db = start(t, after, Options{Now: w.Now})
		_, err := db.Sweep(t.Context())
		must(t, err, nil, "the next sweep")
		if n := after.ofKind(KindCredential) + after.ofKind(KindExpiry); n != 0 {
			t.Errorf("%d keys left", n)
		}
	}
}

// Ensure that a sweep ends with its context, and a damaged entry of the index
// does not end it.
func TestSweepGoesOn(t *testing.T) {
	m, w := newMemory(), newWall()
	db := start(t, m, Options{Now: w.Now})
	expiring(t, db, 150, time.Minute)
	w.move(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := db.Sweep(ctx)
	must(t, err, context.Canceled, "with a context that has ended")

	items, _, err := m.Range(t.Context(), NewKey("", KindExpiry, ""), 1)
	must(t, err, nil, "looking")
	m.tamper(t, items[0].Key, func(v []byte) []byte { v[3] ^= 1; return v })
	n, err := db.Sweep(t.Context())
	if must(t, err, nil, "with a damaged entry"); n != 149 || db.Stats().Damaged == 0 {
		t.Errorf("%d swept, %d damaged", n, db.Stats().Damaged)
	}
}
