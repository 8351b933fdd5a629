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
	"protect":   "protected, cache hit",
	"first":     "protected, first-seen tokens",
	"noise":     "reverse_proxy itself",
	"bare":      "reverse_proxy, no credential",
	"respond":   "respond, no proxy",
	"guarded":   "protected respond, no proxy",
	"jwt":       "protected, JWT, cache hit",
	"jwt-first": "protected, JWT, first-seen tokens",
	"phantom":   "protected, opaque outside and a JWT for the service",
}

// way is one of the ways to the service, by the key of its figures.
type way struct {
	key  string
	load load
}

// ways are compared with a base that gets the same requests as the first of them.
type ways struct {
	base load
	list []way
}

// callers is how many tokens go round where the gateway signs for each caller. What
// it signed lasts 45 seconds; each caller has had one before anything is measured.
const callers = 1000

// routeTokens are the tokens of the route.
type routeTokens struct {
	hit, fresh        *deck // opaque
	signed, signedNew *deck // JWTs
	few               *deck // opaque, of the callers that are signed for
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
	tokens, err := b.fillRoute(ctx, g)
	if err != nil {
		return err
	}
	if _, err := b.start(ctx, g, g.refuses); err != nil {
		return err
	}
	defer g.stop()
	if err := g.check(ctx, tokens.hit.tokens[0], tokens.signed.tokens[0]); err != nil {
		return fmt.Errorf("%w\n%s", err, g.lastWords())
	}
	for _, known := range []*deck{tokens.hit, tokens.signed} {
		if err := b.fillCache(ctx, g, known); err != nil {
			return err
		}
	}
	phantom := withTokens(g.phantom, readPath, tokens.few)
	if err := useAll(ctx, phantom, 1); err != nil {
		return err
	}
	if err := g.awaitCount(ctx); err != nil {
		return err
	}
	for _, some := range []ways{
		{withTokens(g.plain, readPath, tokens.hit), []way{
			{"protect", withTokens(g.protected, readPath, tokens.hit)},
			{"first", withTokens(g.protected, readPath, tokens.fresh)},
			{"noise", withTokens(g.plain, readPath, tokens.hit)},
			{"bare", withoutTokens(g.plain, readPath)},
			{"respond", withoutTokens(g.respond, readPath)},
			{"guarded", withTokens(g.guarded, readPath, tokens.hit)},
		}},
		{withTokens(g.plain, readPath, tokens.signed), []way{
			{"jwt", withTokens(g.protected, readPath, tokens.signed)},
			{"jwt-first", withTokens(g.protected, readPath, tokens.signedNew)},
		}},
		{withTokens(g.plain, readPath, tokens.few), []way{
			{"phantom", phantom},
		}},
	} {
		if err := b.compareWays(ctx, g, some); err != nil {
			return fmt.Errorf("%w\n%s", err, g.lastWords())
		}
	}
	return nil
}

// fillRoute mints the tokens of the route.
func (b *bench) fillRoute(ctx context.Context, g *gateway) (routeTokens, error) {
	n := b.opts.live + b.opts.fresh
	opaque, _, err := b.fill(ctx, fillOrder{Vault: g.vault, Tokens: n, Each: 1, Keep: n, Out: filepath.Join(b.dir, "route.tokens")})
	if err != nil {
		return routeTokens{}, err
	}
	n = b.opts.live + b.opts.fresh/2 // a first use is slower: it verifies a signature
	signed, _, err := b.fill(ctx, fillOrder{Vault: g.vault, Signed: true, Tokens: n, Each: 1, Keep: n, Out: filepath.Join(b.dir, "route.jwts")})
	if err != nil {
		return routeTokens{}, err
	}
	return routeTokens{
		hit: &deck{tokens: opaque[:b.opts.live]}, fresh: &deck{tokens: opaque[b.opts.live:], once: true},
		signed: &deck{tokens: signed[:b.opts.live]}, signedNew: &deck{tokens: signed[b.opts.live:], once: true},
		few: &deck{tokens: opaque[:min(callers, b.opts.live)]},
	}, nil
}

// compareWays measures ways against their base.
func (b *bench) compareWays(ctx context.Context, g *gateway, some ways) error {
	base, err := newSide(ctx, "reverse_proxy", g.pid(), some.base, b.opts.conns)
	if err != nil {
		return err
	}
	defer base.leave()
	var sides []side
	for _, one := range some.list {
		s, err := newSide(ctx, routeNames[one.key], g.pid(), one.load, b.opts.conns)
		if err != nil {
			return err
		}
		defer s.leave()
		sides = append(sides, s)
	}
	all, err := b.compare(ctx, base, sides, plan{b.opts.pairs, routeSlices, b.opts.duration, foreignLimit})
	if err != nil {
		return err
	}
	baseAllocations, err := g.countAllocations(ctx, base, allocationsFor)
	if err != nil {
		return err
	}
	for i, c := range all {
		key := some.list[i].key
		b.add(routeTitle, routeFigures(key, c)...)
		own, err := g.countAllocations(ctx, c.side, allocationsFor)
		if err != nil {
			return err
		}
		b.add(routeTitle, figure{
			Key: key + "-allocs", What: c.side.name + ": allocations per request", Value: single(own.count / baseAllocations.count),
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
