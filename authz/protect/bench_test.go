// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// costOfGuard is how many allocations a request may cost that passes: the
// passage, a request, and the text of several scopes.
const costOfGuard = 3

// typical returns a request as a client library sends it, and a function that
// undoes what the guard did to its headers.
func typical() (r *http.Request, restore func()) {
	r = httptest.NewRequest("GET", "/orders/17", nil)
	authorization := []string{"Bearer co2at_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM"}
	r.Header = make(http.Header, 8)
	r.Header["User-Agent"] = []string{"curl/8.0"}
	r.Header["Accept"] = []string{"*/*"}
	r.Header["Accept-Encoding"] = []string{"gzip"}
	restore = func() { r.Header["Authorization"] = authorization }
	restore()
	return r, restore
}

func typicalGuard(t testing.TB) *Guard {
	config := testConfig(t, "allow GET /orders/* read", "allow POST /orders write", "public GET /health", "deny /internal/*")
	config.Authenticator = &always{principal("read", "write")}
	config.Connection = func(*http.Request) net.Conn { return nil } // as behind a server
	return newGuard(t, config)
}

// always is an Authenticator for whom every credential is the same.
type always struct{ principal authz.Principal }

func (a *always) Authenticate(context.Context, authz.Credential) (authz.Principal, error) {
	return a.principal, nil
}

func pass1(http.ResponseWriter, *http.Request) error { return nil }

// Ensure that a request that passes costs no more allocations than it may,
// and one that no credential is examined for none at all.
func TestPassingIsCheap(t *testing.T) {
	g := typicalGuard(t)
	r, restore := typical()
	if n := testing.AllocsPerRun(200, func() {
		restore()
		if err := g.ServeHTTP(nil, r, pass1); err != nil {
			t.Fatal(err)
		}
	}); n > costOfGuard {
		t.Errorf("%v allocations", n)
	}
	public := httptest.NewRequest("GET", "/health", nil)
	if n := testing.AllocsPerRun(200, func() { _ = g.ServeHTTP(nil, public, pass1) }); n != 0 {
		t.Errorf("%v allocations on a public row", n)
	}
}

func BenchmarkGuard(b *testing.B) {
	g := typicalGuard(b)
	b.Run("allow", func(b *testing.B) {
		b.ReportAllocs()
		// The guard changes a request's headers, which is undone off the clock, and in
		// place: to make requests anew would have their garbage collected on it.
		type fresh struct {
			r       *http.Request
			restore func()
		}
		requests := make([]fresh, 256)
		for i := range requests {
			requests[i].r, requests[i].restore = typical()
		}
		for i := 0; b.Loop(); i++ {
			if i %= len(requests); i == 0 {
				b.StopTimer()
				for _, q := range requests {
					maps.DeleteFunc(q.r.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, "X-Auth-") })
					q.restore()
				}
				b.StartTimer()
			}
			_ = g.ServeHTTP(nil, requests[i].r, pass1)
		}
	})
	b.Run("public", func(b *testing.B) {
		r, _ := typical()
		r.Header.Del("Authorization")
		r.URL.Path, r.RequestURI = "/health", "/health"
		b.ReportAllocs()
		for b.Loop() {
			_ = g.ServeHTTP(nil, r, pass1)
		}
	})
	b.Run("refused", func(b *testing.B) {
		r, restore := typical()
		r.Method = "DELETE"
		b.ReportAllocs()
		for b.Loop() {
			restore()
			_ = g.ServeHTTP(httptest.NewRecorder(), r, pass1)
		}
	})
}

func BenchmarkScan16kB(b *testing.B) {
	path := long(16 << 10)
	for b.Loop() {
		scan(path, encoded)
	}
}
