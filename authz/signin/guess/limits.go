// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package guess slows down those who guess passwords, codes and secrets, and
// nobody else as far as that can be told.
//
// Every account and every address has some tries for free, also accounts that do
// not exist. After that each failure makes the next try wait, up to a limit: nothing is
// ever locked, so nobody can lock a person out. A browser in which the person
// has signed in before is known by a cookie (see [Browsers]) and has tries of its own,
// whatever happens to the account and the address meanwhile.
//
// It is kept in memory, is bounded, and has nothing of a configuration in it, so that
// it outlives a reload.
package guess

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Kind is what is guessed at.
type Kind uint8

// Kinds of guesses.
const (
	// Password: of an account.
	Password Kind = iota
	// SecondFactor: a code, by somebody who knows the password already. Six digits
	// need more patience: one try an hour in the long run, at about three in a million.
	SecondFactor
	// Client: the secret of a client. It waits for tries of this client from this
	// address only, so that nobody makes a client wait from elsewhere.
	Client
	// Push: of requests by clients that have no secret. It is none, but each is kept for
	// a while, whoever sent it: so each counts, by address alone.
	Push
)

// rules are those of one table. After free failures each one doubles the time to
// the next try, from one second up to longest; a failure is forgotten after the time
// forget.
type rules struct {
	free            int
	longest, forget time.Duration
}

var (
	// An account lets through at most 70 wrong passwords in an hour and 1,450 in a
	// day, and 40 wrong codes in a day, from all browsers that are not known.
	passwordRules     = rules{free: 5, longest: time.Minute, forget: 10 * time.Minute}
	secondFactorRules = rules{free: 5, longest: time.Hour, forget: 2 * time.Hour}
	// Behind one address may be an office: a mistake a minute costs nobody anything.
	addressRules = rules{free: 20, longest: 15 * time.Second, forget: time.Minute}
	clientRules  = rules{free: 20, longest: 30 * time.Second, forget: time.Minute}
	// Behind one address may be many with the same application: one a second.
	pushRules = rules{free: 120, longest: 30 * time.Second, forget: time.Second}
)

// MaxEntries is how many accounts, and as many addresses, are remembered: about
// 4 MB of memory each.
const MaxEntries = 1 << 16

// Try is an attempt to guess, or an honest one: nobody knows yet.
type Try struct {
	Kind Kind
	// Account is whose secret it is: one name for all aliases, or what was typed, in
	// its canonical form, where there is no such account.
	Account string
	// Device is what [Browsers.Device] says of the browser; empty for one that is not known.
	Device string
	// Address is the client's. Tries of an unknown one are not counted by address.
	Address netip.Addr
}

// Limits remembers failures. It is safe for concurrent use.
type Limits struct {
	// Now is what callers take the time from. It is a steady clock, other than the
	// store's, which follows the machine's clock forward: a step of that would end all
	// waits. [New] sets [time.Now], whose readings compare by their monotonic part.
	Now func() time.Time

	seed maphash.Seed

	mu                                               sync.Mutex
	passwords, secondFactors, addrs, clients, pushes table
}

// New returns limits that know of no failure.
func New() *Limits {
	return &Limits{
		Now:       time.Now,
		seed:      maphash.MakeSeed(),
		passwords: newTable(passwordRules, MaxEntries), secondFactors: newTable(secondFactorRules, MaxEntries),
		addrs: newTable(addressRules, MaxEntries), clients: newTable(clientRules, MaxEntries),
		pushes: newTable(pushRules, MaxEntries),
	}
}

// place is where something about a try is remembered.
type place struct {
	table *table
	key   uint64
}

// places are those of a try: none, one or two.
func (l *Limits) places(t Try) []place {
	network := Network(t.Address)
	switch {
	case t.Kind == Push && !network.IsValid():
		return nil
	case t.Kind == Push:
		return []place{{&l.pushes, l.hash("", network.String())}}
	case t.Kind == Client:
		return []place{{&l.clients, l.hash(t.Account, network.String())}}
	case t.Device != "":
		// Not the address: whoever else is there cannot keep the person out.
		return []place{{l.accounts(t.Kind), l.hash(t.Account, t.Device)}}
	case !network.IsValid():
		return []place{{l.accounts(t.Kind), l.hash(t.Account, "")}}
	}
	return []place{{l.accounts(t.Kind), l.hash(t.Account, "")}, {&l.addrs, l.hash("", network.String())}}
}

func (l *Limits) accounts(k Kind) *table {
	if k == SecondFactor {
		return &l.secondFactors
	}
	return &l.passwords
}

// hash makes a key of two texts. Nobody outside can find two pairs with one key.
func (l *Limits) hash(a, b string) uint64 { return maphash.Comparable(l.seed, [2]string{a, b}) }

// Network is what counts as one address: an IPv6 network of 64 bits, which every
// customer has at least, and a single IPv4 address.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	network, _ := a.Prefix(bits) // the zero one for no address
	return network
}

// Check returns how long a try has to wait; 0 if it need not.
func (l *Limits) Check(now time.Time, t Try) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wait(now, l.places(t))
}

func (l *Limits) wait(now time.Time, places []place) (longest time.Duration) {
	for _, p := range places {
		longest = max(longest, p.table.wait(now, p.key))
	}
	return longest
}

// Failed counts a try that failed.
func (l *Limits) Failed(now time.Time, t Try) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.places(t) {
		p.table.fail(now, p.key)
	}
}

// Admit returns how long the try has to wait, or 0 and counts it as failed. So of
// many at once no more get through than one after the other. One that did not
// fail is taken back by [Limits.Succeeded] or [Limits.Undecided]. A try that has to wait
// is not counted: impatience costs nothing.
func (l *Limits) Admit(now time.Time, t Try) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	places := l.places(t)
	if wait := l.wait(now, places); wait > 0 {
		return wait
	}
	for _, p := range places {
		p.table.fail(now, p.key)
	}
	return 0
}

// Succeeded takes a try back that was admitted and was right. A known browser
// has all its free tries again. The failures of others at this account or address stay:
// whoever has an account could wash them away otherwise.
func (l *Limits) Succeeded(now time.Time, t Try) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.places(t) {
		if t.Device != "" {
			p.table.drop(p.key)
		} else {
			p.table.refund(now, p.key)
		}
	}
}

// Undecided takes a try back that was admitted and then neither failed nor
// succeeded, because of trouble of ours.
func (l *Limits) Undecided(now time.Time, t Try) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.places(t) {
		p.table.refund(now, p.key)
	}
}
