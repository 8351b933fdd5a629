// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a client whose strangers' names are resolved by a name server of
// ours, and whose port 443 is that of a server of ours on loopback.
type world struct {
	*Client
	server *httptest.Server
	mu     sync.Mutex
	names  map[string][][]string // the answers for a name, one after the other; the last stays
}

func newWorld(t *testing.T, handler http.HandlerFunc) *world {
	t.Helper()
	w := &world{Client: New(), names: map[string][][]string{}}
	w.server = httptest.NewTLSServer(handler)
	t.Cleanup(w.server.Close)
	t.Cleanup(w.Close)
	dns, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dns.Close() })
	go w.resolve(dns)

	dialer := &net.Dialer{ControlContext: w.check, Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", dns.LocalAddr().String())
	}}}
	_, port, _ := net.SplitHostPort(w.server.Listener.Addr().String())
	w.strangers = newClient(dialer, true)
	transport := w.strangers.Transport.(*http.Transport)
	transport.TLSClientConfig.RootCAs = w.server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
	}
	return w
}

// resolve answers for the names of w.
func (w *world) resolve(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var message dnsmessage.Message
		if message.Unpack(buffer[:n]) != nil || len(message.Questions) != 1 {
			continue
		}
		question := message.Questions[0]
		message.Response, message.Additionals = true, nil
		for _, text := range w.lookup(strings.TrimSuffix(question.Name.String(), "."), question.Type) {
			header := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, Type: question.Type}
			address := netip.MustParseAddr(text)
			switch {
			case question.Type == dnsmessage.TypeA && address.Is4():
				message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: address.As4()}})
			case question.Type == dnsmessage.TypeAAAA && !address.Is4():
				message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}})
			}
		}
		if packed, err := message.Pack(); err == nil {
			_, _ = conn.WriteTo(packed, from)
		}
	}
}

// lookup gives the next answer. A look-up asks for both kinds of address; the
// one for IPv4 moves on.
func (w *world) lookup(name string, kind dnsmessage.Type) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	answers := w.names[name]
	if len(answers) == 0 {
		return nil
	}
	if kind == dnsmessage.TypeA && len(answers) > 1 {
		w.names[name] = answers[1:]
	}
	return answers[0]
}

// set gives a name the answers of its look-ups.
func (w *world) set(name string, answers ...[]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names[name] = answers
}

// open lets strangers reach loopback, where the test's server stands.
func (w *world) open() { w.public = func(a netip.Addr) bool { return a.IsLoopback() || public(a) } }

// fails makes a request that must fail, and in public as any other failure.
func fails(t *testing.T, c *Client, r Request, because string) {
	t.Helper()
	answer, err := c.Do(t.Context(), r)
	if err == nil {
		t.Fatalf("%s was fetched: %d %.40q", r.URL, answer.Status, answer.Body)
	}
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v is not ErrUnreachable", err)
	}
	if !strings.Contains(err.Error(), because) {
		t.Errorf("%s: %v; want one because %q", r.URL, err, because)
	}
}

// Ensure that a name that resolves to an address within is not connected to,
// whatever it is called, and that no connection is made at all (row F01).
func TestNamesOfInnerAddressesAreNotConnectedTo(t *testing.T) {
	var reached atomic.Int32
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	for i, address := range []string{"127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0"} {
		name := fmt.Sprintf("inner-%d.example.com", i)
		w.set(name, []string{address})
		fails(t, w.Client, Request{URL: "https://" + name + "/jwks"}, "not public")
	}
	w.set("localhost", []string{"127.0.0.1"})
	fails(t, w.Client, Request{URL: "https://localhost./"}, "not public")
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

// Ensure that what was checked is what is connected to: each connection checks
// anew, and of several addresses only those that are public are tried (row F03).
func TestRebindingNamesGainNothing(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "inner") })
	var tried sync.Map
	w.public = func(a netip.Addr) bool { tried.Store(a.Unmap().String(), true); return a.String() == "127.0.0.2" }
	w.set("rebind.example.com", []string{"127.0.0.2"}, []string{"127.0.0.1"})
	// The server listens on 127.0.0.1 only: the first answer is permitted and closed.
	fails(t, w.Client, Request{URL: "https://rebind.example.com/"}, "refused")
	fails(t, w.Client, Request{URL: "https://rebind.example.com/"}, "not public")

	w.set("example.com", []string{"127.0.0.1", "::1"})
	w.public = func(a netip.Addr) bool { tried.Store(a.String(), true); return a.Is4() }
	answer, err := w.Do(t.Context(), Request{URL: "https://example.com/"})
	if err != nil || string(answer.Body) != "inner" {
		t.Errorf("one address of two is permitted: %v, %v", answer, err)
	}
}

// Ensure that a redirect is not followed, for strangers nor for the operator
// (row F02), and that what we send introduces us and nobody else.
func TestRedirectsAndCookiesAreIgnored(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	var seen []http.Header
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header)
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/here", http.StatusFound)
		}
	})
	w.open()
	w.set("example.com", []string{"127.0.0.1"})
	fails(t, w.Client, Request{URL: "https://example.com/away"}, "redirects are not followed")
	if _, err := w.Do(t.Context(), Request{URL: "https://example.com/here"}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 {
		t.Fatalf("%d requests, want 2", len(seen))
	}
	if h := seen[1]; h.Get("User-Agent") != userAgent || h.Get("Cookie") != "" || h.Get("Referer") != "" {
		t.Errorf("we sent %v", h)
	}
}

