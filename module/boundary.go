// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// room is a handler of the protocol: the guard, or the server's endpoints. It
// answers what is the client's fault itself, and returns trouble.
type room interface {
	ServeHTTP(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error
}

// boundary is where Caddy's requests enter a room of ours.
type boundary struct {
	log *zap.Logger
	// identifies: the room vouches for the identity of what it lets pass.
	identifies bool
	// tokensInURL: the room takes tokens from URLs, and nothing behind it, nor an
	// error route, is to find them in the URL that the client sent.
	tokensInURL bool
	// hidden is how many lines of finishHidden are written.
	hidden throttle
}

// crossing is one request on its way through a room and, maybe, out of it.
type crossing struct {
	*boundary
	next caddyhttp.Handler
	// passed: the request has left the room. From then on neither errors nor
	// panics are ours.
	passed bool
}

// leave is what the room calls to let the request go on.
func (c *crossing) leave(w http.ResponseWriter, r *http.Request) error {
	if c.identifies {
		identify(r.Context(), authz.PrincipalFrom(r.Context()))
	}
	c.passed = true
	return c.next.ServeHTTP(w, r)
}

// serve takes a request through a room.
func (b *boundary) serve(through room, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	c := &crossing{boundary: b, next: next}
	if !secretInURL(r) {
		return c.serve(through, w, r)
	}
	skipAccessLog(r)
	if b.tokensInURL {
		forgetSentToken(r)
	}
	start := time.Now()
	return b.finishHidden(w, r, start, c.serve(through, w, r))
}

// serve catches a panic of ours, which would drop the connection without a
// status. What panics behind us keeps its stack, and its meaning to net/http.
func (c *crossing) serve(through room, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if c.passed {
			return
		}
		if p := recover(); p != nil {
			panics.Inc()
			c.log.Error("panic; please report this", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			err = caddyhttp.Error(http.StatusInternalServerError, authz.ErrServer)
		}
	}()
	if err = through.ServeHTTP(w, r, c.leave); err == nil || c.passed {
		return err
	}
	if c.identifies && !identified(r.Context()) {
		identify(r.Context(), nil) // error routes may tell a service who calls
	}
	return dress(w, err)
}

// dress turns trouble of ours into Caddy's kind of error, so that handle_errors
// can answer it.
func dress(w http.ResponseWriter, err error) error {
	var trouble *authz.Error
	if !errors.As(err, &trouble) {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	if seconds := trouble.RetrySeconds(); seconds != "" {
		w.Header().Set("Retry-After", seconds)
	}
	return caddyhttp.Error(trouble.Status, err)
}
