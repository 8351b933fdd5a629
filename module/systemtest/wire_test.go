// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// answer is what came back over a raw connection.
type answer struct {
	status int
	header http.Header
	body   string
	// raw is every byte, as it came.
	raw string
}

// wire sends bytes as they are to the gateway's site port and returns the first
// answer. It leaves only when the gateway has closed the connection or is quiet,
// so that whatever else the bytes mean to it has happened. It writes and reads at
// once, because a gateway may answer early.
func (g *gateway) wire(bytes string) answer {
	g.t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+g.port)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		g.t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// A gateway that refuses early resets the connection: not an error here.
		_, _ = io.WriteString(conn, bytes)
	}()
	answers := readAnswers(conn, bytes)
	conn.Close()
	<-sent
	if len(answers) == 0 {
		return answer{}
	}
	return answers[0]
}

// quiet is how long a connection says nothing after an answer until no further
// answer is expected.
const quiet = 200 * time.Millisecond

// readAnswers reads responses until the connection ends or is quiet after one.
func readAnswers(conn net.Conn, request string) []answer {
	var raw strings.Builder
	in := bufio.NewReader(io.TeeReader(conn, &raw))
	method, _, _ := strings.Cut(request, " ")
	var all []answer
	for {
		if len(all) > 0 {
			_ = conn.SetReadDeadline(time.Now().Add(quiet))
		}
		start := raw.Len() - in.Buffered()
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return all
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		all = append(all, answer{
			status: resp.StatusCode, header: resp.Header, body: string(body),
			raw: raw.String()[start : raw.Len()-in.Buffered()],
		})
		if err != nil || resp.Close {
			return all
		}
		if resp.StatusCode >= 200 {
			method = http.MethodGet // only the first may be HEAD
		}
	}
}

// get sends one GET for a raw target to a site, with further header lines, and
// closes the connection after it. The target goes out as it is.
func (g *gateway) get(host, target string, lines ...string) answer {
	g.t.Helper()
	return g.request("GET", host, target, "", lines...)
}

// request sends one request for a raw target to a site. A body gets a
// Content-Length unless the lines say how it is framed.
func (g *gateway) request(method, host, target, body string, lines ...string) answer {
	g.t.Helper()
	return g.wire(g.head(method, host, target, body, lines...) + body)
}

// head returns a request's head: line, Host, lines, framing, end.
func (g *gateway) head(method, host, target, body string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, target)
	framed, connection, hosted := false, false, false
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "content-length", "transfer-encoding":
			framed = true
		case "connection":
			connection = true
		case "host":
			hosted = true
		}
	}
	if !hosted {
		fmt.Fprintf(&b, "Host: %s:%s\r\n", host, g.port)
	}
	for _, line := range lines {
		b.WriteString(line + "\r\n")
	}
	if !framed && body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	if !connection {
		b.WriteString("Connection: close\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// stream is an open raw connection, for tests that speak in turns.
type stream struct {
	net.Conn
	in *bufio.Reader
}

// dial opens a raw connection to the gateway's sites, closed when the test ends. What
// is sent and answered may take patience each time.
func (g *gateway) dial() *stream {
	g.t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+g.port)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { conn.Close() })
	return &stream{Conn: conn, in: bufio.NewReader(conn)}
}

// send writes bytes as they are.
func (s *stream) send(bytes string) error {
	err := s.SetDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = io.WriteString(s.Conn, bytes)
	}
	return err
}

// response reads the head of the next response.
func (s *stream) response() (*http.Response, error) {
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	return http.ReadResponse(s.in, nil)
}

// ends reports whether the other side closes the connection before within is
// over; what it sends until then is dropped.
func (s *stream) ends(within time.Duration) bool {
	_ = s.SetReadDeadline(time.Now().Add(within))
	_, err := io.Copy(io.Discard, s.in)
	var timeout net.Error
	return !errors.As(err, &timeout) || !timeout.Timeout()
}
