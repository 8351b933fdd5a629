// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Sources says where a bearer token may be besides the Authorization header.
// The zero value is nowhere.
//
// Tokens in a query, a form and the Authorization header are explicit: a request
// with two of them is refused (RFC 6750 §2). A cookie counts only where there is
// no explicit one.
type Sources struct {
	// Query takes the token from the parameter access_token of the URL (RFC 6750
	// §2.3), and removes it there. URLs end up in histories, in bookmarks and in
	// the logs of everybody on the way. Default: false.
	Query bool `json:"query,omitempty"`
	// Form takes the token from the field access_token of a form (RFC 6750 §2.2)
	// sent by POST, PUT or PATCH. Forms are then read before they go on, in
	// memory, and those of more than [MaxForm] bytes are refused. The service gets
	// the body as it was, token included. Default: false.
	Form bool `json:"form,omitempty"`
	// Cookie is the name of a cookie to take the token from. Browsers send cookies
	// along with requests that other sites cause, so those with an unsafe method,
	// and WebSocket handshakes, must be same-origin by Sec-Fetch-Site, or else by
	// Origin. The cookie does not go on to the service. Default: none.
	Cookie string `json:"cookie,omitempty"`
}

// Validate returns what is wrong with s.
func (s Sources) Validate() error {
	if s.Cookie != "" && (!isToken(s.Cookie) || len(s.Cookie) > MaxCookieName) { // RFC 6265 §4.1.1
		return fmt.Errorf("cookie %q is no name for a cookie: use letters, digits, dashes and underscores, at most %d", s.Cookie, MaxCookieName)
	}
	return nil
}

// methods are the names of the places for the metadata (RFC 9728 §2), which
// has none for cookies.
func (s Sources) methods() []string {
	methods := []string{"header"}
	if s.Form {
		methods = append(methods, "body")
	}
	if s.Query {
		methods = append(methods, "query")
	}
	return methods
}

// bearerMethods are those of the guard's; none where it takes no tokens.
func (c *Config) bearerMethods() []string {
	if acceptedScheme(authz.SchemeBearer, c.Schemes) == "" {
		return []string{} // RFC 9728 §2
	}
	return c.Bearer.methods()
}

// source says where a credential was found.
type source uint8

const (
	fromHeader source = iota
	fromQuery
	fromForm
	fromCookie
	fromSession // the cookie of a session
)

// cookie reports whether browsers send the credential of their own accord.
func (s source) cookie() bool { return s == fromCookie || s == fromSession }

// looksElsewhere reports whether there are such other places.
func (g *Guard) looksElsewhere() bool {
	return g.config.Bearer != (Sources{}) || g.config.Sessions != nil
}

// elsewhere looks for a token in the other places that the guard takes one
// from, and removes it from where it must not go on. p is what the Authorization
// header had, or what a guard further out has found, or nil; keep leaves the
// cookie in the request. The body is read only for a row that asks for a token.
func (g *Guard) elsewhere(r *http.Request, p *passage, row *entry) (*passage, *authz.Error) {
	s := &g.config.Bearer
	add := func(token string, found presence, from source) {
		switch {
		case found == absent:
		case p == nil:
			p = &passage{Context: r.Context(), found: found, source: from,
				credential: authz.Credential{Scheme: authz.SchemeBearer, Value: token}}
		case !from.cookie():
			p.found, p.checked = broken, false // RFC 6750 §2: not more than one method
		}
	}
	if s.Query {
		token, found := takeFromQuery(r)
		add(token, found, fromQuery)
	}
	if s.Form && row.Verb != Public && (p == nil || p.source != fromForm && p.found == present) {
		token, found, err := readForm(r)
		if err != nil {
			return p, err
		}
		add(token, found, fromForm)
	}
	if s.Cookie != "" {
		keep := row.Verb != Public && row.dress.keepCredential
		token, found := takeCookie(r.Header, s.Cookie, keep)
		add(token, found, fromCookie)
	}
	if g.config.Sessions != nil {
		session, found := g.cookies(r).find(r.Header)
		if add(session, found, fromSession); p != nil && p.source == fromSession {
			p.credential.Scheme = authz.SchemeSession
		}
	}
	return p, nil
}

// hush removes from a request that goes no further, but to an error route, the
// tokens that are not in the Authorization header, and the cookies of ours.
func (g *Guard) hush(r *http.Request) {
	if g.config.Bearer.Query {
		takeFromQuery(r)
	}
	if name := g.config.Bearer.Cookie; name != "" {
		takeCookie(r.Header, name, false)
	}
	if g.hidesCookies() {
		g.cookies(r).strip(r.Header)
	}
}

// takeFromQuery removes the parameter access_token from the URL of r and returns
// its value. The rest of the query stays byte for byte as it was.
func takeFromQuery(r *http.Request) (token string, found presence) {
	if token, found = findToken(r.URL.RawQuery); found == absent {
		return "", absent
	}
	r.URL.RawQuery = WithoutToken(r.URL.RawQuery)
	if path, query, some := strings.Cut(r.RequestURI, "?"); some {
		if query = WithoutToken(query); query != "" {
			path += "?" + query
		}
		r.RequestURI = path
	}
	return token, found
}

// WithoutToken returns a query without its parameters access_token, whatever
// their spelling. The others stay byte for byte as they were.
func WithoutToken(query string) string {
	kept := make([]string, 0, 4)
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); !namesToken(name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// findToken looks for exactly one parameter access_token in a text of the type
// application/x-www-form-urlencoded. Two, and one whose value is no token, are
// broken, never guessed.
func findToken(form string) (token string, found presence) {
	for pair := range strings.SplitSeq(form, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !namesToken(name) {
			continue
		}
		if found != absent {
			return "", broken
		}
		token, found = value, present
	}
	if found == absent {
		return "", absent
	}
	token, err := url.QueryUnescape(token)
	if err != nil || len(token) > MaxCredential || !isToken68(token) {
		return "", broken
	}
	return token, present
}

// namesToken reports whether an encoded parameter name is access_token.
func namesToken(name string) bool {
	if strings.IndexByte(name, '%') < 0 {
		return name == authz.ParamAccessToken
	}
	decoded, err := url.QueryUnescape(name)
	return err == nil && decoded == authz.ParamAccessToken
}
