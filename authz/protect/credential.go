// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// MaxCredential is the length in bytes of the longest credential that is looked at.
const MaxCredential = 8192

// presence says what a request carries to prove itself.
type presence uint8

const (
	// absent: nothing, or only a scheme that this guard does not accept.
	absent presence = iota
	// present: exactly one credential.
	present
	// broken: more than one, or one that is malformed. RFC 6750 §3.1 makes that 400.
	broken
)

// parseAuthorization looks for exactly one credential of an accepted scheme
// among the values of the Authorization header (RFC 9110 §11.4 and §11.6.2:
// scheme, spaces, token68). What two parsers could take for different
// credentials (several headers, several credentials in one, folded lines, text
// around the token) is broken, never guessed. It does not allocate.
func parseAuthorization(values, accepted []string) (authz.Credential, presence) {
	switch len(values) {
	case 0:
		return authz.Credential{}, absent
	case 1:
	default:
		return authz.Credential{}, broken
	}
	value := values[0]
	scheme, rest, spaced := strings.Cut(value, " ")
	name := acceptedScheme(scheme, accepted)
	if name == "" {
		if !isToken(scheme) || hidesCredential(rest, accepted) {
			return authz.Credential{}, broken
		}
		return authz.Credential{}, absent
	}
	secret := strings.TrimLeft(rest, " ")
	if !spaced || len(secret) > MaxCredential || !isToken68(secret) {
		return authz.Credential{}, broken
	}
	return authz.Credential{Scheme: name, Value: secret}, present
}

// acceptedScheme returns the accepted scheme that equals the given one, or "".
func acceptedScheme(scheme string, accepted []string) string {
	for _, a := range accepted {
		if a == scheme || strings.EqualFold(a, scheme) {
			return a
		}
	}
	return ""
}

// hidesCredential reports whether a credential of an accepted scheme follows a
// comma in the rest of another one: "Basic eA==, Bearer …".
func hidesCredential(rest string, accepted []string) bool {
	for {
		_, after, found := strings.Cut(rest, ",")
		if !found {
			return false
		}
		after = strings.TrimLeft(after, " \t,")
		word := after
		if i := strings.IndexAny(after, " \t,"); i >= 0 {
			word = after[:i]
		}
		if acceptedScheme(word, accepted) != "" {
			return true
		}
		rest = after
	}
}

// withhold removes from the request what the upstream of a row that examines
// no credential must not learn, and returns it for guards further in.
// Credentials of other schemes are the upstream's own affair and stay.
func (g *Guard) withhold(h http.Header) (authz.Credential, presence) {
	credential, found := parseAuthorization(h["Authorization"], g.config.Schemes)
	if found != absent {
		deleteFold(h, "Authorization")
	}
	return credential, found
}

// settleCredential makes the Authorization header what the row's upstream is
// to see: the caller's credential or none of it. Another one, which something
// between two guards has set, stays.
func (g *Guard) settleCredential(h http.Header, p *passage) {
	credential, found := parseAuthorization(h["Authorization"], g.config.Schemes)
	switch {
	case !p.dress.keepCredential && found != absent && credential == p.credential:
		delete(h, "Authorization")
	case p.dress.keepCredential && len(h["Authorization"]) == 0 && !g.remains(h, p):
		h.Set("Authorization", p.credential.Scheme+" "+p.credential.Value)
	}
}

// remains reports whether the caller's credential is in the request still, in
// another place than the Authorization header.
func (g *Guard) remains(h http.Header, p *passage) bool {
	switch p.source {
	case fromForm, fromSession: // what is in our cookie is never the service's
		return true
	case fromCookie:
		if g.config.Bearer.Cookie == "" {
			return false
		}
		_, found := takeCookie(h, g.config.Bearer.Cookie, true)
		return found != absent
	}
	return false
}

// isToken reports whether s is a token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isPrintable reports whether s is printable ASCII, spaces included.
func isPrintable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// isToken68 reports whether s is a token68 (RFC 9110 §11.2), which is what a
// bearer token is (RFC 6750 §2.1).
func isToken68(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if !inToken68[s[i]] {
			return false
		}
	}
	return s != ""
}

// inToken68 marks the characters of a token68, a table because every request
// with a token is looked at.
var inToken68 = func() (set [256]bool) {
	for i := range set {
		c := byte(i)
		set[i] = isAlphanumeric(c) || strings.IndexByte("-._~+/", c) >= 0
	}
	return set
}()

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
