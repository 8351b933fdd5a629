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

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
)

// BenchmarkToken is a token request from its handler down to the disk, without
// sockets, by so many callers at a time.
func BenchmarkToken(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			w := newWorld(b, func(c *endpoint.Config) { c.Recorder = authz.Discard })
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
