// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// SweepBatch is how many keys the sweep deletes in one transaction at most:
// larger ones make everybody else's commit wait.
const SweepBatch = 100

// After each transaction the sweep pauses for as long as that took, within these
// bounds, so that it never has more than half of the disk's time.
const (
	sweepPauseMin = 2 * time.Millisecond
	sweepPauseMax = 100 * time.Millisecond
)

// sweepTries is how often one chunk is read anew because somebody changed a
// record between the look at it and its deletion.
const sweepTries = 3

// Sweep deletes records that have expired, by way of the expiry index, until none
// is due, and entries of the audit rings beyond their size. It removes nothing
// whose expiry was extended. It may be interrupted at any point, by ctx or a
// crash: what is left is found by the next one. removed counts records.
func (db *DB) Sweep(ctx context.Context) (removed int, err error) {
	start := time.Now()
	defer func() {
		db.counts.swept.Add(uint64(removed))
		db.counts.sweepNanos.Add(int64(time.Since(start)))
		if err == nil {
			db.counts.lastSweep.Store(db.clock.millis())
		}
	}()
	now := db.clock.millis()
	from := NewKey("", KindExpiry, "")
	for from != "" {
		items, next, err := db.scan(ctx, from, SweepBatch)
		if err != nil {
			return removed, err
		}
		due, more := dueEntries(items, now)
		n, err := db.sweepEntries(ctx, due, now)
		removed += n
		if err != nil {
			return removed, err
		}
		if !more {
			break
		}
		from = next
	}
	return removed, db.trimAudit(ctx)
}

// dueEntries is the part of items, a stretch of the index, that is due, and
// whether there may be more after it.
func dueEntries(items []Item, now int64) (due []Item, more bool) {
	for i, item := range items {
		second, ok := expirySecond(item.Key)
		if !ok || second*1000 > now {
			return items[:i], false
		}
	}
	return items, true
}

// sweepEntries sweeps due entries of the index, as many in a transaction as
// SweepBatch allows.
func (db *DB) sweepEntries(ctx context.Context, due []Item, now int64) (removed int, err error) {
	var entries, keys []Key
	flush := func() error {
		if len(entries) == 0 {
			return nil
		}
		start := time.Now()
		n, err := db.sweepChunk(ctx, entries, keys, now)
		removed += n
		entries, keys = nil, nil
		if err != nil {
			return err
		}
		pause := min(max(time.Since(start), sweepPauseMin), sweepPauseMax)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
		return nil
	}
	for _, item := range due {
		f, err := db.decode(item)
		if err != nil {
			continue // reported; it stays, as the only trace of its records
		}
		r, err := typed[[][]byte](f)
		if err != nil {
			db.reportDamage(item.Key, err)
			continue
		}
		if len(entries)+len(keys)+1+len(r.Value) > SweepBatch {
			if err := flush(); err != nil {
				return removed, err
			}
		}
		entries = append(entries, item.Key)
		for _, key := range r.Value {
			keys = append(keys, Key(key))
		}
	}
	return removed, flush()
}

// sweepChunk deletes, in one transaction, entries of the index and those of keys
// whose records have expired.
func (db *DB) sweepChunk(ctx context.Context, entries, keys []Key, now int64) (removed int, err error) {
	for try := 1; ; try++ {
		items, err := db.get(ctx, keys...)
		if err != nil {
			return 0, err
		}
		c := db.NewChange()
		c.quiet = true // expiry is judged at every hit: nothing cached needs to learn of this
		removed = 0
		for _, item := range items {
			if item.Revision == 0 || c.ops[item.Key] != nil {
				continue
			}
			f, err := db.decode(item)
			if err != nil || !f.expired(now) {
				continue // damaged and reported, or extended: then a later entry has it
			}
			c.DeleteAt(item.Key, item.Revision)
			removed++
		}
		for _, key := range entries {
			c.Delete(key)
		}
		_, err = db.Commit(ctx, c)
		if errors.Is(err, ErrConflict) && try < sweepTries {
			continue
		}
		if errors.Is(err, ErrConflict) {
			db.log.Debug("the sweep leaves some records to the next one, because they keep changing",
				slog.Int("records", removed))
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		return removed, nil
	}
}
