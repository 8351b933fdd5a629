// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// socketsH2 is a client of HTTP/2 that can open WebSockets too (RFC 8441), which
// net/http's own cannot. Each has a connection to itself.
type socketsH2 struct {
	http.RoundTripper
	dial func(context.Context) (net.Conn, error)
}

// RoundTrip sends a request, in frames of its own if it is an extended CONNECT.
func (s socketsH2) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodConnect {
		return s.RoundTripper.RoundTrip(r)
	}
	conn, err := s.dial(r.Context())
	if err != nil {
		return nil, err
	}
	c := &socketH2{conn: conn, framer: http2.NewFramer(conn, conn), status: make(chan int, 1)}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.in, c.out = io.Pipe()
	if err := c.begin(r); err != nil {
		conn.Close()
		return nil, err
	}
	go c.send(r.Body)
	go func() {
		defer close(c.status)
		c.out.CloseWithError(c.receive())
	}()
	status, ok := <-c.status
	if !ok {
		_, err := c.in.Read(make([]byte, 1)) // what receive ended with
		return nil, fmt.Errorf("no answer: %w", err)
	}
	return &http.Response{StatusCode: status, Status: strconv.Itoa(status), Body: c}, nil
}

// socketH2 is one WebSocket: the only stream of its connection.
type socketH2 struct {
	conn    net.Conn
	writing sync.Mutex
	framer  *http2.Framer
	status  chan int
	in      *io.PipeReader
	out     *io.PipeWriter
}

func (c *socketH2) Read(p []byte) (int, error) { return c.in.Read(p) }
func (c *socketH2) Close() error               { return errors.Join(c.in.Close(), c.conn.Close()) }

// write calls one of the framer's methods, which are not for two at a time.
func (c *socketH2) write(frame func() error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return frame()
}

func (c *socketH2) begin(r *http.Request) error {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	fields := [][2]string{{":method", r.Method}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", r.Host}, {":path", r.URL.RequestURI()}}
	for name, values := range r.Header {
		for _, value := range values {
			fields = append(fields, [2]string{strings.ToLower(name), value})
		}
	}
	for _, field := range fields {
		if err := enc.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			return err
		}
	}
	_, err := io.WriteString(c.conn, http2.ClientPreface)
	return errors.Join(err, c.framer.WriteSettings(),
		c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}))
}

// send sends what comes from body, less than the first window holds.
func (c *socketH2) send(body io.Reader) {
	chunk := make([]byte, 512)
	for {
		n, err := body.Read(chunk)
		if err != nil || c.write(func() error { return c.framer.WriteData(1, false, chunk[:n]) }) != nil {
			return
		}
	}
}

// receive reads frames until the stream ends, and returns how: nil if it is whole.
func (c *socketH2) receive() error {
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return fmt.Errorf("HTTP/2: %w", err)
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = c.write(c.framer.WriteSettingsAck)
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo { // else it only wants no more streams, as at a reload
				err = fmt.Errorf("the server goes away: %v", f.ErrCode)
			}
		case *http2.RSTStreamFrame:
			err = fmt.Errorf("the stream is reset: %v", f.ErrCode)
		case *http2.MetaHeadersFrame:
			var status int
			if status, err = strconv.Atoi(f.PseudoValue("status")); err == nil {
				c.status <- status
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			if _, err = c.out.Write(f.Data()); err == nil && f.Length > 0 {
				err = c.write(func() error {
					return errors.Join(c.framer.WriteWindowUpdate(0, f.Length), c.framer.WriteWindowUpdate(1, f.Length))
				})
			}
			ended = f.StreamEnded()
		}
		if err != nil || ended {
			return err
		}
	}
}
