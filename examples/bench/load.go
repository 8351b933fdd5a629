// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// patience bounds a sample beyond its own length: a server that stops answering
// is an error, not a hang.
const patience = 15 * time.Second

// load is what one kind of request looks like and where it goes.
type load struct {
	addr    string
	request []byte // the bytes of one request
	hole    int    // where in it a token goes
	tokens  *deck  // nil: every request is the same
}

// withTokens is a load of GET requests that carry tokens from a deck.
func withTokens(addr, path string, tokens *deck) load {
	head := "GET " + path + " HTTP/1.1\r\nHost: " + addr + "\r\nAuthorization: Bearer "
	blank := strings.Repeat(" ", len(tokens.tokens[0]))
	return load{addr: addr, request: []byte(head + blank + "\r\n\r\n"), hole: len(head), tokens: tokens}
}

// withoutTokens is a load of GET requests that carry no credential.
func withoutTokens(addr, path string) load {
	return load{addr: addr, request: []byte("GET " + path + " HTTP/1.1\r\nHost: " + addr + "\r\n\r\n")}
}

// user is one keep-alive connection that sends a load's requests.
type user struct {
	conn    net.Conn
	reader  *bufio.Reader
	request []byte
	load    load
}

// crowd is a number of users of one load. They stay connected from one sample
// to the next.
type crowd struct {
	load  load
	users []*user
}

// connect opens the connections of n users.
func (l load) connect(ctx context.Context, n int) (*crowd, error) {
	c := &crowd{load: l}
	var dialer net.Dialer
	for range n {
		conn, err := dialer.DialContext(ctx, "tcp", l.addr)
		if err != nil {
			c.leave()
			return nil, err
		}
		c.users = append(c.users, &user{conn, bufio.NewReaderSize(conn, 16<<10), bytes.Clone(l.request), l})
	}
	return c, nil
}

// leave closes all connections.
func (c *crowd) leave() {
	for _, u := range c.users {
		u.conn.Close()
	}
}

// run lets every user send its next request as soon as the last is answered,
// for the duration, and returns how long each took, and all together. All that
// was sent is answered when run returns. Any answer but a 2xx is an error, after
// which the crowd is of no more use.
func (c *crowd) run(ctx context.Context, duration time.Duration) (latencies, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, duration+patience)
	defer cancel()
	defer context.AfterFunc(ctx, c.leave)()

	var (
		over    atomic.Bool
		workers sync.WaitGroup
		results = make([]latencies, len(c.users))
		errs    = make([]error, len(c.users))
		begin   = time.Now()
	)
	timer := time.AfterFunc(duration, func() { over.Store(true) })
	defer timer.Stop()
	for i, u := range c.users {
		workers.Go(func() {
			if results[i], errs[i] = u.work(&over); errs[i] != nil {
				over.Store(true)
			}
		})
	}
	workers.Wait()
	took := time.Since(begin)
	var all latencies
	for i := range c.users {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		if errs[i] != nil {
			return nil, 0, errs[i]
		}
		all = append(all, results[i]...)
	}
	return all, took, nil
}

// work is one user's loop, until the run is over.
func (u *user) work(over *atomic.Bool) (latencies, error) {
	taken := make(latencies, 0, 1024)
	for !over.Load() {
		if u.load.tokens != nil {
			token, err := u.load.tokens.next()
			if err != nil {
				return nil, err
			}
			copy(u.request[u.load.hole:], token)
		}
		begin := time.Now()
		if _, err := u.conn.Write(u.request); err != nil {
			return nil, fmt.Errorf("sending to %s: %w", u.load.addr, err)
		}
		status, err := readAnswer(u.reader)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", u.load.addr, err)
		}
		if status/100 != 2 {
			return nil, fmt.Errorf("%s answered %d during a run: every answer must be a 2xx", u.load.addr, status)
		}
		taken = append(taken, time.Since(begin))
	}
	return taken, nil
}
