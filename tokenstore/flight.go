// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"sync"
	"time"
)

// flightTimeout bounds a load, and so the patience of all who wait for it.
const flightTimeout = 10 * time.Second

// flights are the loads under way, one a key. Who comes first makes the load, in
// its own goroutine and with its own context: nearly always nobody else comes.
type flights struct {
	mu    sync.Mutex
	byKey map[Key]*flight
}

// flight is one load.
type flight struct {
	// landed is closed at the end. It is there only once somebody waits for it.
	landed chan struct{}
	over   bool
	// next is the flight that those take for whom this one was not good enough.
	next *flight

	// The outcome, which who waits may read once it has landed.
	entry *entry
	err   error
	// abandoned: who made the load gave up. That says nothing to the others.
	abandoned bool
}

// join is the flight of key; own says that the caller has just begun it, and
// must land it. After a flight that was not good enough, all who waited for it
// get one and the same, which begins after that has landed.
func (s *flights) join(key Key, after *flight) (f *flight, own bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f = s.byKey[key]
	if after != nil && after.next != nil {
		f = after.next
	}
	if own = f == nil; own {
		if s.byKey == nil {
			s.byKey = make(map[Key]*flight)
		}
		f = &flight{}
		s.byKey[key] = f
	} else if f.landed == nil {
		f.landed = make(chan struct{})
		if f.over {
			close(f.landed)
		}
	}
	if after != nil {
		after.next = f
	}
	return f, own
}

// land ends a flight. Who comes now begins another.
func (s *flights) land(key Key, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byKey, key)
	f.over = true
	if f.landed != nil {
		close(f.landed)
	}
}
