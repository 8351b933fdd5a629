// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
)

const (
	// MaxVerdicts is how many tokens [Memory] knows at one time.
	MaxVerdicts = 1 << 15
	// maxRefusals is of how many tokens it knows that their issuer refused them. They
	// have room of their own: strangers can make up any number.
	maxRefusals = 1 << 13
	// refusedFor is how long a refusal is used again, at most: who comes back at once
	// with what was refused costs the issuer nothing, and a token that its issuer did
	// not know yet everywhere has a chance soon.
	refusedFor = 5 * time.Second
	// shards is how many parts the verdicts are in, each with a lock of its own.
	shards = 64
	// maxFlights is how many tokens one endpoint is asked about at a time. One that hangs
	// takes up its own places, and no other's.
	maxFlights = 512
)

// Memory is what is known about foreign tokens. It outlives configurations, and
// serves any number of them. It is safe for concurrent use.
type Memory struct {
	fetch *fetch.Client
	keys  *jwks.Cache
	now   func() time.Time

	verdicts [shards]shard

	ctx     context.Context
	stop    context.CancelFunc
	working sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	flights map[digest]*flight
	asking  map[string]int // flights by the URL of the endpoint

	asked, failed atomic.Uint64
}

// NewMemory returns an empty memory. now is the clock that tokens expire by.
func NewMemory(client *fetch.Client, keys *jwks.Cache, now func() time.Time) *Memory {
	ctx, stop := context.WithCancel(context.Background())
	return &Memory{fetch: client, keys: keys, now: now, ctx: ctx, stop: stop, flights: map[digest]*flight{}, asking: map[string]int{}}
}

// Questions returns how often issuers were asked about tokens, and how many of
// those had no answer.
func (m *Memory) Questions() (all, failed uint64) { return m.asked.Load(), m.failed.Load() }

// Close ends what is on its way. Afterwards no issuer is asked any more.
func (m *Memory) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.stop()
	m.working.Wait()
}

// digest names a token and the settings that it is judged by.
type digest [sha256.Size]byte

// verdict is what was found out about a token. It is never changed.
type verdict struct {
	principal *authz.Principal
	// refused is why its issuer refused it; nil where there is a principal.
	refused error
	until   time.Time
	// keys and version are what its signature was verified by; nil where its
	// issuer was asked.
	keys    *jwks.Keys
	version uint64
}

// answer is the answer to who presents the token.
func (v *verdict) answer() (authz.Principal, error) {
	if v.refused != nil {
		return authz.Principal{}, v.refused
	}
	return *v.principal, nil
}

type shard struct {
	mu             sync.Mutex
	known, refused map[digest]*verdict
}

func (m *Memory) shard(d digest) *shard { return &m.verdicts[d[0]%shards] }

// recall returns a verdict that still holds, or nil.
func (m *Memory) recall(d digest) *verdict {
	s := m.shard(d)
	s.mu.Lock()
	v := s.known[d]
	if v == nil {
		v = s.refused[d]
	}
	s.mu.Unlock()
	if v == nil || !m.now().Before(v.until) || v.keys != nil && !v.keys.Current(v.version) {
		return nil
	}
	return v
}

// remember keeps a verdict. Where there is no room, another one of its sort goes.
func (m *Memory) remember(d digest, v *verdict) {
	now := m.now()
	if !now.Before(v.until) {
		return
	}
	s := m.shard(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, d)
	delete(s.refused, d)
	if v.refused != nil {
		keep(&s.refused, maxRefusals/shards, d, v, now)
	} else {
		keep(&s.known, MaxVerdicts/shards, d, v, now)
	}
}

// keep puts a verdict that is not there yet among at most so many. Where there is no
// room, one that has expired goes, if one of a few is, else any.
func keep(among *map[digest]*verdict, most int, d digest, v *verdict, now time.Time) {
	if *among == nil {
		*among = map[digest]*verdict{}
	}
	if len(*among) >= most {
		const tries = 8
		victim, looked := d, 0
		for other, known := range *among { // in random order
			victim = other
			if looked++; looked == tries || !now.Before(known.until) {
				break
			}
		}
		delete(*among, victim)
	}
	(*among)[d] = v
}

// flight is a question on its way.
type flight struct {
	done    chan struct{}
	verdict *verdict
	err     error
}

var (
	errBusy   = errors.New("too many tokens are being asked about")
	errClosed = errors.New("the gateway is closing")
)

// once asks the endpoint at url about a token. Those who want to know the same share
// one question, which goes on when one of them gives up.
//
// A question that was on its way already has an answer from before this request: it
// counts for as long as one that is remembered. Otherwise the next one does, which
// begins after this request arrived.
func (m *Memory) once(ctx context.Context, url string, d digest, ask func(context.Context) (*verdict, error)) (*verdict, error) {
	for late := true; ; late = false {
		f, own, err := m.join(url, d, ask)
		if err != nil {
			return nil, authz.ErrTemporarilyUnavailable.Because(err)
		}
		select {
		case <-f.done:
			if own || !late || f.err != nil || f.verdict.refused != nil || m.now().Before(f.verdict.until) {
				return f.verdict, f.err
			}
		case <-ctx.Done():
			return nil, authz.ErrTemporarilyUnavailable.Because(context.Cause(ctx))
		}
	}
}

// join returns the question on its way, or begins it; own says which.
func (m *Memory) join(url string, d digest, ask func(context.Context) (*verdict, error)) (f *flight, own bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.flights[d]; f != nil {
		return f, false, nil
	}
	switch {
	case m.closed:
		return nil, false, errClosed
	case m.asking[url] >= maxFlights:
		return nil, false, errBusy
	}
	f = &flight{done: make(chan struct{})}
	m.flights[d] = f
	m.asking[url]++
	m.working.Go(func() {
		f.verdict, f.err = ask(m.ctx)
		m.asked.Add(1)
		switch {
		case f.err == nil:
			m.remember(d, f.verdict)
		case errors.Is(f.err, authz.ErrTemporarilyUnavailable):
			m.failed.Add(1)
		}
		m.mu.Lock()
		delete(m.flights, d)
		if m.asking[url]--; m.asking[url] == 0 {
			delete(m.asking, url)
		}
		m.mu.Unlock()
		close(f.done)
	})
	return f, true, nil
}
