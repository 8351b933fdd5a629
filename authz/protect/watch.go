// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// watchEvery is how often an upgraded connection is judged anew. The promise is
// 5 s from revocation or expiry to the cut.
const watchEvery = 2 * time.Second

// errCut is the cause of a connection's end, for those who ask its context.
var errCut = errors.New("what the connection was opened with is no longer valid")

// upgraded is a connection that outlives the decision by which it was opened.
type upgraded struct {
	request    *http.Request
	row        *entry
	credential authz.Credential
	expires    time.Time
	cut        context.CancelCauseFunc
}

// watch judges upgraded connections again and again, and cuts those that would
// not be opened any more. It costs nothing while there are none: its goroutine
// ends with the last of them.
type watch struct {
	mu      sync.Mutex
	open    map[*upgraded]struct{}
	running bool
}

// upgrades reports whether a request that has been cleaned becomes a connection
// of another protocol, which lasts as long as its ends like.
func upgrades(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 || r.Method == http.MethodConnect
}

// follow returns the request as it is to go on: it ends when the connection must.
// The caller calls done when the connection has ended by itself.
func (g *Guard) follow(r *http.Request, row *entry, p *passage) (out *http.Request, done func()) {
	ctx, cut := context.WithCancelCause(r.Context())
	// A copy: handlers further in may change the request while it is judged.
	u := &upgraded{request: r.WithContext(r.Context()), row: row, credential: p.credential, expires: p.principal.Expires, cut: cut}
	w := &g.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		w.open = map[*upgraded]struct{}{}
	}
	w.open[u] = struct{}{}
	if !w.running {
		w.running = true
		go g.keepWatch()
	}
	return r.WithContext(ctx), func() {
		cut(nil)
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, u)
	}
}

// keepWatch runs while there are upgraded connections.
func (g *Guard) keepWatch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for range tick.C {
		connections, some := g.watch.list()
		if !some {
			return
		}
		// All of a round share the time of one: a store that hangs must not keep
		// those at the end of the list open long after they expired.
		until := time.Now().Add(watchEvery)
		for _, u := range connections {
			if !g.stands(u, until) {
				u.cut(errCut)
			}
		}
	}
}

// list returns the open connections. When there are none the watch is over.
func (w *watch) list() (connections []*upgraded, some bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for u := range w.open {
		connections = append(connections, u)
	}
	w.running = len(connections) > 0
	return connections, w.running
}

// stands reports whether the connection would be opened now, and asks until that
// time. Trouble of ours cuts nothing before it expires: a revocation that could
// not be stored was not acknowledged either.
func (g *Guard) stands(u *upgraded, until time.Time) (stands bool) {
	// A panic here would not be one request's: it would end the process.
	defer func() {
		if recover() != nil {
			stands = false
		}
	}()
	ctx, cancel := context.WithDeadline(u.request.Context(), until)
	defer cancel()
	var refusal *authz.Error
	p, err := g.config.Authenticator.Authenticate(ctx, u.credential)
	if err != nil {
		refusal = refusalOf(err)
	} else {
		p.Scheme = u.credential.Scheme
		refusal = g.decide(u.request.WithContext(ctx), u.row, &p)
	}
	switch {
	case refusal == nil:
		return true
	case refusal.Status >= http.StatusInternalServerError:
		return g.config.Now().Before(u.expires)
	}
	return false
}
