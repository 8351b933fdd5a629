// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Limits of what one call may carry. They are bbolt's or tighter.
const (
	// MaxKey is the longest key, in bytes.
	MaxKey = bbolt.MaxKeySize
	// MaxValue is the longest value, in bytes.
	MaxValue = 1 << 20
)

var (
	bucketAbout   = []byte("about")
	bucketRecords = []byte("records")
	bucketBatches = []byte("batches")
	bucketReserve = []byte("reserve")
)

// Store is a [tokenstore.Store] in one file of this machine. It holds the
// file's lock from Open to Close. All methods are safe for concurrent use.
type Store struct {
	db   *bbolt.DB
	file *os.File // the very file that db has open and locked
	opts Options

	queue     chan *request
	committed chan struct{} // closed when the committer has ended
	closing   chan struct{} // closed when Close begins
	mu        sync.RWMutex  // held to queue and, exclusively, to close
	closed    bool

	readOnly bool
	opened   tokenstore.Revision // as the file was opened

	horizon atomic.Pointer[horizon]
	doubts  atomic.Uint64 // commits whose outcome was unknown at first
	broken  atomic.Bool   // a panic may have left bbolt's own state behind

	// The committer's own.
	doubt    *staged // the commit that the disk has not confirmed
	memory   memory  // IDs of recent batches
	revision tokenstore.Revision
	keys     uint64
	scarce   bool      // the disk is full and the reserve is in use
	restored time.Time // when the reserve was last tried to restore

	figures figures
}

var (
	_ tokenstore.Store         = (*Store)(nil)
	_ tokenstore.StatsReporter = (*Store)(nil)
)

// Get implements [tokenstore.Store]. It waits for the commit in flight only
// when that commit wrote one of the keys, or may have removed one.
func (s *Store) Get(ctx context.Context, keys ...tokenstore.Key) ([]tokenstore.Item, error) {
	items := make([]tokenstore.Item, len(keys))
	var newest tokenstore.Revision
	absent := false
	snapshot, err := s.view(ctx, func(tx *bbolt.Tx) (err error) {
		newest, absent, err = read(tx, keys, items)
		return err
	})
	if err != nil {
		return nil, err
	}
	if absent {
		// That a key is gone is true of the snapshot as a whole.
		err = s.waitSnapshot(ctx, snapshot)
	} else {
		err = s.waitRevision(ctx, newest)
	}
	if err != nil {
		return nil, err
	}
	return items, nil
}

// read fills items, says what is the highest revision among them, and whether
// there is one that is absent.
func read(tx *bbolt.Tx, keys []tokenstore.Key, items []tokenstore.Item) (newest tokenstore.Revision, absent bool, err error) {
	cursor := tx.Bucket(bucketRecords).Cursor()
	longest := 0
	for _, key := range keys {
		longest = max(longest, len(key))
	}
	wanted := make([]byte, 0, longest)
	for i, key := range keys {
		wanted = append(wanted[:0], key...)
		found, raw := cursor.Seek(wanted)
		if !bytes.Equal(found, wanted) || raw == nil {
			items[i] = tokenstore.Item{Key: key}
			absent = true
			continue
		}
		rev, value, err := unseal(wanted, raw)
		if err != nil {
			return 0, false, err
		}
		items[i] = tokenstore.Item{Key: key, Value: bytes.Clone(value), Revision: rev}
		newest = max(newest, rev)
	}
	return newest, absent, nil
}

// Range implements [tokenstore.Store].
func (s *Store) Range(ctx context.Context, from tokenstore.Key, limit int) ([]tokenstore.Item, tokenstore.Cursor, error) {
	var items []tokenstore.Item
	var next tokenstore.Cursor
	snapshot, err := s.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketRecords).Cursor()
		for k, raw := c.Seek([]byte(from)); k != nil; k, raw = c.Next() {
			if len(items) >= limit {
				next = tokenstore.Cursor(k)
				return nil
			}
			item, err := itemOf(k, raw)
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		return nil
	})
	if err == nil {
		err = s.waitSnapshot(ctx, snapshot)
	}
	if err != nil {
		return nil, "", err
	}
	return items, next, nil
}

