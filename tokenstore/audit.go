// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"
)

// DefaultAuditEntries is how many entries each audit ring keeps unless told
// otherwise; MaxAuditEntries is the most it can be told.
const (
	DefaultAuditEntries = 10_000
	MaxAuditEntries     = 1_000_000
)

// AuditEntry is one line of the audit ring. It holds no secret.
type AuditEntry struct {
	// Seq grows with every entry, over both rings. Gaps are normal: a change that
	// failed leaves one.
	Seq uint64 `cbor:"1,keyasint"`
	// Time is when, with a resolution of one millisecond.
	Time time.Time `cbor:"2,keyasint"`
	// Type and the following are those of the event that is kept.
	Type      string `cbor:"3,keyasint,omitempty"`
	Outcome   string `cbor:"4,keyasint,omitempty"`
	Reason    string `cbor:"5,keyasint,omitempty"`
	GrantType string `cbor:"6,keyasint,omitempty"`
	Client    string `cbor:"7,keyasint,omitempty"`
	Subject   string `cbor:"8,keyasint,omitempty"`
	Grant     string `cbor:"9,keyasint,omitempty"`
	Actor     string `cbor:"10,keyasint,omitempty"`
	// Routine is set for what clients cause all day, such as the issue of a token.
	// It goes to a ring of its own, so that no flood of it washes out what
	// administrators did.
	Routine bool `cbor:"11,keyasint,omitempty"`
	// Request is the id of the request that made the change, see [Options.RequestID].
	Request string `cbor:"12,keyasint,omitempty"`
}

// The two rings.
const (
	ringRare = iota
	ringRoutine
	ringCount
)

// auditHeads is where the rings go on. A ring is a fixed number of slots, and
// each entry overwrites the oldest.
type auditHeads struct {
	mu   sync.Mutex
	size uint32
	seq  uint64            // the last one given
	next [ringCount]uint32 // the slot for the next entry
}

// auditKey is the key of a slot: ring and slot, so that a ring lies together.
func auditKey(ring int, slot uint32) Key {
	return NewKey("", KindAudit, string(binary.BigEndian.AppendUint32([]byte{byte(ring)}, slot)))
}

// auditSlot is the reverse of auditKey.
func auditSlot(key Key) (ring int, slot uint32, ok bool) {
	id := key.ID()
	if key.Realm() != "" || key.Kind() != KindAudit || len(id) != 5 || id[0] >= ringCount {
		return 0, 0, false
	}
	return int(id[0]), binary.BigEndian.Uint32([]byte(id[1:])), true
}

