// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2conn speaks HTTP/2 in frames, so that pseudo-headers go out as written.
type h2conn struct {
	g      *gateway
	conn   net.Conn
	framer *http2.Framer
	block  bytes.Buffer
	enc    *hpack.Encoder
	next   uint32
}

// streamReset is what get returns for a request that the server's HTTP/2 layer
// refused before anything of ours saw it.
const streamReset = 400

// dialH2 opens an HTTP/2 connection without TLS (RFC 9113 §3.3) that ends with
// the test.
func (g *gateway) dialH2() *h2conn {
	g.t.Helper()
	c := &h2conn{g: g}
	c.open()
	g.t.Cleanup(func() { c.conn.Close() })
	return c
}

func (c *h2conn) open() {
	c.g.t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+c.g.port)
	if err != nil {
		c.g.t.Fatal(err)
	}
	c.conn, c.next = conn, 1
	c.framer = http2.NewFramer(conn, conn)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.block.Reset()
	c.enc = hpack.NewEncoder(&c.block)
	_, err = conn.Write([]byte(http2.ClientPreface))
	if err = errors.Join(err, c.framer.WriteSettings()); err != nil {
		c.g.t.Fatal(err)
	}
}

// get sends GET for a raw :path with further header lines and returns the
// status. A request that the protocol itself forbids counts as 400.
func (c *h2conn) get(authority, target string, lines ...string) int {
	c.g.t.Helper()
	fields := []string{":method", "GET", ":scheme", "http", ":authority", authority, ":path", target}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, strings.ToLower(name), strings.TrimSpace(value))
	}
	return c.request(fields...)
}

// request sends a request without body of exactly these fields, in pairs.
func (c *h2conn) request(fields ...string) int {
	c.g.t.Helper()
	c.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		if err := c.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			c.g.t.Fatal(err)
		}
	}
	id := c.next
	c.next += 2
	err := c.conn.SetDeadline(time.Now().Add(patience))
	err = errors.Join(err, c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true,
	}))
	if err != nil {
		c.g.t.Fatal(err)
	}
	status := 0
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			c.g.t.Fatalf("HTTP/2 stream %d: %v", id, err)
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = c.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = c.framer.WritePing(true, f.Data)
			}
		case *http2.GoAwayFrame:
			c.conn.Close()
			c.open()
			return streamReset
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				return max(status, streamReset)
			}
		case *http2.MetaHeadersFrame:
			if f.StreamID == id {
				if status, err = strconv.Atoi(f.PseudoValue("status")); err == nil && f.StreamEnded() {
					return status
				}
			}
		case *http2.DataFrame:
			if f.StreamID == id && f.StreamEnded() {
				return status
			}
			if n := f.Length; n > 0 {
				err = c.framer.WriteWindowUpdate(0, n)
			}
		}
		if err != nil {
			c.g.t.Fatal(err)
		}
	}
}
