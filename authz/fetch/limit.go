// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

const (
	// turnsOfStranger is how many requests may be on their way to one host that
	// strangers named, and turnsOfOperator to one that the operator named.
	turnsOfStranger = 4
	turnsOfOperator = 64
	// maxHosts bounds the hosts that strangers named and that are spoken to or waited
	// for at one time. The operator names as many as the configuration has.
	maxHosts = 256
	// budgetOfAddress is how many connections strangers may have us make to one
	// address in [budgetTime], whatever names they find for it: many small
	// requests here must not become a flood there.
	budgetOfAddress = 30
	budgetTime      = time.Minute
	// maxAddresses bounds the addresses that are counted in [budgetTime].
	maxAddresses = 4096
)

// turns bounds how many requests are on their way to one host. The zero value
// is ready for use.
type turns struct {
	mu    sync.Mutex
	hosts map[turn]*line
	// strangers is how many of them strangers named.
	strangers int
}

// turn keeps strangers from standing in the operator's line.
type turn struct {
	host     string
	stranger bool
}

// line is the requests to one host: those that are on their way are in slots.
type line struct {
	slots chan struct{}
	users int // with those that wait
}

// take waits for a turn. The caller calls done when the request is over.
func (t *turns) take(ctx context.Context, host string, by Trust) (done func(), err error) {
	key := turn{host, by == Stranger}
	l, err := t.join(key)
	if err != nil {
		return nil, err
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots; t.leave(key, l) }, nil
	case <-ctx.Done():
		t.leave(key, l)
		return nil, errors.New("too many requests to this host at one time")
	}
}

func (t *turns) join(key turn) (*line, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.hosts[key]
	if l == nil {
		if key.stranger && t.strangers >= maxHosts {
			return nil, errors.New("too many hosts at one time")
		}
		if t.hosts == nil {
			t.hosts = map[turn]*line{}
		}
		n := turnsOfOperator
		if key.stranger {
			n = turnsOfStranger
			t.strangers++
		}
		l = &line{slots: make(chan struct{}, n)}
		t.hosts[key] = l
	}
	l.users++
	return l, nil
}

func (t *turns) leave(key turn, l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(t.hosts, key)
		if key.stranger {
			t.strangers--
		}
	}
}

// budget counts the connections to each address.
type budget struct {
	now    func() time.Time
	mu     sync.Mutex
	since  time.Time
	counts map[netip.Addr]int
}

// spend counts a connection, or refuses it.
func (b *budget) spend(address netip.Addr) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.now(); b.counts == nil || now.Sub(b.since) >= budgetTime || now.Before(b.since) {
		b.since, b.counts = now, map[netip.Addr]int{}
	}
	if b.counts[address] >= budgetOfAddress || len(b.counts) >= maxAddresses {
		return errors.New("too many connections to this address within a minute")
	}
	b.counts[address]++
	return nil
}
