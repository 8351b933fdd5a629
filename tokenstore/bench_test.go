// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkCachedHit is the hot path: a token's record out of the cache, among 10^5.
func BenchmarkCachedHit(b *testing.B) {
	for _, by := range []string{"key", "digest"} {
		b.Run(by, func(b *testing.B) {
			const live = 100_000
			db := start(b, newMemory(), Options{CacheEntries: 2 * live})
			digests, keys := make([][32]byte, live), make([]Key, live)
			for i := range keys {
				f := benchToken(b, db)
				digests[i], keys[i] = f.digest, f.key
			}
			for i := range keys {
				if _, err := CachedCredential[token](b.Context(), db, digests[i]); err != nil {
					b.Fatal(err)
				}
				if i%1000 == 0 {
					settle(db)
				}
			}
			settle(db)
			before := db.Stats()
			var seed atomic.Uint64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				ctx := b.Context()
				for i := seed.Add(7919 * 13); pb.Next(); i += 7919 {
					var err error
					if by == "key" {
						_, err = Cached[token](ctx, db, keys[i%live])
					} else {
						_, err = CachedCredential[token](ctx, db, digests[i%live])
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
			b.StopTimer()
			after := db.Stats()
			b.ReportMetric(float64(after.CacheHits-before.CacheHits)/float64(b.N), "hits/op")
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
