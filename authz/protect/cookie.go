// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// MaxCookieName is the length in bytes of the longest name of a token's cookie.
const MaxCookieName = 128

// takeCookie returns the value of the cookie of that name (RFC 6265 §4.2.1) and,
// unless it is to be kept, removes it. The others stay byte for byte as they
// were. An empty value is none: that is how some applications delete cookies. Two
// are broken: another host of the same domain may have set one of them.
func takeCookie(h http.Header, name string, keep bool) (token string, found presence) {
	lines := h["Cookie"]
	var left []string // the lines without it, once it has been seen
	for i, line := range lines {
		value, count := findCookie(line, name)
		if count == 0 {
			if left != nil {
				left = append(left, line)
			}
			continue
		}
		if left == nil {
			left = append(make([]string, 0, len(lines)), lines[:i]...)
		}
		if rest := withoutCookie(line, name); rest != "" {
			left = append(left, rest)
		}
		switch {
		case value == "" && count == 1:
		case found == absent && count == 1 && len(value) <= MaxCredential && isToken68(value):
			token, found = value, present
		default:
			token, found = "", broken
		}
	}
	switch {
	case left == nil || keep:
	case len(left) == 0:
		delete(h, "Cookie")
	default:
		h["Cookie"] = left
	}
	return token, found
}

// findCookie returns the last value of the cookies of that name in a line, and
// how many there are. White space before a value stays: no browser sends it
// (RFC 6265 §4.2.1), and readers behind the guard differ on it.
func findCookie(line, name string) (value string, count int) {
	for pair := range strings.SplitSeq(line, ";") {
		if n, v, _ := strings.Cut(textproto.TrimString(pair), "="); textproto.TrimString(n) == name {
			value, count = v, count+1
		}
	}
	return value, count
}

// withoutCookie returns the line without the cookies of that name.
func withoutCookie(line, name string) string {
	kept := make([]string, 0, 4)
	for pair := range strings.SplitSeq(line, ";") {
		if n, _, _ := strings.Cut(pair, "="); textproto.TrimString(n) != name {
			kept = append(kept, pair)
		}
	}
	return textproto.TrimString(strings.Join(kept, ";"))
}

// forgeable reports whether another site may have caused a request that carries
// a cookie: it does something, or opens a WebSocket, which no same-origin policy
// covers, and nothing shows that it comes from this origin.
func (g *Guard) forgeable(r *http.Request) bool {
	return (!safe(r.Method) || upgrades(r)) && !g.sameOrigin(r)
}

// safe reports whether a method only reads (RFC 9110 §9.2.1).
func safe(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}

// MaxTrust is the number of origins that one guard may trust.
const MaxTrust = 64

// ValidateTrust returns what is wrong with a list of origins to trust.
func ValidateTrust(origins []string) error {
	if len(origins) > MaxTrust {
		return fmt.Errorf("csrf trust: at most %d origins", MaxTrust)
	}
	for _, origin := range origins {
		if !isOrigin(origin) {
			return fmt.Errorf("csrf trust: %q is no origin as browsers write it: scheme and host in lower case, and the port where it is not the usual one, as in https://app.example.com", origin)
		}
	}
	return nil
}

// sameOrigin reports whether a browser says that a page of this origin or a trusted
// one, or the user, caused the request. What says nothing of it is not believed: clients
// other than browsers have better places for a token.
func (g *Guard) sameOrigin(r *http.Request) bool {
	origin := r.Header["Origin"]
	if len(origin) == 1 && slices.Contains(g.config.Trust, origin[0]) {
		return true
	}
	if site := r.Header["Sec-Fetch-Site"]; len(site) > 0 {
		return len(site) == 1 && (site[0] == "same-origin" || site[0] == "none") // none: typed, or a bookmark
	}
	if len(origin) != 1 {
		return false
	}
	scheme, host, _ := strings.Cut(origin[0], "://")
	if !strings.EqualFold(host, r.Host) {
		return false
	}
	// Where TLS ends elsewhere, the resource says what clients use.
	secure := r.TLS != nil || hasPrefixFold(g.resource(r), "https://")
	return scheme == "https" || scheme == "http" && !secure
}
