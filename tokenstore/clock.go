// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// ClockTolerance is how far the machine's clock may be behind the store's before
// that is worth a warning.
const ClockTolerance = time.Minute

// rebaseAfter is how far the machine's clock must be ahead of the steady one
// before it is taken over. Smaller steps are what keeping time looks like.
const rebaseAfter = time.Second

// clock tells a time that never runs backwards, not even across a restart: what
// has expired stays expired, whatever happens to the machine's clock. It has a
// resolution of one millisecond.
//
// It follows the machine's clock while that goes forward. Where that is behind,
// time goes on from the last moment known at the pace of the steady
// (monotonic) clock: a clock that stood still would let nothing expire.
type clock struct {
	read  func() time.Time
	start time.Time    // the reading, with its monotonic part, that the steady clock counts from
	last  atomic.Int64 // the latest time given, in milliseconds since 1970
	base  atomic.Int64 // what the steady clock's count adds to
}

// newClock begins at mark, the time the store saw last, or at the machine's time
// if that is later.
func newClock(read func() time.Time, mark int64) *clock {
	c := &clock{read: read, start: read()}
	c.base.Store(max(mark, c.start.UnixMilli()))
	c.last.Store(c.base.Load())
	return c
}

// millis is the time in milliseconds since 1970.
func (c *clock) millis() int64 {
	now := c.read()
	return c.advance(now.UnixMilli(), now.Sub(c.start).Milliseconds())
}

// advance is the time when the machine's clock shows wall and the steady one has
// counted so far, both in milliseconds.
func (c *clock) advance(wall, counted int64) int64 {
	base := c.base.Load()
	if wall > base+counted+rebaseAfter.Milliseconds() {
		c.base.CompareAndSwap(base, wall-counted)
	}
	t := max(wall, base+counted)
	for {
		last := c.last.Load()
		if t <= last {
			return last
		}
		if c.last.CompareAndSwap(last, t) {
			return t
		}
	}
}

// behind is how far the machine's clock is behind, or zero.
func (c *clock) behind() time.Duration {
	return max(0, time.Duration(c.millis()-c.read().UnixMilli())*time.Millisecond)
}

// Now is the time by which everything in the store is judged. It never runs
// backwards and has a resolution of one millisecond. It is safe for concurrent
// use, and cheap.
func (db *DB) Now() time.Time { return time.UnixMilli(db.clock.millis()).UTC() }

// clockKey is where the high-water mark is kept.
func clockKey() Key { return NewKey("", KindMeta, "clock") }

// readClock is the high-water mark, or zero in a new store.
func (db *DB) readClock(ctx context.Context) (int64, error) {
	items, err := db.get(ctx, clockKey())
	if err != nil || items[0].Revision == 0 {
		return 0, err
	}
	f, err := db.decode(items[0])
	if err != nil {
		return 0, err
	}
	r, err := typed[int64](f)
	if err != nil {
		return 0, err
	}
	return r.Value, nil
}

// saveClock makes the present time one that a later start cannot fall behind.
func (db *DB) saveClock(ctx context.Context) error {
	c := db.NewChange()
	c.quiet = true // nobody caches it
	c.Put(clockKey(), db.clock.millis(), time.Time{})
	_, err := db.Commit(ctx, c)
	return err
}

// checkClock warns of a machine's clock that is behind.
func (db *DB) checkClock() {
	if behind := db.clock.behind(); behind > ClockTolerance {
		db.log.Warn("the machine's clock is behind the time that this store has already seen; "+
			"the store goes on from its own time, so that nothing expired becomes valid again. "+
			"Check the machine's time synchronisation; if the clock was wrongly ahead before, "+
			"tokens issued then live too long: revoke them",
			slog.Duration("behind", behind))
	}
}
