// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// newStore opens a new store, and closes it when the test ends.
func newStore(t *testing.T, opts Options) *Store {
	t.Helper()
	opts.Logger = slog.New(slog.DiscardHandler)
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func batch(key, value string, expect ...tokenstore.Expect) tokenstore.Batch {
	b := tokenstore.Batch{Expect: expect, Put: []tokenstore.Put{{Key: tokenstore.Key(key), Value: []byte(value)}}}
	_, _ = rand.Read(b.ID[:])
	return b
}

func mustApply(t *testing.T, s *Store, b tokenstore.Batch) tokenstore.Revision {
	t.Helper()
	rev, err := s.Apply(t.Context(), b)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return rev
}

func wantItem(t *testing.T, s *Store, key, value string, rev tokenstore.Revision) {
	t.Helper()
	items, err := s.Get(t.Context(), tokenstore.Key(key))
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if string(items[0].Value) != value || items[0].Revision != rev {
		t.Errorf("%s is %q at %d, want %q at %d", key, items[0].Value, items[0].Revision, value, rev)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// gate holds commits up, one by one, until it is told what becomes of them.
type gate struct {
	arrived chan struct{}
	pass    chan func(*bbolt.Tx) error
	opened  chan struct{}
}

func newGate() *gate {
	return &gate{arrived: make(chan struct{}), pass: make(chan func(*bbolt.Tx) error), opened: make(chan struct{})}
}

func (g *gate) commit(tx *bbolt.Tx) error {
	select {
	case g.arrived <- struct{}{}:
		return (<-g.pass)(tx)
	case <-g.opened:
		return tx.Commit()
	}
}

// open lets all further commits pass.
func (g *gate) open() { close(g.opened) }

// asIs commits.
var asIs = (*bbolt.Tx).Commit

// unsynced commits, but as if the disk had not confirmed the header.
func unsynced(tx *bbolt.Tx) error { return errors.Join(tx.Commit(), syscall.EIO) }

// unwritten fails before the header was written.
func unwritten(tx *bbolt.Tx) error { return errors.Join(tx.Rollback(), syscall.EIO) }

// results collects what Apply answers to batches applied at once.
type results struct {
	wait sync.WaitGroup
	revs []tokenstore.Revision
	errs []error
}

// queued applies batches from as many goroutines, in order, and returns when all
// wait in the queue.
func queued(t *testing.T, s *Store, batches ...tokenstore.Batch) *results {
	t.Helper()
	r := &results{revs: make([]tokenstore.Revision, len(batches)), errs: make([]error, len(batches))}
	before := len(s.queue)
	for i, b := range batches {
		r.wait.Go(func() { r.revs[i], r.errs[i] = s.Apply(context.WithoutCancel(t.Context()), b) })
		eventually(t, func() bool { return len(s.queue) == before+i+1 })
	}
	return r
}

// eventually waits for a condition.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

// Ensure that what waits during a commit is committed together by the next.
func TestWritersAreGrouped(t *testing.T) {
	t.Parallel()
	g := newGate()
	var groups []int
	s := newStore(t, Options{
		faults:  faults{commit: g.commit},
		Observe: func(c Commit) { groups = append(groups, c.Batches) },
	})
	first := queuedAlone(t, s, g, batch("first", ""))
	var batches []tokenstore.Batch
	for i := range 64 {
		batches = append(batches, batch(fmt.Sprint("k", i), ""))
	}
	rest := queued(t, s, batches...)
	g.pass <- asIs
	<-g.arrived
	g.pass <- asIs
	first.wait.Wait()
	rest.wait.Wait()
	for i, rev := range rest.revs {
		if rest.errs[i] != nil {
			t.Errorf("batch %d: %v", i, rest.errs[i])
		}
		if want := first.revs[0] + tokenstore.Revision(i) + 1; rev != want {
			t.Errorf("batch %d got revision %d, want %d: in the order of the queue", i, rev, want)
		}
	}
	s.committerIdle(t)
	if len(groups) != 2 || groups[0] != 1 || groups[1] != 64 {
		t.Errorf("groups of %v, want 1 and 64", groups)
	}
	if stats := s.Stats(); stats.Commits != 2 || stats.Batches != 65 || stats.Keys != 65 {
		t.Errorf("figures: %+v", stats)
	}
}

// queuedAlone applies a batch and returns when its commit has arrived at the gate.
func queuedAlone(t *testing.T, s *Store, g *gate, b tokenstore.Batch) *results {
	t.Helper()
	r := &results{revs: make([]tokenstore.Revision, 1), errs: make([]error, 1)}
	r.wait.Go(func() { r.revs[0], r.errs[0] = s.Apply(context.WithoutCancel(t.Context()), b) })
	<-g.arrived
	return r
}

// committerIdle ends the committer, so that what it wrote can be read.
func (s *Store) committerIdle(t *testing.T) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Ensure that a writer that is alone never waits for others, and that after a
// group the next waits a moment for as many, but only once. In a bubble time
// stands still unless somebody waits for it.
func TestLoneWriterDoesNotWait(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), filepath.Join(dir, "tokens.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		start := time.Now()
		for i := range 100 {
			mustApply(t, s, batch(fmt.Sprint("k", i), ""))
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("100 commits in a row waited %v", waited)
		}
		if stats := s.Stats(); stats.Commits != 100 {
			t.Errorf("%d commits, want 100", stats.Commits)
		}

		start = time.Now()
		group := s.gather(&request{}, 64)
		if waited := time.Since(start); waited != maxWait || len(group) != 1 {
			t.Errorf("after a group of 64 it waited %v and took %d", waited, len(group))
		}
		start = time.Now()
		s.gather(&request{}, len(group))
		if waited := time.Since(start); waited != 0 {
			t.Errorf("after a group of one it waited %v", waited)
		}
	})
}

// Ensure that a conflict in a group fails alone, that batches see what those
// before them in the group did, and that one of two equal ones is done.
func TestConflictInAGroupHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := newStore(t, Options{faults: faults{commit: g.commit}})
	first := queuedAlone(t, s, g, batch("k", "0"))
	absent := tokenstore.Expect{Key: "new"}
	twice := batch("twice", "", tokenstore.Expect{Key: "twice"})
	conflict := batch("new", "second", absent)
	conflict.Put = append(conflict.Put, tokenstore.Put{Key: "trace"})
	group := queued(t, s, batch("a", ""), batch("new", "first", absent), conflict, twice, twice, batch("b", ""))
	g.pass <- asIs
	<-g.arrived
	g.pass <- asIs
	first.wait.Wait()
	group.wait.Wait()
	g.open()
	for i, want := range []error{nil, nil, tokenstore.ErrConflict, nil, nil, nil} {
		if !errors.Is(group.errs[i], want) {
			t.Errorf("batch %d: %v, want %v", i, group.errs[i], want)
		}
	}
	wantItem(t, s, "new", "first", group.revs[1])
	wantItem(t, s, "trace", "", 0)
	wantItem(t, s, "b", "", group.revs[5])
	if group.revs[3] != group.revs[4] {
		t.Errorf("one batch, applied twice, got revisions %d and %d", group.revs[3], group.revs[4])
	}
}

