// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// foreignLimit is the share of a core that others may take during a pair. A
	// pair with more is taken again.
	foreignLimit = 0.12
	// diskForeignLimit is the same where the disk is written to: the kernel's own
	// work for it counts as others', because it belongs to no process of ours.
	diskForeignLimit = 0.4
	// attempts bounds how often a disturbed pair is taken. After that the
	// quietest one stands, and its row is marked.
	attempts = 3
	// loadLimit is the share of the load core above which the load generator,
	// not the server, might be what is measured. Such a row is marked.
	loadLimit = 0.9
	// warmUp is how long connections are used before their first sample.
	warmUp = 100 * time.Millisecond
)

// side is one of the things that are compared.
type side struct {
	name string
	pid  int   // the process whose time counts
	with []int // further processes whose time counts
	// run does what is measured for about the duration. It says how long each
	// request took, and how long it all was.
	run    func(context.Context, time.Duration) (latencies, time.Duration, error)
	leave  func() // closes its connections
	tokens *deck  // what it presents; nil for nothing
}

// newSide connects a crowd and lets it warm up.
func newSide(ctx context.Context, name string, pid int, l load, conns int) (side, error) {
	c, err := l.connect(ctx, conns)
	if err != nil {
		return side{}, fmt.Errorf("%s: %w", name, err)
	}
	if _, _, err := c.run(ctx, warmUp); err != nil {
		c.leave()
		return side{}, fmt.Errorf("%s: %w", name, err)
	}
	return side{name: name, pid: pid, run: c.run, leave: c.leave, tokens: l.tokens}, nil
}

// processes are those whose time counts.
func (s side) processes() []int { return append([]int{s.pid}, s.with...) }

// sample is what one or more runs of a side have shown together.
type sample struct {
	span      time.Duration // that it took
	server    time.Duration // processor time of the server
	load      time.Duration // that of load generator and upstream
	latencies latencies     // one for each answer
}

// sample runs a side once.
func (s side) sample(ctx context.Context, duration time.Duration) (sample, error) {
	from, err := readUsage(s.processes())
	if err != nil {
		return sample{}, err
	}
	all, took, err := s.run(ctx, duration)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", s.name, err)
	}
	to, err := readUsage(s.processes())
	if err != nil {
		return sample{}, err
	}
	return sample{took, to.server - from.server, to.load - from.load, all}, nil
}

// add puts another sample to s.
func (s *sample) add(other sample) {
	s.span += other.span
	s.server += other.server
	s.load += other.load
	s.latencies = append(s.latencies, other.latencies...)
}

// rate is the answers per second.
func (s sample) rate() float64 { return float64(len(s.latencies)) / s.span.Seconds() }

// cpuEach is the server's processor time per answer, in microseconds.
func (s sample) cpuEach() float64 {
	return float64(s.server.Nanoseconds()) / 1e3 / float64(max(1, len(s.latencies)))
}

// loadCore is how many cores load generator and upstream took.
func (s sample) loadCore() float64 { return s.load.Seconds() / s.span.Seconds() }

// mayRepeat says whether a disturbed pair may be taken again: not when the time
// for repetitions is used up, nor when that would use tokens up that later
// samples need.
func (b *bench) mayRepeat(s side) bool {
	if time.Now().After(b.repeatUntil) {
		return false
	}
	return s.tokens == nil || !s.tokens.once || s.tokens.left() > len(s.tokens.tokens)/2
}
