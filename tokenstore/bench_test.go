// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"testing"
	"time"
)

// BenchmarkCachedHit is the hot path: tokens' records out of the cache, in an
// order that a processor's cache does not guess, among 20,000.
func BenchmarkCachedHit(b *testing.B) {
	const live = 20_000
	db := start(b, newMemory(), Options{CacheEntries: 2 * live})
	digests, keys := make([][32]byte, live), make([]Key, live)
	for i := range keys {
		f := benchToken(b, db)
		digests[i], keys[i] = f.digest, f.key
		if _, err := Cached[token](b.Context(), db, f.key); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 0 {
			settle(db)
		}
	}
	settle(db)
	for name, ask := range map[string]func(i int) error{
		"key":    func(i int) error { return errorOf(Cached[token](b.Context(), db, keys[i])) },
		"digest": func(i int) error { return errorOf(CachedCredential[token](b.Context(), db, digests[i])) },
	} {
		b.Run(name, func(b *testing.B) {
			before := db.Stats()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i += 7919; i >= live {
					i -= live
				}
				if err := ask(i); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(db.Stats().CacheHits-before.CacheHits)/float64(b.N), "hits/op")
		})
	}
}

// benchToken mints a token with the anchors of a machine's: store, client, grant.
func benchToken(b *testing.B, db *DB) family {
	var f family
	copy(f.digest[:], rand32())
	f.key = CredentialKey(f.digest)
	client, err := db.EnsureAnchor(b.Context(), ClientAnchorKey("nightly-job"))
	if err != nil {
		b.Fatal(err)
	}
	all, err := db.EnsureAnchor(b.Context(), db.StoreAnchor())
	if err != nil {
		b.Fatal(err)
	}
	grant := GrantKey(string(f.digest[:16]))
	c := db.NewChange()
	c.Create(grant, "a grant", db.Now().Add(time.Hour), all, client)
	c.Create(f.key, token{Scope: "orders:read"}, db.Now().Add(time.Hour), all, client, SameChange(grant))
	if _, err := db.Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkLoad is a miss: the record and its anchors from the engine, verified.
func BenchmarkLoad(b *testing.B) {
	db := start(b, newMemory(), Options{CacheEntries: -1})
	f := benchToken(b, db)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load[token](b.Context(), db, f.key); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit is the minting of a token, without an engine's cost.
func BenchmarkCommit(b *testing.B) {
	db := start(b, newMemory(), Options{})
	b.ReportAllocs()
	for b.Loop() {
		benchToken(b, db)
	}
}