// itemOf takes an item out of bbolt's memory.
func itemOf(key, raw []byte) (tokenstore.Item, error) {
	rev, value, err := unseal(key, raw)
	if err != nil {
		return tokenstore.Item{}, err
	}
	return tokenstore.Item{Key: tokenstore.Key(key), Value: bytes.Clone(value), Revision: rev}, nil
}

// Snapshot implements [tokenstore.Store]: what it writes is a file that Open
// takes. Give it a fast w, such as a file: while it runs, the space of replaced
// records is not reused, and a store that outgrows its memory map (1 GiB, then
// each further GiB) waits for it with everything.
func (s *Store) Snapshot(ctx context.Context, w io.Writer) error {
	doubts := s.doubts.Load()
	copied := &stoppable{ctx: ctx, closing: s.closing, w: w}
	_, err := s.view(ctx, func(tx *bbolt.Tx) error {
		if err := s.waitSnapshot(ctx, tx.ID()); err != nil {
			return err
		}
		if _, err := tx.WriteTo(copied); err != nil {
			return unavailable(err)
		}
		return nil
	})
	switch {
	case copied.err != nil:
		return fmt.Errorf("tokenstore/bolt: writing the snapshot: %w", copied.err)
	case err != nil:
		return err
	case s.doubts.Load() != doubts:
		// bbolt may reuse pages that readers still see once a commit has failed.
		return fmt.Errorf("%w: trouble with the disk while the snapshot was written; it is not good", tokenstore.ErrUnavailable)
	}
	return nil
}

// stoppable ends a long copy when its context ends or the store closes. It keeps
// the error, of which bbolt passes on the text only.
type stoppable struct {
	ctx     context.Context
	closing <-chan struct{}
	w       io.Writer
	err     error
}

func (s *stoppable) Write(p []byte) (n int, err error) {
	select {
	case <-s.ctx.Done():
		err = s.ctx.Err()
	case <-s.closing:
		err = errClosed
	default:
		n, err = s.w.Write(p)
	}
	s.err = err
	return n, err
}

// view reads in one snapshot and returns its number.
func (s *Store) view(ctx context.Context, read func(*bbolt.Tx) error) (snapshot int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if s.broken.Load() {
		return 0, errBroken
	}
	began := false
	err = guard(func() error {
		tx, err := s.db.Begin(false)
		if err != nil {
			return unavailable(err)
		}
		began = true
		defer func() { _ = tx.Rollback() }()
		snapshot = tx.ID()
		return read(tx)
	})
	if err != nil && !began && errors.Is(err, tokenstore.ErrDamaged) {
		// It panicked with bbolt's locks held; whoever asks for them now waits forever.
		s.breakDown(err)
	}
	return snapshot, err
}

// Close implements [tokenstore.Store]. It waits for the batches in the queue,
// and for reads that have begun.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	if first {
		s.closed = true
		close(s.closing)
		close(s.queue)
	}
	s.mu.Unlock()
	<-s.committed
	if !first || s.broken.Load() {
		// Broken: bbolt's locks may be held for good, so its memory map stays. The
		// file is closed all the same, which also releases its lock.
		if first {
			return s.file.Close()
		}
		return nil
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("tokenstore/bolt: closing: %w", err)
	}
	return nil
}

var (
	errClosed = fmt.Errorf("%w: it is closed", tokenstore.ErrUnavailable)
	errBroken = fmt.Errorf("%w: the file was found damaged; restore a backup and restart", tokenstore.ErrDamaged)
)

// breakDown ends all use of bbolt but leaves the process alone.
func (s *Store) breakDown(cause error) {
	if !s.broken.Swap(true) {
		s.opts.Logger.Error("the store's file is damaged; it takes no more requests until a backup is restored",
			"path", s.file.Name(), "error", cause)
	}
}

// unavailable dresses an error of bbolt or of the disk: nothing was done.
func unavailable(err error) error {
	if errors.Is(err, bbolterrors.ErrDatabaseNotOpen) {
		return errClosed
	}
	return fmt.Errorf("%w: %w", tokenstore.ErrUnavailable, err)
}
