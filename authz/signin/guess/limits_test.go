// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package guess

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var start = time.Unix(1_900_000_000, 0)

func from(address string) netip.Addr { return netip.MustParseAddr(address) }

// Ensure that some tries are free, that each further failure doubles the wait up
// to the limit, that waiting tries cost nothing, and that time heals.
func TestDelaysGrow(t *testing.T) {
	for name, c := range map[string]struct {
		try   Try
		waits []time.Duration // after each failure
		heals time.Duration   // until all is forgotten
	}{
		"password":      {Try{Account: "ada"}, []time.Duration{0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60}, 110 * time.Minute},
		"known browser": {Try{Account: "ada", Device: "laptop"}, []time.Duration{0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60}, 110 * time.Minute},
		"second factor": {Try{Kind: SecondFactor, Account: "ada"}, []time.Duration{0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600}, 34 * time.Hour},
		"client":        {Try{Kind: Client, Account: "shop", Address: from("192.0.2.1")}, append(make([]time.Duration, 19), 1, 2, 4, 8, 16, 30, 30), 25 * time.Minute},
		"push":          {Try{Kind: Push, Address: from("192.0.2.1")}, append(make([]time.Duration, 119), 1, 1, 1), 3 * time.Minute},
	} {
		l, now := New(), start
		for i, wait := range c.waits {
			if got := l.Admit(now, c.try); got != 0 {
				t.Fatalf("%s: try %d has to wait %v", name, i+1, got)
			}
			wait *= time.Second
			if got := l.Check(now, c.try); got != wait {
				t.Errorf("%s: after %d failures: %v, want %v", name, i+1, got, wait)
			}
			for range 100 {
				if got := l.Admit(now, c.try); wait > 0 && got != wait {
					t.Errorf("%s: impatience costs: %v, want %v", name, got, wait)
					break
				} else if wait == 0 {
					break
				}
			}
			if wait == 0 {
				l.Undecided(now, c.try) // the one of the loop
			}
			now = now.Add(wait)
		}
		now = now.Add(c.heals)
		for i := range len(c.waits) {
			if free := c.waits[i] == 0; free && l.Admit(now, c.try) != 0 {
				t.Errorf("%s: try %d is not free after a long time", name, i+1)
			}
		}
	}
}

// Ensure U16: whatever strangers do to an account, a browser that it knows gets in
// at once, also from their address, and one that it does not know soon.
func TestNobodyIsLockedOut(t *testing.T) {
	l, now := New(), start
	for i := range 10_000 {
		l.Admit(now, Try{Account: "ada", Address: from(fmt.Sprintf("198.51.100.%d", i%250))})
		now = now.Add(100 * time.Millisecond)
	}
	if wait := l.Admit(now, Try{Account: "ada", Device: "laptop", Address: from("198.51.100.1")}); wait != 0 {
		t.Errorf("the known browser has to wait %v", wait)
	}
	stranger := Try{Account: "ada", Address: from("203.0.113.7")}
	if wait := l.Check(now, stranger); wait > time.Minute {
		t.Errorf("a new browser has to wait %v", wait)
	} else if now = now.Add(wait); l.Admit(now, stranger) != 0 {
		t.Error("and is not let in then")
	}
	if wait := l.Check(now, Try{Account: "grace", Address: from("203.0.113.7")}); wait != 0 {
		t.Errorf("another account has to wait %v", wait)
	}
}

// Ensure that failures count for the address that customers have: an IPv6 network
// of 64 bits, one IPv4 address however it is written, and none where none is known.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		failing, other string
		same           bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		l := New()
		for i := range 20 {
			l.Admit(start, Try{Account: fmt.Sprint("user", i), Address: from(c.failing)})
		}
		if wait := l.Check(start, Try{Account: "ada", Address: from(c.other)}); (wait > 0) != c.same {
			t.Errorf("%s after %s: %v", c.other, c.failing, wait)
		}
		if wait := l.Check(start, Try{Account: "ada"}); wait != 0 {
			t.Errorf("no address after %s: %v", c.failing, wait)
		}
	}
	l := New()
	for i := range 1000 {
		l.Admit(start, Try{Account: fmt.Sprint("user", i)})
	}
	if len(l.addrs.records) != 0 {
		t.Error("no address is remembered as one")
	}
}

// Ensure that success takes back its own try and nothing else, but gives a known
// browser its free tries again.
func TestSuccess(t *testing.T) {
	l, here := New(), from("192.0.2.1")
	fail := func(try Try, n int) {
		for range n {
			l.Failed(start, try)
		}
	}
	fail(Try{Account: "ada", Address: here}, 4)
	fail(Try{Account: "mallory", Address: here}, 3)
	for range 100 {
		own := Try{Account: "mallory", Address: here}
		if l.Admit(start, own) == 0 {
			l.Succeeded(start, own)
		}
	}
	if n := l.addrs.records[l.hash("", Network(here).String())].failures; n != 7 {
		t.Errorf("%d of 7 failures of the address are left", n)
	}
	if n := l.passwords.records[l.hash("ada", "")].failures; n != 4 {
		t.Errorf("%d of 4 failures of the account are left", n)
	}
	laptop := Try{Account: "ada", Device: "laptop"}
	fail(laptop, 4)
	l.Admit(start, laptop)
	l.Succeeded(start, laptop)
	for i := range 4 {
		if l.Admit(start, laptop) != 0 {
			t.Errorf("try %d of the known browser is not free", i)
		}
	}
	// Trouble of ours is nobody's failure.
	l = New()
	for range 100 {
		if try := (Try{Account: "ada", Address: here}); l.Admit(start, try) == 0 {
			l.Undecided(start, try)
		} else {
			t.Fatal("trouble counts as a failure")
		}
	}
	if len(l.passwords.records)+len(l.addrs.records) != 0 {
		t.Error("trouble is remembered")
	}
}

// Ensure A29: a client that somebody guesses at waits there and nowhere else, and no
// other client does.
func TestClients(t *testing.T) {
	l, guesser := New(), Try{Kind: Client, Account: "shop", Address: from("198.51.100.1")}
	for range 1000 {
		l.Failed(start, guesser)
	}
	if l.Check(start, guesser) == 0 {
		t.Error("the one who guesses need not wait")
	}
	for _, honest := range []Try{
		{Kind: Client, Account: "shop", Address: from("192.0.2.1")},
		{Kind: Client, Account: "reporter", Address: guesser.Address},
		{Account: "shop", Address: guesser.Address},
	} {
		if wait := l.Check(start, honest); wait != 0 {
			t.Errorf("%+v has to wait %v", honest, wait)
		}
	}
}

// Ensure that of many tries at once no more get through than one after the other.
func TestTriesAtOnce(t *testing.T) {
	l := New()
	var through atomic.Int64
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			if l.Admit(start, Try{Account: "ada", Address: from(fmt.Sprintf("192.0.2.%d", i))}) == 0 {
				through.Add(1)
			}
		})
	}
	all.Wait()
	if n := through.Load(); n != int64(passwordRules.free) {
		t.Errorf("%d of 64 got through", n)
	}
}
