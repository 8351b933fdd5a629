// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

const (
	// MaxAge is how long the last good set is used while no newer one can be had.
	MaxAge = 24 * time.Hour
	// renewAfter is the age at which a set is fetched anew in the background, and
	// waitAfter the one at which tokens wait for that, because none came in
	// between. A key that its owner withdraws is good for as long.
	renewAfter = 10 * time.Minute
	waitAfter  = renewAfter + time.Minute
	// coolDown is the time between two fetches, whatever tokens ask for.
	coolDown = time.Minute
	// firstRetry is the time between the first two fetches where there is no set
	// yet; it doubles up to coolDown.
	firstRetry = time.Second
)

// ErrUnavailable: the keys cannot be had now. It says nothing about the token.
var ErrUnavailable = errors.New("jwks: the keys cannot be fetched")

// Keys are the keys of one source. They are safe for concurrent use.
type Keys struct {
	cache  *Cache
	source Source

	held atomic.Pointer[held] // nil until the first fetch succeeds
	used atomic.Int64         // when they were last asked for, in seconds since 1970, more or less

	mu       sync.Mutex
	flight   chan struct{} // closed when the fetch on its way ends; nil when there is none
	next     time.Time     // no fetch begins before
	failed   error         // how the last fetch failed; nil when it succeeded
	inARow   int           // failures
	location location
}

// held is a set as it was fetched.
type held struct {
	set     jose.KeySet
	digest  [sha256.Size]byte // of the document
	version uint64
	fetched time.Time
}

// Verify checks the signature of a token, and waits for the keys where it must.
// The version returned says by which ones: see [Keys.Current]. The errors are
// [jose.ErrUnknownKey], [jose.ErrSignature] and [ErrUnavailable].
func (k *Keys) Verify(ctx context.Context, t *jose.Token) (version uint64, err error) {
	h, wait := k.fresh()
	if wait {
		_ = k.renew(ctx) // where that fails, the last good ones serve
		h, _ = k.fresh()
	}
	if h == nil || !h.set.Has(t) {
		if err := k.renew(ctx); err != nil {
			return 0, err
		}
		if h, _ = k.fresh(); h == nil {
			return 0, fmt.Errorf("%w: the last ones are too old", ErrUnavailable)
		}
	}
	return h.version, h.set.Verify(t)
}

// Current reports whether the keys are still those of a version, so that a
// signature need not be verified again. It does not wait.
func (k *Keys) Current(version uint64) bool {
	h, wait := k.fresh()
	return h != nil && !wait && h.version == version
}

// fresh returns the set, unless it is too old, and has an old one renewed in
// the background. wait says that the renewal should be waited for: the set is old
// although it could be had.
func (k *Keys) fresh() (h *held, wait bool) {
	now := k.cache.now()
	h = k.held.Load()
	k.use(now)
	if h == nil {
		return nil, false
	}
	age := now.Sub(h.fetched)
	if age >= renewAfter {
		k.mu.Lock()
		k.begin()
		wait = age >= waitAfter && k.failed == nil
		k.mu.Unlock()
	}
	if age >= MaxAge {
		return nil, false
	}
	return h, wait
}

// use notes that the keys are asked for. It seldom writes, because many do that
// at one time.
func (k *Keys) use(now time.Time) {
	if s := now.Unix(); s-k.used.Load() > 30 {
		k.used.Store(s)
	}
}

// renew waits for a fetch. Where none may begin now, it says how the last one
// ended.
func (k *Keys) renew(ctx context.Context) error {
	k.mu.Lock()
	flight := k.begin()
	failed := k.failed
	k.mu.Unlock()
	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
		}
		k.mu.Lock()
		failed = k.failed
		k.mu.Unlock()
	}
	if failed != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, failed)
	}
	return nil
}

// begin returns the end of the fetch that is on its way, or of a new one; nil
// where none may begin now. The caller holds mu.
func (k *Keys) begin() <-chan struct{} {
	if k.flight != nil {
		return k.flight
	}
	if k.cache.now().Before(k.next) {
		return nil
	}
	flight := make(chan struct{})
	if !k.cache.launch(func(ctx context.Context) { k.fetch(ctx); close(flight) }) {
		k.failed = errors.New("it is closed")
		return nil
	}
	k.flight = flight
	return flight
}

// fetch fetches the set, and notes how that ended.
func (k *Keys) fetch(ctx context.Context) {
	h, err := k.get(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flight, k.failed = nil, err
	k.cache.fetches.Add(1)
	now := k.cache.now()
	k.next = now.Add(coolDown)
	last := k.held.Load()
	if err != nil {
		k.cache.failures.Add(1)
		if last == nil {
			k.next = now.Add(min(firstRetry<<min(k.inARow, 6), coolDown))
		}
		k.inARow++
		k.cache.log.Warn("keys cannot be fetched", slog.String("owner", k.source.Owner), slog.Any("error", err))
		return
	}
	if k.inARow > 0 {
		k.cache.log.Info("keys can be fetched again", slog.String("owner", k.source.Owner))
	}
	k.inARow = 0
	h.fetched, h.version = now, 1
	if last != nil {
		h.version = last.version
		if h.digest != last.digest {
			h.version++
		}
	}
	k.held.Store(h)
}

// get fetches and reads the set.
func (k *Keys) get(ctx context.Context) (*held, error) {
	url, by, err := k.locate(ctx)
	if err != nil {
		return nil, err
	}
	body, err := k.cache.document(ctx, url, by)
	if err != nil {
		k.location = location{} // it may have moved
		return nil, fmt.Errorf("key set: %w", err)
	}
	set, err := jose.ParseKeySet(body)
	if err != nil {
		return nil, err
	}
	if len(set) == 0 {
		return nil, errors.New("the key set has no key that verifies signatures")
	}
	return &held{set: set, digest: sha256.Sum256(body)}, nil
}

// document fetches a JSON document.
func (c *Cache) document(ctx context.Context, url string, by fetch.Trust) ([]byte, error) {
	answer, err := c.fetch.Do(ctx, fetch.Request{URL: url, By: by})
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("status %d", answer.Status)
	}
	return answer.Body, nil
}

func (k *Keys) stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Stats{Source: k.source, Used: time.Unix(k.used.Load(), 0), Failing: k.failed != nil}
	if h := k.held.Load(); h != nil {
		s.Fetched, s.Keys = h.fetched, len(h.set)
	}
	return s
}