// take gives an entry its number and slot.
func (h *auditHeads) take(e AuditEntry) (AuditEntry, Key) {
	ring := ringRare
	if e.Routine {
		ring = ringRoutine
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	e.Seq = h.seq
	slot := h.next[ring] % h.size
	h.next[ring] = slot + 1
	return e, auditKey(ring, slot)
}

// encode adds the slots of entries to puts.
func (h *auditHeads) encode(ctx context.Context, puts []Put, entries []AuditEntry, db *DB) ([]Put, error) {
	if len(entries) > int(h.size) {
		return nil, fmt.Errorf("tokenstore: %d audit entries in one change", len(entries))
	}
	for _, e := range entries {
		if e.Time.IsZero() {
			e.Time = db.Now()
		}
		e.Time = moment(millis(e.Time))
		if db.requestID != nil {
			e.Request = db.requestID(ctx)
		}
		e, key := h.take(e)
		value, err := db.auth.encodeRecord(key, e, time.Time{}, nil)
		if err != nil {
			return nil, fmt.Errorf("an audit entry: %w", err)
		}
		puts = append(puts, Put{Key: key, Value: value})
	}
	return puts, nil
}

// auditPage is how many slots are read at a time.
const auditPage = 1000

// scan reads all slots there are, undecoded.
func (h *auditHeads) scan(ctx context.Context, db *DB, visit func(ring int, item Item)) error {
	from := NewKey("", KindAudit, "")
	for from != "" {
		items, next, err := db.scan(ctx, from, auditPage)
		if err != nil {
			return err
		}
		for _, item := range items {
			ring, _, ok := auditSlot(item.Key)
			if !ok {
				return nil // past the rings
			}
			visit(ring, item)
		}
		from = next
	}
	return nil
}

// decodeAudit decodes a slot. What is damaged is reported, and not ok.
func (db *DB) decodeAudit(item Item) (e AuditEntry, ok bool) {
	f, err := db.decode(item)
	if err != nil {
		return e, false
	}
	r, err := typed[AuditEntry](f)
	if err != nil {
		db.reportDamage(item.Key, err)
		return e, false
	}
	r.Value.Time = r.Value.Time.Round(time.Millisecond).UTC()
	return r.Value, true
}

// auditOvertakes is by how many revisions an entry may come after one that took
// its number later: more changes are hardly ever under way at a time.
const auditOvertakes = 1000

// restore finds out where the rings stood. It decodes the latest entries only,
// going by their revisions: a start must not wait for all of them.
func (h *auditHeads) restore(ctx context.Context, db *DB, size int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.size = uint32(size)
	var newest [ringCount]Revision
	var latest [ringCount][]Item
	prune := func(ring int) {
		latest[ring] = slices.DeleteFunc(latest[ring], func(item Item) bool {
			return item.Revision+auditOvertakes < newest[ring]
		})
	}
	err := h.scan(ctx, db, func(ring int, item Item) {
		if item.Revision+auditOvertakes < newest[ring] {
			return
		}
		newest[ring] = max(newest[ring], item.Revision)
		if latest[ring] = append(latest[ring], item); len(latest[ring]) > 4*auditOvertakes {
			prune(ring)
		}
	})
	if err != nil {
		return err
	}
	for ring := range latest {
		prune(ring)
		last := uint64(0)
		for _, item := range latest[ring] {
			if e, ok := db.decodeAudit(item); ok && e.Seq > last {
				_, slot, _ := auditSlot(item.Key)
				last, h.next[ring] = e.Seq, slot+1
			}
		}
		h.seq = max(h.seq, last)
	}
	return nil
}

// AuditLog is at most limit entries with a Seq below before (0: the newest), of
// both rings together, newest first. It is for administration: it reads all.
func (db *DB) AuditLog(ctx context.Context, before uint64, limit int) ([]AuditEntry, error) {
	if limit < 1 || limit > MaxList {
		return nil, fmt.Errorf("tokenstore: a page of %d audit entries, 1 to %d are possible", limit, MaxList)
	}
	var entries []AuditEntry
	err := db.audit.scan(ctx, db, func(_ int, item Item) {
		if e, ok := db.decodeAudit(item); ok && (before == 0 || e.Seq < before) {
			entries = append(entries, e)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b AuditEntry) int {
		switch {
		case a.Seq > b.Seq:
			return -1
		case a.Seq < b.Seq:
			return 1
		}
		return 0
	})
	return entries[:min(limit, len(entries))], nil
}

// trimAudit deletes slots beyond the size of the rings, which was larger once.
func (db *DB) trimAudit(ctx context.Context) error {
	for ring := range ringCount {
		for {
			items, _, err := db.scan(ctx, auditKey(ring, db.audit.size), SweepBatch)
			if err != nil {
				return err
			}
			c := db.NewChange()
			c.quiet = true
			for _, item := range items {
				if r, _, ok := auditSlot(item.Key); ok && r == ring {
					c.Delete(item.Key)
				}
			}
			if len(c.ops) == 0 {
				break
			}
			if _, err := db.Commit(ctx, c); err != nil {
				return err
			}
			if !sleep(ctx, sweepPauseMin) {
				return ctx.Err()
			}
		}
	}
	return nil
}
