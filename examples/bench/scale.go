// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// scaleKept is how many tokens of the large store, chosen at random, are used
	// at most.
	scaleKept = 60_000
	// scaleWarm of them are the ones that the cache knows.
	scaleWarm = 1000
	// scaleEach is how many tokens a change of the bulk load holds: as many as fit
	// into one entry of the expiry index.
	scaleEach = 32
	// scaleSingly is how many more are minted one by one at most, to see their size.
	scaleSingly = 20_000
	// restarts is how often a large and an empty store are started.
	restarts = 3
	// sweepRate is how many expired tokens are provided for each second of
	// sweeping: more than it manages with the pauses that it makes.
	sweepRate = 12_000
)

// sweepConns is how many callers commit while the store is swept.
var sweepConns = []int{1, 16}

// scale looks at a store with many live tokens: its size, its start, its look-ups
// and its commits while it is swept.
func (b *bench) scale(ctx context.Context) error {
	service, err := startUpstream()
	if err != nil {
		return err
	}
	defer service.close()
	dir := filepath.Join(b.dir, "scale")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	g, err := b.newGateway(ctx, gatewayOptions{store: filepath.Join(dir, "large.db"), upstream: service.addr()})
	if err != nil {
		return err
	}
	title := fmt.Sprintf("%d live tokens", b.opts.scale)
	tokens, done, err := b.fill(ctx, fillOrder{
		Vault: g.vault, Tokens: b.opts.scale, Each: scaleEach, Keep: min(b.opts.scale/10, scaleKept), Out: filepath.Join(dir, "large.tokens"),
	})
	if err != nil {
		return err
	}
	singly := min(b.opts.scale/20, scaleSingly)
	_, more, err := b.fill(ctx, fillOrder{Vault: g.vault, Tokens: singly, Each: 1, Keep: 1, Out: filepath.Join(dir, "more.tokens")})
	if err != nil {
		return err
	}
	b.add(title, figure{
		Key: "bytes", What: "what one more token, its grant and its index entry take on disk", Unit: "bytes",
		Value:  single(float64(more.used()-done.used()) / float64(singly)),
		Detail: fmt.Sprintf("file %s MB, of it free %s MB", number(float64(more.FileBytes)/1e6), number(float64(more.FreeBytes)/1e6)),
	})
	if err := b.restart(ctx, title, g, tokens[0], filepath.Join(dir, "empty.db"), service.addr()); err != nil {
		return err
	}
	if err := b.lookUp(ctx, title, g, tokens); err != nil {
		return err
	}
	return b.sweep(ctx, title, g.vault)
}

// restart starts the large store and an empty one, turn and turn about.
func (b *bench) restart(ctx context.Context, title string, g *gateway, token, emptyStore, upstream string) error {
	empty, err := b.newGateway(ctx, gatewayOptions{store: emptyStore, upstream: upstream})
	if err != nil {
		return err
	}
	one, _, err := b.fill(ctx, fillOrder{Vault: empty.vault, Tokens: 1, Each: 1, Keep: 1, Out: emptyStore + ".tokens"})
	if err != nil {
		return err
	}
	var large, small []float64
	for range restarts {
		for _, turn := range []struct {
			gateway *gateway
			token   string
			took    *[]float64
		}{{empty, one[0], &small}, {g, token, &large}} {
			took, err := b.start(ctx, turn.gateway, turn.gateway.accepts(turn.token))
			if err != nil {
				return err
			}
			turn.gateway.stop()
			*turn.took = append(*turn.took, took.Seconds())
		}
	}
	b.add(title, figure{
		Key: "restart", What: "restart, from the start of the process to the first request answered", Unit: "s",
		Value: spreadOf(large), Detail: fmt.Sprintf("with an empty store %s s", number(spreadOf(small).Median)),
	})
	return nil
}

// lookUp compares random tokens that nobody has used with those that the cache
// knows, one request after the other, and then weighs the process.
func (b *bench) lookUp(ctx context.Context, title string, g *gateway, tokens []string) error {
	if _, err := b.start(ctx, g, g.accepts(tokens[0])); err != nil {
		return err
	}
	defer g.stop()
	known := &deck{tokens: tokens[:scaleWarm]}
	unknown := &deck{tokens: tokens[scaleWarm:], once: true}
	if err := b.fillCache(ctx, g, known); err != nil {
		return err
	}
	base, err := newSide(ctx, "known tokens", g.pid(), withTokens(g.protected, readPath, known), 1)
	if err != nil {
		return err
	}
	defer base.leave()
	random, err := newSide(ctx, "unknown tokens", g.pid(), withTokens(g.protected, readPath, unknown), 1)
	if err != nil {
		return err
	}
	defer random.leave()
	all, err := b.compare(ctx, base, []side{random}, plan{b.opts.issuePairs, issueSlices, b.opts.issueFor, foreignLimit})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, g.lastWords())
	}
	c := all[0]
	b.add(title, figure{
		Key: "miss", What: "first-seen tokens ÷ cached ones, 1 connection: requests/s", Value: c.rates(), Mark: c.mark(),
		Detail: fmt.Sprintf("%s/s ÷ %s/s", number(rateOf(c.own()).Median), number(rateOf(c.base()).Median)),
	}, figure{
		Key: "miss-p99", What: "first-seen tokens, 1 connection: p99 of a proxied request", Value: single(p99Of(c.own())), Unit: "ms",
		Detail: fmt.Sprintf("cached %s ms", number(p99Of(c.base()))), Mark: c.mark(),
	})
	return b.weigh(ctx, title, g, unknown)
}

// weigh says how large the process's heap is, and how much of it each token takes
// that has been used.
func (b *bench) weigh(ctx context.Context, title string, g *gateway, unknown *deck) error {
	before, err := g.heap(ctx)
	if err != nil {
		return err
	}
	more := unknown.left()
	if err := b.fillCache(ctx, g, &deck{tokens: unknown.tokens[len(unknown.tokens)-more:]}); err != nil {
		return err
	}
	after, err := g.heap(ctx)
	if err != nil {
		return err
	}
	b.add(title, figure{
		Key: "heap", What: "heap of the process after a collection", Value: single(after / 1e6), Unit: "MB",
		Detail: fmt.Sprintf("after requests with %d different tokens; each of the last %d added %s bytes",
			len(unknown.tokens)+scaleWarm, more, number((after-before)/float64(max(1, more)))),
	})
	return nil
}

// sweep measures commits while expired tokens are swept.
func (b *bench) sweep(ctx context.Context, title string, store vaultOptions) error {
	b.progress("sweeping while saving tokens")
	var results []sweepResult
	expired := int(sweepRate * float64(len(sweepConns)*b.opts.issuePairs) * b.opts.issueFor.Seconds())
	order := sweepOrder{Vault: store, Expired: expired, Conns: sweepConns, Pairs: b.opts.issuePairs, Duration: b.opts.issueFor}
	if err := b.help(ctx, "sweep", b.cores.onServer, order, &results); err != nil {
		return err
	}
	for _, r := range results {
		b.add(title, figure{
			Key:   fmt.Sprintf("sweep-%d", r.Conns),
			What:  fmt.Sprintf("commit p99 while sweeping ÷ without, %d callers", r.Conns),
			Value: spreadOf(r.Ratios),
			Detail: fmt.Sprintf("%s ms ÷ %s ms; %s records/s swept", number(milliseconds(r.With)), number(milliseconds(r.Without)),
				number(r.Swept)),
		})
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
