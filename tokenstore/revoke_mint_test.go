// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"sync"
	"testing"
	"time"
)

// Ensure that nothing is minted below an anchor that was revoked after it was
// checked, and that the refused token does not exist.
func TestRevokeBeforeMintCommits(t *testing.T) {
	db := start(t, newMemory(), Options{})
	for i := range 6 {
		f := newFamily(t, db, time.Time{})
		gens, err := db.Generations(t.Context(), f.anchors...)
		must(t, err, nil, "checking the anchors")
		key := CredentialKey([32]byte(rand32()))
		c := db.NewChange()
		c.Create(key, token{Scope: "orders:read"}, time.Time{}, gens...)
		once(db, stepCommitReady, func() { revoke(t, db, f.anchors[i]) })
		_, err = db.Commit(t.Context(), c)
		must(t, err, ErrConflict, "minting below a revoked "+f.anchors[i].Kind().String())
		must(t, cached(t, db, key), ErrNotFound, "the token that was not minted")
		db.step = nil
	}
}

// Ensure that what is known of generations is given up with the revocation's
// answer, and that before it nothing can be minted on the strength of it.
func TestKnownGenerations(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	for i := range 5 {
		f := newFamily(t, db, time.Time{})
		known(t, db, f)
		reads := 0
		m.afterGet = func([]Key) { reads++ }
		before, err := db.KnownGenerations(t.Context(), f.anchors[:5]...)
		must(t, err, nil, "known")
		if reads != 0 {
			t.Errorf("%d reads", reads)
		}
		m.afterGet = nil
		once(db, stepCommitDone, func() {
			behind, err := db.KnownGenerations(t.Context(), f.anchors[i])
			must(t, err, nil, "known, and behind")
			if behind[0] != before[i] {
				t.Fatal("it is not behind")
			}
			c := db.NewChange()
			c.Create(CredentialKey([32]byte(rand32())), token{}, time.Time{}, behind...)
			_, err = db.Commit(t.Context(), c)
			must(t, err, ErrConflict, "minting on the strength of it")
		})
		revoke(t, db, f.anchors[i])
		db.step = nil
		after, err := db.KnownGenerations(t.Context(), f.anchors[i])
		if i > 2 { // a session or consent ends for good
			must(t, err, ErrNotFound, "after the answer")
		} else if must(t, err, nil, "after the answer"); after[0] == before[i] {
			t.Errorf("%s is known at a generation that was revoked", f.anchors[i].Kind())
		}
	}
}

// Ensure that a mint committed before the revocation is revoked with the rest.
func TestRevokeAfterMintCommits(t *testing.T) {
	db := start(t, newMemory(), Options{})
	f := newFamily(t, db, time.Time{})
	gens, err := db.Generations(t.Context(), f.anchors...)
	must(t, err, nil, "checking the anchors")
	key := CredentialKey([32]byte(rand32()))
	c := db.NewChange()
	c.Create(key, token{Scope: "orders:read"}, time.Time{}, gens...)
	once(db, stepCommitDone, func() { revoke(t, db, f.anchors[5]) })
	_, err = db.Commit(t.Context(), c)
	must(t, err, nil, "minting")
	must(t, cached(t, db, key), ErrNotFound, "the token")
}

// Ensure that nothing can be minted below what has ended for good.
func TestEndedAnchorsHaveNoGeneration(t *testing.T) {
	db := start(t, newMemory(), Options{})
	f := newFamily(t, db, time.Time{})
	for _, anchor := range f.anchors {
		revoke(t, db, anchor)
		_, err := db.Generations(t.Context(), anchor)
		switch anchor.Kind() {
		case KindSessionAnchor, KindConsentAnchor, KindGrant:
			must(t, err, ErrNotFound, anchor.Kind().String())
		default:
			must(t, err, nil, anchor.Kind().String())
		}
	}
}

// Ensure that a token works at once though it was asked for before it existed,
// also when that question is still under way: absence is not cached.
func TestProbedBeforeIssued(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	f := newFamily(t, db, time.Time{})
	gens, err := db.Generations(t.Context(), f.anchors...)
	must(t, err, nil, "checking the anchors")
	key := CredentialKey([32]byte(rand32()))

	asked, minted := make(chan struct{}), make(chan struct{})
	var first sync.Once
	m.afterGet = func(keys []Key) {
		if keys[0] == key {
			first.Do(func() { close(asked); <-minted })
		}
	}
	probe := make(chan error)
	go func() { probe <- cached(t, db, key) }()
	<-asked
	c := db.NewChange()
	c.Create(key, token{Scope: "orders:read"}, time.Time{}, gens...)
	_, err = db.Commit(t.Context(), c)
	must(t, err, nil, "minting")

	// This request joins the load that began before the minting.
	joined := make(chan error)
	go func() { joined <- cached(t, db, key) }()
	waitFor(t, func() bool { return db.Stats().CacheMisses >= 2 })
	close(minted)
	must(t, <-probe, ErrNotFound, "the probe")
	must(t, <-joined, nil, "the request after the issue")
}
