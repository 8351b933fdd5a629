// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"hash/maphash"
	"sync/atomic"
)

// epochCount is the size of the table of epochs. Keys that share a counter only
// cost each other a needless load now and then.
const epochCount = 1 << 16

// epochs makes the cache exact. It is a fixed table of counters, indexed by a
// hash of the key. Five rules, and no lock:
//
//   - Who changes a key first commits, then raises the key's epoch, then answers;
//     also when the outcome of the commit is unknown.
//   - Who loads a record captures the epoch of each key, its own and those of its
//     anchors, before the read that the facts of that key are from. Those facts
//     and those epochs are kept together. Its own key is known beforehand; those
//     of its anchors are learnt from the first read, captured, and then read.
//   - What is known of an anchor may come from an earlier load, with the epoch
//     captured there, if that still is the present one. It may only confirm: who
//     refuses has read the record and all its anchors in one snapshot.
//   - A hit counts only while all captured epochs equal the present ones.
//   - Who mints expects, in the batch that saves, the generations seen at the
//     check.
//
// Say a revocation has been answered, and a request comes. An entry captured
// before the raise differs from the table and does not count. One captured after
// the raise was read after the commit, and shows the revocation. There is no
// third case, however late an entry reaches the cache: so the cache may delay,
// reorder and drop as it likes. This holds for each key by itself, so it does not
// matter that the keys of one entry were captured at different times.
//
// Nor does it matter that a record and its anchors are read one after the other.
// A generation is never used twice, and a record is written only while its
// anchors are at the generations that it lists. So an anchor that is found at
// that generation after the record was read has been at it all the while since
// the record was written, and the record was valid at the moment it was read. The
// reverse is not true: an anchor found at another generation may have moved
// together with the record. And an anchor known from an earlier load may be
// behind: revoked by a commit that is not yet answered, and then a record minted
// below its new generation. That is why a mismatch refuses nothing yet.
//
// Creating a key that was absent raises nothing: nothing of it can be cached,
// for absence is not cached, and whoever deleted it before raised its epoch. The
// one exception are the marks of KindRevoked, whose absence what is derived depends
// on: they raise theirs when they are created.
// Neither does sweeping: what has expired is refused at every hit by the clock,
// which never runs backwards.
type epochs struct {
	seed  maphash.Seed
	table [epochCount]atomic.Uint64
}

// mark is one captured epoch: its place in the table in the upper 16 bits, the
// count in the other 48, which no store lives long enough to use up.
type mark uint64

const markCountBits = 48

func newEpochs() *epochs {
	e := &epochs{seed: maphash.MakeSeed()}
	for i := range e.table {
		e.table[i].Store(uint64(i) << markCountBits)
	}
	return e
}

// index is the place of key in the table. A credential's id is a digest, and
// needs no hash of its own.
func (e *epochs) index(key Key) uint16 {
	if isCredential(key) {
		return uint16(key[2])<<8 | uint16(key[3])
	}
	return uint16(maphash.String(e.seed, string(key)))
}

// capture takes the present epoch of a key.
func (e *epochs) capture(key Key) mark { return mark(e.table[e.index(key)].Load()) }

// current says whether all epochs still are what they were at capture.
func (e *epochs) current(marks []mark) bool {
	for _, m := range marks {
		if e.table[m>>markCountBits].Load() != uint64(m) {
			return false
		}
	}
	return true
}

// raise makes every cached record that depends on key a miss.
func (e *epochs) raise(key Key) { e.table[e.index(key)].Add(1) }
