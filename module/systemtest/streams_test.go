// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"google.golang.org/grpc"
)

// streaming is [guarded] with a site of its own by TLS, for every protocol, in
// front of a service that speaks HTTP/1 ($UPSTREAM) and one that speaks gRPC ($GRPC).
const streaming = guarded + `
https://stream.localhost:{$TLSPORT} {
	tls {$CERT} {$KEY}
	log
	oauth2_protect {
		optional /open/*
		allow /* user
	}
	handle /test.Echo/* {
		reverse_proxy h2c://{$GRPC}
	}
	handle {
		reverse_proxy {$UPSTREAM} {
			stream_close_delay 1h
		}
	}
}
`

// streamGateway is a gateway with [streaming] before a [streamService].
type streamGateway struct {
	*gateway
	service *streamService
	tlsPort string
}

func startStreaming(t *testing.T, caddyfile string) *streamGateway {
	t.Helper()
	service := newStreamService(t)
	tlsPort := freePort(t)
	cert, key := certificate(t)
	g := prepare(t, caddyfile, "UPSTREAM="+service.address, "GRPC="+newEchoService(t), "TLSPORT="+tlsPort,
		"GODEBUG=http2xconnect=1") // Go keeps WebSocket over HTTP/2 for those who ask for it
	g.env = append(g.env, "CERT="+g.write("cert.pem", cert), "KEY="+g.write("key.pem", key))
	g.start()
	return &streamGateway{gateway: g, service: service, tlsPort: tlsPort}
}

// certificate makes one that nobody needs to trust.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"*.localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// streamService is a service whose answers have no end of their own, but for a few.
type streamService struct {
	address string
	// begun is how many requests have come, under how many are under way.
	begun, under atomic.Int32
	// whole counts the requests whose body came to its end.
	whole atomic.Int32
}

func newStreamService(t *testing.T) *streamService {
	t.Helper()
	s := new(streamService)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	server := &http.Server{Handler: s}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return s
}

// ServeHTTP answers by the last part of the path.
func (s *streamService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.begun.Add(1)
	s.under.Add(1)
	defer s.under.Add(-1)
	send := http.NewResponseController(w)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	switch _, kind, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/open"), "/"); kind {
	case "events": // server-sent events, now and then
		w.Header().Set("Content-Type", "text/event-stream")
		for err := error(nil); err == nil; err = send.Flush() {
			fmt.Fprint(w, "data: tick\n\n")
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	case "silence": // one event, and then none
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: tick\n\n")
		_ = send.Flush()
		<-r.Context().Done()
	case "download": // of a length that is never reached
		w.Header().Set("Content-Length", "1000000000")
		for err := error(nil); err == nil; _, err = w.Write(make([]byte, 16<<10)) {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	case "poll": // no answer at all
		<-r.Context().Done()
	case "upload":
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			s.whole.Add(1)
		}
	case "story": // server-sent events, and then the end
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range story() {
			if _, err := io.WriteString(w, event); err != nil || send.Flush() != nil {
				return
			}
		}
	case "socket": // says everything again
		s.echo(send, func(conn io.Writer, in io.Reader) { _, _ = io.Copy(conn, in) })
	case "talk": // the same, until the other side says goodbye
		s.echo(send, func(conn io.Writer, in io.Reader) { _, _ = io.Copy(conn, io.LimitReader(in, talkLength)) })
	}
}

// echo makes a request a socket, of which talk is one end.
func (s *streamService) echo(send *http.ResponseController, talk func(conn io.Writer, in io.Reader)) {
	conn, in, err := send.Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	talk(conn, in)
}

// errWhole is how a stream ended whose client believes that it was all.
var errWhole = errors.New("the answer looks complete")

// live is a stream that has begun.
type live struct {
	name string
	// end gets the error with which it ended.
	end chan error
	// close ends it from the client's side.
	close func()
}

// transports returns a client for each protocol of the TLS site. Each has one
// connection, but in HTTP/1 and for WebSockets over HTTP/2.
func (g *streamGateway) transports() map[string]http.RoundTripper {
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "stream.localhost"}
	h1 := &http.Transport{TLSClientConfig: config.Clone(), DialContext: dialHere}
	h1.Protocols = new(http.Protocols)
	h1.Protocols.SetHTTP1(true)
	h2 := &http.Transport{TLSClientConfig: config.Clone(), DialContext: dialHere, ForceAttemptHTTP2: true}
	h2.Protocols = new(http.Protocols)
	h2.Protocols.SetHTTP2(true)
	h3 := &http3.Transport{TLSClientConfig: config.Clone()}
	g.t.Cleanup(func() { h1.CloseIdleConnections(); h2.CloseIdleConnections(); _ = h3.Close() })
	sockets := socketsH2{h2, func(ctx context.Context) (net.Conn, error) {
		config := config.Clone()
		config.NextProtos = []string{"h2"}
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", "127.0.0.1:"+g.tlsPort)
	}}
	return map[string]http.RoundTripper{"h1": h1, "h2": sockets, "h3": h3}
}

