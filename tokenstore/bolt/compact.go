// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// compactBytes is how much one transaction of the compaction copies.
	compactBytes = 4 << 20
	// compactFill leaves some room in each page for what comes later: digests fall
	// anywhere.
	compactFill = 0.9
)

// CompactOptions are the options of [Compact].
type CompactOptions struct {
	// Progress, if set, hears how many of how many records are copied.
	Progress func(done, total int64)
}

// Compact writes the store at path anew without the space that is unused, and
// puts the copy in its place in one step. Revisions, identity, clock and all else
// stay. It returns the sizes of the file, in bytes, before and after.
//
// Errors: ErrLocked while somebody has the store open; ErrFull when there is no
// room for the copy; those of [Open]. After any of them the store is as it was.
func Compact(ctx context.Context, path string, opts CompactOptions) (before, after int64, err error) {
	if _, err := inspect(path); err != nil {
		return 0, 0, fmt.Errorf("tokenstore/bolt: %s: %w", path, err) // and no new store is made
	}
	s, err := Open(ctx, path, Options{})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	before = s.Stats().FileBytes
	made, err := draft(path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, tidy(made)) }()
	c := compaction{ctx: ctx, total: s.Stats().Keys, progress: opts.Progress}
	if c.to, err = bbolt.Open(made, 0o600, &bbolt.Options{NoSync: true, Timeout: time.Second}); err != nil {
		return 0, 0, failed(err)
	}
	_, err = s.view(ctx, c.copy)
	if err == nil {
		err = c.to.Sync()
	}
	if err := errors.Join(err, c.to.Close()); err != nil {
		return 0, 0, failed(err)
	}
	copied, err := OpenReadOnly(ctx, made)
	if err != nil {
		return 0, 0, err
	}
	after = copied.Stats().FileBytes
	if copied.Revision() != s.Revision() || copied.Stats().Keys != s.Stats().Keys {
		err = damaged("the copy is not what it should be")
	}
	if err := errors.Join(err, copied.Close()); err != nil {
		return 0, 0, err
	}
	return before, after, replace(ctx, made, path, "")
}

// compaction is one run of Compact.
type compaction struct {
	ctx      context.Context
	to       *bbolt.DB
	tx       *bbolt.Tx // the transaction under way in to
	bytes    int       // in it
	done     int64
	total    int64
	progress func(done, total int64)
}

// copy copies what one transaction of the old file sees.
func (c *compaction) copy(from *bbolt.Tx) (err error) {
	if c.tx, err = c.to.Begin(true); err != nil {
		return err
	}
	defer func() { _ = c.tx.Rollback() }()
	if err := initialize(c.tx, reserveItems); err != nil {
		return err
	}
	for _, name := range [][]byte{bucketAbout, bucketRecords, bucketBatches} {
		if err := c.bucket(from.Bucket(name), name); err != nil {
			return err
		}
	}
	return c.tx.Commit()
}

// bucket copies a bucket. Every checksum is checked on the way.
func (c *compaction) bucket(from *bbolt.Bucket, name []byte) error {
	records := string(name) == string(bucketRecords)
	return from.ForEach(func(key, raw []byte) error {
		if records {
			if _, _, err := unseal(key, raw); err != nil {
				return err
			}
			if c.done++; c.progress != nil {
				c.progress(c.done, c.total)
			}
		}
		if c.bytes > compactBytes {
			if err := c.flush(); err != nil {
				return err
			}
		}
		c.bytes += len(key) + len(raw)
		to := c.tx.Bucket(name)
		to.FillPercent = compactFill
		return to.Put(key, raw)
	})
}

// flush ends one transaction and begins the next.
func (c *compaction) flush() (err error) {
	if err := errors.Join(c.ctx.Err(), c.tx.Commit()); err != nil {
		return err
	}
	c.tx, err = c.to.Begin(true)
	c.bytes = 0
	return err
}
