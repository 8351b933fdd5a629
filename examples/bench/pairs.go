// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"slices"
	"time"
)

// pair is a side and its base, measured at the same time: in slices that take turns.
type pair struct {
	own, base sample
	foreign   float64 // cores that others took meanwhile
}

// plan says how sides are compared.
type plan struct {
	pairs    int
	slices   int           // of each side in a pair
	duration time.Duration // of a slice
	foreign  float64       // cores that others may take during a pair
}

// comparison gathers the pairs of one side.
type comparison struct {
	side  side
	plan  plan
	pairs []pair
}

// compare measures every side against its base, as planned. A ratio is taken within
// its pair only. A machine's own speed drifts from one second to the next, so the
// two of a pair take turns in short slices; and the server collects its garbage
// once in a second or so, which no slice shows as it is, so a pair is many of them.
func (b *bench) compare(ctx context.Context, base side, sides []side, p plan) ([]*comparison, error) {
	all := make([]*comparison, len(sides))
	for i, s := range sides {
		all[i] = &comparison{side: s, plan: p}
	}
	for round := range p.pairs {
		for _, c := range all {
			one, err := b.quietPair(ctx, base, c.side, p)
			if err != nil {
				return nil, err
			}
			c.pairs = append(c.pairs, one)
		}
		b.progress("%s: %d of %d", base.name, round+1, p.pairs)
	}
	return all, nil
}

// quietPair measures a pair, and again while others disturb it.
func (b *bench) quietPair(ctx context.Context, base, own side, p plan) (pair, error) {
	var best pair
	for attempt := range attempts {
		one, err := measurePair(ctx, base, own, p)
		if err != nil {
			return pair{}, err
		}
		if attempt == 0 || one.foreign < best.foreign {
			best = one
		}
		if best.foreign <= p.foreign || !b.mayRepeat(own) {
			break
		}
	}
	return best, nil
}

// measurePair measures a side and its base in turns, each as often the first as the
// second of two slices.
func measurePair(ctx context.Context, base, own side, p plan) (pair, error) {
	var one pair
	pids := append(append([]int{os.Getpid()}, base.processes()...), own.processes()...)
	slices.Sort(pids)
	pids = slices.Compact(pids) // each counts once
	from, err := readOthers(pids)
	if err != nil {
		return one, err
	}
	for i := range 2 * p.slices {
		from, to := base, &one.base
		if i%4 == 1 || i%4 == 2 {
			from, to = own, &one.own
		}
		slice, err := from.sample(ctx, p.duration)
		if err != nil {
			return one, err
		}
		to.add(slice)
	}
	to, err := readOthers(pids)
	one.foreign = to.since(from)
	return one, err
}

// rates are side ÷ base in requests per second, one for each pair.
func (c *comparison) rates() spread {
	return over(c.pairs, func(p pair) float64 { return p.own.rate() / p.base.rate() })
}

// cpus are side ÷ base in processor time per request, one for each pair.
func (c *comparison) cpus() spread {
	return over(c.pairs, func(p pair) float64 { return p.own.cpuEach() / p.base.cpuEach() })
}

// own and base are all samples of the side and of its base.
func (c *comparison) own() (list []sample) {
	for _, p := range c.pairs {
		list = append(list, p.own)
	}
	return list
}

func (c *comparison) base() (list []sample) {
	for _, p := range c.pairs {
		list = append(list, p.base)
	}
	return list
}

// mark is what a reader must know about the samples: "" when nothing.
func (c *comparison) mark() string {
	var disturbed, full string
	for _, p := range c.pairs {
		if p.foreign > c.plan.foreign {
			disturbed = "disturbed"
		}
		if max(p.base.loadCore(), p.own.loadCore()) > loadLimit {
			full = " load core full"
		}
	}
	return disturbed + full
}

// rateOf is the spread of requests per second.
func rateOf(samples []sample) spread {
	return over(samples, func(s sample) float64 { return s.rate() })
}

// cpuOf is the spread of processor time per request, in microseconds.
func cpuOf(samples []sample) spread {
	return over(samples, func(s sample) float64 { return s.cpuEach() })
}

// p99Of is the 99th percentile of all latencies of all samples, in
// milliseconds.
func p99Of(samples []sample) float64 {
	var all latencies
	for _, s := range samples {
		all = append(all, s.latencies...)
	}
	return float64(all.percentile(99)) / 1e6
}

func over[T any](list []T, figure func(T) float64) spread {
	values := make([]float64, len(list))
	for i, one := range list {
		values[i] = figure(one)
	}
	return spreadOf(values)
}
