// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// originalURIPlaceholder is what Caddy says of the request target as it was sent.
const originalURIPlaceholder = "http.request.orig_uri"

// secretParameters are the query parameters that are secrets wherever they
// stand. (RFC 6750 §2.3, RFC 6749 §2.3.1, RFC 7521 §4.2)
var secretParameters = [...]string{authz.ParamAccessToken, authz.ParamRefreshToken, authz.ParamClientSecret, authz.ParamClientAssertion}

// secretInURL reports whether the request has, or had when it came, a secret
// in its query. Caddy has taken it down for its log before we see it.
func secretInURL(r *http.Request) bool {
	if queryHasSecret(r.URL.RawQuery) || r.URL.Path == authz.PathSiteSession {
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
		repl.Set(originalURIPlaceholder, original.URL.RequestURI())
	}
}

// withoutSecrets returns a query without its secrets. The other parameters stay
// byte for byte as they were.
func withoutSecrets(query string) string {
	kept := make([]string, 0, 4)
	for pair := range strings.SplitSeq(query, "&") {
		if !queryHasSecret(pair) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
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
		if !answerHidden(w, r, status, err) {
			w.WriteHeader(status)
		}
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

// answerHidden lets the server's error routes answer a request that Caddy must not
// learn of, as Caddy itself would: for the URL that the client sent, here without
// its secrets. It reports whether there are such routes, and they did.
func answerHidden(w http.ResponseWriter, r *http.Request, status int, err error) bool {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil || server.Errors == nil || len(server.Errors.Routes) == 0 {
		return false
	}
	// In place: the request's placeholders, and handlers further in, look here.
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if ok && original.URL != nil {
		original.URL.RawQuery = withoutSecrets(original.URL.RawQuery)
		r.Method, r.RemoteAddr, *r.URL = original.Method, original.RemoteAddr, *original.URL
	} else {
		r.URL.RawQuery = withoutSecrets(r.URL.RawQuery)
	}
	r.RequestURI = r.URL.RequestURI()
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set(originalURIPlaceholder, r.RequestURI)
	}
	unanswered := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(status)
		return nil
	})
	return server.Errors.Routes.Compile(unanswered).ServeHTTP(w, server.Errors.WithError(r, err)) == nil
}
