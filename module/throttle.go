// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"sync"
	"time"
)

const (
	// lineBurst is how many lines a throttle lets pass at once.
	lineBurst = 100
	// lineEvery is the time after which it lets pass one more: a flood of
	// refused requests writes ten lines a second, and does not fill a disk.
	lineEvery = 100 * time.Millisecond
)

// throttle is a token bucket that counts what it turned away. The zero value
// is a full one.
type throttle struct {
	mu      sync.Mutex
	spent   int
	filled  time.Time
	leftOut uint64
}

// take reports whether one more may pass at now, and how many were turned away
// since the last one that passed.
func (t *throttle) take(now time.Time) (pass bool, leftOut uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if more := int(now.Sub(t.filled) / lineEvery); more > 0 {
		t.spent = max(0, t.spent-more)
		t.filled = now
	}
	if t.spent == lineBurst {
		t.leftOut++
		return false, 0
	}
	t.spent++
	leftOut, t.leftOut = t.leftOut, 0
	return true, leftOut
}
