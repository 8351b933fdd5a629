// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Options are the options of [Open]. The zero value is ready for use.
type Options struct {
	// LockWait is how long to wait for another process that has the store open.
	// Default: not at all.
	LockWait time.Duration
	// OnWaiting, if set, is called once when the waiting begins.
	OnWaiting func()
	// Observe, if set, is called after each group of batches, by the committer:
	// it must not block and must not call the store.
	Observe func(Commit)
	// CommitDelay holds every commit longer. It is an aid for measuring on a disk
	// that is faster than the target's.
	CommitDelay time.Duration
	// Logger is for what an operator should know: loose file modes, trouble with
	// the disk, damage. Default: slog.Default().
	Logger *slog.Logger

	faults  faults
	layouts *migrations
	startAt tokenstore.Revision // the least from which revisions go on
}

// faults are the places where this package's tests make the disk fail.
type faults struct {
	commit func(*bbolt.Tx) error
	sync   func(*bbolt.DB) error
}

const (
	// format says what the file is; see doc.go.
	format = "caddy-oauth2 token store"

	// lockRetry is how often a lock held elsewhere is tried again.
	lockRetry = 50 * time.Millisecond
	// lockGrace is for how long a lock is tried in any case, and nobody told. A
	// child that this process is starting holds, until it executes its program,
	// the lock of the look that was taken at the file a moment ago.
	lockGrace = lockRetry
)

// Open opens the store at path, or makes a new one when nothing is there. The
// directory must exist. The file is made under another name, synced and then
// given its own, so that a crash leaves a whole store or none.
//
// An empty, foreign, damaged or newer file is refused and not touched:
// [tokenstore.ErrFormat], [tokenstore.ErrDamaged]. An older one is copied to a
// name beside it, and then brought to the present layout. When another process has the
// store open: [tokenstore.ErrLocked]. A context that ends ends the waiting for
// the lock.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.faults.commit == nil {
		opts.faults.commit = (*bbolt.Tx).Commit
	}
	if opts.faults.sync == nil {
		opts.faults.sync = (*bbolt.DB).Sync
	}
	if opts.layouts == nil {
		opts.layouts = &layouts
	}
	s, err := open(ctx, path, opts)
	if err != nil {
		return nil, fmt.Errorf("tokenstore/bolt: %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string, opts Options) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path, reserveItems); err != nil {
			return nil, fmt.Errorf("making a new store: %w", err)
		}
	}
	info, err := inspect(path)
	if err != nil {
		return nil, err
	}
	if loose := info.Mode().Perm() &^ 0o600; loose != 0 {
		opts.Logger.Warn("the store's file is open to others; chmod 600 it", "path", path, "mode", info.Mode().Perm().String())
	}
	wait := newLockWait(opts)

	// First a look without changing anything: bbolt writes to what it opens for
	// writing, even when that is somebody else's.
	db, file, err := wait.open(ctx, path, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	found, err := check(db, file, *opts.layouts)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}

	db, file, err = wait.open(ctx, path, &bbolt.Options{InitialMmapSize: mapBytes(), FreelistType: bbolt.FreelistArrayType})
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: db, file: file, opts: opts,
		queue: make(chan *request, maxQueue), committed: make(chan struct{}), closing: make(chan struct{}),
	}
	if err := guard(func() error { return s.load(ctx, found) }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	go s.commitAll()
	if err := removeLeftovers(path); err != nil {
		opts.Logger.Warn("what an interrupted command left beside the store is still there", "path", path, "error", err)
	}
	return s, nil
}

// load makes durable what a process that was killed has written but not synced,
// brings the file from its layout to the present one, and reads what the engine
// keeps in memory.
func (s *Store) load(ctx context.Context, layout uint32) error {
	if err := s.settle(); err != nil {
		return unavailable(err)
	}
	if err := s.migrate(ctx, layout); err != nil {
		return err
	}
	if err := s.read(); err != nil {
		return err
	}
	s.revision = max(s.revision, s.opts.startAt)
	return nil
}

// read reads what the engine keeps in memory.
func (s *Store) read() error {
	tx, err := s.db.Begin(false)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = tx.Rollback() }()
	if s.revision, s.keys, err = readState(tx); err != nil {
		return err
	}
	if err := s.memory.load(tx.Bucket(bucketBatches)); err != nil {
		return err
	}
	s.opened = s.revision
	s.scarce = tx.Bucket(bucketReserve) == nil
	s.horizon.Store(&horizon{snapshot: tx.ID(), revision: s.revision})
	s.figures.describe(s.db.Stats(), s.db.Info().PageSize, s.keys)
	return nil
}

