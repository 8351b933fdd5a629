// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"testing"
	"time"
)

// Ensure that a record is valid until its very moment and not from then on, to the
// millisecond that the store resolves, near and far: before and after 2038, and
// where years have five digits next. Row FT06.
func testBoundaries(t *testing.T, f *fixture) {
	d := newDatabase(f)
	for i, moment := range []time.Time{
		time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2031, 1, 1, 0, 0, 1, 500_000_000, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 5, 999_000_000, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC), // the first second beyond 31 bits
		time.Date(2106, 2, 7, 6, 28, 16, 0, time.UTC), // the first beyond 32
		time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC),
	} {
		d.set(moment.Add(-time.Hour))
		key, err := d.mint(fmt.Sprint("until ", i), moment)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			at    time.Duration
			valid bool
		}{{-time.Second, true}, {-time.Millisecond, true}, {-time.Nanosecond, true}, {0, false}, {time.Nanosecond, false}, {time.Second, false}} {
			d.set(moment.Add(c.at))
			if got := d.valid(key); got != c.valid {
				t.Errorf("until %v, at %v of it: valid is %v", moment, c.at, got)
			}
		}
		if n, err := d.Sweep(t.Context()); err != nil || i > 0 && n == 0 {
			t.Errorf("the sweep after %v removed %d, %v", moment, n, err)
		}
	}
}

// Ensure that a clock which jumps forward ends what it ends and nothing else, that
// one which jumps back brings nothing back, also when the store is opened again
// meanwhile, and that the store takes tokens all the while. Rows FT01 to FT03.
func testJumps(t *testing.T, f *fixture) {
	d := newDatabase(f)
	start := d.now()
	for i, jump := range []time.Duration{time.Hour, 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		before := d.Now()
		short, err := d.mint(fmt.Sprint("short ", i), before.Add(jump/2))
		if err != nil {
			t.Fatal(err)
		}
		long, err := d.mint(fmt.Sprint("long ", i), before.Add(2*jump))
		if err != nil {
			t.Fatal(err)
		}
		d.set(before.Add(jump))
		check := func(when string) {
			t.Helper()
			if d.valid(short) || !d.valid(long) {
				t.Errorf("%v forward, %s: what expired is valid: %v, the other: %v", jump, when, d.valid(short), d.valid(long))
			}
			if d.Now().Before(before.Add(jump)) {
				t.Errorf("%v forward, %s: the store's time is %v", jump, when, d.Now())
			}
			if key, err := d.mint(fmt.Sprint(when, i), d.Now().Add(time.Minute)); err != nil || !d.valid(key) {
				t.Errorf("%v forward, %s: a new token: %v", jump, when, err)
			}
		}
		check("then")
		if _, err := d.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
		check("after the sweep")
		d.saveClock()
		d.set(start)
		check("set back")
		d.reopen()
		check("opened again with the clock set back")
	}
}
