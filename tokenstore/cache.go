// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

// DefaultCacheEntries is how many records the cache holds unless told otherwise.
// A cached token takes about 700 bytes; a signed one its own length besides.
const DefaultCacheEntries = 200_000

// MaxCacheEntries bounds the cache: 10^8 entries are some 70 GB.
const MaxCacheEntries = 100_000_000

// entry is a cached record, or what is known of an anchor: the facts, and the
// epochs captured before they were read. It is immutable once it is shared.
type entry struct {
	hash   uint64   // of the key: see cacheHash
	digest [32]byte // of a credential, which is most of its key; else zero
	key    Key
	// record is a *Record[T]; nil where only the rest is known.
	record any
	// until is the first moment, in milliseconds, at which the record or one of
	// its anchors has expired; 0 is never.
	until    int64
	revision Revision
	marks    []mark
	room     [usualMarks]mark // so that marks is nothing to allocate and to follow
}

// kept is an entry with its record. They are one object, because the memory of
// many tokens is in no processor's cache: each further object that a hit looks at
// costs about as much as all of its arithmetic.
type kept[T any] struct {
	entry  entry
	record Record[T]
}

// usualMarks is how many marks an entry has room for: those of a token and of
// its anchors, which are store, client, user, session, consent and grant.
const usualMarks = 7

// begin makes e an entry of key with the mark of that alone, captured now.
func (db *DB) begin(e *entry, key Key) *entry {
	*e = entry{key: key, hash: db.cacheHash(key)}
	if isCredential(key) {
		copy(e.digest[:], key[2:])
	}
	e.marks = append(e.room[:0], db.epochs.capture(key))
	return e
}

// limit notes that something in the entry has expired at until.
func (e *entry) limit(until int64) {
	if until != 0 && (e.until == 0 || until < e.until) {
		e.until = until
	}
}

// cache is a ristretto cache that nobody closes while it is used.
//
// ristretto's Close races with Get and Set: a Set that meets it panics, and so
// would a request that holds the cache across a resize or a shutdown. Counting
// users would put a contended counter on the hot path. So the cache is only ever
// dropped: whoever replaces it swaps the DB's pointer, requests that still hold
// the old one finish with it, and once nobody can reach it the runtime's cleanup
// closes it, which ends its goroutines. Every method therefore keeps the wrapper
// alive until ristretto has returned.
//
// In front of ristretto stands a table with one slot for a hash, of what was found
// in ristretto before. To find it again is one look, where ristretto takes a lock,
// searches a map, and notes the use in counters all over a large memory. What
// shares a slot displaces each other, and is then found in ristretto.
type cache struct {
	front   []atomic.Pointer[entry] // as many as a power of two
	r       *ristretto.Cache[uint64, *entry]
	entries int
}

// noteEvery is how many uses of what is in front there are to one that ristretto
// learns of. It has to learn of some, because it keeps what is used most.
const noteEvery = 16