// Ensure that answers are cut by size, also by that which they unpack to, and
// by time, and that errors do not repeat the URL (row F06).
func TestAnswersAreBounded(t *testing.T) {
	// Packed beforehand: on a busy machine that takes longer than a request may.
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 4 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fits":
			_, _ = w.Write(make([]byte, MaxBody))
		case "/huge":
			_, _ = w.Write(make([]byte, MaxBody+1))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", maxHeader))
		case "/drip":
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				w.(http.Flusher).Flush()
				<-time.After(time.Millisecond)
			}
		}
	}))
	defer plain.Close()
	c := New()
	defer c.Close()
	if answer, err := c.Do(t.Context(), Request{URL: plain.URL + "/fits", By: Operator}); err != nil || len(answer.Body) != MaxBody {
		t.Errorf("an answer of %d bytes: %v", MaxBody, err)
	}
	fails(t, c, Request{URL: plain.URL + "/huge", By: Operator}, "longer than")
	fails(t, c, Request{URL: plain.URL + "/bomb", By: Operator}, "longer than")
	fails(t, c, Request{URL: plain.URL + "/header", By: Operator}, "exceeded")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := c.Do(ctx, Request{URL: plain.URL + "/drip?token=hidden", By: Operator})
	if !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("an endless answer: %v", err)
	}
}

// Ensure that a request ends by itself after [MaxTime].
func TestRequestsEndByThemselves(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	c := New()
	defer c.Close()
	start := time.Now()
	fails(t, c, Request{URL: silent.URL, By: Operator}, "no answer within 5s")
	if took := time.Since(start); took < MaxTime || took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

// Ensure that many requests of strangers do not become many at one host at one
// time, nor many connections to one address by many names (row F07).
func TestOneVictimIsNotFlooded(t *testing.T) {
	var now, most, all atomic.Int32
	release := make(chan struct{})
	w := newWorld(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		all.Add(1)
		<-release
		now.Add(-1)
	})
	w.open()
	var minutes atomic.Int64
	w.budget.now = func() time.Time { return time.Unix(0, 0).Add(time.Duration(minutes.Load()) * budgetTime) }
	w.set("example.com", []string{"127.0.0.1"})
	var group sync.WaitGroup
	for range 3 * turnsOfStranger {
		group.Go(func() { _, _ = w.Do(t.Context(), Request{URL: "https://example.com/"}) })
	}
	for all.Load() < turnsOfStranger {
		<-time.After(time.Millisecond)
	}
	close(release)
	group.Wait()
	if n := most.Load(); n != turnsOfStranger {
		t.Errorf("%d requests at one time, want %d", n, turnsOfStranger)
	}

	for i := range 2 * budgetOfAddress {
		name := fmt.Sprintf("n%d.example.com", i)
		w.set(name, []string{"127.0.0.1"})
		_, err := w.Do(t.Context(), Request{URL: "https://" + name + "/"})
		if refused := err != nil && strings.Contains(err.Error(), "too many connections"); refused != (3*turnsOfStranger+i >= budgetOfAddress) {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	minutes.Add(1)
	if _, err := w.Do(t.Context(), Request{URL: "https://example.com/"}); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

// Ensure that strangers who have us wait for as many hosts as there may be keep
// nobody from the operator's (row F07).
func TestStrangersDoNotTakeTheOperatorsTurns(t *testing.T) {
	var all turns
	var done []func()
	take := func(host string, by Trust) error {
		leave, err := all.take(t.Context(), host, by)
		if err == nil {
			done = append(done, leave)
		}
		return err
	}
	for i := range maxHosts {
		if err := take(fmt.Sprintf("n%d.example.com", i), Stranger); err != nil {
			t.Fatal(err)
		}
	}
	if take("one.too.many.example.com", Stranger) == nil {
		t.Error("strangers have no bound")
	}
	if err := take("login.example.com", Operator); err != nil {
		t.Errorf("the operator's: %v", err)
	}
	for _, leave := range done {
		leave()
	}
	if err := take("again.example.com", Stranger); err != nil || len(all.hosts) != 1 {
		t.Errorf("afterwards: %v, %d hosts", err, len(all.hosts))
	}
}

// Ensure that a form and an authorization go out as they are given, and that
// an answer that is no success comes back.
func TestFormsAreSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.Header.Get("Authorization"), r.FormValue("token"))
	}))
	defer server.Close()
	c := New()
	defer c.Close()
	answer, err := c.Do(t.Context(), Request{URL: server.URL, By: Operator, Form: url.Values{"token": {"a b"}}, Authorization: "Basic eA=="})
	if err != nil || answer.Status != http.StatusTeapot || string(answer.Body) != "POST Basic eA== a b" {
		t.Errorf("%+v, %v", answer, err)
	}
}

// Ensure that a question which may be repeated is, where the connection that was
// kept for it has been closed at the other end, and that another one is not.
func TestClosedConnectionsAreReplaced(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { // answers once, and is gone when it is asked again
				defer func() { _ = conn.Close() }()
				in := bufio.NewReader(conn)
				if r, err := http.ReadRequest(in); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
					_, _ = http.ReadRequest(in)
				}
			}()
		}
	}()
	for _, repeatable := range []bool{true, false} {
		c := New()
		request := Request{URL: "http://" + listener.Addr().String(), By: Operator, Form: url.Values{"a": {"b"}}, Repeatable: repeatable}
		if _, err := c.Do(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), request); (err == nil) != repeatable {
			t.Errorf("repeatable %t: %v", repeatable, err)
		}
		c.Close()
	}
}