// dialHere is DialContext for sites of this machine, whatever their names.
func dialHere(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, network, "127.0.0.1:"+port)
}

// request makes a request to the TLS site, which the IP address stands for: not
// every client can be told where a name is.
func (g *streamGateway) request(ctx context.Context, method, path, token string, body io.Reader) *http.Request {
	g.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "https://127.0.0.1:"+g.tlsPort+path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	r.Host = "stream.localhost:" + g.tlsPort
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// openAll begins a stream of every kind, each with a token of its own.
func (g *streamGateway) openAll(name string, transports map[string]http.RoundTripper, grpc *grpc.ClientConn, token func() string) (streams []*live) {
	g.t.Helper()
	for protocol, via := range transports {
		for _, path := range []string{"/events", "/silence", "/download", "/poll", "/upload", "/socket"} {
			streams = append(streams, g.open(name, protocol, via, path, token()))
		}
	}
	return append(streams, g.talk(name, grpc, token()))
}

// open begins a stream of a kind and returns when it flows.
func (g *streamGateway) open(name, protocol string, via http.RoundTripper, path, token string) *live {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &live{name: fmt.Sprintf("%s: %s over %s", name, path, protocol), end: make(chan error, 1), close: cancel}
	g.t.Cleanup(cancel)
	flows := make(chan error, 1)
	r := g.request(ctx, http.MethodGet, path, token, nil)
	switch path {
	case "/upload":
		r.Method, r.Body, r.ContentLength = http.MethodPost, &drip{ctx: ctx, flows: flows}, -1
	case "/poll":
		before := g.service.begun.Load()
		defer eventually(g.t, s.name+" has begun", func() bool { return g.service.begun.Load() > before })
		flows <- nil
	case "/socket":
		handshake(r, protocol)
	}
	go func() { s.end <- follow(via, r, flows) }()
	if err := <-flows; err != nil {
		g.t.Fatalf("%s: %v", s.name, err)
	}
	return s
}

// follow sends a request, says when the answer flows, and returns how it ended.
func follow(via http.RoundTripper, r *http.Request, flows chan error) error {
	say := func(err error) {
		select {
		case flows <- err:
		default:
		}
	}
	resp, err := via.RoundTrip(r)
	if err != nil {
		say(err)
		return err
	}
	defer context.AfterFunc(r.Context(), func() { resp.Body.Close() })()
	defer resp.Body.Close()
	if resp.StatusCode >= 300 || resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("%w: %s", errWhole, resp.Status)
		say(err)
		return err
	}
	if conn, ok := resp.Body.(io.Writer); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		go func() { _, _ = io.Copy(conn, &drip{ctx: r.Context()}) }()
	}
	in := bufio.NewReader(resp.Body)
	if _, err = in.ReadByte(); err == nil {
		say(nil)
		_, err = io.Copy(io.Discard, in)
	}
	if err == nil || err == io.EOF {
		err = errWhole
	}
	if resp.StatusCode == http.StatusSwitchingProtocols && err == errWhole {
		err = io.ErrUnexpectedEOF // a socket that is closed without a closing frame
	}
	say(err)
	return err
}

// drip is a body that gives a byte now and then, and has no end.
type drip struct {
	ctx   context.Context
	flows chan error // nil: nobody waits until it is read
	count int
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(10 * time.Millisecond):
	}
	if d.count++; d.count == 3 && d.flows != nil {
		d.flows <- nil
	}
	p[0] = 'x'
	return 1, nil
}

func (d *drip) Close() error { return nil }

// handshake makes a request one for a WebSocket: by Upgrade (RFC 6455), or by
// extended CONNECT (RFC 8441, RFC 9220).
func handshake(r *http.Request, protocol string) {
	r.Header.Set("Sec-WebSocket-Version", "13")
	switch protocol {
	case "h1":
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	case "h2":
		r.Method = http.MethodConnect // see [socketsH2]
	case "h3":
		r.Method, r.Proto = http.MethodConnect, "websocket"
	}
	if protocol != "h1" && r.Body == nil {
		r.Body, r.ContentLength = &drip{ctx: r.Context()}, -1
	}
}
