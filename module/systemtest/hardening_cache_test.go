// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
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

// Ensure that a flood of made-up tokens displaces no good one: neither memory of
// them is kept, nor do they reach the store for its good ones' sake. Row V07, in
// small; the cache's own tests do it with a million.
func TestFloodOfMadeUpTokensDisplacesNoGoodOne(t *testing.T) {
	g, u := startGuarded(t)
	good := g.shopToken("user")
	g.call("api.localhost", "/x", good)
	random := newRandom(t)
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	conn := g.dial()
	untouched(t, u, func() {
		for range 5000 {
			made := []byte("co2at_")
			for range 49 {
				made = append(made, letters[random.IntN(len(letters))])
			}
			if err := conn.send("GET /x HTTP/1.1\r\nHost: api.localhost:" + g.port + "\r\nAuthorization: Bearer " + string(made) + "\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			resp, err := conn.response()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := drain(resp); err != nil || resp.StatusCode != http.StatusUnauthorized {
				t.Fatalf("a made-up token: %d %v", resp.StatusCode, err)
			}
		}
	})
	before := g.metrics()
	for range 100 {
		if got := g.call("api.localhost", "/x", good); got != http.StatusOK {
			t.Fatalf("the good token: %d", got)
		}
	}
	after := g.metrics()
	if hits := sum(after, "caddy_oauth2_cache_hits_total") - sum(before, "caddy_oauth2_cache_hits_total"); hits < 95 {
		t.Errorf("%v of 100 requests with the good token were answered from memory", hits)
	}
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
