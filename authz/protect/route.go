// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// route finds the row for a request, or says why there is none. It looks at
// the path as it stands at the guard and at the target that the client sent,
// because a rewrite before the guard may have removed what was ambiguous.
//
// A path that the guard keeps for itself is the entry ownPath.
func (g *Guard) route(r *http.Request) (*entry, *authz.Error) {
	method, ok := rowMethod(r)
	if !ok {
		return nil, authz.ErrMethodNotAllowed
	}
	u := r.URL
	sent, ok := sentPath(g.original(r))
	if !ok || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") && u.Path != "" {
		return nil, authz.ErrAmbiguousRequest
	}
	var found ambiguity
	if sent == u.Path && u.RawPath == "" && strings.IndexByte(sent, '%') < 0 {
		found = scan(sent, decoded) // nothing is encoded, nothing was rewritten
	} else {
		found = scan(sent, encoded)
		if u.RawPath == "" {
			found |= scan(u.Path, decoded)
		} else {
			found |= scan(u.EscapedPath(), encoded)
		}
	}
	var e *entry
	switch {
	case found == 0 && reserved(u.Path):
		return ownPath, nil
	case found == 0:
		e = g.table.find(method, u.Path)
	case found&^g.allowed != 0:
		return nil, authz.ErrAmbiguousRequest
	default:
		if e, ok = g.table.findAll(method, u.EscapedPath(), found); !ok {
			return nil, authz.ErrAmbiguousRequest
		}
	}
	if e == nil {
		return nil, authz.ErrDenied
	}
	return e, nil
}

// ownPath stands for the paths that the guard serves itself.
var ownPath = &entry{}

// original returns the request target as the client sent it.
func (g *Guard) original(r *http.Request) string {
	if g.config.Original != nil {
		if target := g.config.Original(r); target != "" {
			return target
		}
	}
	if r.RequestURI != "" {
		return r.RequestURI
	}
	return r.URL.RequestURI() // a request that no server read
}

// sentPath cuts the path out of a request target (RFC 9112 §3.2), still
// encoded. The forms without a path, and user information, are refused.
func sentPath(target string) (path string, ok bool) {
	if !strings.HasPrefix(target, "/") { // absolute-form, or one of those to refuse
		scheme, rest, found := strings.Cut(target, "://")
		if !found || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
			return "", false
		}
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		if strings.ContainsAny(rest[:end], `@\#%`) {
			return "", false // RFC 9110 §4.2.4: userinfo is to be treated as an error
		}
		target = rest[end:]
	}
	if i := strings.IndexByte(target, '?'); i >= 0 {
		target = target[:i]
	}
	return target, true
}

// rowMethod returns the method that rows are matched by. TRACE would echo
// credentials, CONNECT would open a tunnel, "OPTIONS *" has no path.
func rowMethod(r *http.Request) (method string, ok bool) {
	switch r.Method {
	case http.MethodConnect:
		return http.MethodGet, extendedWebSocket(r)
	case http.MethodTrace:
		return "", false
	case http.MethodOptions:
		return r.Method, r.RequestURI != "*" && r.URL.Path != "*"
	case "":
		return http.MethodGet, true // net/http: for client requests an empty string means GET
	}
	return r.Method, true
}

// extendedWebSocket reports whether a CONNECT is a WebSocket handshake over
// HTTP/2 (RFC 8441 §4; net/http keeps :protocol among the headers) or over
// HTTP/3 (RFC 9220; quic-go puts it into Proto).
func extendedWebSocket(r *http.Request) bool {
	switch r.ProtoMajor {
	case 2:
		protocol := r.Header[":protocol"]
		return len(protocol) == 1 && protocol[0] == "websocket"
	case 3:
		return r.Proto == "websocket"
	}
	return false
}

// reserved reports whether the guard keeps a path for itself, ahead of the
// table (see metadata.go). Case is ignored, so that no upstream that ignores
// it can be reached under these names.
func reserved(path string) bool {
	return hasPrefixFold(path, authz.PathResourceMetadata) ||
		hasPrefixFold(path, authz.PathReserved) ||
		strings.EqualFold(path, strings.TrimSuffix(authz.PathReserved, "/"))
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
