// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Ensure that every request of a run reaches the service with a token of the
// deck, in turn, and that the latencies count the answers.
func TestRunSendsTokensInTurn(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.Header.Get("Authorization")]++
		io.WriteString(w, r.URL.Path)
	}))
	defer server.Close()

	tokens := &deck{tokens: []string{"aaa", "bbb", "ccc"}}
	crowd, err := withTokens(server.Listener.Addr().String(), "/read", tokens).connect(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer crowd.leave()
	const lasts = 500 * time.Millisecond
	all, took, err := crowd.run(t.Context(), lasts)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	sum := seen["Bearer aaa"] + seen["Bearer bbb"] + seen["Bearer ccc"]
	if sum == 0 || sum != len(all) || len(seen) != 3 {
		t.Errorf("%d latencies; the server saw %v", len(all), seen)
	}
	if took < lasts {
		t.Errorf("the run took %v", took)
	}
}

// Ensure that one refusal among many answers fails the run.
func TestRunFailsOnRefusal(t *testing.T) {
	var mu sync.Mutex
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n == 20 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	crowd, err := withoutTokens(server.Listener.Addr().String(), "/").connect(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer crowd.leave()
	if _, _, err := crowd.run(t.Context(), 10*time.Second); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("error %v, should name the status 401", err)
	}
}

// Ensure that tokens for first-seen requests are dealt once each, and that
// running out of them is an error, not a second use.
func TestDeckDealsOnce(t *testing.T) {
	d := &deck{tokens: []string{"a", "b"}, once: true}
	for _, want := range []string{"a", "b"} {
		if got, err := d.next(); got != want || err != nil {
			t.Errorf("next is %q, %v; want %q", got, err, want)
		}
	}
	if _, err := d.next(); !errors.Is(err, errDeckEmpty) {
		t.Errorf("the third of two tokens: error %v", err)
	}
	if d.left() != 0 {
		t.Errorf("%d left", d.left())
	}
}

// Ensure that answers are read to their last byte, so that the next begins where
// it should, and that what cannot be measured is an error.
func TestReadAnswer(t *testing.T) {
	two := bufio.NewReader(strings.NewReader(
		"HTTP/1.1 200 OK\r\ncOnTent-LENGTH: 3\r\n\r\nabcHTTP/1.1 503 Service Unavailable\r\nX: y\r\nContent-Length: 0\r\n\r\n"))
	for _, want := range []int{200, 503} {
		if got, err := readAnswer(two); got != want || err != nil {
			t.Errorf("status %d, %v; want %d", got, err, want)
		}
	}
	for _, bad := range []string{
		"", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/2 200\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
	} {
		if status, err := readAnswer(bufio.NewReader(strings.NewReader(bad))); err == nil {
			t.Errorf("%q was read as status %d", bad, status)
		}
	}
}

// Ensure that the upstream answers requests that arrive in pieces, once each.
func TestUpstreamAnswersPieces(t *testing.T) {
	u, err := startUpstream()
	if err != nil {
		t.Fatal(err)
	}
	defer u.close()
	conn, err := net.Dial("tcp", u.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for range 2 {
		for _, piece := range []string{"GET / HTTP/1.1\r\nHo", "st: x\r\n\r", "\n"} {
			if _, err := io.WriteString(conn, piece); err != nil {
				t.Fatal(err)
			}
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || len(body) != upstreamBody || answer.StatusCode != http.StatusOK {
			t.Errorf("status %d, %d bytes, error %v", answer.StatusCode, len(body), err)
		}
	}
	if answers.Buffered() > 0 {
		t.Error("there is more than one answer to a request")
	}
}
