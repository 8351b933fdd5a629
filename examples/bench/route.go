// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

const routeTitle = "Protected route (÷ reverse_proxy with the same requests)"

// allocationsFor is for how long allocations are counted.
const allocationsFor = 500 * time.Millisecond

// routeSlices is how many slices a pair has of each side: so many that the server
// collects its garbage in both.
const routeSlices = 16

// routeNames are the sides of the route by the keys of their figures. The noise
// row compares the base with itself: what differs from 1.00 there, differs by
// chance everywhere.
var routeNames = map[string]string{
	"protect": "protected, cache hit",
	"first":   "protected, first-seen tokens",
	"noise":   "reverse_proxy itself",
	"bare":    "reverse_proxy, no credential",
	"respond": "respond, no proxy",
	"guarded": "protected respond, no proxy",
}

// protectedRoute compares, in one process, the ways to the same service: with
// and without the guard, with tokens that the cache knows and with tokens that
// nobody has used before.
func (b *bench) protectedRoute(ctx context.Context) error {
	service, err := startUpstream()
	if err != nil {
		return err
	}
	defer service.close()
	g, err := b.newGateway(ctx, gatewayOptions{store: filepath.Join(b.dir, "route.db"), upstream: service.addr()})
	if err != nil {
		return err
	}
	n := b.opts.live + b.opts.fresh
	tokens, _, err := b.fill(ctx, fillOrder{Vault: g.vault, Tokens: n, Each: 1, Keep: n, Out: filepath.Join(b.dir, "route.tokens")})
	if err != nil {
		return err
	}
	hit, fresh := &deck{tokens: tokens[:b.opts.live]}, &deck{tokens: tokens[b.opts.live:], once: true}
	if _, err := b.start(ctx, g, g.refuses); err != nil {
		return err
	}
	defer g.stop()
	if err := g.check(ctx, tokens[0]); err != nil {
		return fmt.Errorf("%w\n%s", err, g.lastWords())
	}

	if err := b.fillCache(ctx, g, hit); err != nil {
		return err
	}

	if err := g.awaitCount(ctx); err != nil {
		return err
	}
	base, err := newSide(ctx, "reverse_proxy", g.pid(), withTokens(g.plain, readPath, hit), b.opts.conns)
	if err != nil {
		return err
	}
	defer base.leave()
	keys := []string{"protect", "first", "noise", "bare", "respond", "guarded"}
	var sides []side
	for i, l := range []load{
		withTokens(g.protected, readPath, hit),
		withTokens(g.protected, readPath, fresh),
		withTokens(g.plain, readPath, hit),
		withoutTokens(g.plain, readPath),
		withoutTokens(g.respond, readPath),
		withTokens(g.guarded, readPath, hit),
	} {
		s, err := newSide(ctx, routeNames[keys[i]], g.pid(), l, b.opts.conns)
		if err != nil {
			return err
		}
		defer s.leave()
		sides = append(sides, s)
	}
	all, err := b.compare(ctx, base, sides, plan{b.opts.pairs, routeSlices, b.opts.duration, foreignLimit})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, g.lastWords())
	}
	baseAllocations, err := g.countAllocations(ctx, base, allocationsFor)
	if err != nil {
		return err
	}
	for i, c := range all {
		b.add(routeTitle, routeFigures(keys[i], c)...)
		own, err := g.countAllocations(ctx, c.side, allocationsFor)
		if err != nil {
			return err
		}
		b.add(routeTitle, figure{
			Key: keys[i] + "-allocs", What: c.side.name + ": allocations per request", Value: single(own.count / baseAllocations.count),
			Detail: fmt.Sprintf("%.1f ÷ %.1f; %.0f bytes ÷ %.0f bytes", own.count, baseAllocations.count, own.bytes, baseAllocations.bytes),
		})
	}
	return nil
}

// routeFigures are the rows of one side.
func routeFigures(key string, c *comparison) []figure {
	own, base := c.own(), c.base()
	return []figure{{
		Key: key, What: c.side.name + ": requests/s", Value: c.rates(), Mark: c.mark(),
		Detail: fmt.Sprintf("%s/s ÷ %s/s; p99 %s ms ÷ %s ms",
			number(rateOf(own).Median), number(rateOf(base).Median), number(p99Of(own)), number(p99Of(base))),
	}, {
		Key: key + "-cpu", What: c.side.name + ": CPU per request", Value: c.cpus(), Mark: c.mark(),
		Detail: fmt.Sprintf("%s µs ÷ %s µs", number(cpuOf(own).Median), number(cpuOf(base).Median)),
	}}
}
