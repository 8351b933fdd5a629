// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"sync/atomic"
	"time"
)

// Stats are the figures of a DB. Reading them costs nothing: no disk, no scan.
type Stats struct {
	// StoreID is the random id that the store got when it was made at Created.
	StoreID [16]byte
	Created time.Time

	// Records are approximate numbers of records by kind, counted by a slow walk
	// and kept up in between; nil until the first walk since Open, which ended at
	// RecordsCounted and needs Maintain.
	Records        map[Kind]int64
	RecordsCounted time.Time

	// CacheHits and CacheMisses count look-ups; Loads counts reads of records from
	// the engine, fewer than misses where several requests shared one.
	CacheHits, CacheMisses, Loads uint64
	// CacheEntries of at most CacheCapacity are in use. Both 0: the cache is off.
	CacheEntries, CacheCapacity int

	// Commits counts changes that were made, Conflicts those that lost a race,
	// Unknown those whose outcome stayed unknown.
	Commits, Conflicts, Unknown uint64

	// Swept counts expired records that were deleted, SweepTime the time that
	// took, and LastSweep is when one last came to its end.
	Swept     uint64
	SweepTime time.Duration
	LastSweep time.Time

	// Damaged counts refusals of damaged records. Anything but 0 is an alarm.
	Damaged uint64

	// ClockBehind is how far the machine's clock is behind the store's.
	ClockBehind time.Duration

	// SealKey is the key that seals, in use since SealKeySince; SealKeysNeeded is
	// how many keys the store needs to open: more than one until Reseal.
	SealKey        SealKeyID
	SealKeySince   time.Time
	SealKeysNeeded int

	// Engine are the engine's own figures, if it has any.
	Engine StoreStats
}

// counters are what Stats reads. Those of the hot path stand on cache lines of
// their own.
type counters struct {
	hits atomic.Uint64
	_    [56]byte

	misses, loads                        atomic.Uint64
	commits, conflicts, unknown, swept   atomic.Uint64
	damaged                              atomic.Uint64
	sweepNanos, lastSweep                atomic.Int64
	lastCommit, lastDamageLog, countedAt atomic.Int64
	records                              [256]atomic.Int64 // by Kind
}

// Stats are the present figures. It is safe for concurrent use.
func (db *DB) Stats() Stats {
	n, ident := &db.counts, db.ident.Load()
	s := Stats{
		StoreID:        [16]byte(ident.ID),
		Created:        moment(ident.Created),
		RecordsCounted: moment(n.countedAt.Load()),
		CacheHits:      n.hits.Load(),
		CacheMisses:    n.misses.Load(),
		Loads:          n.loads.Load(),
		Commits:        n.commits.Load(),
		Conflicts:      n.conflicts.Load(),
		Unknown:        n.unknown.Load(),
		Swept:          n.swept.Load(),
		SweepTime:      time.Duration(n.sweepNanos.Load()),
		LastSweep:      moment(n.lastSweep.Load()),
		Damaged:        n.damaged.Load(),
		ClockBehind:    db.clock.behind(),
		SealKey:        (*db.sealKeys.Load())[0].id,
		SealKeysNeeded: len(ident.Keys),
	}
	for _, use := range ident.Keys {
		if use.ID == s.SealKey {
			s.SealKeySince = moment(use.Since)
		}
	}
	if c := db.cache.Load(); c != nil {
		s.CacheEntries, s.CacheCapacity = c.size(), c.entries
	}
	if !s.RecordsCounted.IsZero() {
		s.Records = make(map[Kind]int64, len(kinds))
		for kind := range kinds {
			s.Records[kind] = max(0, n.records[kind].Load())
		}
	}
	if reporter, ok := db.store.(StatsReporter); ok {
		s.Engine = reporter.Stats()
	}
	return s
}
