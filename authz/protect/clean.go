// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"slices"
)

// treatment says what happens to a header of a request.
type treatment uint8

const (
	// pass: not ours.
	pass treatment = iota
	// remove: an identity header, or one that lets a client talk around the
	// table (method overrides). From a client it is always a forgery.
	remove
	// removeUntrusted: says where a request came from or which URL it had. It
	// passes only from a peer that the configuration trusts.
	removeUntrusted
	// removeAlias: the proxy replaces the name with dashes itself, but not
	// other spellings, which CGI-like upstreams read as the same header.
	removeAlias
	// reduce: Connection, see connection.go.
	reduce
	// checkUpgrade: Upgrade and HTTP2-Settings, see connection.go.
	checkUpgrade
	// credentials: Authorization, see credential.go.
	credentials
)

// fixedNames are treated at every guard, whatever its upstream.
var fixedNames = map[string]treatment{
	"Authorization":  credentials,
	"Connection":     reduce,
	"Upgrade":        checkUpgrade,
	"Http2-Settings": checkUpgrade,

	// For a proxy, never for the service (RFC 9110 §11.7.2). Caddy removes the
	// header, but not the trailer.
	"Proxy-Authorization": remove,

	"X-Http-Method-Override": remove,
	"X-Http-Method":          remove,
	"X-Method-Override":      remove,
	"X-Forwarded-Method":     remove,
	"X-Original-Method":      remove,

	"Forwarded":                removeUntrusted,
	"X-Forwarded-Path":         removeUntrusted,
	"X-Forwarded-Port":         removeUntrusted,
	"X-Forwarded-Prefix":       removeUntrusted,
	"X-Forwarded-Scheme":       removeUntrusted,
	"X-Forwarded-Server":       removeUntrusted,
	"X-Forwarded-Ssl":          removeUntrusted,
	"X-Forwarded-Uri":          removeUntrusted,
	"X-Original-Uri":           removeUntrusted,
	"X-Original-Url":           removeUntrusted,
	"X-Original-Host":          removeUntrusted,
	"X-Rewrite-Url":            removeUntrusted,
	"X-Real-Ip":                removeUntrusted,
	"X-Client-Ip":              removeUntrusted,
	"X-Cluster-Client-Ip":      removeUntrusted,
	"X-Envoy-Original-Path":    removeUntrusted,
	"X-Waws-Unencoded-Url":     removeUntrusted,
	"X-Forwarded-Original-Uri": removeUntrusted,

	"X-Forwarded-For":   removeAlias,
	"X-Forwarded-Host":  removeAlias,
	"X-Forwarded-Proto": removeAlias,
}

// names knows how to treat a header by its name in any spelling. CGI and its
// heirs put "_" for everything that is no letter or digit, so all such
// characters are one here.
type names struct {
	// byLength holds the names of each length, spelled as by [spell].
	byLength [][]managed
}

type managed struct {
	name  string
	treat treatment
}

// newNames returns the fixed names and the given identity headers.
func newNames(identity []string) *names {
	n := &names{}
	for name, t := range fixedNames {
		n.add(name, t)
	}
	for _, name := range identity {
		n.add(name, remove)
	}
	return n
}

func (n *names) add(name string, t treatment) {
	for len(n.byLength) <= len(name) {
		n.byLength = append(n.byLength, nil)
	}
	m := managed{spell(name), t}
	if !slices.Contains(n.byLength[len(name)], m) {
		n.byLength[len(name)] = append(n.byLength[len(name)], m)
	}
}

// spelling maps letters to lower case and whatever is no letter or digit to "-".
var spelling = func() (table [256]byte) {
	for i := range table {
		c := byte(i)
		switch {
		case 'A' <= c && c <= 'Z':
			table[i] = c + 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			table[i] = c
		default:
			table[i] = '-'
		}
	}
	return table
}()

func spell(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = spelling[c]
	}
	return string(b)
}

// treat returns what to do with a header of that name. It does not allocate.
func (n *names) treat(name string) treatment {
	t := n.find(name)
	if t != removeAlias {
		return t
	}
	if isAlias(name) {
		return remove
	}
	return pass
}

// find returns the treatment that goes with a name in any spelling.
func (n *names) find(name string) treatment {
	if len(name) >= len(n.byLength) {
		return pass
	}
next:
	for _, m := range n.byLength[len(name)] {
		for i := len(name) - 1; i >= 0; i-- { // names differ more at their ends
			if spelling[name[i]] != m.name[i] {
				continue next
			}
		}
		return m.treat
	}
	return pass
}

// isAlias reports whether name is spelled with other separators than dashes.
func isAlias(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '-' && spelling[c] == '-' {
			return true
		}
	}
	return false
}

// clean removes from the request what the client must not tell the upstream,
// whether or not the request will pass.
func (g *Guard) clean(r *http.Request, outer *passage) {
	connection := false
	for name := range r.Header {
		switch g.names.treat(name) {
		case remove:
			delete(r.Header, name)
		case removeUntrusted:
			if g.config.TrustedPeer == nil || !g.config.TrustedPeer(r) {
				delete(r.Header, name)
			}
		case reduce, checkUpgrade:
			connection = true
		case credentials:
			if name != "Authorization" { // no server spells it so: nobody would examine it
				delete(r.Header, name)
			}
		}
	}
	if connection {
		cleanConnection(r)
	}
	if outer != nil && outer.dress != nil {
		outer.dress.takeOff(r.Header) // names of another guard, which this one need not know
	}
}
