// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// sweepOrder is what the sweep helper is told.
type sweepOrder struct {
	Vault    vaultOptions
	Expired  int   // tokens that are to be swept, minted before
	Conns    []int // numbers of callers who commit meanwhile
	Pairs    int
	Duration time.Duration // of each sample
}

// sweepResult is what commits took at one number of callers.
type sweepResult struct {
	Conns   int
	Ratios  []float64 // p99 while sweeping ÷ p99 without, one for each pair
	With    time.Duration
	Without time.Duration // the p99 of all samples together
	Swept   float64       // records a second
}

// sweepHelper measures, in one process, how long it takes to save a token while
// expired ones are swept, and while they are not.
func sweepHelper(ctx context.Context, o sweepOrder) (_ []sweepResult, err error) {
	v, err := openVault(ctx, o.Vault, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	const lifetime = time.Second
	if _, err := v.mintMany(ctx, o.Expired, 1, 0, lifetime); err != nil {
		return nil, err
	}
	select {
	case <-time.After(lifetime + time.Second): // the index counts in whole seconds
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var all []sweepResult
	for _, conns := range o.Conns {
		one, err := v.sweepWith(ctx, conns, o)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// sweepWith measures at one number of callers: without, with, without.
func (v *vault) sweepWith(ctx context.Context, conns int, o sweepOrder) (sweepResult, error) {
	save := func(int) error {
		_, err := v.mint(ctx, 1, liveFor)
		return err
	}
	r := sweepResult{Conns: conns}
	var with, without latencies
	swept, sweeping := 0, time.Duration(0)
	for range o.Pairs {
		before, err := closedLoop(conns, o.Duration, save)
		if err != nil {
			return r, err
		}
		n, during, err := v.sweepDuring(ctx, func() (loopResult, error) { return closedLoop(conns, o.Duration, save) })
		if err != nil {
			return r, err
		}
		after, err := closedLoop(conns, o.Duration, save)
		if err != nil {
			return r, err
		}
		mean := (before.Latencies.percentile(99) + after.Latencies.percentile(99)) / 2
		r.Ratios = append(r.Ratios, float64(during.Latencies.percentile(99))/float64(mean))
		with = append(with, during.Latencies...)
		without = append(append(without, before.Latencies...), after.Latencies...)
		swept, sweeping = swept+n, sweeping+during.Took
	}
	r.With, r.Without = with.percentile(99), without.percentile(99)
	r.Swept = float64(swept) / sweeping.Seconds()
	return r, nil
}

// sweepDuring sweeps while do is done, and says how many records went. A sweep
// that runs out of expired records is an error: what it did not disturb would be
// counted as if it had.
func (v *vault) sweepDuring(ctx context.Context, do func() (loopResult, error)) (int, loopResult, error) {
	ctx, stop := context.WithCancel(ctx)
	type end struct {
		removed int
		err     error
	}
	ended := make(chan end, 1)
	go func() {
		n, err := v.db.Sweep(ctx)
		ended <- end{n, err}
	}()
	result, err := do()
	early := len(ended) > 0
	stop()
	last := <-ended
	switch {
	case err != nil:
		return 0, result, err
	case early:
		return 0, result, fmt.Errorf("the sweep ended after %d records, before the sample did (%v)", last.removed, last.err)
	}
	return last.removed, result, nil
}
