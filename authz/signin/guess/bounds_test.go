// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package guess

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// Ensure the promise: an account lets through no more than so many wrong tries in
// any hour and in a day from browsers that are not known, however they are timed,
// wherever they come from, and whoever signs in meanwhile.
func TestTriesInAnHour(t *testing.T) {
	for _, c := range []struct {
		kind      Kind
		hour, day int
	}{
		{Password, 70, 1450},
		{SecondFactor, 16, 40},
	} {
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(1, seed))
			l, now := New(), start
			var through []time.Time
			for now.Before(start.Add(24 * time.Hour)) {
				try := Try{Kind: c.kind, Account: "ada", Address: netip.AddrFrom4([4]byte{10, byte(random.Uint32()), byte(random.Uint32()), 1})}
				switch pause := random.IntN(100); {
				case seed == 0 || pause < 90: // as soon as it may
					now = now.Add(l.Check(now, try))
				case pause < 99:
					now = now.Add(time.Duration(random.Int64N(int64(time.Minute))))
				default:
					now = now.Add(time.Duration(random.Int64N(int64(3 * time.Hour))))
				}
				known := Try{Kind: c.kind, Account: "ada", Device: "laptop", Address: try.Address}
				if l.Admit(now, known) == 0 && random.IntN(2) == 0 {
					l.Succeeded(now, known)
				}
				if l.Admit(now, try) == 0 {
					through = append(through, now)
				}
			}
			if n := busiest(through, time.Hour); n > c.hour || seed == 0 && n < c.hour-1 {
				t.Errorf("kind %d, seed %d: %d tries in an hour, promised %d", c.kind, seed, n, c.hour)
			}
			if n := busiest(through, 24*time.Hour); n > c.day || seed == 0 && n < c.day-10 {
				t.Errorf("kind %d, seed %d: %d tries in a day, promised %d", c.kind, seed, n, c.day)
			}
		}
	}
}

// busiest is how many of times, which are in order, are within one span.
func busiest(times []time.Time, span time.Duration) (most int) {
	first := 0
	for i, at := range times {
		for at.Sub(times[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// Ensure that memory is bounded, and that a flood of made-up names neither frees an
// account that is being guessed at, nor wins tries by names that push each other out.
func TestFloodOfNames(t *testing.T) {
	l := New()
	l.passwords = newTable(passwordRules, 1000)
	victim := Try{Account: "ada"}
	for range 8 {
		l.Failed(start, victim)
	}
	now := start
	for i := range 20_000 {
		if name := (Try{Account: fmt.Sprint("name", i)}); l.Admit(now, name) != 0 {
			t.Fatalf("%s has to wait for its first try", name.Account)
		}
		if n := len(l.passwords.records); n > 1000 {
			t.Fatalf("%d are remembered", n)
		}
	}
	if wait := l.Check(now, victim); wait == 0 {
		t.Error("the flood has freed the account")
	}
	// Names that all have cost their free tries: the next ones have one free try only.
	for i := range 3000 {
		for l.Admit(now, Try{Account: fmt.Sprint("hot", i)}) == 0 {
		}
	}
	for i := range 100 {
		name := Try{Account: fmt.Sprint("late", i)}
		if l.Admit(now, name) != 0 {
			t.Fatalf("%s has to wait for its first try", name.Account)
		}
		if l.Check(now, name) == 0 {
			t.Errorf("%s has more than one free try in a full table", name.Account)
		}
	}
	// What is old makes room.
	now = now.Add(24 * time.Hour)
	honest := Try{Account: "grace"}
	if l.Admit(now, honest) != 0 || l.Check(now, honest) != 0 {
		t.Error("a full table of old failures costs others their free tries")
	}
}
