// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import "sync/atomic"

// anchorSlots is how many anchors are known at a time, at most.
const anchorSlots = 1 << 12

// anchors remembers what loads have found out about anchors that many records
// share, such as the store's and a client's: the first use of a token then reads
// only the token and its grant. An anchor has one slot, by the hash of its key,
// and displaces another that has the same. What is here counts under the rules of
// epochs.
type anchors struct {
	slots [anchorSlots]atomic.Pointer[entry]
}

func (a *anchors) slot(m mark) *atomic.Pointer[entry] {
	return &a.slots[m>>markCountBits%anchorSlots]
}

// get is what is known of an anchor, if it counts; else nil. There may be no
// anchors to ask.
func (a *anchors) get(db *DB, key Key) *entry {
	if a == nil {
		return nil
	}
	e := a.slot(db.epochs.capture(key)).Load()
	if e == nil || e.key != key || !db.valid(e) {
		return nil
	}
	return e
}

// put remembers an anchor as it was read after m was captured. A grant is
// anchor to very few records, and would only displace others.
func (a *anchors) put(f facts, m mark) {
	if a == nil || f.key.Kind() == KindGrant {
		return
	}
	e := &entry{key: f.key, until: f.expires, revision: f.revision}
	e.marks = append(e.room[:0], m)
	a.slot(m).Store(e)
}

// known is what is known of anchors: nothing while the cache is off.
func (db *DB) known() *anchors {
	if db.cache.Load() == nil {
		return nil
	}
	return &db.anchors
}
