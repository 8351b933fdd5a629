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
// hash of the key. Four rules, and no lock:
//
//   - Who changes a key first commits, then raises the key's epoch, then answers;
//     also when the outcome of the commit is unknown.
//   - Who loads a record learns its anchors, captures the epochs of its key and of
//     them, and only then reads the record and the anchors again, in one
//     snapshot. Those facts and those epochs are kept together.
//   - A hit counts only while all captured epochs equal the present ones.
//   - Who mints expects, in the batch that saves, the generations seen at the
//     check.
//
// Say a revocation has been answered, and a request comes. An entry captured
// before the raise differs from the table and does not count. One captured after
// the raise was read after the commit, and shows the revocation. There is no
// third case, however late an entry reaches the cache: so the cache may delay,
// reorder and drop as it likes.
//
// Creating a key that was absent raises nothing: nothing of it can be cached,
// for absence is not cached, and whoever deleted it before raised its epoch.
// Neither does sweeping: what has expired is refused at every hit by the clock,
// which never runs backwards.
type epochs struct {
	seed  maphash.Seed
	table [epochCount]atomic.Uint64
}

// mark is one captured epoch.
type mark struct {
	index uint16
	epoch uint64
}

func newEpochs() *epochs { return &epochs{seed: maphash.MakeSeed()} }

// index is the place of key in the table.
func (e *epochs) index(key Key) uint16 {
	return uint16(maphash.String(e.seed, string(key)) % epochCount)
}

// capture takes the present epochs of a record's key and its anchors.
func (e *epochs) capture(f facts) []mark {
	marks := make([]mark, 0, 1+len(f.anchors))
	add := func(key Key) {
		i := e.index(key)
		marks = append(marks, mark{index: i, epoch: e.table[i].Load()})
	}
	add(f.key)
	for _, g := range f.anchors {
		add(g.Key)
	}
	return marks
}

// current says whether all epochs still are what they were at capture.
func (e *epochs) current(marks []mark) bool {
	for _, m := range marks {
		if e.table[m.index].Load() != m.epoch {
			return false
		}
	}
	return true
}

// raise makes every cached record that depends on key a miss.
func (e *epochs) raise(key Key) { e.table[e.index(key)].Add(1) }
