// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

var errReadOnly = fmt.Errorf("%w: it is open for reading only", tokenstore.ErrUnavailable)

// OpenReadOnly opens a store, or a snapshot of one, to be read only: nothing in
// the file is changed, and Apply answers ErrUnavailable. Several may read at a
// time; while a server has the file open, nobody else does: ErrLocked. Errors are
// those of [Open].
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	s, err := openReadOnly(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("tokenstore/bolt: %s: %w", path, err)
	}
	return s, nil
}

func openReadOnly(ctx context.Context, path string) (*Store, error) {
	if _, err := inspect(path); err != nil {
		return nil, err
	}
	db, file, err := newLockWait(Options{}).open(ctx, path, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		return nil, err
	}
	if _, err := check(db, file, layouts); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Store{
		db: db, file: file, readOnly: true,
		queue: make(chan *request), committed: make(chan struct{}), closing: make(chan struct{}),
	}
	close(s.committed) // there is no committer
	if err := guard(s.read); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// Nobody writes, so nothing is in flight.
	s.horizon.Store(&horizon{snapshot: math.MaxInt, revision: math.MaxUint64})
	return s, nil
}

// Revision is the revision of the last batch that the store had done when it was
// opened.
func (s *Store) Revision() tokenstore.Revision { return s.opened }

// inspect looks at a path without opening it: a file that is not a store is
// refused before bbolt gets to see it.
func inspect(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, unavailable(err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: this is not a regular file", tokenstore.ErrFormat)
	case info.Size() == 0:
		return nil, fmt.Errorf("%w: the file is empty. Restore a backup; or remove the file to begin with a new store, without the clients and tokens of the old", tokenstore.ErrFormat)
	}
	return info, nil
}

// newLockWait begins the waiting that the options ask for.
func newLockWait(opts Options) *lockWait {
	now := time.Now()
	return &lockWait{until: now.Add(max(opts.LockWait, lockGrace)), quiet: now.Add(lockGrace), onWaiting: opts.OnWaiting}
}
