// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// loadTries bounds how often a load begins anew because the record got other
// anchors between its two reads.
const loadTries = 4

// Load reads a record from the store, past the cache. Errors: ErrNotFound when
// it is absent or expired, or one of its anchors is absent, expired or at another
// generation; ErrDamaged; ErrUnavailable; the context's.
func Load[T any](ctx context.Context, db *DB, key Key) (*Record[T], error) {
	r, _, err := loadRecord[T](ctx, db, key, nil)
	return r, err
}

// loadRecord reads and decodes a record, with what the cache needs of it. known, which
// may be nil, is what is known of anchors.
func loadRecord[T any](ctx context.Context, db *DB, key Key, known *anchors) (*Record[T], *entry, error) {
	var k kept[T]
	f, err := db.verify(ctx, key, known, &k.entry)
	if err != nil {
		return nil, nil, err
	}
	if err := f.into(&k.record.Value); err != nil {
		db.reportDamage(key, err)
		return nil, nil, err
	}
	if alike, ok := any(&k.record.Value).(Alike); ok {
		alike.Share()
	}
	k.record.Key, k.record.Revision, k.record.Expires, k.record.Anchors = f.key, f.revision, moment(f.expires), f.anchors
	k.entry.record = &k.record
	return &k.record, &k.entry, nil
}

// verify reads a record and its anchors, says whether it is valid, and fills e. Each
// epoch in that was captured before the read that it vouches for: see epochs.
func (db *DB) verify(ctx context.Context, key Key, known *anchors, e *entry) (facts, error) {
	db.counts.loads.Add(1)
	db.begin(e, key)
	db.at(stepLoadBegun)
	items, err := db.get(ctx, key)
	if err != nil {
		return facts{}, err
	}
	f, err := db.decode(items[0])
	if err != nil {
		return facts{}, err
	}
	db.at(stepLoadRead)
	confirmed, err := db.confirm(ctx, f, e, known)
	if err != nil {
		return facts{}, err
	}
	if !confirmed {
		return db.verifyAtOnce(ctx, key, f, e)
	}
	db.at(stepLoadVerified)
	return f, nil
}

// confirm completes e, which begins with the mark of f's key, by f's anchors. It
// may say yes; for a no there are too many reasons, some of which are none.
func (db *DB) confirm(ctx context.Context, f facts, e *entry, known *anchors) (bool, error) {
	e.revision = f.revision
	e.limit(f.expires)
	var room [usualMarks]Generation
	unknown := room[:0]
	var captured [usualMarks]mark
	marks := captured[:0]
	for _, g := range f.anchors {
		if a := known.get(db, g.Key); a != nil && a.revision == g.Revision {
			db.at(stepLoadKnown)
			e.marks = append(e.marks, a.marks...)
			e.limit(a.until)
			continue
		}
		m := db.epochs.capture(g.Key)
		e.marks = append(e.marks, m)
		marks = append(marks, m)
		unknown = append(unknown, g)
	}
	db.at(stepLoadCaptured)
	if len(unknown) > 0 {
		keys := make([]Key, len(unknown))
		for i, g := range unknown {
			keys[i] = g.Key
		}
		items, err := db.get(ctx, keys...)
		if err != nil {
			return false, err
		}
		for i, g := range unknown {
			if items[i].Revision != g.Revision {
				return false, nil
			}
			a, err := db.decode(items[i])
			if err != nil {
				return false, err
			}
			e.limit(a.expires)
			known.put(a, marks[i])
		}
	}
	return e.until == 0 || db.clock.millis() < e.until, nil
}

// verifyAtOnce is verify in one snapshot of the record and its anchors, which f,
// read before, has named.
func (db *DB) verifyAtOnce(ctx context.Context, key Key, f facts, e *entry) (facts, error) {
	for range loadTries {
		db.begin(e, key)
		keys := make([]Key, 1, 1+len(f.anchors))
		keys[0] = key
		for _, g := range f.anchors {
			e.marks = append(e.marks, db.epochs.capture(g.Key))
			keys = append(keys, g.Key)
		}
		db.at(stepLoadCapturedAll)
		items, err := db.get(ctx, keys...)
		if err != nil {
			return facts{}, err
		}
		if items[0].Revision != f.revision {
			again, err := db.decode(items[0])
			if err != nil {
				return facts{}, err
			}
			if !sameKeys(again.anchors, f.anchors) {
				f = again
				continue // the captured epochs are not those of its anchors
			}
			f = again
		}
		e.revision = f.revision
		if e.until, err = db.judge(f, items[1:]); err != nil {
			return facts{}, err
		}
		db.at(stepLoadVerified)
		return f, nil
	}
	return facts{}, fmt.Errorf("%w: a record changes faster than it can be read", ErrUnavailable)
}

