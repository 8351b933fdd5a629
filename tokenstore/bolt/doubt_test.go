// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// disk is one whose confirmations fail while it is sick.
type disk struct {
	sick atomic.Bool
}

func (d *disk) faults() faults {
	return faults{
		commit: func(tx *bbolt.Tx) error {
			if d.sick.Load() {
				return unsynced(tx)
			}
			return tx.Commit()
		},
		sync: func(db *bbolt.DB) error {
			if d.sick.Load() {
				return syscall.EIO
			}
			return db.Sync()
		},
	}
}

// Ensure that a commit that the disk did not confirm is unknown, that readers do
// not see it, that nothing else is done meanwhile, and that a retry under its ID
// succeeds, once the disk is well, without doing it twice.
func TestUnconfirmedCommitIsUnknown(t *testing.T) {
	t.Parallel()
	var d disk
	s := newStore(t, Options{faults: d.faults()})
	before := mustApply(t, s, batch("before", "v"))

	d.sick.Store(true)
	doubtful := batch("code", "spent", tokenstore.Expect{Key: "code"})
	_, err := s.Apply(t.Context(), doubtful)
	wantError(t, err, tokenstore.ErrUnknown)
	wantError(t, err, syscall.EIO)

	wantItem(t, s, "before", "v", before)
	for _, key := range []tokenstore.Key{"code", "absent"} {
		_, err := s.Get(t.Context(), key)
		wantError(t, err, tokenstore.ErrUnavailable)
	}
	_, _, err = s.Range(t.Context(), "", 10)
	wantError(t, err, tokenstore.ErrUnavailable)
	wantError(t, s.Snapshot(t.Context(), new(bytes.Buffer)), tokenstore.ErrUnavailable)

	other := batch("other", "v")
	_, err = s.Apply(t.Context(), other)
	if !errors.Is(err, tokenstore.ErrUnavailable) || errors.Is(err, tokenstore.ErrUnknown) {
		t.Errorf("something new while in doubt: %v", err)
	}
	_, err = s.Apply(t.Context(), doubtful)
	wantError(t, err, tokenstore.ErrUnknown)

	d.sick.Store(false)
	rev := mustApply(t, s, doubtful)
	wantItem(t, s, "code", "spent", rev)
	wantItem(t, s, "other", "", 0)
	if rev != before+1 {
		t.Errorf("the doubtful batch has revision %d, want %d", rev, before+1)
	}
	if next := mustApply(t, s, other); next != rev+1 {
		t.Errorf("the next has revision %d, want %d", next, rev+1)
	}
}

// Ensure that a single failure to confirm is mended on the spot: nobody is told.
func TestUnconfirmedCommitIsSettledAtOnce(t *testing.T) {
	t.Parallel()
	var d disk
	faults := d.faults()
	synced := 0
	faults.sync = func(db *bbolt.DB) error {
		synced++
		d.sick.Store(false)
		return db.Sync()
	}
	s := newStore(t, Options{faults: faults})
	d.sick.Store(true)
	opened := synced
	rev := mustApply(t, s, batch("k", "v"))
	wantItem(t, s, "k", "v", rev)
	s.committerIdle(t)
	if synced != opened+1 {
		t.Errorf("%d syncs to settle, want 1", synced-opened)
	}
}

// Ensure that a store in doubt recovers when nobody asks it for anything.
func TestDoubtIsSettledWithoutBeingAsked(t *testing.T) {
	t.Parallel()
	var d disk
	s := newStore(t, Options{faults: d.faults()})
	d.sick.Store(true)
	_, err := s.Apply(t.Context(), batch("k", "v"))
	wantError(t, err, tokenstore.ErrUnknown)
	d.sick.Store(false)
	eventually(t, func() bool {
		items, err := s.Get(t.Context(), "k")
		return err == nil && string(items[0].Value) == "v"
	})
}

// Ensure that closing a store in doubt, and opening it, settles it: the batch
// was done, and is known to be.
func TestDoubtIsSettledByReopening(t *testing.T) {
	t.Parallel()
	var d disk
	s := newStore(t, Options{faults: d.faults()})
	d.sick.Store(true)
	doubtful := batch("k", "v", tokenstore.Expect{Key: "k"})
	_, err := s.Apply(t.Context(), doubtful)
	wantError(t, err, tokenstore.ErrUnknown)
	path := s.file.Name()
	s.committerIdle(t)

	again, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	rev := mustApply(t, again, doubtful)
	wantItem(t, again, "k", "v", rev)
}

// Ensure that a snapshot during which the disk failed is not passed off as good.
func TestSnapshotDuringTroubleFails(t *testing.T) {
	t.Parallel()
	var d disk
	s := newStore(t, Options{faults: d.faults()})
	mustApply(t, s, batch("k", "v"))
	spoil := writerFunc(func(p []byte) (int, error) {
		if !d.sick.Swap(true) {
			_, err := s.Apply(t.Context(), batch("k", "w"))
			wantError(t, err, tokenstore.ErrUnknown)
		}
		return len(p), nil
	})
	wantError(t, s.Snapshot(t.Context(), spoil), tokenstore.ErrUnavailable)
	d.sick.Store(false)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
