// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
)

// A29: whoever guesses at a client's secret has to wait, with the right one too,
// at every endpoint, and learns nothing of whether there is such a client. The
// client elsewhere, and others there, do not wait. FT01: a step of the machine's clock
// ends no wait.
func TestGuessingAtClients(t *testing.T) {
	limits, now := guess.New(), time.Now()
	limits.Now = func() time.Time { return now }
	w := newWorld(t, func(c *endpoint.Config) {
		c.Guesses = func(context.Context) (*guess.Limits, error) { return limits, nil }
		c.Address = func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("Test-Address")) }
	})
	const here, body = "198.51.100.1", "grant_type=client_credentials&token=x"
	wrong := func(id string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(id, "wrong") }
	}
	for i := range 20 {
		path := formEndpoints[i%len(formEndpoints)]
		w.send(path, "job", body, header("Test-Address", here), wrong("job")).want(t, fmt.Sprint("guess ", i), 401, "invalid_client")
		w.send(path, "job", body, header("Test-Address", here), wrong("nobody")).want(t, fmt.Sprint("guess at nobody ", i), 401, "invalid_client")
	}
	for _, path := range formEndpoints {
		known := w.send(path, "job", body, header("Test-Address", here))
		known.want(t, path, 429, "slow_down")
		if s, err := strconv.Atoi(known.header.Get("Retry-After")); err != nil || s < 1 || s > 30 || known.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, known.header)
		}
		unknown := w.send(path, "job", body, header("Test-Address", here), wrong("nobody"))
		for _, clock := range []string{"Date", "Retry-After"} {
			known.header.Del(clock)
			unknown.header.Del(clock)
		}
		if known.body != unknown.body || fmt.Sprint(known.header) != fmt.Sprint(unknown.header) {
			t.Errorf("%s: a client that exists %v %s; one that does not %v %s", path, known.header, known.body, unknown.header, unknown.body)
		}
	}
	w.send("/oauth/token", "job", body, header("Test-Address", "192.0.2.1")).want(t, "the client elsewhere", 200, "")
	w.send("/oauth/token", "spa", body, header("Test-Address", here)).want(t, "another client there", 200, "")
	w.ahead.Add(int64(time.Hour))
	w.send("/oauth/token", "job", body, header("Test-Address", here)).want(t, "after a step of the machine's clock", 429, "slow_down")
	now = now.Add(time.Minute)
	w.send("/oauth/token", "job", body, header("Test-Address", here)).want(t, "after waiting", 200, "")
}

// Ensure that nobody fills the store with requests that a client pushes without a
// secret, and that clients with one, and others elsewhere, go on.
func TestPushingWithoutASecret(t *testing.T) {
	limits := guess.New()
	h := newHouse(t, func(c *endpoint.Config) {
		c.Guesses = func(context.Context) (*guess.Limits, error) { return limits, nil }
		c.Address = func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("Test-Address")) }
	})
	const here, body = "198.51.100.1", "client_id=spa&response_type=code&redirect_uri=https://spa.example.com/cb" + pkce
	push := func(address string) reply {
		return h.do(h.request("POST", "/oauth/par", body, header("Test-Address", address)))
	}
	push(here).want(t, "the first one", 201, "")
	for range 200 { // what as many pushes do
		limits.Admit(limits.Now(), guess.Try{Kind: guess.Push, Address: netip.MustParseAddr(here)})
		limits.Failed(limits.Now(), guess.Try{Kind: guess.Push, Address: netip.MustParseAddr(here)})
	}
	r := push(here)
	r.want(t, "one too many", 429, "slow_down")
	if r.header.Get("Retry-After") == "" {
		t.Errorf("%v", r.header)
	}
	push("192.0.2.1").want(t, "elsewhere", 201, "")
	h.send("/oauth/par", "pushy", "response_type=code"+pkce, header("Test-Address", here)).want(t, "a client with a secret", 201, "")
	for range 130 {
		push("192.0.2.2")
	}
	if limits.Check(limits.Now().Add(-time.Minute), guess.Try{Kind: guess.Push, Address: netip.MustParseAddr("192.0.2.2")}) == 0 {
		t.Error("pushes are not counted")
	}
}
