// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
)

// maxStrangers is how many sets are kept whose URLs the operator did not name.
// Beyond that, the one that was not asked for the longest goes.
const maxStrangers = 1024

// Source says where a set of keys comes from.
type Source struct {
	// Owner is whose keys they are: an issuer identifier, or whatever tells one
	// client from another. Keys are never shared between owners.
	Owner string
	// URL is where the set is (RFC 7517). Default: what the metadata of Owner,
	// an issuer identifier, says (RFC 8414 §3, OpenID Connect Discovery §4).
	URL string
	// By says who named URL, or the owner where URL is empty.
	By fetch.Trust
}

// Cache keeps sets of keys. It is safe for concurrent use.
type Cache struct {
	fetch *fetch.Client
	now   func() time.Time
	log   *slog.Logger

	ctx     context.Context
	stop    context.CancelFunc
	flights sync.WaitGroup

	fetches, failures atomic.Uint64

	mu     sync.Mutex
	closed bool
	keys   map[Source]*Keys
}

// New returns an empty cache. It fetches nothing until it is asked for a key;
// now is the clock that sets grow old by.
func New(client *fetch.Client, now func() time.Time, log *slog.Logger) *Cache {
	ctx, stop := context.WithCancel(context.Background())
	return &Cache{fetch: client, now: now, log: log, ctx: ctx, stop: stop, keys: map[Source]*Keys{}}
}

// Close ends what is on its way. Afterwards nothing is fetched any more.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.flights.Wait()
}

// Of returns the keys of a source. It fetches nothing. The same source gets
// the same keys as long as they are kept, and an operator's are always kept.
func (c *Cache) Of(source Source) *Keys {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.keys[source]
	if k == nil {
		c.makeRoom(source)
		k = &Keys{cache: c, source: source}
		c.keys[source] = k
	}
	k.use(c.now())
	return k
}

// makeRoom forgets a stranger's set where another one would be too many.
func (c *Cache) makeRoom(source Source) {
	if source.By != fetch.Stranger {
		return
	}
	var oldest *Keys
	strangers := 0
	for _, k := range c.keys {
		if k.source.By != fetch.Stranger {
			continue
		}
		strangers++
		if oldest == nil || k.used.Load() < oldest.used.Load() {
			oldest = k
		}
	}
	if strangers >= maxStrangers {
		delete(c.keys, oldest.source)
	}
}

// launch runs a fetch of all the documents that it takes, in the time of one,
// unless the cache is closed.
func (c *Cache) launch(run func(context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.flights.Go(func() {
		ctx, cancel := context.WithTimeout(c.ctx, fetch.MaxTime)
		defer cancel()
		run(ctx)
	})
	return true
}

// Stats are figures about one set.
type Stats struct {
	Source Source
	// Fetched is when it was last fetched, zero for never.
	Fetched time.Time
	// Used is when it was last asked for, within a minute.
	Used time.Time
	// Keys is how many keys it has.
	Keys int
	// Failing: the last fetch failed.
	Failing bool
}

// Fetches returns how many fetches there were, and how many of them failed.
func (c *Cache) Fetches() (all, failed uint64) { return c.fetches.Load(), c.failures.Load() }

// Stats returns figures about every set that is kept.
func (c *Cache) Stats() []Stats {
	c.mu.Lock()
	kept := slices.Collect(maps.Values(c.keys))
	c.mu.Unlock()
	list := make([]Stats, len(kept))
	for i, k := range kept {
		list[i] = k.stats()
	}
	return list
}
