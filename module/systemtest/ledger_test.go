// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// long makes the tests of faults go on for as long as a release deserves.
var long = flag.Bool("long", false, "run the tests of faults in their long form")

// rounds is how often something is tried: seldom, or in the long form often.
func rounds(short, inLongForm int) int {
	if *long {
		return inLongForm
	}
	return short
}

// outcome is how a request ended, as its client knows it.
type outcome int

const (
	done    outcome = iota
	refused         // a 4xx: nothing happened
	trouble         // a 503 that says when to come again: nothing happened, or nobody knows
	unknown         // no answer: it may have happened or not
)

// lived is what the ledger has of one token: when it was asked for and issued,
// and when its revocation was asked for and acknowledged.
type lived struct {
	token                            string
	asked, issued, revoking, revoked time.Time
}

// ledger is what clients know of a gateway: it outlives the gateway's processes.
// Its rules are those of every fault:
//
//   - what was issued is taken until its revocation is asked for;
//   - nothing is taken after its revocation was acknowledged;
//   - a fault of ours is a 503 with Retry-After or no answer at all: never a
//     refusal, never a way in.
type ledger struct {
	g      *gateway
	client *http.Client

	mu      sync.Mutex
	tokens  []*lived
	counted map[outcome]int
}

func (g *gateway) ledger() *ledger {
	return &ledger{
		g: g, counted: map[outcome]int{},
		client: &http.Client{Transport: g.client.Transport, Timeout: patience, CheckRedirect: g.client.CheckRedirect},
	}
}

// send sends a request and says how it ended.
func (l *ledger) send(r *http.Request) (outcome, int, []byte) {
	resp, err := l.client.Do(r)
	o, status, body := unknown, 0, []byte(nil)
	if err == nil {
		status = resp.StatusCode
		body, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
		case status == http.StatusServiceUnavailable:
			if o = trouble; resp.Header.Get("Retry-After") == "" {
				l.g.t.Errorf("%s %s: 503 without Retry-After", r.Method, r.URL.Path)
			}
		case status >= 500:
			l.g.t.Errorf("%s %s: %d: %.200s", r.Method, r.URL.Path, status, body)
		case status >= 400:
			o = refused
		default:
			o = done
		}
	}
	l.mu.Lock()
	l.counted[o]++
	l.mu.Unlock()
	return o, status, body
}

func (l *ledger) form(path string, form url.Values) *http.Request {
	r, err := http.NewRequest(http.MethodPost, l.g.url("localhost", path), strings.NewReader(form.Encode()))
	if err != nil {
		l.g.t.Error(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("shop", shopSecret)
	return r
}

// issue asks for a token. Nil: there is none, or nobody knows of it.
func (l *ledger) issue() *lived {
	t := &lived{asked: time.Now()}
	o, status, body := l.send(l.form("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"user"}}))
	if o == refused {
		l.g.t.Errorf("a token request in order was refused: %d %.200s", status, body)
	}
	if o != done {
		return nil
	}
	var answer token
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" {
		l.g.t.Errorf("no token in %.200q", body)
		return nil
	}
	t.token, t.issued = answer.AccessToken, time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tokens) < 20 { // all of them would take a while to look for
		l.g.canary(t.token)
	}
	l.tokens = append(l.tokens, t)
	return t
}

// use shows a token to a guard, which must judge it by what is acknowledged. It
// says whether that came to an answer.
func (l *ledger) use(t *lived) bool {
	l.mu.Lock()
	before := *t
	l.mu.Unlock()
	r, err := http.NewRequest(http.MethodGet, l.g.url("open.localhost", "/"), nil)
	if err != nil {
		l.g.t.Error(err)
		return false
	}
	r.Header.Set("Authorization", "Bearer "+t.token)
	o, status, _ := l.send(r)
	l.mu.Lock()
	after := *t
	l.mu.Unlock()
	switch {
	case o == done && !before.revoked.IsZero():
		l.g.t.Errorf("a token is taken %v after its revocation was acknowledged", time.Since(before.revoked))
	case o == refused && after.revoking.IsZero():
		l.g.t.Errorf("a token is refused with %d, %v after it was issued", status, time.Since(before.issued))
	}
	return o == done || o == refused
}

// revoke asks for a token's end, and says whether that was acknowledged.
func (l *ledger) revoke(t *lived) bool {
	l.mu.Lock()
	t.revoking = time.Now()
	l.mu.Unlock()
	o, status, body := l.send(l.form("/oauth/revoke", url.Values{"token": {t.token}}))
	if o == refused {
		l.g.t.Errorf("a revocation in order was refused: %d %.200s", status, body)
	}
	if o != done {
		return false
	}
	l.mu.Lock()
	t.revoked = time.Now()
	l.mu.Unlock()
	return true
}

// entries is a copy of the ledger as it is now.
func (l *ledger) entries() []lived {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]lived, len(l.tokens))
	for i, t := range l.tokens {
		list[i] = *t
	}
	return list
}

// judge shows every token to the gateway, which must be well.
func (l *ledger) judge() {
	l.g.t.Helper()
	l.mu.Lock()
	tokens := l.tokens
	l.mu.Unlock()
	for _, t := range tokens {
		if !l.use(t) {
			l.g.t.Error("the gateway has not recovered")
			return
		}
	}
}

// count is how many requests ended so.
func (l *ledger) count(o outcome) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counted[o]
}

// load is clients at work: each issues tokens, uses them and those of before, and
// revokes every third.
type load struct {
	*ledger
	end     chan struct{}
	clients sync.WaitGroup
}

// startLoad begins the load; stop ends it, at the latest when the test ends.
func (g *gateway) startLoad(clients int) *load {
	l := &load{ledger: g.ledger(), end: make(chan struct{})}
	for range clients {
		l.clients.Go(l.work)
	}
	g.t.(*testing.T).Cleanup(l.stop)
	return l
}

func (l *load) work() {
	var own []*lived
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-l.end:
			return
		default:
		}
		t := l.issue()
		if t == nil {
			select { // trouble: not at once again
			case <-tick.C:
			case <-l.end:
				return
			}
		} else {
			own = append(own, t)
		}
		if len(own) == 0 {
			continue
		}
		l.use(own[n%len(own)])
		if n%3 == 0 {
			if old := own[len(own)/2]; old.revoking.IsZero() {
				l.revoke(old)
				l.use(old)
			}
		}
	}
}

// until waits until the load has had so many requests that ended well.
func (l *load) until(more int) {
	l.g.t.Helper()
	goal := l.count(done) + more
	eventually(l.g.t, "the load gets on", func() bool { return l.count(done) >= goal })
}

func (l *load) stop() {
	select {
	case <-l.end:
	default:
		close(l.end)
	}
	l.clients.Wait()
	l.client.CloseIdleConnections()
}
