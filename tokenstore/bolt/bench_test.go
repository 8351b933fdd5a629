// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// record is of the size of a token with what belongs to it.
var record = make([]byte, 250)

// writers runs put from n goroutines, b.N times in all.
func writers(b *testing.B, n int, put func(key []byte) error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var done sync.WaitGroup
	for range n {
		done.Go(func() {
			key := make([]byte, 32)
			for left.Add(-1) >= 0 {
				_, _ = rand.Read(key)
				if err := put(key); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

var delays = []time.Duration{0, 2 * time.Millisecond}

// BenchmarkApply is the engine's group commit, on the disk as it is and on one
// that is 2 ms slower.
func BenchmarkApply(b *testing.B) {
	for _, delay := range delays {
		for _, n := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("delay=%v/writers=%d", delay, n), func(b *testing.B) {
				s, err := Open(b.Context(), filepath.Join(b.TempDir(), "tokens.db"), Options{CommitDelay: delay})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = s.Close() }()
				writers(b, n, func(key []byte) error {
					batch := tokenstore.Batch{Put: []tokenstore.Put{{Key: tokenstore.Key(key), Value: record}}}
					_, _ = rand.Read(batch.ID[:])
					_, err := s.Apply(b.Context(), batch)
					return err
				})
			})
		}
	}
}

// BenchmarkBatch is what bbolt offers for the same with its defaults.
func BenchmarkBatch(b *testing.B) {
	for _, delay := range delays {
		for _, n := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("delay=%v/writers=%d", delay, n), func(b *testing.B) {
				db, err := bbolt.Open(filepath.Join(b.TempDir(), "batch.db"), 0o600, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = db.Close() }()
				if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(bucketRecords); return err }); err != nil {
					b.Fatal(err)
				}
				var held atomic.Int64 // the transaction that was last held longer
				writers(b, n, func(key []byte) error {
					return db.Batch(func(tx *bbolt.Tx) error {
						if tx.Bucket(bucketRecords).Get(key) != nil {
							return errors.New("a random key came twice")
						}
						if id := int64(tx.ID()); held.Swap(id) != id {
							time.Sleep(delay)
						}
						return tx.Bucket(bucketRecords).Put(key, record)
					})
				})
			})
		}
	}
}

// BenchmarkGet is a read that waits for nothing.
func BenchmarkGet(b *testing.B) {
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "tokens.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var keys []tokenstore.Key
	for range 100 {
		var batch tokenstore.Batch
		for range 100 {
			key := make([]byte, 32)
			_, _ = rand.Read(key)
			keys = append(keys, tokenstore.Key(key))
			batch.Put = append(batch.Put, tokenstore.Put{Key: tokenstore.Key(key), Value: record})
		}
		if _, err := s.Apply(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Get(b.Context(), keys[i%len(keys)]); err != nil {
			b.Fatal(err)
		}
	}
}
