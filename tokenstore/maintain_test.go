// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pass lets time pass in a bubble, and all goroutines do what that brings.
func pass(t *testing.T, d time.Duration) {
	sleep(t.Context(), d)
	synctest.Wait()
}

// Ensure that maintenance sweeps, saves the clock and counts, goes on after
// trouble, and ends with its context or the store.
func TestMaintain(t *testing.T) {
	for _, end := range []string{"context", "close"} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, log := newMemory(), &logs{}
				db := start(t, m, Options{CacheEntries: -1, Logger: log.logger()})
				expiring(t, db, 10, 15*time.Second)
				var trouble atomic.Bool
				m.beforeApply = func(Batch) fault {
					if trouble.Load() {
						return faultUnavailable
					}
					return faultNone
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); db.Maintain(ctx) }()

				pass(t, time.Second)
				s := db.Stats()
				if s.Records[KindCredential] != 10 || s.Records[KindExpiry] != 10 || s.RecordsCounted.IsZero() {
					t.Errorf("counted %v", s.Records)
				}
				expiring(t, db, 5, time.Hour)
				if n := db.Stats().Records[KindCredential]; n != 15 {
					t.Errorf("%d credentials after five more", n)
				}
				pass(t, 20*time.Second)
				if s := db.Stats(); s.Swept != 10 || s.Records[KindCredential] != 5 {
					t.Errorf("%d swept, %v", s.Swept, s.Records)
				}
				before := m.revision(clockKey())
				trouble.Store(true)
				pass(t, time.Minute)
				if !bytes.Contains([]byte(log.String()), []byte("saving the clock")) {
					t.Errorf("trouble is not logged: %s", log)
				}
				trouble.Store(false)
				pass(t, time.Minute)
				if m.revision(clockKey()) == before {
					t.Error("the clock is not saved again after trouble")
				}
				if end == "close" {
					must(t, db.Close(), nil, "closing")
				} else {
					cancel()
				}
				<-ended
				cancel()
			})
		})
	}
}

// Ensure that a health check reads and writes, but writes seldom, and sees a store
// that cannot do one of them.
func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		db := start(t, m, Options{CacheEntries: -1})
		for range 100 {
			must(t, db.Ping(t.Context()), nil, "a good store")
		}
		if n := db.Stats().Commits; n > 3 {
			t.Errorf("%d commits", n)
		}
		pass(t, 2*pingFresh)
		m.beforeApply = func(Batch) fault { return faultFull }
		must(t, db.Ping(t.Context()), ErrFull, "a full disk")
		m.beforeApply = nil
		must(t, db.Ping(t.Context()), nil, "room again")
		m.beforeGet = func([]Key) error { return errOdd }
		must(t, db.Ping(t.Context()), ErrUnavailable, "no reading")
		m.beforeGet = nil
		var out bytes.Buffer
		must(t, db.Snapshot(t.Context(), &out), nil, "a snapshot")
		must(t, db.Close(), nil, "closing")
		must(t, db.Ping(t.Context()), ErrUnavailable, "a closed store")
		must(t, db.Snapshot(t.Context(), &out), ErrUnavailable, "a snapshot of a closed store")
	})
}
