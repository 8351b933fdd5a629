// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tokens "github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

// Ensure that a token proved on one row proves nothing on another: every request
// is decided anew, whatever was cached. Row V01.
func TestCachedTokenIsJudgedAnewOnEveryRow(t *testing.T) {
	g, u := startGuarded(t)
	token := g.shopToken("read")
	for range 20 {
		if got := g.call("api.localhost", "/orders/1", token); got != http.StatusOK {
			t.Fatalf("GET with the scope: %d", got)
		}
		untouched(t, u, func() {
			if got := g.call("api.localhost", "/reports/1", token); got != http.StatusForbidden {
				t.Errorf("another row: %d", got)
			}
			if a := g.request("POST", "api.localhost", "/orders", "x", "Authorization: Bearer "+token); a.status != http.StatusForbidden ||
				!strings.Contains(a.header.Get("WWW-Authenticate"), `error="insufficient_scope"`) || !strings.Contains(a.header.Get("WWW-Authenticate"), `scope="write"`) {
				t.Errorf("another method: %d %s", a.status, a.header.Get("WWW-Authenticate"))
			}
			if got := g.call("admin.localhost", "/x", token); got != http.StatusForbidden {
				t.Errorf("another site: %d", got)
			}
		})
	}
}

// Ensure that a token proved at the site it is for is refused at a site that it
// is not for, in any order. Row V02.
func TestCachedTokenIsJudgedAnewAtEverySite(t *testing.T) {
	u := newUpstream(t)
	strict := func(name string) string {
		return `
http://` + name + `.localhost:{$PORT} {
	oauth2_protect {
		resource http://` + name + `.localhost:{$PORT}
		audience strict
		allow /* user
	}
	reverse_proxy {$UPSTREAM}
}
`
	}
	g := start(t, guarded+strict("one")+strict("two"), u.env())
	tokens := map[string]string{
		"one": g.token("shop", shopSecret, "scope", "user", "resource", "http://one.localhost:"+g.port),
		"two": g.token("shop", shopSecret, "scope", "user", "resource", "http://two.localhost:"+g.port),
		"":    g.shopToken("user"),
	}
	for range 3 {
		for name, token := range tokens {
			for _, site := range []string{"one", "two"} {
				want := http.StatusUnauthorized
				if name == site {
					want = http.StatusOK
				}
				if got := g.call(site+".localhost", "/x", token); got != want {
					t.Errorf("token for %q at %s: %d, want %d", name, site, got, want)
				}
			}
		}
	}
}

// Ensure that very many requests with one token that is not cached yet are all
// answered, and that clients who give up do not spoil it for the others. Row V06.
func TestManyFirstRequestsWithOneToken(t *testing.T) {
	g, u := startGuarded(t)
	token := g.shopToken("user")
	g.stop()
	g.start() // forgets what is cached
	impatient, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	var all sync.WaitGroup
	var refused atomic.Int64
	for i := range 200 {
		ctx := t.Context()
		if i%10 == 0 {
			ctx = impatient
		}
		all.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url("api.localhost", "/x"), nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := g.client.Do(req)
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			if _, err := drain(resp); err == nil && resp.StatusCode != http.StatusOK {
				refused.Add(1)
			}
		})
		if i == 50 {
			giveUp()
		}
	}
	all.Wait()
	if n := refused.Load(); n != 0 {
		t.Errorf("%d of 200 refused", n)
	}
	if n := u.count(); n < 180 {
		t.Errorf("only %d reached the upstream", n)
	}
}

