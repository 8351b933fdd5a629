// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// upstream is the legacy service behind a gateway. It answers 200 to everything
// and remembers each request, byte for byte.
type upstream struct {
	t testing.TB
	// address is host:port; tests hand it to the Caddyfile as $UPSTREAM.
	address string
	// answer, when set before the first request, takes the place of the usual
	// answer. It returns false when the connection is used up.
	answer func(r *http.Request, conn net.Conn, in *bufio.Reader) bool
	// close ends the service and all its connections.
	close func()

	mu   sync.Mutex
	seen []hit
}

// hit is one request as the upstream received it.
type hit struct {
	// Request is the parsed head; its body has been read.
	*http.Request
	// Raw is every byte of it, body and trailers included.
	Raw string
	// Body is the decoded body.
	Body string
}

// lines returns the header lines of the request whose name is name in some
// spelling: any case, and "_" or "." for "-".
func (h hit) lines(name string) []string {
	head, _, _ := strings.Cut(h.Raw, "\r\n\r\n")
	var found []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if field, _, ok := strings.Cut(line, ":"); ok && spelling(field) == spelling(name) {
			found = append(found, line)
		}
	}
	return found
}

// spelling maps all spellings of a header name that some server takes for the
// same to one.
func spelling(name string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// newUpstream starts an upstream that ends with the test.
func newUpstream(t testing.TB) *upstream {
	t.Helper()
	return newUpstreamAt(t, "127.0.0.1:0")
}

// newUpstreamAt is newUpstream at an address.
func newUpstreamAt(t testing.TB, address string) *upstream {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{t: t, address: l.Addr().String()}
	var conns sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			conns.Go(func() { u.serve(conn) })
		}
	})
	u.close = func() {
		l.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		conns.Wait()
	}
	t.Cleanup(u.close)
	return u
}

// env is the environment variable that names the upstream in Caddyfiles.
func (u *upstream) env() string { return "UPSTREAM=" + u.address }

// serve reads requests off conn until it ends, and answers them.
func (u *upstream) serve(conn net.Conn) {
	defer conn.Close()
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &raw))
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			// What is left was sent to us and is no request: remember it, so
			// that smuggled bytes cannot hide in a parse error.
			if raw.Len() > 0 {
				u.record(hit{Request: &http.Request{Method: "?"}, Raw: raw.String()})
			}
			return
		}
		if req.Header.Get("Expect") == "100-continue" {
			fmt.Fprint(conn, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		var body []byte
		if req.Header.Get("Upgrade") == "" {
			body, err = io.ReadAll(req.Body)
		}
		used := raw.Len() - in.Buffered()
		u.record(hit{Request: req, Raw: string(raw.Next(used)), Body: string(body)})
		if err != nil {
			return
		}
		if u.answer != nil {
			if !u.answer(req, conn, in) {
				return
			}
			continue
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nlegacy\n")
	}
}

func (u *upstream) record(h hit) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen = append(u.seen, h)
}

// hits returns all requests so far.
func (u *upstream) hits() []hit {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]hit(nil), u.seen...)
}

// count returns how many requests there were so far.
func (u *upstream) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.seen)
}

// last returns the latest request, and fails the test when there was none.
func (u *upstream) last() hit {
	u.t.Helper()
	all := u.hits()
	if len(all) == 0 {
		u.t.Fatal("nothing reached the upstream")
	}
	return all[len(all)-1]
}

// missingUnlessKnown is an [upstream.answer]: 404 for all but /known.
func missingUnlessKnown(r *http.Request, conn net.Conn, _ *bufio.Reader) bool {
	status := "404 Not Found"
	if r.URL.Path == "/known" {
		status = "200 OK"
	}
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status)
	return true
}
