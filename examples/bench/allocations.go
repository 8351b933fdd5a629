// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"
)

// allocations is what the server takes from its heap for one request. Unlike
// time it does not depend on what else the machine does.
type allocations struct{ count, bytes float64 }

// countAllocations runs a side and reads the gateway's metrics around it.
// Reading them takes from the heap too; how much is found by reading twice.
func (g *gateway) countAllocations(ctx context.Context, s side, duration time.Duration) (allocations, error) {
	var readings [3]allocations
	var answers float64
	for i := range readings {
		if i == 2 {
			all, _, err := s.run(ctx, duration)
			if err != nil {
				return allocations{}, err
			}
			answers = max(1, float64(len(all)))
		}
		m, err := g.metrics(ctx)
		if err != nil {
			return allocations{}, err
		}
		readings[i] = allocations{m["go_memstats_mallocs_total"], m["go_memstats_alloc_bytes_total"]}
	}
	first, second, third := readings[0], readings[1], readings[2]
	return allocations{
		count: (third.count - 2*second.count + first.count) / answers,
		bytes: (third.bytes - 2*second.bytes + first.bytes) / answers,
	}, nil
}
