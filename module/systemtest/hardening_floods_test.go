// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// guardedH2 is [guarded] with HTTP/2 without TLS (RFC 9113 §3.3).
var guardedH2 = strings.Replace(guarded, "\toauth2 {\n", "\tservers {\n\t\tprotocols h1 h2c\n\t}\n\toauth2 {\n", 1)

// frames returns HTTP/2 frames as bytes.
func frames(t *testing.T, write func(f *http2.Framer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	f := http2.NewFramer(&b, nil)
	f.AllowIllegalWrites = true
	if err := write(f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fieldBlock encodes a field section without use of the dynamic table.
func fieldBlock(t *testing.T, fields ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: true}); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// stalled is for how long a gateway takes nothing of a deaf flood until it counts
// as cut off.
const stalled = 5 * time.Second

// flood sends an HTTP/2 preface and then chunk after chunk, to the end or until
// the gateway closes the connection or takes no more. It reports whether the
// gateway came to the end of it. A deaf flood does not read in between what comes
// back.
func (g *gateway) flood(t *testing.T, deaf bool, chunks int, chunk func(i int) []byte) (taken bool) {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+g.port)
	if err != nil {
		t.Fatal(err)
	}
	if deaf {
		err = conn.(*net.TCPConn).SetReadBuffer(4096)
	}
	if err = errors.Join(err, conn.SetDeadline(time.Now().Add(patience))); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent, answered := make(chan struct{}), make(chan bool, 1)
	go func() {
		if deaf {
			<-sent
		}
		answered <- pinged(conn)
	}()
	_, err = io.WriteString(conn, http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00") // and empty SETTINGS
	for i := 0; i < chunks && err == nil; i++ {
		if deaf {
			_ = conn.SetWriteDeadline(time.Now().Add(stalled))
		}
		_, err = conn.Write(chunk(i))
	}
	if err == nil {
		_, err = conn.Write(frames(t, func(f *http2.Framer) error { return f.WritePing(false, lastPing) }))
	}
	close(sent)
	if err != nil {
		conn.Close()
	}
	return <-answered
}

// lastPing is what follows a flood. Its acknowledgement says that the gateway has
// come to the end of it.
var lastPing = [8]byte{'t', 'h', 'e', ' ', 'e', 'n', 'd'}

// pinged reads frames until lastPing is acknowledged or the connection ends.
func pinged(conn net.Conn) bool {
	f := http2.NewFramer(nil, conn)
	for {
		frame, err := f.ReadFrame()
		if ping, ok := frame.(*http2.PingFrame); ok && ping.IsAck() && ping.Data == lastPing {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// Ensure that floods of HTTP/2 frames are cut off where HTTP/2 lets a server do
// so, that none takes memory or goroutines for good or reaches the upstream, and
// that others are served in the meantime. Row B02.
func TestHTTP2FloodsHurtNobody(t *testing.T) {
	u := newUpstream(t)
	g := start(t, guardedH2, u.env())
	good := g.shopToken("user")
	host := "api.localhost:" + g.port
	request := fieldBlock(t, ":method", "GET", ":scheme", "http", ":authority", host, ":path", "/flooded")
	const inChunk = 1000
	// many repeats a frame or a few, with the streams of a client in order.
	many := func(write func(f *http2.Framer, stream uint32) error) func(int) []byte {
		return func(i int) []byte {
			return frames(t, func(f *http2.Framer) (err error) {
				for n := range inChunk {
					err = errors.Join(err, write(f, uint32(2*(i*inChunk+n)+1)))
				}
				return err
			})
		}
	}
	always := func(chunk []byte) func(int) []byte { return func(int) []byte { return chunk } }
	pings := many(func(f *http2.Framer, _ uint32) error { return f.WritePing(false, [8]byte{}) })(0)
	settings := many(func(f *http2.Framer, _ uint32) error { return f.WriteSettings() })(0)

	before := g.metrics()
	for _, c := range []struct {
		name   string
		deaf   bool // does not read the answers
		cut    bool // the gateway must not take all of it
		chunks int
		chunk  func(i int) []byte
	}{
		{"rapid reset", false, false, 3, many(func(f *http2.Framer, stream uint32) error {
			return errors.Join(
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: request, EndStream: true, EndHeaders: true}),
				f.WriteRSTStream(stream, http2.ErrCodeCancel))
		})},
		{"endless header section", false, true, 4000, func(i int) []byte {
			return frames(t, func(f *http2.Framer) error {
				if i == 0 {
					return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: request})
				}
				return f.WriteContinuation(1, false, fieldBlock(t, "x-more", strings.Repeat("a", 8000)))
			})
		}},
		{"header bomb", false, false, 10, many(func(f *http2.Framer, stream uint32) error {
			// One field of 4 kB, then 4000 references to it in 4 kB.
			block := append(append([]byte{}, request...), 0x40, 1, 'x', 0x7f, 0x81, 0x1e)
			block = append(append(block, bytes.Repeat([]byte("a"), 4000)...), bytes.Repeat([]byte{0x80 | 62}, 4000)...)
			if stream%(2*inChunk) > 20 {
				return nil // ten of a thousand are enough
			}
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndStream: true, EndHeaders: true})
		})},
		{"pings", true, true, 2000, always(pings)},
		{"settings", true, false, 50, always(settings)},
		{"answers that nobody takes", true, false, 1, func(int) []byte {
			return frames(t, func(f *http2.Framer) error {
				err := f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
				for stream := uint32(1); stream < 400; stream += 2 {
					err = errors.Join(err, f.WriteHeaders(http2.HeadersFrameParam{
						StreamID: stream, BlockFragment: request, EndStream: true, EndHeaders: true}))
				}
				return err
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var honest sync.WaitGroup
			done := make(chan struct{})
			var slowest time.Duration
			served := 0
			honest.Go(func() {
				for {
					begun := time.Now()
					if err := g.serve(good); err != nil {
						t.Errorf("somebody else was not served: %v", err)
						return
					}
					slowest, served = max(slowest, time.Since(begun)), served+1
					select {
					case <-done:
						return
					default:
					}
				}
			})
			taken := g.flood(t, c.deaf, c.chunks, c.chunk)
			close(done)
			honest.Wait()
			if c.cut && taken {
				t.Error("the gateway took all of it")
			}
			if slowest > patience/2 {
				t.Errorf("of %d others the slowest waited %v", served, slowest)
			}
		})
	}
	for _, h := range u.hits() {
		if h.URL.Path != "/honest" {
			t.Fatalf("%s reached the upstream", h.RequestURI)
		}
	}
	eventually(t, "what the floods had started has ended", func() bool {
		return g.metrics()["go_goroutines"] < before["go_goroutines"]+50
	})
	// What the heap once had it keeps: this is the most that it needed.
	const heap = "go_memstats_heap_sys_bytes"
	if grown := g.metrics()[heap] - before[heap]; before[heap] == 0 || grown > 128<<20 {
		t.Errorf("the gateway has grown by %.0f MiB", grown/(1<<20))
	}
}

// serve makes an honest request and returns what went wrong with it.
func (g *gateway) serve(token string) error {
	req, err := http.NewRequest(http.MethodGet, g.url("api.localhost", "/honest"), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := g.client.Do(req)
	if err != nil {
		return err
	}
	if _, err = drain(resp); err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}