// Ensure S2: what a commit in flight has written is not shown before the disk
// has confirmed it, nor the absence of what it removed; all else is, at once.
func TestReadersDoNotSeeWhatIsNotDurable(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := newStore(t, Options{faults: faults{commit: g.commit}})
	setup := batch("old", "v")
	setup.Put = append(setup.Put, tokenstore.Put{Key: "removed", Value: []byte("v")}, tokenstore.Put{Key: "changed", Value: []byte("before")})
	first := queuedAlone(t, s, g, setup)
	g.pass <- asIs
	first.wait.Wait()

	change := batch("changed", "after")
	change.Delete = []tokenstore.Key{"removed"}
	second := queuedAlone(t, s, g, change)
	visible, confirm := make(chan struct{}), make(chan struct{})
	g.pass <- func(tx *bbolt.Tx) error {
		err := tx.Commit() // from here on bbolt shows it
		close(visible)
		<-confirm
		return err
	}
	<-visible

	wantItem(t, s, "old", "v", first.revs[0])
	for _, key := range []tokenstore.Key{"changed", "removed", "never there"} {
		impatient, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer end()
		if items, err := s.Get(impatient, key); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%q was shown: %v, %v", string(key), items, err)
		}
	}
	var read sync.WaitGroup
	read.Go(func() {
		items, err := s.Get(t.Context(), "changed", "removed")
		if err != nil || string(items[0].Value) != "after" || items[1].Revision != 0 {
			t.Errorf("after the commit: %v, %v", items, err)
		}
	})
	close(confirm)
	second.wait.Wait()
	read.Wait()
}

// Ensure that a commit that failed before its header was written is reported as
// not done, conflicts with it included, and is not.
func TestFailedCommitDidNotHappen(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := newStore(t, Options{faults: faults{commit: g.commit}})
	first := queuedAlone(t, s, g, batch("k", "0"))
	absent := tokenstore.Expect{Key: "code"}
	winner, loser := batch("code", "first", absent), batch("code", "second", absent)
	group := queued(t, s, winner, loser)
	g.pass <- asIs
	<-g.arrived
	g.pass <- unwritten
	first.wait.Wait()
	group.wait.Wait()
	g.open()
	for _, err := range group.errs {
		wantError(t, err, tokenstore.ErrUnavailable)
		wantError(t, err, syscall.EIO)
	}
	wantItem(t, s, "code", "", 0)
	// The loser lost to something that never was.
	rev := mustApply(t, s, loser)
	wantItem(t, s, "code", "second", rev)
	if rev != first.revs[0]+1 {
		t.Errorf("revision %d came after %d", rev, first.revs[0])
	}
}