// mapBytes is how much address space is mapped at first. To map more, bbolt must
// wait for all readers, and all readers for it; so there is plenty.
func mapBytes() int {
	if strconv.IntSize < 64 {
		return 64 << 20
	}
	return 1 << 30
}

// create makes a new store at path, unless somebody else just did.
func create(path string, reserve int) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return unavailable(err)
	}
	made := f.Name()
	defer func() { err = errors.Join(err, removed(made)) }()
	if err := f.Close(); err != nil {
		return unavailable(err)
	}
	db, err := bbolt.Open(made, 0o600, nil)
	if err != nil {
		return unavailable(err)
	}
	if err := errors.Join(db.Update(func(tx *bbolt.Tx) error { return initialize(tx, reserve) }), db.Close()); err != nil {
		return failed(err)
	}
	// A link, other than a rename, leaves alone what another process has just made.
	err = os.Link(made, path)
	if err != nil && !exists(path) {
		// There are file systems without links.
		err = os.Rename(made, path)
	}
	if err != nil && !exists(path) { // whoever was faster also tidies up
		return unavailable(err)
	}
	return syncDirectory(filepath.Dir(path))
}

// removed removes a temporary name, if it is still there.
func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unavailable(err)
	}
	return nil
}

// syncDirectory makes names durable.
func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return unavailable(err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return unavailable(err)
	}
	return nil
}

// initialize writes the first transaction of a new store.
func initialize(tx *bbolt.Tx, reserve int) error {
	for _, name := range [][]byte{bucketAbout, bucketRecords, bucketBatches} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	if err := fillReserve(tx, reserve); err != nil {
		return err
	}
	about := tx.Bucket(bucketAbout)
	if err := about.Put(keyFormat, []byte(format)); err != nil {
		return err
	}
	if err := about.Put(keyLayout, binary.BigEndian.AppendUint32(nil, layouts.present)); err != nil {
		return err
	}
	return about.Put(keyState, sealedState(0, 0))
}

// lockWait is the patience with a lock that somebody else holds, over all
// attempts.
type lockWait struct {
	until     time.Time
	quiet     time.Time // not before then is anybody told
	onWaiting func()
}

// open opens a bbolt database as soon as its lock is free.
func (w *lockWait) open(ctx context.Context, path string, opts *bbolt.Options) (db *bbolt.DB, file *os.File, err error) {
	opts.Timeout = 1 // ns: try once. bbolt's own waiting knows no context.
	opts.OpenFile = func(name string, flag int, mode fs.FileMode) (_ *os.File, err error) {
		file, err = os.OpenFile(name, flag&^os.O_CREATE, mode) // what vanished is not made anew
		return file, err
	}
	for {
		err = guard(func() (err error) {
			db, err = bbolt.Open(path, 0o600, opts)
			return err
		})
		if err == nil && !isAt(file, path) {
			// It was replaced between the opening and the locking.
			if err := db.Close(); err != nil {
				return nil, nil, unavailable(err)
			}
			continue
		}
		if !errors.Is(err, bbolterrors.ErrTimeout) {
			break
		}
		if !time.Now().Before(w.until) {
			return nil, nil, fmt.Errorf("%w: stop that process, or name another path for this one", tokenstore.ErrLocked)
		}
		if w.onWaiting != nil && time.Now().After(w.quiet) {
			w.onWaiting()
			w.onWaiting = nil
		}
		if err := sleep(ctx, lockRetry); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", tokenstore.ErrLocked, err)
		}
	}
	if err != nil {
		if file != nil {
			// bbolt closes it unless it panicked.
			_ = file.Close()
		}
		return nil, nil, notOpened(err)
	}
	return db, file, nil
}

// isAt says whether an open file is the one that has the path's name now.
func isAt(file *os.File, path string) bool {
	locked, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(locked, named)
}

// sleep waits, unless the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// notOpened dresses the error of bbolt.Open.
func notOpened(err error) error {
	switch {
	case errors.Is(err, tokenstore.ErrDamaged):
		return fmt.Errorf("%w. Restore a backup", err)
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrVersionMismatch):
		return errForeign
	case errors.Is(err, bbolterrors.ErrChecksum):
		return damaged("both headers are garbled")
	case strings.HasPrefix(err.Error(), "file size too small"):
		return damaged("the file is cut short within its headers")
	default:
		return unavailable(err)
	}
}
