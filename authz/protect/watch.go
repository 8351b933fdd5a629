// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

const (
	// watchEvery is how often what is under way is judged anew. The promise is
	// 5 s from revocation or expiry to the cut: a request is looked at when it is
	// watchAfter old, by the next round, which may take a round's time.
	watchEvery = 2 * time.Second
	// watchAfter is how old a request is before it is looked at. Ordinary ones
	// are gone by then.
	watchAfter = time.Second
	// watchShards is how many lists requests are spread over, so that those of
	// many cores seldom meet.
	watchShards = 32
)

// watch knows the requests that passed with a credential and have not ended,
// judges them again and again, and cuts those that would not pass any more. To be
// known costs a request no allocation and no goroutine: the lists go through the
// passages themselves. There is a timer while there are requests.
type watch struct {
	shards [watchShards]shard
	// made is when the guard was made, which requests tell the time from.
	made time.Time
	// due: a round will come.
	due atomic.Bool
	// cutting is held while a request is being cut: what is done to it must not
	// reach beyond the end of its handler.
	cutting sync.Mutex
}

// shard is a list of requests in the order in which they came. Its lock is held
// for a few instructions.
type shard struct {
	mu             sync.Mutex
	oldest, newest *passage
	_              [64 - 24]byte // a cache line of its own
}

// stay is what a passage knows of itself for the watch. Every request carries
// one, so it is small.
type stay struct {
	shard        uint8
	present      bool // in the list
	ended        bool // cut, or about to be
	older, newer *passage
	since        time.Duration // watch.made to the request's arrival
	row          *entry
	// request is the guard's. Handlers further in have a copy, but share its
	// header and its URL.
	request *http.Request
	// writer is what next got: a *gate where the request cannot be cut from below.
	writer http.ResponseWriter
}

// enter begins to follow a request.
func (g *Guard) enter(p *passage) {
	w := &g.watch
	p.shard, p.present = uint8(rand.Uint32()%watchShards), true
	s := &w.shards[p.shard]
	s.mu.Lock()
	if p.older = s.newest; p.older == nil {
		s.oldest = p
	} else {
		p.older.newer = p
	}
	s.newest = p
	s.mu.Unlock()
	// In this order: the last round looks again after it has said that none is due.
	if !w.due.Load() {
		g.wake(watchEvery)
	}
}

// leave ends the following, and reports whether the request was cut. Nothing
// touches it afterwards.
func (g *Guard) leave(p *passage) (cut bool) {
	s := &g.watch.shards[p.shard]
	s.mu.Lock()
	if p.older == nil {
		s.oldest = p.newer
	} else {
		p.older.newer = p.newer
	}
	if p.newer == nil {
		s.newest = p.older
	} else {
		p.newer.older = p.older
	}
	p.older, p.newer, p.present = nil, nil, false
	cut = p.ended
	s.mu.Unlock()
	if cut {
		g.watch.cutting.Lock() // until it is done
		defer g.watch.cutting.Unlock()
	}
	return cut
}

// wake has a round come after a time, unless one will come anyway.
func (g *Guard) wake(after time.Duration) {
	if g.watch.due.CompareAndSwap(false, true) {
		time.AfterFunc(after, g.round)
	}
}

// round judges what is under way, and sees to the next round.
func (g *Guard) round() {
	began := time.Now()
	// All of a round share the time of one: a store that hangs must not keep
	// those at the end of the list open long after they expired.
	until := began.Add(watchEvery)
	// Not the requests' contexts: what hangs there is their handlers', who use it now.
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	still := (&http.Request{Header: http.Header{}, URL: new(url.URL)}).WithContext(ctx)
	under := g.watch.older(began.Sub(g.watch.made) - watchAfter)
	// Ours go first: another issuer that does not answer must not take their time.
	for _, ours := range [...]bool{true, false} {
		for _, p := range under {
			if ours != (p.principal.Issuer == g.config.Issuer) {
				continue
			}
			if refusal := g.judgeAgain(p, still); refusal != nil {
				g.cut(p, refusal)
			}
		}
	}
	g.watch.due.Store(false)
	if g.watch.busy() {
		g.wake(time.Until(until))
	}
}

// older returns the requests that came before a time and are still under way. It
// begins anywhere: where time runs out, others are left each time.
func (w *watch) older(than time.Duration) (under []*passage) {
	first := rand.IntN(watchShards)
	for i := range w.shards {
		s := &w.shards[(first+i)%watchShards]
		s.mu.Lock()
		for p := s.oldest; p != nil && p.since < than; p = p.newer {
			if !p.ended {
				under = append(under, p)
			}
		}
		s.mu.Unlock()
	}
	return under
}

// busy reports whether any request is under way.
func (w *watch) busy() bool {
	for i := range w.shards {
		s := &w.shards[i]
		s.mu.Lock()
		some := s.oldest != nil
		s.mu.Unlock()
		if some {
			return true
		}
	}
	return false
}

// judgeAgain returns why the request would not pass now. What it asks, it asks in the
// context of still. Trouble of ours cuts nothing before it expires: a revocation that
// could not be stored was not acknowledged either.
func (g *Guard) judgeAgain(p *passage, still *http.Request) (refusal *authz.Error) {
	// A panic here would not be one request's: it would end the process.
	defer func() {
		if recover() != nil {
			refusal = authz.ErrServer
		}
	}()
	again := passage{credential: p.credential}
	if refusal = g.authenticate(still.Context(), &again); refusal == nil {
		refusal = g.decide(stillOf(still, p.request), p.row, &again.principal)
	}
	if refusal != nil && refusal.Status >= http.StatusInternalServerError && g.config.Now().Before(p.principal.Expires) {
		return nil
	}
	return refusal
}

// stillOf makes still what does not change of a request while handlers have it.
// Header and URL are theirs, so there are none.
func stillOf(still, r *http.Request) *http.Request {
	still.Method, still.Proto, still.ProtoMajor, still.ProtoMinor = r.Method, r.Proto, r.ProtoMajor, r.ProtoMinor
	still.Host, still.RemoteAddr, still.TLS = r.Host, r.RemoteAddr, r.TLS
	return still
}
