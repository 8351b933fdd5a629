// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// BenchmarkToken is a token request from its handler down to the disk, without
// sockets, by so many callers at a time, in a store of 30,000 tokens.
func BenchmarkToken(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			w := newWorld(b, func(c *endpoint.Config) { c.Recorder = authz.Discard })
			fill(b, w, 30_000)
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var done sync.WaitGroup
			for range callers {
				done.Go(func() {
					for left.Add(-1) >= 0 {
						r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/oauth/token", strings.NewReader("grant_type=client_credentials"))
						r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
						r.SetBasicAuth("job", secret)
						answer := httptest.NewRecorder()
						if err := w.server.ServeHTTP(answer, r, nil); err != nil || answer.Code != http.StatusOK {
							b.Errorf("%d %s %v", answer.Code, answer.Body, err)
							return
						}
					}
				})
			}
			done.Wait()
		})
	}
}

// BenchmarkRefresh replaces refresh tokens in the same way, each caller one of its own.
func BenchmarkRefresh(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			h := newHouse(b, func(c *endpoint.Config) { c.Recorder = authz.Discard })
			held := make([]string, callers)
			for i := range held {
				held[i] = h.tokens().field("refresh_token")
			}
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var done sync.WaitGroup
			for i := range callers {
				done.Go(func() {
					for left.Add(-1) >= 0 {
						answer := h.refresh(held[i], "")
						if held[i] = answer.field("refresh_token"); held[i] == "" {
							b.Errorf("%d %s", answer.status, answer.body)
							return
						}
					}
				})
			}
			done.Wait()
		})
	}
}

// fill mints so many tokens, straight into the store.
func fill(b *testing.B, w *world, n int) {
	b.Helper()
	w.issue("") // makes the client's anchor
	gens, err := w.db.Generations(b.Context(), w.db.StoreAnchor(), tokenstore.ClientAnchorKey("job"))
	if err != nil {
		b.Fatal(err)
	}
	minter := token.Minter{Format: token.Opaque{}}
	for done := 0; done < n; done += 500 {
		change := w.db.NewChange()
		for range 500 {
			if _, err := minter.Mint(b.Context(), w.db, change, token.Order{
				Grant:   &token.Grant{Type: "client_credentials", Client: "job", Audience: []string{issuer}},
				Facts:   token.Record{Client: "job", Scopes: scope.Of("orders:read"), Audience: []string{issuer}},
				Anchors: gens, Lifetime: time.Hour,
			}); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := w.db.Commit(b.Context(), change); err != nil {
			b.Fatal(err)
		}
	}
}