// sameKeys says whether two lists name the same anchors, at whatever generation.
func sameKeys(a, b []Generation) bool {
	return slices.EqualFunc(a, b, func(x, y Generation) bool { return x.Key == y.Key })
}

// decode decodes an item; an absent one is ErrNotFound.
func (db *DB) decode(item Item) (facts, error) {
	if item.Revision == 0 {
		return facts{}, ErrNotFound
	}
	f, err := db.auth.decodeRecord(item)
	if err != nil {
		db.reportDamage(item.Key, err)
	}
	return f, err
}

// judge says whether a record is valid, given its anchors as they are: in their
// order, absent ones among them. It gives back the first moment, in milliseconds,
// at which the record or one of its anchors will have expired; 0 is never.
func (db *DB) judge(f facts, anchors []Item) (until int64, err error) {
	now := db.clock.millis()
	if f.expired(now) {
		return 0, ErrNotFound
	}
	until = f.expires
	for i, g := range f.anchors {
		if anchors[i].Revision != g.Revision {
			return 0, ErrNotFound
		}
		a, err := db.decode(anchors[i])
		if err != nil {
			return 0, err
		}
		if a.expired(now) {
			return 0, ErrNotFound
		}
		if a.expires != 0 && (until == 0 || a.expires < until) {
			until = a.expires
		}
	}
	return until, nil
}

// Generations are the present generations of anchors, in their order, read in one
// snapshot. ErrNotFound when one is absent or has expired: then nothing may be
// minted below it.
func (db *DB) Generations(ctx context.Context, anchors ...Key) ([]Generation, error) {
	marks := make([]mark, len(anchors))
	for i, key := range anchors {
		marks[i] = db.epochs.capture(key)
	}
	items, err := db.get(ctx, anchors...)
	if err != nil {
		return nil, err
	}
	now, known := db.clock.millis(), db.known()
	gens := make([]Generation, len(items))
	for i, item := range items {
		f, err := db.decode(item)
		if err != nil {
			return nil, err
		}
		if f.expired(now) {
			return nil, ErrNotFound
		}
		gens[i] = Generation{Key: anchors[i], Revision: item.Revision}
		known.put(f, marks[i])
	}
	return gens, nil
}

// KnownGenerations is Generations without a read where all of them are known
// from before. They may then be behind a revocation that is committed but not yet
// answered. Nothing is minted on the strength of those: Commit answers
// ErrConflict, and who then asks for Generations gets the present ones.
func (db *DB) KnownGenerations(ctx context.Context, anchors ...Key) ([]Generation, error) {
	known := db.known()
	gens := make([]Generation, len(anchors))
	for i, key := range anchors {
		e := known.get(db, key)
		if e == nil {
			return db.Generations(ctx, anchors...)
		}
		gens[i] = Generation{Key: key, Revision: e.revision}
	}
	return gens, nil
}

// EnsureAnchor is the generation of an anchor, which is created if absent: that
// of a client that stands in the configuration and mints for the first time.
func (db *DB) EnsureAnchor(ctx context.Context, anchor Key) (Generation, error) {
	gens, err := db.Generations(ctx, anchor)
	if errors.Is(err, ErrNotFound) {
		c := db.NewChange()
		c.Create(anchor, nil, time.Time{})
		var rev Revision
		if rev, err = db.Commit(ctx, c); err == nil {
			return Generation{Key: anchor, Revision: rev}, nil
		}
		if errors.Is(err, ErrConflict) { // somebody else was first
			gens, err = db.Generations(ctx, anchor)
		}
	}
	if err != nil {
		return Generation{}, err
	}
	return gens[0], nil
}

// damageLogPause is the least time between two log lines about damage: clients
// choose what is read, and must not fill the disk.
const damageLogPause = time.Second

// reportDamage counts a damaged record and says so, at most once a second. Other
// errors it passes over.
func (db *DB) reportDamage(key Key, err error) {
	if !errors.Is(err, ErrDamaged) {
		return
	}
	db.counts.damaged.Add(1)
	now := time.Now().UnixMilli()
	last := db.counts.lastDamageLog.Load()
	if now-last < damageLogPause.Milliseconds() || !db.counts.lastDamageLog.CompareAndSwap(last, now) {
		return
	}
	name := sha256.Sum256([]byte(key))
	db.log.Error("a record in the store is damaged and was refused; "+
		"if this goes on, check the disk and who can write the file, and restore a backup",
		slog.String("kind", key.Kind().String()),
		slog.String("realm", key.Realm()),
		slog.String("record", hex.EncodeToString(name[:8])),
		slog.Any("error", err))
}
