// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Commit is what Options.Observe is told after each group.
type Commit struct {
	// Batches is the size of the group, conflicts and repetitions included.
	Batches int
	// Took is the time from the start of the transaction to the disk's answer.
	Took time.Duration
	// Err is why the whole group failed; nil when it did not.
	Err error
}

// commit carries out a group and answers everyone in it.
func (s *Store) commit(group []*request) {
	start := time.Now()
	if s.scarce {
		s.restoreReserve()
	}
	err := s.attempt(group)
	if errors.Is(err, tokenstore.ErrFull) && !s.scarce && slices.ContainsFunc(group, isUrgent) && s.releaseReserve() == nil {
		err = s.attempt(group)
	}
	if errors.Is(err, tokenstore.ErrDamaged) && len(group) > 1 && !s.broken.Load() {
		// One of them touches a damaged page. The others shall not suffer for it.
		for i := range group {
			s.commit(group[i : i+1])
		}
		return
	}
	if s.opts.CommitDelay > 0 {
		time.Sleep(s.opts.CommitDelay)
	}
	took := time.Since(start)
	s.figures.add(len(group), took, err == nil)
	for _, r := range group {
		if err != nil {
			// Conflicts too: they may have been with a neighbour that failed as well.
			r.rev, r.err = 0, s.forRequest(r, err)
		}
		close(r.done)
	}
	if s.opts.Observe != nil {
		s.opts.Observe(Commit{Batches: len(group), Took: took, Err: err})
	}
}

// forRequest says what a group's failure means for one of its batches: while a
// commit is in doubt nothing new is done, but a repetition of what is in doubt
// has an unknown outcome still.
func (s *Store) forRequest(r *request, err error) error {
	if s.doubt != nil && s.doubt.has(r.id) && !errors.Is(err, tokenstore.ErrUnknown) {
		return fmt.Errorf("%w: %w", tokenstore.ErrUnknown, err)
	}
	return err
}

// attempt tries a group once. An error means all of it.
func (s *Store) attempt(group []*request) error {
	return s.transact(func(tx *bbolt.Tx) (*staged, error) { return s.stage(tx, group) })
}

// transact runs one transaction: what change has staged is durable when there is
// no error. Change returns nil when there is nothing to commit.
func (s *Store) transact(change func(*bbolt.Tx) (*staged, error)) error {
	if s.broken.Load() {
		return errBroken
	}
	sound := true
	err := guard(func() error {
		if err := s.resolve(); err != nil {
			return err
		}
		sound = false
		tx, err := s.db.Begin(true)
		if err != nil {
			return unavailable(err)
		}
		defer func() { _ = tx.Rollback() }()
		sound = true
		work, err := change(tx)
		if err != nil || work == nil {
			return err
		}
		sound = false
		return s.finish(tx, work)
	})
	if !sound && errors.Is(err, tokenstore.ErrDamaged) {
		// bbolt panicked half-way into its own affairs: it may hold its locks, and
		// what it thinks of free pages is not to be trusted.
		s.breakDown(err)
	}
	return err
}

// finish commits what was staged. From here on readers may see it; they wait for
// the flight to end.
func (s *Store) finish(tx *bbolt.Tx, work *staged) error {
	work.snapshot = tx.ID()
	confirmed := *s.horizon.Load()
	flight := make(chan struct{})
	defer close(flight)
	confirmed.flight = flight
	s.horizon.Store(&confirmed)
	defer func() {
		h := *s.horizon.Load()
		h.flight = nil
		s.horizon.Store(&h)
	}()

	err := s.opts.faults.commit(tx)
	if err == nil {
		s.accept(work)
		return nil
	}
	if !s.began(work.snapshot) {
		return failed(err)
	}
	// The header was written, so the change can be read, but the disk did not
	// confirm it: it may or may not survive a crash.
	s.doubts.Add(1)
	s.doubt = work
	s.opts.Logger.Error("the disk did not confirm a commit", "path", s.file.Name(), "error", err)
	if s.resolve() == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", tokenstore.ErrUnknown, err)
}

// began says whether a commit that failed got as far as its header. bbolt's error
// does not tell, but the header is what a new reader starts from.
func (s *Store) began(snapshot int) bool {
	tx, err := s.db.Begin(false)
	if err != nil {
		return true // cannot tell
	}
	defer func() { _ = tx.Rollback() }()
	return tx.ID() >= snapshot
}

// resolve settles the commit in doubt, if there is one.
func (s *Store) resolve() error {
	if s.doubt == nil {
		return nil
	}
	if err := s.settle(); err != nil {
		return fmt.Errorf("%w: the disk has not confirmed an earlier change: %w", tokenstore.ErrUnavailable, err)
	}
	s.opts.Logger.Info("the disk confirmed the commit", "path", s.file.Name())
	s.accept(s.doubt)
	s.doubt = nil
	return nil
}

// accept takes a durable change over into memory and lets readers see it.
func (s *Store) accept(work *staged) {
	s.revision, s.keys = work.revision, work.keys
	s.memory.add(work.group)
	s.memory.forget(work.forgotten)
	h := *s.horizon.Load()
	h.snapshot, h.revision = work.snapshot, work.revision
	s.horizon.Store(&h)
	s.figures.describe(s.db.Stats(), s.db.Info().PageSize, work.keys)
}

// failed dresses bbolt's error of a commit that certainly did not happen.
func failed(err error) error {
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EFBIG, syscall.EDQUOT} {
		// When growing the file bbolt keeps only the text of the error.
		if errors.Is(err, full) || strings.HasSuffix(err.Error(), full.Error()) {
			return fmt.Errorf("%w: %w", tokenstore.ErrFull, err)
		}
	}
	return fmt.Errorf("%w: %w", tokenstore.ErrUnavailable, err)
}
