// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"
)

// Ensure that a side and its base take turns, each as often the first, and that the
// ratio is that of all that both did.
func TestSidesTakeTurns(t *testing.T) {
	var order []string
	fake := func(name string, requests ...int) side {
		return side{name: name, pid: os.Getpid(), run: func(context.Context, time.Duration) (latencies, time.Duration, error) {
			n := requests[0]
			requests = append(requests[1:], n)
			order = append(order, name)
			return make(latencies, n), time.Second, nil
		}}
	}
	b := &bench{} // the time for repetitions is over
	all, err := b.compare(t.Context(), fake("base", 100, 300), []side{fake("a", 100), fake("b", 400)}, plan{2, 2, time.Second, foreignLimit})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"base", "a", "a", "base", "base", "b", "b", "base"}
	if want = slices.Repeat(want, 2); !slices.Equal(order, want) {
		t.Errorf("measured %v", order)
	}
	for i, ratio := range []float64{0.5, 2} {
		if got := all[i].rates(); got != single(ratio) {
			t.Errorf("%s: %v, want %v", all[i].side.name, got, ratio)
		}
	}
}

// Ensure that the 99th percentile is a latency that was seen, and that 99 % of
// all are not above it.
func TestPercentile(t *testing.T) {
	var l latencies
	for i := range 200 {
		l = append(l, time.Duration(200-i))
	}
	for p, want := range map[float64]time.Duration{50: 100, 99: 198, 99.9: 200, 100: 200, 0: 1} {
		if got := l.percentile(p); got != want {
			t.Errorf("percentile %v is %d, want %d", p, got, want)
		}
	}
	if (latencies{}).percentile(99) != 0 {
		t.Error("the percentile of nothing")
	}
}

// Ensure that the median of an even number of values lies between the two in
// the middle.
func TestSpread(t *testing.T) {
	if got := spreadOf([]float64{4, 1, 3, 2}); got != (spread{Median: 2.5, Min: 1, Max: 4}) {
		t.Errorf("%+v", got)
	}
	if got := spreadOf([]float64{3, 1, 2}); got != (spread{Median: 2, Min: 1, Max: 3}) {
		t.Errorf("%+v", got)
	}
}
