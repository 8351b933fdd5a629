// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// loopResult is what callers in a process saw.
type loopResult struct {
	Latencies latencies
	Took      time.Duration
}

// closedLoop lets n callers do something, each again as soon as it is done, for
// the duration, and at least once. do is told which of them it is for.
func closedLoop(n int, duration time.Duration, do func(i int) error) (loopResult, error) {
	var (
		callers sync.WaitGroup
		all     = make([]latencies, n)
		errs    = make([]error, n)
		begin   = time.Now()
	)
	for i := range n {
		callers.Go(func() {
			for last := begin; ; {
				if errs[i] = do(i); errs[i] != nil {
					return
				}
				now := time.Now()
				all[i] = append(all[i], now.Sub(last))
				if last = now; last.Sub(begin) >= duration {
					return
				}
			}
		})
	}
	callers.Wait()
	if err := errors.Join(errs...); err != nil {
		return loopResult{}, fmt.Errorf("in a loop of %d: %w", n, err)
	}
	result := loopResult{Took: time.Since(begin)}
	for _, one := range all {
		result.Latencies = append(result.Latencies, one...)
	}
	return result, nil
}