// Ensure that a flood of made-up tokens, each of which has to be looked up,
// displaces no good one and leaves nothing in memory: with 20,000 of them, with
// -long a million. Row V07.
func TestFloodOfMadeUpTokensDisplacesNoGoodOne(t *testing.T) {
	const senders, batch = 4, 500
	batches := 10 // for each sender
	if *long {
		batches = 500
	}
	u := newUpstream(t)
	g := start(t, strings.ReplaceAll(guarded, "\tlog\n", ""), u.env()) // as much log as tokens would be too much to search
	good := g.shopToken("user")
	if status := g.call("api.localhost", "/x", good); status != http.StatusOK {
		t.Fatal(status)
	}
	eventually(t, "the good token is in the cache", func() bool { return sum(g.metrics(), "caddy_oauth2_cache_entries") > 0 })
	held := g.heldMemory()
	before := g.metrics()
	var flood sync.WaitGroup
	for range senders {
		flood.Go(func() {
			for range batches {
				if err := g.madeUp(batch); err != nil {
					t.Error(err)
					return
				}
				if err := g.serve(good); err != nil {
					t.Errorf("the good token: %v", err)
					return
				}
			}
		})
	}
	flood.Wait()
	after := g.metrics()
	grown := func(name string, labels ...string) float64 {
		return sum(after, name, labels...) - sum(before, name, labels...)
	}
	if refused := grown("caddy_oauth2_decisions_total", `reason="invalid_token"`); refused != float64(senders*batches*batch) {
		t.Errorf("%v of %d were refused", refused, senders*batches*batch)
	}
	if hits := grown("caddy_oauth2_cache_hits_total"); hits < 0.95*float64(senders*batches) {
		t.Errorf("%v of %d requests with the good token were answered from memory", hits, senders*batches)
	}
	if entries := grown("caddy_oauth2_cache_entries"); entries > 0 {
		t.Errorf("the cache has %v entries more", entries)
	}
	if more := g.heldMemory() - held; more > 16<<20 {
		t.Errorf("the gateway holds %.0f MiB more", more/(1<<20))
	}
	for _, h := range u.hits() {
		if h.URL.Path == "/made-up" {
			t.Fatal("a made-up token reached the upstream")
		}
	}
}

// madeUp sends requests with tokens that look like ours, down to the checksum, all
// at once over a connection of their own, and checks that all are refused.
func (g *gateway) madeUp(count int) error {
	conn, err := net.Dial("tcp", "127.0.0.1:"+g.port)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		var requests bytes.Buffer
		for range count {
			fmt.Fprintf(&requests, "GET /made-up HTTP/1.1\r\nHost: api.localhost:%s\r\nAuthorization: Bearer %s\r\n\r\n", g.port, tokens.New(tokens.Access))
		}
		_, err := conn.Write(requests.Bytes())
		sent <- err
	}()
	in := bufio.NewReader(conn)
	for range count {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if _, err := drain(resp); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusUnauthorized {
			return fmt.Errorf("a made-up token: %s", resp.Status)
		}
	}
	return <-sent
}

// Ensure that the request after a revocation's answer is refused, always: no
// cached copy survives. The promise of the documentation, on its own.
func TestNoRequestPassesAfterTheRevocationIsAcknowledged(t *testing.T) {
	g, u := startGuarded(t)
	for range 50 {
		token := g.shopToken("user")
		var busy sync.WaitGroup
		done := make(chan struct{})
		for range 4 { // keeps the cache loading the token while it is revoked
			busy.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						g.call("api.localhost", "/busy", token)
					}
				}
			})
		}
		g.revoke(token)
		if got := g.call("api.localhost", "/after", token); got != http.StatusUnauthorized {
			t.Errorf("after the acknowledgement: %d", got)
		}
		close(done)
		busy.Wait()
	}
	for _, h := range u.hits() {
		if h.URL.Path == "/after" {
			t.Fatal("a revoked token reached the upstream")
		}
	}
}

// heldMemory is what the gateway holds in memory, in bytes, without what is only
// waiting to be collected.
func (g *gateway) heldMemory() float64 {
	g.t.Helper()
	if resp, _ := g.adminRequest(http.MethodGet, "/debug/pprof/heap?gc=1", nil); resp.StatusCode != http.StatusOK {
		g.t.Fatalf("collecting garbage: %s", resp.Status)
	}
	held := g.metrics()["go_memstats_heap_alloc_bytes"]
	if held == 0 {
		g.t.Fatal("there is no figure of the heap")
	}
	return held
}
