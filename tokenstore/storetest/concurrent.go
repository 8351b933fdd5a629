// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// together runs n functions that all begin at the same moment.
func together(n int, run func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-start
			run(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// Ensure S3: of many who redeem the same thing exactly one succeeds, the others
// are told that they conflict, and the store holds what the winner wrote.
func testSingleUse(t *testing.T, f *fixture) {
	const redeemers = 32
	for round := range 20 {
		code, token := fmt.Sprint("code", round), fmt.Sprint("token", round)
		issued := f.put(code, "unspent")
		var mu sync.Mutex
		winners := make(map[string]tokenstore.Revision)
		together(redeemers, func(i int) {
			me := fmt.Sprint("redeemer ", i)
			rev, err := f.Apply(t.Context(), tokenstore.Batch{
				ID:     newID(),
				Expect: []tokenstore.Expect{{Key: tokenstore.Key(code), Revision: issued}},
				Put:    puts(code, me, token, me),
			})
			switch {
			case err == nil:
				mu.Lock()
				winners[me] = rev
				mu.Unlock()
			case !errors.Is(err, tokenstore.ErrConflict):
				t.Errorf("a loser got %v", err)
			}
		})
		if len(winners) != 1 {
			t.Fatalf("%d redeemers won: %v", len(winners), winners)
		}
		for me, rev := range winners {
			f.want(code, me, rev)
			f.want(token, me, rev)
		}
	}
}

// Ensure that once a revocation is acknowledged, nothing more is saved on the
// strength of the generation before, whatever was on its way.
func testMintVersusRevoke(t *testing.T, f *fixture) {
	for round := range 20 {
		anchor := fmt.Sprint("anchor", round)
		generation := f.put(anchor, "")
		var revoked atomic.Bool
		together(9, func(i int) {
			if i == 0 {
				f.put(anchor, "")
				revoked.Store(true)
				return
			}
			for n := range 10 {
				after := revoked.Load()
				_, err := f.Apply(t.Context(), tokenstore.Batch{
					ID:     newID(),
					Expect: []tokenstore.Expect{{Key: tokenstore.Key(anchor), Revision: generation}},
					Put:    puts(fmt.Sprint(anchor, " token ", i, n), ""),
				})
				if after && err == nil {
					t.Error("minted after the revocation was acknowledged")
				}
				if err != nil && !errors.Is(err, tokenstore.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
}

// Ensure that a batch applied again under its ID, be it at the same time, is done
// once and answers with one revision.
func testRepeat(t *testing.T, f *fixture) {
	batch := tokenstore.Batch{ID: newID(), Expect: []tokenstore.Expect{{Key: "k"}}, Put: puts("k", "v")}
	var mu sync.Mutex
	answers := make(map[tokenstore.Revision]int)
	together(8, func(int) {
		rev, err := f.Apply(t.Context(), batch)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		answers[rev]++
		mu.Unlock()
	})
	if len(answers) != 1 {
		t.Errorf("one batch got revisions %v", answers)
	}
	rev := f.get("k").Revision
	if answers[rev] != 8 {
		t.Errorf("the key is at revision %d, the answers were %v", rev, answers)
	}

	// What happened since is not undone by a late repetition.
	later := f.put("k", "later")
	if again := f.apply(batch); again != rev {
		t.Errorf("a late repetition answered %d, the batch was done at %d", again, rev)
	}
	f.want("k", "later", later)

	// A batch that conflicted was not done, so its ID means nothing.
	lost := tokenstore.Batch{ID: newID(), Expect: []tokenstore.Expect{{Key: "k", Revision: rev}}, Put: puts("k", "lost")}
	for range 2 {
		_, err := f.Apply(t.Context(), lost)
		wantError(t, err, tokenstore.ErrConflict)
	}
	// One that only deletes is remembered as well.
	removal := tokenstore.Batch{ID: newID(), Expect: []tokenstore.Expect{{Key: "k", Revision: later}}, Delete: []tokenstore.Key{"k"}}
	if first, second := f.apply(removal), f.apply(removal); first != second {
		t.Errorf("a deletion answered %d, then %d", first, second)
	}
}

// Ensure that the ID of a batch is known after the store was closed.
func testRepeatReopened(t *testing.T, f *fixture) {
	batch := tokenstore.Batch{ID: newID(), Expect: []tokenstore.Expect{{Key: "k"}}, Put: puts("k", "v")}
	rev := f.apply(batch)
	later := f.put("k", "later")
	f.reopen()
	if again := f.apply(batch); again != rev {
		t.Errorf("the repetition answered %d, the batch was done at %d", again, rev)
	}
	f.want("k", "later", later)
}

// Ensure that IDs are remembered for as long as the contract says, and no group
// commit shortens that.
func testRepeatLater(t *testing.T, f *fixture) {
	const others = 4095
	batch := tokenstore.Batch{ID: newID(), Put: puts("k", "v")}
	rev := f.apply(batch)
	f.many(others)
	if again := f.apply(batch); again != rev {
		t.Errorf("after %d other batches the repetition answered %d, the batch was done at %d", others, again, rev)
	}
	f.many(3 * others)
	f.reopen()
	f.put("last", "")
}

// many applies n batches, from many goroutines.
func (f *fixture) many(n int) {
	f.t.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	together(128, func(i int) {
		for left.Add(-1) >= 0 {
			if _, err := f.Apply(f.t.Context(), tokenstore.Batch{ID: newID(), Put: puts(fmt.Sprint("filler ", i), "")}); err != nil {
				f.t.Error(err)
			}
		}
	})
}

// Ensure that keys read together are of one moment.
func testConsistentReads(t *testing.T, f *fixture) {
	f.put("x", "0", "y", "0")
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				v := fmt.Sprint(w, " ", i)
				f.put("x", v, "y", v)
			}
		})
	}
	var last tokenstore.Revision
	for range 500 {
		items, err := f.Get(t.Context(), "x", "y")
		if err != nil {
			t.Fatal(err)
		}
		if string(items[0].Value) != string(items[1].Value) || items[0].Revision != items[1].Revision {
			t.Fatalf("x is %q at %d, y is %q at %d", items[0].Value, items[0].Revision, items[1].Value, items[1].Revision)
		}
		if items[0].Revision < last {
			t.Fatalf("revision %d was read after %d", items[0].Revision, last)
		}
		last = items[0].Revision
	}
	stop()
	writers.Wait()
}

// Ensure that a snapshot taken while others write opens as a store, holds all
// that was acknowledged before it began, and is of one moment.
func testSnapshot(t *testing.T, f *fixture) {
	before := f.put("before", "v")
	f.put("x", "0", "y", "0")
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				v := fmt.Sprint(w, " ", i)
				f.put("x", v, "y", v, fmt.Sprint("filler ", w, i), v)
			}
		})
	}
	defer writers.Wait()
	defer stop()
	for range 3 {
		var copied bytes.Buffer
		if err := f.Snapshot(t.Context(), &copied); err != nil {
			t.Fatal(err)
		}
		restored := &fixture{t: t, open: f.open, dir: t.TempDir()}
		restored.restore(f.dir, copied.Bytes())
		restored.Store = restored.openDir(restored.dir)
		restored.want("before", "v", before)
		x, y := restored.get("x"), restored.get("y")
		if string(x.Value) != string(y.Value) || x.Revision != y.Revision {
			t.Errorf("x is %q at %d, y is %q at %d", x.Value, x.Revision, y.Value, y.Revision)
		}
		if rev := restored.put("x", "after"); rev <= x.Revision {
			t.Errorf("the restored store went on with revision %d after %d", rev, x.Revision)
		}
		if err := restored.Close(); err != nil {
			t.Error(err)
		}
	}

	wantError(t, f.Snapshot(t.Context(), failingWriter{}), io.ErrShortWrite)
	ended, end := context.WithCancel(t.Context())
	end()
	wantError(t, f.Snapshot(ended, io.Discard), context.Canceled)
}

