// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"crypto/tls"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// HTTP/3 on the wire (RFC 9114 §6.2.1, §7.2).
const (
	h3ControlStream = 0x00
	h3Headers       = 0x01
	h3Settings      = 0x04
)

// h3conn speaks HTTP/3 in frames, so that pseudo-headers go out as written.
type h3conn struct {
	t       *testing.T
	address string
	conn    *quic.Conn
}

// dialH3 opens an HTTP/3 connection to a port of this machine that ends with the
// test.
func dialH3(t *testing.T, port string) *h3conn {
	t.Helper()
	c := &h3conn{t: t, address: "127.0.0.1:" + port}
	c.open()
	t.Cleanup(func() { _ = c.conn.CloseWithError(0, "") })
	return c
}

func (c *h3conn) open() {
	c.t.Helper()
	conn, err := quic.DialAddr(c.t.Context(), c.address,
		&tls.Config{InsecureSkipVerify: true, ServerName: "admin.localhost", NextProtos: []string{"h3"}}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.conn = conn
	control, err := conn.OpenUniStream()
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := control.Write([]byte{h3ControlStream, h3Settings, 0}); err != nil {
		c.t.Fatal(err)
	}
}

// get is [h2conn.get] over HTTP/3.
func (c *h3conn) get(authority, target string, lines ...string) int {
	c.t.Helper()
	fields := []string{":method", "GET", ":scheme", "https", ":authority", authority, ":path", target}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, strings.ToLower(name), strings.TrimSpace(value))
	}
	return c.request(fields...)
}

// request sends a request without body of exactly these fields, in pairs, and
// returns the status. A request that the protocol itself forbids counts as 400.
func (c *h3conn) request(fields ...string) int {
	c.t.Helper()
	if c.conn.Context().Err() != nil {
		c.open() // the server took the last request for an attack on the connection
	}
	var block bytes.Buffer
	enc := qpack.NewEncoder(&block)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := enc.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			c.t.Fatal(err)
		}
	}
	stream, err := c.conn.OpenStream()
	if err != nil { // its end comes to light only now
		c.open()
		if stream, err = c.conn.OpenStream(); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := stream.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	frame := quicvarint.Append([]byte{h3Headers}, uint64(block.Len()))
	if _, err := stream.Write(append(frame, block.Bytes()...)); err != nil {
		return streamReset
	}
	_ = stream.Close() // the end of the request; a reset is seen below
	return c.status(quicvarint.NewReader(stream))
}

// status reads an answer to its end.
func (c *h3conn) status(in quicvarint.Reader) (status int) {
	c.t.Helper()
	for {
		kind, err := quicvarint.Read(in)
		if err == io.EOF && status != 0 {
			return status
		}
		if err != nil {
			return max(status, streamReset)
		}
		length, err := quicvarint.Read(in)
		if err != nil {
			return max(status, streamReset)
		}
		content := make([]byte, length)
		if _, err := io.ReadFull(in, content); err != nil {
			return max(status, streamReset)
		}
		if kind != h3Headers || status != 0 {
			continue // data, trailers, or what RFC 9114 §9 has us ignore
		}
		decode := qpack.NewDecoder().Decode(content)
		for field, err := decode(); err == nil; field, err = decode() {
			if field.Name == ":status" {
				if status, err = strconv.Atoi(field.Value); err != nil {
					c.t.Fatal(err)
				}
			}
		}
	}
}
