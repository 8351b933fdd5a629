// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Ensure that a request whose trailers are not known yet is not the server's
// own, into which the server will write whatever arrives.
func TestRequestsWithOpenEndAreSeparated(t *testing.T) {
	g := newGuard(t, testConfig(t, "public /p"))
	r := get("POST", "/p", "")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("hello")), -1
	if _, seen, err := serve(t, r, g); err != nil || seen == nil || seen.request == r {
		t.Errorf("the request is the server's own: %v", err)
	}
}

// Ensure that a refusal does not wait for a body that the client holds back
// until it is asked for it (H17).
func TestRefusalComesBeforeTheBody(t *testing.T) {
	g := newGateway(t, testConfig(t, "allow /*"))
	g.Start()
	response := g.raw(t, lines("POST / HTTP/1.1", "Host: gateway", "Content-Length: 1000000000", "Expect: 100-continue"))
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("the answer is %d", response.StatusCode)
	}
}

// Ensure that what follows a refused request on its connection is not taken
// for a request of its own by the upstream (B01).
func TestSmuggledRequestsDoNotArrive(t *testing.T) {
	g := newGateway(t, testConfig(t, "public POST /p", "allow /admin/* admin"))
	g.Start()
	smuggled := "GET /admin/x HTTP/1.1\r\nHost: gateway\r\n\r\n"
	for _, request := range []string{
		lines("POST /p HTTP/1.1", "Host: gateway", "Content-Length: 4", "Transfer-Encoding: chunked") + "0\r\n\r\n" + smuggled,
		lines("POST /p HTTP/1.1", "Host: gateway", "Transfer-Encoding: chunked") + "0\r\nX: y\r\n\r\n" + smuggled,
		lines("POST /p HTTP/1.1", "Host: gateway", "Content-Length: "+strconv.Itoa(len(smuggled))) + smuggled,
	} {
		g.raw(t, request)
		for _, seen := range g.upstream.take() {
			if strings.HasPrefix(seen, "GET /admin") {
				t.Errorf("%q: the upstream saw %q", request, seen)
			}
		}
	}
}

// Ensure that answers do not tell whether something is behind the guard (S20),
// are not kept by caches, and have no body for HEAD.
func TestRefusalsAreAlike(t *testing.T) {
	g := newGateway(t, testConfig(t, "allow /* user"))
	g.Start()
	var bodies []string
	for _, target := range []string{"/there", "/not-there"} {
		response := g.raw(t, lines("GET "+target+" HTTP/1.1", "Host: gateway"))
		body, _ := io.ReadAll(response.Body)
		bodies = append(bodies, string(body)+response.Header.Get("WWW-Authenticate"))
		if response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: headers %v", target, response.Header)
		}
	}
	if bodies[0] != bodies[1] || bodies[0] == "" {
		t.Errorf("answers differ: %q", bodies)
	}
	response := g.raw(t, lines("HEAD / HTTP/1.1", "Host: gateway", "Connection: close"))
	if body, _ := io.ReadAll(response.Body); len(body) > 0 || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("HEAD: %d, %q", response.StatusCode, body)
	}
}

// Ensure that a request of TLS early data, which anybody on the way can repeat,
// changes nothing in the name of its credential (RFC 8470).
func TestReplayableRequestsAreRefused(t *testing.T) {
	c := testConfig(t, "allow /* user", "optional /free/*", "public /open/*")
	c.EarlyData = func(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }
	g := newGuard(t, c)
	for _, test := range []struct {
		method, path, token string
		status              int
	}{
		{"POST", "/orders", "user", http.StatusTooEarly},
		{"DELETE", "/orders/1", "user", http.StatusTooEarly},
		{"POST", "/free/orders", "user", http.StatusTooEarly},
		{"POST", "/orders", "", http.StatusUnauthorized},
		{"POST", "/free/orders", "", http.StatusOK},
		{"POST", "/open/orders", "user", http.StatusOK},
		{"GET", "/orders", "user", http.StatusOK},
		{"HEAD", "/orders", "user", http.StatusOK},
	} {
		r := get(test.method, "https://api.example.com"+test.path, test.token)
		r.TLS.HandshakeComplete = false
		if w, _, err := serve(t, r, g); err != nil || w.Code != test.status {
			t.Errorf("%s %s in early data: %d %v, expected %d", test.method, test.path, w.Code, err, test.status)
		}
		r = get(test.method, "https://api.example.com"+test.path, test.token)
		if w, _, err := serve(t, r, g); err != nil || w.Code == http.StatusTooEarly {
			t.Errorf("%s %s after the handshake: %d %v", test.method, test.path, w.Code, err)
		}
	}
}
