// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
)

// upstreamBody is the size of what the service behind the proxy answers, in
// bytes.
const upstreamBody = 128

// upstream is the service behind the proxy: a loop over sockets which answers
// every request with the same bytes and does nothing else, so that what is
// measured is the proxy.
type upstream struct {
	listener net.Listener
	answer   []byte
	handlers sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// startUpstream listens on a free port of loopback.
func startUpstream() (*upstream, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the upstream: %w", err)
	}
	u := &upstream{
		listener: l,
		answer:   okAnswer(strings.Repeat("x", upstreamBody)),
		conns:    map[net.Conn]struct{}{},
	}
	u.handlers.Go(u.accept)
	return u, nil
}

// okAnswer is a whole answer with that body.
func okAnswer(body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// echoRequest is how the requests begin that are answered with their credential.
var echoRequest = []byte("GET " + echoPath + " ")

// credentialIn is the value of a request's Authorization header, "" when there is
// none.
func credentialIn(request []byte) string {
	for line := range strings.Lines(string(request)) {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Authorization") {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// addr is where the upstream listens.
func (u *upstream) addr() string { return u.listener.Addr().String() }

// close ends the listener and all connections and waits for their goroutines.
func (u *upstream) close() {
	u.listener.Close()
	u.mu.Lock()
	for conn := range u.conns {
		conn.Close()
	}
	u.mu.Unlock()
	u.handlers.Wait()
}

func (u *upstream) accept() {
	for {
		conn, err := u.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		u.mu.Lock()
		u.conns[conn] = struct{}{}
		u.mu.Unlock()
		u.handlers.Go(func() { u.serve(conn) })
	}
}

// serve answers what comes on one connection. Requests here have no body, so
// that an empty line ends each; a proxy sends the next only after the answer.
func (u *upstream) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		u.mu.Lock()
		delete(u.conns, conn)
		u.mu.Unlock()
	}()
	buf := make([]byte, 8<<10)
	n := 0
	for {
		m, err := conn.Read(buf[n:])
		if err != nil {
			return
		}
		n += m
		switch {
		case bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")):
			answer := u.answer
			if bytes.HasPrefix(buf[:n], echoRequest) {
				answer = okAnswer(credentialIn(buf[:n]))
			}
			n = 0
			if _, err := conn.Write(answer); err != nil {
				return
			}
		case n == len(buf):
			return // more header than any request here has
		}
	}
}
