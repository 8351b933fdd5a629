// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"strings"
	"testing"
	"time"
)

// Ensure that time never runs backwards while the machine's clock is set to and
// fro, and that it goes on at the steady clock's pace meanwhile.
func TestClockNeverRunsBackwards(t *testing.T) {
	c := newClock(newWall().Now, 0)
	begin := c.millis()
	last, counted := begin, int64(0)
	const s, h = int64(1000), int64(3600 * 1000)
	for i, at := range []struct{ pass, shift, want int64 }{
		{pass: s, shift: 0, want: s},
		{pass: s, shift: -h, want: s},           // set back: it goes on by itself
		{pass: 60 * s, shift: -h, want: 60 * s}, // and on
		{pass: s, shift: h, want: h + s},        // set ahead: it follows
		{pass: s, shift: 0, want: s},            // set right again: it goes on from there
		{pass: s, shift: 0, want: s},
		{pass: 0, shift: 0, want: 0},
		{pass: 0, shift: -h, want: 0},
	} {
		counted += at.pass
		now := c.advance(begin+counted+at.shift, counted)
		if now-last != at.want {
			t.Errorf("step %d: %d ms passed, want %d", i, now-last, at.want)
		}
		last = now
	}
}

// Ensure that a restart does not fall behind what was seen before, whatever the
// machine's clock says, and that this is said.
func TestClockAcrossRestart(t *testing.T) {
	m, w, log := newMemory(), newWall(), &logs{}
	db := start(t, m, Options{Now: w.Now})
	key := CredentialKey([32]byte(rand32()))
	c := db.NewChange()
	c.Create(key, token{Scope: "orders:read"}, db.Now().Add(time.Hour))
	_, err := db.Commit(t.Context(), c)
	must(t, err, nil, "saving")
	w.move(2 * time.Hour)
	must(t, cached(t, db, key), ErrNotFound, "after two hours")
	must(t, db.saveClock(t.Context()), nil, "saving the clock")
	seen := db.Now()

	w.move(-3 * time.Hour)
	again := start(t, m.crash(), Options{Now: w.Now, Logger: log.logger()})
	if again.Now().Before(seen) {
		t.Errorf("time went from %v to %v", seen, again.Now())
	}
	must(t, cached(t, again, key), ErrNotFound, "after the restart")
	if b := again.Stats().ClockBehind; b != 3*time.Hour {
		t.Errorf("behind by %v", b)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "time synchronisation") {
		t.Errorf("the log does not say what to do: %s", log)
	}
	w.move(time.Minute)
	if got := again.Now().Sub(seen); got != time.Minute {
		t.Errorf("a minute later, %v have passed", got)
	}
}
