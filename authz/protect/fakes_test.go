// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

const (
	testIssuer   = "https://auth.example.com"
	testResource = "https://api.example.com"
)

var testTime = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// tokens is an Authenticator that knows a few tokens.
type tokens map[string]authz.Principal

func (t tokens) Authenticate(_ context.Context, c authz.Credential) (authz.Principal, error) {
	if c.Value == "trouble" {
		return authz.Principal{}, errors.New("disk on fire")
	}
	p, known := t[c.Value]
	if !known {
		return authz.Principal{}, authz.ErrInvalidToken
	}
	return p, nil
}

// registry is a Clients that knows a few clients.
type registry map[string]scope.Set

func (r registry) Allowed(_ context.Context, id string) (scope.Set, error) {
	scopes, known := r[id]
	switch {
	case id == "trouble":
		return nil, authz.ErrTemporarilyUnavailable
	case !known:
		return nil, authz.ErrInvalidToken
	}
	return scopes, nil
}

// record is a Recorder that keeps events.
type record struct {
	mu     sync.Mutex
	events []authz.Event
}

func (r *record) Record(_ context.Context, e authz.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// principal returns a user's token for this resource, good for an hour.
func principal(scopes ...string) authz.Principal {
	return authz.Principal{
		Issuer: testIssuer, Subject: "u-17", Username: "ann", Client: "shop", Scopes: scope.Of(scopes...),
		Audience: []string{testResource}, Grant: "g-1", Expires: testTime.Add(time.Hour),
	}
}

// changed returns the same with something changed.
func changed(change func(*authz.Principal), scopes ...string) authz.Principal {
	p := principal(scopes...)
	change(&p)
	return p
}

// testConfig returns a working configuration with the given rows. The tokens
// are named for what is special about them.
func testConfig(t testing.TB, rows ...string) Config {
	t.Helper()
	c := Config{
		Issuer:   testIssuer,
		Resource: func(*http.Request) string { return testResource },
		Now:      func() time.Time { return testTime },
		Authenticator: tokens{
			"user":    principal("user"),
			"admin":   principal("admin", "user"),
			"machine": changed(func(p *authz.Principal) { p.Subject = "" }, "user"),
		},
		Clients: registry{"shop": scope.Of("user", "admin", "read", "write")},
	}
	for _, text := range rows {
		words := strings.Fields(text)
		row, err := ParseRow(words[0], words[1:])
		if err != nil {
			t.Fatal(err)
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

func newGuard(t testing.TB, c Config) *Guard {
	t.Helper()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// passed is what a handler behind guards saw.
type passed struct {
	request   *http.Request
	principal *authz.Principal
}

// serve sends a request through guards, the outermost first. The second
// result is nil when it did not pass.
func serve(t testing.TB, r *http.Request, guards ...*Guard) (*httptest.ResponseRecorder, *passed, error) {
	t.Helper()
	var seen *passed
	next := func(w http.ResponseWriter, r *http.Request) error {
		seen = &passed{request: r, principal: authz.PrincipalFrom(r.Context())}
		seen.request.Header = r.Header.Clone()
		return nil
	}
	for i := len(guards) - 1; i >= 0; i-- {
		inner, g := next, guards[i]
		next = func(w http.ResponseWriter, r *http.Request) error { return g.ServeHTTP(w, r, inner) }
	}
	w := httptest.NewRecorder()
	err := next(w, r)
	return w, seen, err
}

// get returns a request, with a bearer token unless that is "".
func get(method, target, token string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// upstream is a service that keeps the bytes of every request.
type upstream struct {
	listener net.Listener
	mu       sync.Mutex
	requests []string
}

func newUpstream(t testing.TB) *upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{listener: l}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { u.answer(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return u
}

// answer reads one request to its very end, trailers included.
func (u *upstream) answer(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &raw))
	length, chunked := 0, false
	line := func() string { s, _ := in.ReadString('\n'); return strings.TrimRight(s, "\r\n") }
	for s := line(); s != ""; s = line() {
		name, value, _ := strings.Cut(s, ": ")
		switch strings.ToLower(name) {
		case "content-length":
			length, _ = strconv.Atoi(value)
		case "transfer-encoding":
			chunked = true
		}
	}
	_, _ = io.CopyN(io.Discard, in, int64(length))
	for chunked {
		size, err := strconv.ParseInt(line(), 16, 64)
		if err != nil || size == 0 {
			for s := line(); s != ""; s = line() {
			}
			break
		}
		_, _ = io.CopyN(io.Discard, in, size+2)
	}
	u.mu.Lock()
	u.requests = append(u.requests, raw.String())
	u.mu.Unlock()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

// take returns what has arrived since it was last asked.
func (u *upstream) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.requests
	u.requests = nil
	return taken
}

// proxy forwards to u as Caddy's reverse_proxy does: target bytes unchanged,
// hop-by-hop headers and those that Connection names removed, other headers
// kept, trailers copied when the body has been read.
func (u *upstream) proxy(t testing.TB) http.Handler {
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Transport:    transport,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", u.listener.Addr().String()
			p.Out.URL.RawQuery = p.In.URL.RawQuery
			for name, values := range p.In.Header {
				if strings.Contains(name, "Forwarded") {
					p.Out.Header[name] = values
				}
			}
			if p.Out.Body != nil {
				p.Out.Trailer = http.Header{}
				for name := range p.In.Trailer {
					p.Out.Trailer[name] = nil
				}
				p.Out.Body = &copyAtEnd{p.Out.Body, p.In, p.Out.Trailer}
			}
		},
	}
}

type copyAtEnd struct {
	io.ReadCloser
	in *http.Request
	to http.Header
}

func (b *copyAtEnd) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		for name, values := range b.in.Trailer {
			b.to[name] = values
		}
	}
	return n, err
}

// gateway is a real server with a guard before a proxy to a recording upstream.
type gateway struct {
	*httptest.Server
	upstream *upstream
}

func newGateway(t testing.TB, c Config) *gateway {
	t.Helper()
	g, u := newGuard(t, c), newUpstream(t)
	proxy := u.proxy(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := g.ServeHTTP(w, r, func(w http.ResponseWriter, r *http.Request) error {
			proxy.ServeHTTP(w, r)
			return nil
		})
		var e *authz.Error
		if errors.As(err, &e) {
			w.WriteHeader(e.Status)
		}
	}))
	server.Config.DisableGeneralOptionsHandler = true
	t.Cleanup(server.Close)
	return &gateway{server, u}
}

// raw sends bytes and returns the answer.
func (g *gateway) raw(t testing.TB, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer to %.80q: %v", request, err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response
}

// lines joins header lines and ends the request.
func lines(text ...string) string { return strings.Join(text, "\r\n") + "\r\n\r\n" }
