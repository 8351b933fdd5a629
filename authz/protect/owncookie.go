// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// ownCookies are how cookies of ours are named at a site.
type ownCookies struct {
	// prefix is how all of them begin, session is that of the site's session.
	prefix, session string
}

// Cookies of ours, by whether browsers use https.
var (
	securedCookies = &ownCookies{authz.CookieHost + authz.CookiePrefix, authz.CookieHost + authz.CookieSite}
	plainCookies   = &ownCookies{authz.CookiePrefix, authz.CookieSite}
)

// hidesCookies reports whether cookies of ours are kept from the service.
func (g *Guard) hidesCookies() bool { return g.config.Sessions != nil || g.config.HideCookies }

// cookies returns how cookies of ours are named at the site that r is for.
func (g *Guard) cookies(r *http.Request) *ownCookies {
	// Where TLS ends elsewhere, the resource says what clients use.
	if site := g.resource(r); hasPrefixFold(site, "https://") || site == "" && r.TLS != nil {
		return securedCookies
	}
	return plainCookies
}

// own reports whether a cookie of that name is one of ours. Services that ignore case
// may take it for one in any.
func (o *ownCookies) own(name string) bool {
	return hasPrefixFold(textproto.TrimString(name), o.prefix)
}

// find returns the cookie of the site's session. One that is no token is none; two are
// broken, never guessed: without the prefix of hosts, another host of the same domain
// may have set one of them.
func (o *ownCookies) find(h http.Header) (session string, found presence) {
	count := 0
	for _, line := range h["Cookie"] {
		if value, n := findCookie(line, o.session); n > 0 {
			session, count = value, count+n
		}
	}
	switch {
	case count > 1:
		return "", broken
	case count == 0 || len(session) > MaxCredential || !isToken68(session):
		return "", absent
	}
	return session, present
}

// strip removes all cookies of ours from a request that goes on to others. The rest
// stays byte for byte as it was.
func (o *ownCookies) strip(h http.Header) {
	lines := h["Cookie"]
	var left []string // the lines without ours, once one has been seen
	for i, line := range lines {
		if !o.in(line) {
			if left != nil {
				left = append(left, line)
			}
			continue
		}
		if left == nil {
			left = append(make([]string, 0, len(lines)), lines[:i]...)
		}
		if rest := o.without(line); rest != "" {
			left = append(left, rest)
		}
	}
	switch {
	case left == nil:
	case len(left) == 0:
		delete(h, "Cookie")
	default:
		h["Cookie"] = left
	}
}

// in reports whether a line has a cookie of ours.
func (o *ownCookies) in(line string) bool {
	for pair := range strings.SplitSeq(line, ";") {
		if name, _, _ := strings.Cut(pair, "="); o.own(name) {
			return true
		}
	}
	return false
}

// without returns a line without the cookies of ours.
func (o *ownCookies) without(line string) string {
	kept := make([]string, 0, 4)
	for pair := range strings.SplitSeq(line, ";") {
		if name, _, _ := strings.Cut(pair, "="); !o.own(name) {
			kept = append(kept, pair)
		}
	}
	return textproto.TrimString(strings.Join(kept, ";"))
}

// settledWriter keeps the service behind from setting cookies of ours: it would sign
// its users in as somebody else.
type settledWriter struct {
	http.ResponseWriter
	cookies *ownCookies
	wrote   bool
}

// settle removes them from what is about to be sent, trailers included.
func (w *settledWriter) settle() {
	h := w.Header()
	for _, name := range [...]string{"Set-Cookie", http.TrailerPrefix + "Set-Cookie"} {
		lines := h[name]
		for i, line := range lines {
			if !w.cookies.sets(line) {
				continue
			}
			kept := append(make([]string, 0, len(lines)), lines[:i]...)
			for _, line := range lines[i+1:] {
				if !w.cookies.sets(line) {
					kept = append(kept, line)
				}
			}
			if h[name] = kept; len(kept) == 0 {
				delete(h, name)
			}
			break
		}
	}
}

// sets reports whether a value of Set-Cookie sets a cookie of ours. Browsers leave
// away control characters and spaces at its ends, and where nothing but an equals sign
// is before the name, what they send back has the name at its beginning.
func (o *ownCookies) sets(line string) bool {
	pair, _, _ := strings.Cut(line, ";")
	return hasPrefixFold(strings.TrimLeftFunc(pair, func(c rune) bool { return c <= ' ' || c == '=' }), o.prefix)
}

// WriteHeader settles informational answers too: browsers take their cookies.
func (w *settledWriter) WriteHeader(status int) {
	w.wrote = w.wrote || status >= 200 || status == http.StatusSwitchingProtocols
	w.settle()
	w.ResponseWriter.WriteHeader(status)
}

func (w *settledWriter) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Flush is for handlers that do not use [http.ResponseController].
func (w *settledWriter) Flush() { _ = w.FlushError() } // what cannot flush has nothing to hold back

// FlushError is Flush for [http.ResponseController].
func (w *settledWriter) FlushError() error {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for [http.ResponseController].
func (w *settledWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
