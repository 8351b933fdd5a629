// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Numbers of the queue.
const (
	// maxQueue is how many batches may wait. Beyond it, Apply answers
	// ErrUnavailable at once: the disk does not keep up, and waiting longer helps
	// nobody.
	maxQueue = 1000
	// maxWait is how long the committer waits for a group to become as large as
	// the one before. Callers that were answered together come back together, and
	// a moment's patience spares them a second pair of disk syncs.
	maxWait = time.Millisecond
	// mendEvery is how often the committer tries to settle a commit in doubt while
	// nobody asks for anything, and to restore the reserve.
	mendEvery = time.Second
)

// request is a batch on its way through the queue.
type request struct {
	id     tokenstore.BatchID
	expect []tokenstore.Expect
	put    []put
	remove []tokenstore.Key
	urgent bool

	taken atomic.Bool   // by the committer, or by the caller giving up
	done  chan struct{} // closed with the outcome below
	rev   tokenstore.Revision
	err   error
}

// put is a copy of the caller's: bbolt keeps the slices until it has committed,
// and a caller that has given up may use its own again.
type put struct {
	key, raw []byte
}

// Apply implements [tokenstore.Store]. A context that ends while the batch waits
// gives an error that is both ErrUnavailable and the context's.
func (s *Store) Apply(ctx context.Context, b tokenstore.Batch) (tokenstore.Revision, error) {
	r, err := newRequest(b)
	if err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, unavailable(err)
	}
	if err := s.enqueue(r); err != nil {
		return 0, err
	}
	select {
	case <-r.done:
		return r.rev, r.err
	case <-ctx.Done():
	}
	if !r.taken.Swap(true) {
		return 0, unavailable(ctx.Err())
	}
	// It is on its way. Whatever was said now could be wrong in a moment.
	<-r.done
	return r.rev, r.err
}

// newRequest copies a batch and checks what does not depend on the store.
func newRequest(b tokenstore.Batch) (*request, error) {
	r := &request{
		id: b.ID, expect: slices.Clone(b.Expect), remove: slices.Clone(b.Delete), urgent: b.Urgent,
		put: make([]put, len(b.Put)), done: make(chan struct{}),
	}
	for i, p := range b.Put {
		if err := checkKey(p.Key); err != nil {
			return nil, err
		}
		if len(p.Value) > MaxValue {
			return nil, fmt.Errorf("tokenstore/bolt: a value of %d bytes; at most %d are stored", len(p.Value), MaxValue)
		}
		r.put[i] = put{key: []byte(p.Key), raw: unsealed(p.Value)}
	}
	for _, key := range b.Delete {
		if err := checkKey(key); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func checkKey(key tokenstore.Key) error {
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("tokenstore/bolt: a key of %d bytes; 1 to %d are stored", len(key), MaxKey)
	}
	return nil
}

func (s *Store) enqueue(r *request) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	if s.readOnly {
		return errReadOnly
	}
	select {
	case s.queue <- r:
		return nil
	default:
		return fmt.Errorf("%w: %d changes wait already", tokenstore.ErrUnavailable, maxQueue)
	}
}

// commitAll is the committer. It ends when the queue is closed and empty.
func (s *Store) commitAll() {
	defer close(s.committed)
	last := 0
	for {
		first, open := s.next()
		if !open {
			return
		}
		group := s.gather(first, last)
		last = len(group)
		if last > 0 {
			s.commit(group)
		}
	}
}

// next waits for a request, and meanwhile tries to mend what is not as it should
// be: a commit in doubt, a reserve in use.
func (s *Store) next() (*request, bool) {
	for s.doubt != nil || s.scarce {
		again := time.NewTimer(mendEvery)
		select {
		case r, open := <-s.queue:
			again.Stop()
			return r, open
		case <-again.C:
			_ = guard(s.resolve)
			s.restoreReserve()
		}
	}
	r, open := <-s.queue
	return r, open
}

// gather makes a group of first and of all that waits. A group of one follows a
// group of one at once; otherwise it waits, up to maxWait, for as many as last
// time.
func (s *Store) gather(first *request, last int) []*request {
	group := take(nil, first)
	var wait <-chan time.Time
	for size := 0; len(group) < maxQueue; {
		select {
		case r, open := <-s.queue:
			if !open {
				return group
			}
			group = take(group, r)
			continue
		default:
		}
		if size < len(group) {
			// Whoever fills an empty queue wakes the committer, which Go runs before
			// all others that are ready. On a single processor it would then commit
			// one by one while they starve: so it lets them come first.
			size = len(group)
			runtime.Gosched()
			continue
		}
		if len(group) >= last || last <= 1 {
			return group
		}
		if wait == nil {
			timer := time.NewTimer(maxWait)
			defer timer.Stop()
			wait = timer.C
		}
		select {
		case r, open := <-s.queue:
			if !open {
				return group
			}
			group = take(group, r)
		case <-wait:
			return group
		}
	}
	return group
}

// take adds a request to the group unless its caller has given up.
func take(group []*request, r *request) []*request {
	if r.taken.Swap(true) {
		return group
	}
	return append(group, r)
}
