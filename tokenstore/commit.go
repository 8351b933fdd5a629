// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// commitTries is how often one batch is handed to the engine while its outcome is
// unknown; commitBackoff is the first pause between two, which doubles and is
// jittered by half.
const (
	commitTries   = 4
	commitBackoff = 5 * time.Millisecond
)

// newBatchID is a random id.
func newBatchID() (id BatchID) {
	crand.Read(id[:])
	return id
}

// Commit applies the change and answers once it is durable and no cached record
// contradicts it any more. The revision is that of everything it wrote.
//
// Errors: ErrConflict (an expectation or an anchor has moved; nothing was done),
// ErrFull and ErrUnavailable (nothing was done), ErrUnknown (still unknown after
// a few retries: hand out nothing), the context's (nothing was done), or one that
// says what is wrong with the change.
func (db *DB) Commit(ctx context.Context, c *Change) (Revision, error) {
	if c.applied {
		return 0, errors.New("tokenstore: a change is committed once")
	}
	c.applied = true
	batch, err := c.encode(ctx)
	if err != nil {
		return 0, err
	}
	db.at(stepCommitReady)
	rev, err := db.applyRetrying(ctx, batch)
	db.at(stepCommitDone)
	// Also after an error: some errors mean that it may have happened, and for the
	// rest a raise costs no more than a few loads. The order is what counts: after
	// the commit, before the answer.
	c.raise()
	db.at(stepCommitRaised)
	if err != nil {
		return 0, err
	}
	c.count()
	return rev, nil
}

// raise raises the epoch of everything the change touched, but for what it
// created: see epochs.
func (c *Change) raise() {
	if c.quiet {
		return
	}
	for key, o := range c.ops {
		if !o.fresh || key.Kind() == KindRevoked {
			c.db.epochs.raise(key)
		}
	}
}

// count keeps the approximate numbers of records by kind.
func (c *Change) count() {
	for key, o := range c.ops {
		switch {
		case o.remove:
			c.db.counts.records[key.Kind()].Add(-1)
		case o.fresh:
			c.db.counts.records[key.Kind()].Add(1)
		}
	}
}

// encode makes a batch of the change.
func (c *Change) encode(ctx context.Context) (Batch, error) {
	if c.err != nil {
		return Batch{}, c.err
	}
	b := Batch{ID: newBatchID(), Put: make([]Put, 0, len(c.order)+2), Urgent: c.urgent}
	var index expiryIndex
	for _, key := range c.order {
		o := c.ops[key]
		if o.remove {
			b.Delete = append(b.Delete, key)
			continue
		}
		if err := c.depend(o.anchors); err != nil {
			return Batch{}, err
		}
		if sealed, ok := o.value.(Sealed); ok {
			rev, err := c.db.sealing(sealed)
			if err != nil {
				return Batch{}, err
			}
			if c.require(identityKey(), rev); c.err != nil {
				return Batch{}, c.err
			}
		}
		value, err := c.db.auth.encodeRecord(key, o.value, o.expires, o.anchors)
		if err != nil {
			return Batch{}, err
		}
		b.Put = append(b.Put, Put{Key: key, Value: value})
		index.add(key, o.expires)
	}
	for key, rev := range c.expect {
		b.Expect = append(b.Expect, Expect{Key: key, Revision: rev})
	}
	var err error
	if b.Put, err = index.encode(b.Put, b.ID, c.db.auth); err != nil {
		return Batch{}, err
	}
	if b.Put, err = c.db.audit.encode(ctx, b.Put, c.audit, c.db); err != nil {
		return Batch{}, err
	}
	if len(b.Put)+len(b.Delete) == 0 {
		return Batch{}, errors.New("tokenstore: a change that changes nothing")
	}
	return b, nil
}

// depend expects the anchors of a record to be where they were seen.
func (c *Change) depend(anchors []Generation) error {
	if c.takeover {
		return nil
	}
	for _, g := range anchors {
		if g.Revision != 0 {
			c.require(g.Key, g.Revision)
			continue
		}
		if o := c.ops[g.Key]; o == nil || o.remove {
			return fmt.Errorf("tokenstore: an anchor of kind %s has no generation, and the change does not write it", g.Key.Kind())
		}
	}
	return c.err
}

// applyRetrying hands the batch to the engine, again under the same id while the
// outcome is unknown. What it does not know as "not done" it takes for unknown.
func (db *DB) applyRetrying(ctx context.Context, b Batch) (Revision, error) {
	if db.closed.Load() {
		return 0, ErrUnavailable
	}
	doubt := false
	pause := commitBackoff
	for try := 1; ; try++ {
		rev, err := db.store.Apply(ctx, b)
		switch {
		case err == nil:
			db.counts.commits.Add(1)
			db.counts.lastCommit.Store(time.Now().UnixMilli())
			return rev, nil
		case errors.Is(err, ErrConflict):
			db.counts.conflicts.Add(1)
			return 0, err
		case !doubt && notDone(ctx, err):
			return 0, err
		}
		doubt = true
		if try == commitTries || !sleep(ctx, pause/2+rand.N(pause)) {
			db.counts.unknown.Add(1)
			if !errors.Is(err, ErrUnknown) {
				err = fmt.Errorf("%w: %w", ErrUnknown, err)
			}
			return 0, err
		}
		pause *= 2
	}
}

// notDone says whether err means, for a batch applied once, that nothing was done.
func notDone(ctx context.Context, err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrFull) ||
		ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// sleep waits, and says whether it was not cut short by ctx.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