// newCache makes a cache of so many entries. Each costs 1, whatever its size;
// ristretto's own bytes are not counted into it (IgnoreInternalCost), and there
// is no TTL, because the record's own expiry is judged at every hit.
func newCache(entries int) (*cache, error) {
	r, err := ristretto.NewCache(&ristretto.Config[uint64, *entry]{
		NumCounters:        10 * int64(entries),
		MaxCost:            int64(entries),
		BufferItems:        64,
		IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, fmt.Errorf("tokenstore: the cache cannot be made: %w", err)
	}
	c := &cache{front: make([]atomic.Pointer[entry], 1<<(bits.Len(uint(entries))-1)), r: r, entries: entries}
	// Close waits for ristretto's goroutines: not in the runtime's one.
	runtime.AddCleanup(c, func(r *ristretto.Cache[uint64, *entry]) { go r.Close() }, r)
	return c, nil
}

// slot is where what is under hash may stand in front.
func (c *cache) slot(hash uint64) *atomic.Pointer[entry] {
	return &c.front[hash&uint64(len(c.front)-1)]
}

// get is the entry under hash, perhaps of another key.
func (c *cache) get(hash uint64) *entry {
	slot := c.slot(hash)
	e := slot.Load()
	if e != nil && e.hash == hash && rand.Uint32()%noteEvery != 0 {
		return e
	}
	if further, _ := c.r.Get(hash); e == nil || e.hash != hash {
		if e = further; e != nil {
			slot.Store(e)
		}
	}
	runtime.KeepAlive(c)
	return e
}

// set offers e. Ristretto may drop it, or take it late; both are harmless.
func (c *cache) set(e *entry) {
	slot := c.slot(e.hash)
	if old := slot.Load(); old != nil && old.hash == e.hash {
		slot.Store(e)
	}
	c.r.Set(e.hash, e, 1)
	runtime.KeepAlive(c)
}

// drop forgets what is under hash: tidiness, never correctness.
func (c *cache) drop(hash uint64) {
	if e := c.slot(hash).Load(); e != nil && e.hash == hash {
		c.slot(hash).CompareAndSwap(e, nil)
	}
	c.r.Del(hash)
	runtime.KeepAlive(c)
}

// size is how many entries there are.
func (c *cache) size() int {
	left := c.r.RemainingCost()
	runtime.KeepAlive(c)
	return c.entries - int(left)
}

// credentialKeySize is the length of a credential's key in the default realm.
const credentialKeySize = 2 + 32

// cacheHash is where key lies in the cache. A credential's id is a digest
// already: its first eight bytes are as good a hash as any. Two keys that share a
// hash displace each other; the full key decides.
func (db *DB) cacheHash(key Key) uint64 {
	if isCredential(key) {
		var head [10]byte
		copy(head[:], key)
		return binary.LittleEndian.Uint64(head[2:])
	}
	return maphash.String(db.epochs.seed, string(key))
}

// cacheHashBytes is cacheHash of Key(key), without allocating that.
func (db *DB) cacheHashBytes(key []byte) uint64 {
	if isCredential(key) {
		return binary.LittleEndian.Uint64(key[2:10])
	}
	return maphash.Bytes(db.epochs.seed, key)
}

// isCredential says whether key is one that CredentialKey builds.
func isCredential[K Key | []byte](key K) bool {
	return len(key) == credentialKeySize && key[0] == 0 && Kind(key[1]) == KindCredential
}

// find is the entry under hash if it counts: not expired, and nothing that it
// depends on has changed since before it was read.
func (db *DB) find(hash uint64) *entry {
	c := db.cache.Load()
	if c == nil {
		return nil
	}
	e := c.get(hash)
	if e == nil {
		return nil
	}
	db.at(stepHitFound)
	if !db.valid(e) {
		return nil
	}
	return e
}

// findCredential is find for the key that [CredentialKey] would build: it needs
// neither that nor, where the entry's is, its text.
func (db *DB) findCredential(digest *[32]byte) *entry {
	e := db.find(binary.LittleEndian.Uint64(digest[:]))
	if e == nil || e.digest != *digest {
		return nil
	}
	return e
}

// valid says whether e counts.
func (db *DB) valid(e *entry) bool {
	return (e.until == 0 || db.clock.millis() < e.until) && db.epochs.current(e.marks)
}

// SetCacheEntries changes the size of the cache; 0 is DefaultCacheEntries, a
// negative number turns it off. The new cache begins empty. Requests under way
// finish with the old one.
func (db *DB) SetCacheEntries(n int) error {
	db.cacheMu.Lock()
	defer db.cacheMu.Unlock()
	if n == 0 {
		n = DefaultCacheEntries
	}
	if n > MaxCacheEntries {
		return fmt.Errorf("tokenstore: %d cache entries, at most %d are allowed", n, MaxCacheEntries)
	}
	if db.closed.Load() {
		return ErrUnavailable
	}
	if n < 0 {
		db.cache.Store(nil)
		return nil
	}
	if c := db.cache.Load(); c != nil && c.entries == n {
		return nil
	}
	c, err := newCache(n)
	if err != nil {
		return err
	}
	db.cache.Store(c)
	return nil
}