// restore lays a snapshot down where the original directory has its one file.
func (f *fixture) restore(original string, snapshot []byte) {
	f.t.Helper()
	entries, err := os.ReadDir(original)
	if err != nil || len(entries) != 1 {
		f.t.Fatalf("the store's directory has %d entries, %v", len(entries), err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, entries[0].Name()), snapshot, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// Ensure that closing under load loses nothing that was acknowledged, and that
// everybody gets an answer.
func testCloseBusy(t *testing.T, f *fixture) {
	const writers = 32
	acknowledged := make([][]tokenstore.Revision, writers)
	var begun sync.WaitGroup
	begun.Add(writers)
	var done sync.WaitGroup
	for w := range writers {
		done.Go(func() {
			for i := 0; ; i++ {
				rev, err := f.Apply(t.Context(), tokenstore.Batch{ID: newID(), Put: puts(fmt.Sprint("k ", w, " ", i), "v")})
				if i == 0 {
					begun.Done()
				}
				if err != nil {
					wantError(t, err, tokenstore.ErrUnavailable)
					return
				}
				acknowledged[w] = append(acknowledged[w], rev)
				if _, err := f.Get(t.Context(), "k 0 0"); err != nil {
					wantError(t, err, tokenstore.ErrUnavailable)
				}
			}
		})
	}
	begun.Wait()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	done.Wait()
	f.Store = f.openDir(f.dir)
	for w, revs := range acknowledged {
		for i, rev := range revs {
			f.want(fmt.Sprint("k ", w, " ", i), "v", rev)
		}
	}
}

// Ensure that a closed store says that it is unavailable, and may be closed again.
func testClosed(t *testing.T, f *fixture) {
	f.put("k", "v")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := f.Get(t.Context(), "k")
	wantError(t, err, tokenstore.ErrUnavailable)
	_, err = f.Apply(t.Context(), tokenstore.Batch{ID: newID(), Put: puts("k", "v")})
	wantError(t, err, tokenstore.ErrUnavailable)
	_, _, err = f.Range(t.Context(), "", 1)
	wantError(t, err, tokenstore.ErrUnavailable)
	wantError(t, f.Snapshot(t.Context(), io.Discard), tokenstore.ErrUnavailable)
	if err := f.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

// Ensure that a context that has ended ends the call, that nothing was done then,
// and that an answer other than that is the truth, whenever the context ends.
func testContexts(t *testing.T, f *fixture) {
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := f.Get(ended, "k")
	wantError(t, err, context.Canceled)
	_, _, err = f.Range(ended, "", 1)
	wantError(t, err, context.Canceled)
	_, err = f.Apply(ended, tokenstore.Batch{ID: newID(), Put: puts("k", "v")})
	wantError(t, err, context.Canceled)
	f.want("k", "", 0)

	together(64, func(i int) {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		key := fmt.Sprint("k", i)
		rev, err := f.Apply(ctx, tokenstore.Batch{ID: newID(), Put: puts(key, "v")})
		switch {
		case err == nil:
			f.want(key, "v", rev)
		case errors.Is(err, context.Canceled) && !errors.Is(err, tokenstore.ErrUnknown):
			f.want(key, "", 0)
		default:
			wantError(t, err, tokenstore.ErrUnknown)
		}
	})
}
