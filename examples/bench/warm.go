// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// warmHits is the share of look-ups that the cache must answer before a
	// measurement may be called one of cache hits.
	warmHits = 0.99
	// warmRounds bounds how often all tokens are used to get there.
	warmRounds = 5
	// countPatience is how long the store may take to count its records.
	countPatience = 2 * time.Minute
	// warmConns is how many connections do so.
	warmConns = 32
)

// fillCache uses all tokens of a deck until the cache knows them, at the address
// that has the guard but no proxy behind it, which is quicker.
func (b *bench) fillCache(ctx context.Context, g *gateway, tokens *deck) error {
	b.progress("filling the cache with %d tokens", len(tokens.tokens))
	for range warmRounds {
		before, err := g.cacheCounts(ctx)
		if err != nil {
			return err
		}
		if err := useAll(ctx, withTokens(g.guarded, readPath, tokens), 1); err != nil {
			return err
		}
		after, err := g.cacheCounts(ctx)
		if err != nil {
			return err
		}
		if after.hitsSince(before) >= warmHits {
			return nil
		}
	}
	return fmt.Errorf("the cache does not come to answer %.0f %% of %d tokens", 100*warmHits, len(tokens.tokens))
}

// awaitCount waits until the store has counted its records, which it does once
// after its start, in a slow walk: nothing that a request costs.
func (g *gateway) awaitCount(ctx context.Context) error {
	return g.until(ctx, countPatience, func() error {
		m, err := g.metrics(ctx)
		if err != nil {
			return err
		}
		for name := range m {
			if strings.HasPrefix(name, "caddy_oauth2_store_records{") {
				return nil
			}
		}
		return errors.New("the store is still counting its records")
	}, 250*time.Millisecond)
}

// exhaust runs until a deck that deals each token once is empty.
func (c *crowd) exhaust(ctx context.Context, d *deck) error {
	for d.left() > 0 {
		if _, _, err := c.run(ctx, 100*time.Millisecond); err != nil && !errors.Is(err, errDeckEmpty) {
			return err
		}
	}
	return nil
}

// useAll uses all tokens of a load, so many times.
func useAll(ctx context.Context, l load, times int) error {
	for range times {
		once := &deck{tokens: l.tokens.tokens, once: true}
		l.tokens = once
		crowd, err := l.connect(ctx, warmConns)
		if err != nil {
			return err
		}
		err = crowd.exhaust(ctx, once)
		crowd.leave()
		if err != nil {
			return err
		}
	}
	return nil
}

// cacheCounts are the cache's counters.
type cacheCounts struct{ hits, misses float64 }

// hitsSince is the share of look-ups that were hits between two readings; 0 when
// there were none.
func (c cacheCounts) hitsSince(from cacheCounts) float64 {
	hits, misses := c.hits-from.hits, c.misses-from.misses
	return hits / max(1, hits+misses)
}

func (g *gateway) cacheCounts(ctx context.Context) (c cacheCounts, err error) {
	m, err := g.metrics(ctx)
	if err != nil {
		return c, err
	}
	var ok, also bool
	c.hits, ok = m["caddy_oauth2_cache_hits_total"]
	c.misses, also = m["caddy_oauth2_cache_misses_total"]
	if !ok || !also {
		return c, fmt.Errorf("the metrics do not count the cache's hits and misses")
	}
	return c, nil
}

// heap is the size of what the process has on its heap after a collection, in
// bytes.
func (g *gateway) heap(ctx context.Context) (float64, error) {
	if status, err := get(ctx, "http://"+g.admin+"/debug/pprof/heap?gc=1", ""); err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("asking for a garbage collection: status %d, error %v", status, err)
	}
	m, err := g.metrics(ctx)
	return m["go_memstats_heap_alloc_bytes"], err
}

// metrics reads the metrics, by name and labels, from Caddy's admin endpoint.
func (g *gateway) metrics(ctx context.Context) (map[string]float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	status, body, err := send(r)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("the metrics answer %d", status)
	}
	values := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(body))
	for lines.Scan() {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); ok && err == nil {
			values[name] = value
		}
	}
	return values, lines.Err()
}
