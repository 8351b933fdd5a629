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
// the duration.
func closedLoop(n int, duration time.Duration, do func() error) (loopResult, error) {
	var (
		callers sync.WaitGroup
		all     = make([]latencies, n)
		errs    = make([]error, n)
		begin   = time.Now()
	)
	for i := range n {
		callers.Go(func() {
			for last := begin; last.Sub(begin) < duration; {
				if errs[i] = do(); errs[i] != nil {
					return
				}
				now := time.Now()
				all[i] = append(all[i], now.Sub(last))
				last = now
			}
		})
	}
	callers.Wait()
	if err := errors.Join(errs...); err != nil {
		return loopResult{}, fmt.Errorf("writing: %w", err)
	}
	result := loopResult{Took: time.Since(begin)}
	for _, one := range all {
		result.Latencies = append(result.Latencies, one...)
	}
	return result, nil
}
