// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
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
	if trouble.RetryAfter > 0 {
		seconds := int((trouble.RetryAfter + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(seconds)) // RFC 9110 §10.2.3
	}
	return caddyhttp.Error(trouble.Status, err)
}

// secretParameters are the query parameters that are secrets wherever they
// stand. (RFC 6750 §2.3, RFC 6749 §2.3.1, RFC 7521 §4.2)
var secretParameters = [...]string{authz.ParamAccessToken, "refresh_token", authz.ParamClientSecret, "client_assertion"}

// secretInURL reports whether the request has, or had when it came, a secret
// in its query. Caddy has taken it down for its log before we see it.
func secretInURL(r *http.Request) bool {
	if queryHasSecret(r.URL.RawQuery) {
		return true
	}
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	return ok && original.URL != nil && queryHasSecret(original.URL.RawQuery)
}

func queryHasSecret(query string) bool {
	for query != "" {
		var pair string
		end := strings.IndexAny(query, "&;") // some services separate by semicolons
		if end < 0 {
			end = len(query)
		}
		pair, query = query[:end], query[min(end+1, len(query)):]
		name, _, _ := strings.Cut(pair, "=")
		if strings.ContainsAny(name, "%+") {
			name, _ = url.QueryUnescape(name)
		}
		for _, secret := range secretParameters {
			if strings.EqualFold(name, secret) {
				return true
			}
		}
	}
	return false
}

// forgetSentToken removes tokens from what Caddy keeps of the URL as it was sent.
func forgetSentToken(r *http.Request) {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil {
		return
	}
	original.URL.RawQuery = protect.WithoutToken(original.URL.RawQuery)
	// The request target beside it cannot be changed, only what is said of it.
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set("http.request.orig_uri", original.URL.RequestURI())
	}
}

// finishHidden writes the line for a request that must not be in the access
// log, and keeps it out of the error log too: an error returned to Caddy would
// be logged with the URL.
func (b *boundary) finishHidden(w http.ResponseWriter, r *http.Request, start time.Time, err error) error {
	status := 0
	if err != nil {
		status = http.StatusInternalServerError
		var known caddyhttp.HandlerError
		if errors.As(err, &known) && known.StatusCode != 0 {
			status = known.StatusCode
		}
		w.WriteHeader(status)
	}
	if write, leftOut := b.hidden.take(time.Now()); write {
		// Not the error: its text may quote the URL.
		b.log.Info("a request with a secret in its URL is not in the access log",
			zap.String("method", r.Method), zap.String("host", r.Host), zap.String("path", r.URL.Path),
			zap.String("remote_addr", r.RemoteAddr), zap.Duration("duration", time.Since(start)),
			zap.Int("failed_with", status), zap.Uint64("lines_left_out_before", leftOut))
	}
	return nil
}
