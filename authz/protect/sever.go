// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// errCut is the cause of a request's end, for those who ask its context.
var errCut = errors.New("what the request came with is no longer valid")

// accompany sends a request on that has passed with a credential, and follows it.
func (g *Guard) accompany(w http.ResponseWriter, out *http.Request, p *passage, next func(http.ResponseWriter, *http.Request) error) error {
	if !g.severable(w, out) {
		inner, cancel := context.WithCancelCause(p.Context)
		defer cancel(nil)
		p.Context, w = inner, &gate{w, inner, cancel}
	}
	p.writer = w
	g.enter(p)
	left := false
	defer func() {
		if !left { // what panics behind us keeps its panic
			g.leave(p)
		}
	}()
	err := next(w, out)
	left = true
	if g.leave(p) {
		// The answer is not whole and must not look so: no last chunk, no END_STREAM.
		panic(http.ErrAbortHandler)
	}
	return err
}

// severable reports whether a request can be ended from below, as when its client
// hangs up, which every handler has to expect and net/http makes known to it. That
// needs nothing beforehand.
func (g *Guard) severable(w http.ResponseWriter, r *http.Request) bool {
	switch r.ProtoMajor {
	case 1:
		return g.config.Connection != nil
	case 2:
		_, ok := innermost(w).(deadlines)
		return ok
	}
	return false // the streams of HTTP/3 do not end by deadlines
}

// cut ends a request that is still under way.
func (g *Guard) cut(p *passage, why *authz.Error) {
	g.watch.cutting.Lock()
	defer g.watch.cutting.Unlock()
	s := &g.watch.shards[p.shard]
	s.mu.Lock()
	p.ended = p.present
	s.mu.Unlock()
	if !p.ended {
		return
	}
	g.sever(p)
	g.config.Recorder.Record(context.Background(), authz.Event{
		Type: authz.EventRequestCut, Outcome: authz.Denied, Reason: why.Code,
		Client: p.principal.Client, Subject: p.principal.Subject, Grant: p.principal.Grant, Took: time.Since(g.watch.made) - p.since,
	})
}

// sever ends what carries the request, whatever its handler is doing: nothing
// more is read from the client or written to it.
func (g *Guard) sever(p *passage) {
	if gate, ok := p.writer.(*gate); ok {
		gate.shut(errCut)
	}
	if p.request.ProtoMajor == 1 && g.config.Connection != nil {
		if conn := g.config.Connection(p.request); conn != nil {
			hangUp(conn)
			return
		}
	}
	// In HTTP/2 a deadline that has passed resets the stream at once. Not those
	// of the writers in between: they belong to the handler.
	if stream, ok := innermost(p.writer).(deadlines); ok {
		past := time.Unix(1, 0)
		_ = stream.SetReadDeadline(past) // no error says more than that it has ended
		_ = stream.SetWriteDeadline(past)
	}
}

// hangUp ends a connection without a farewell, so that an answer that ends with
// it (HTTP/1.0) does not look whole, and without what is not on its way yet.
func hangUp(conn net.Conn) {
	for {
		inner, ok := conn.(interface{ NetConn() net.Conn }) // as of TLS
		if !ok {
			break
		}
		conn = inner.NetConn()
	}
	if tcp, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// deadlines are what the writers of net/http have for [http.ResponseController].
type deadlines interface {
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// innermost returns the writer of the server below all that wrap it.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// gate lets nothing through once the request has ended.
type gate struct {
	http.ResponseWriter
	request context.Context
	shut    context.CancelCauseFunc
}

// Unwrap gives [http.ResponseController] what the gate does not have itself.
func (g *gate) Unwrap() http.ResponseWriter { return g.ResponseWriter }

func (g *gate) Write(p []byte) (int, error) {
	if g.request.Err() != nil {
		return 0, context.Cause(g.request)
	}
	return g.ResponseWriter.Write(p)
}

// FlushError is Flush for [http.ResponseController].
func (g *gate) FlushError() error {
	if g.request.Err() != nil {
		return context.Cause(g.request)
	}
	return http.NewResponseController(g.ResponseWriter).Flush()
}
