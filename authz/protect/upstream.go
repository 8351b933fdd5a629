// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

const (
	// MaxValue is the length in bytes of the longest header value that goes
	// upstream, after encoding. A request that would need a longer one is
	// refused: servers commonly take 8 kB for all headers together.
	MaxValue = 6144
	// MaxHeaders is the number of headers that one upstream may be given.
	MaxHeaders = 16
)

// Upstream says what the service behind the guard learns of the caller. The
// zero value is the four X-Auth-… headers.
//
// Values are printable ASCII: every other byte, and "%" and ",", is
// percent-encoded (RFC 3986 §2.1), as are spaces at either end, so that no
// value splits a header or is taken for a list.
//
// What is the same whoever calls (Static, Basic) goes with requests that carry a
// valid credential, and, where a row has an Upstream of its own, with all that
// the row lets pass. The Upstream of a row takes the place of the guard's: nothing
// is merged.
type Upstream struct {
	// Preset names a set of headers that services know from elsewhere: "kong",
	// "oauth2-proxy" or "remote-user". Default: X-Auth-Subject,
	// X-Auth-Username, X-Auth-Client and X-Auth-Scope, unless Headers is given.
	Preset string `json:"preset,omitempty"`
	// Headers maps header names to facts, beside those of the preset: "subject",
	// "username", "client", "scope", "issuer", "groups", "grant_id", "expires_at" or
	// "claim.NAME". At most [MaxHeaders] altogether.
	Headers map[string]Fact `json:"headers,omitempty"`
	// Static maps header names to texts that go with every proved caller, such as
	// the gateway's own key at the service. Placeholders such as {file.…} are
	// resolved once, at load. What forwards requests may log these headers.
	Static map[string]string `json:"static,omitempty"`
	// Basic is the gateway's own account at the service, in the Authorization
	// header of every proved caller. Default: none.
	Basic *Basic `json:"basic,omitempty"`
	// Token tells the service of the caller by a signed token besides. Default: none.
	Token *Token `json:"token,omitempty"`
	// KeepCredential leaves the Authorization header in the request. By
	// default the service does not learn the token, which it could use elsewhere.
	KeepCredential bool `json:"keep_credential,omitempty"`
}

// headerIssuer tells the issuer where a guard accepts several.
const headerIssuer = "X-Auth-Issuer"

// presets are the header sets by name. Names without a fact are only removed
// from requests: services that know the set may believe them.
var presets = map[string]map[string]Fact{
	"": {
		"X-Auth-Subject":  FactSubject,
		"X-Auth-Username": FactUsername,
		"X-Auth-Client":   FactClient,
		"X-Auth-Scope":    FactScope,
		headerIssuer:      "",
	},
	"kong": { // its oauth2 plugin; the consumer is who the client belongs to
		"X-Consumer-Id":           FactClient,
		"X-Consumer-Username":     FactClient,
		"X-Consumer-Custom-Id":    "",
		"X-Consumer-Groups":       "",
		"X-Credential-Identifier": FactClient,
		"X-Credential-Username":   "",
		"X-Anonymous-Consumer":    "",
		"X-Authenticated-Scope":   FactScope,
		"X-Authenticated-Userid":  FactSubject,
		"X-Authenticated-Groups":  FactGroups,
	},
	"oauth2-proxy": { // as with pass_user_headers
		"X-Forwarded-User":                  FactSubject,
		"X-Forwarded-Preferred-Username":    FactUsername,
		"X-Forwarded-Email":                 "",
		"X-Forwarded-Groups":                FactGroups,
		"X-Forwarded-Access-Token":          "",
		"X-Auth-Request-User":               "",
		"X-Auth-Request-Email":              "",
		"X-Auth-Request-Groups":             "",
		"X-Auth-Request-Preferred-Username": "",
		"X-Auth-Request-Access-Token":       "",
	},
	"remote-user": { // as web servers and single sign-on portals
		"Remote-User":     FactUsername,
		"Remote-Name":     "",
		"Remote-Email":    "",
		"Remote-Groups":   FactGroups,
		"X-Remote-User":   "",
		"X-Remote-Email":  "",
		"X-Remote-Groups": "",
	},
}

// Presets returns the names that [Upstream].Preset takes, sorted.
func Presets() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(presets)), func(name string) bool { return name == "" })
}

// Validate returns what is wrong with u.
func (u Upstream) Validate() error {
	_, err := newDress(u)
	return err
}

// dress is an Upstream made ready: the headers to put on a request.
type dress struct {
	headers        []header
	fixed          fixed
	statement      *statement // or nil
	keepCredential bool
}

type header struct {
	name string // canonical
	fact Fact
}

// newDress checks an Upstream and makes it ready.
func newDress(u Upstream) (*dress, error) {
	preset, known := presets[u.Preset]
	if !known {
		return nil, fmt.Errorf("upstream preset %q is unknown: use %s", u.Preset, strings.Join(Presets(), ", "))
	}
	if u.Preset == "" && len(u.Headers) > 0 {
		preset = nil
	}
	d := &dress{keepCredential: u.KeepCredential}
	for _, name := range slices.Sorted(maps.Keys(preset)) {
		if fact := preset[name]; fact != "" {
			d.headers = append(d.headers, header{name, fact})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.Headers)) {
		if err := checkHeader(name, u.Headers[name]); err != nil {
			return nil, err
		}
		for _, other := range d.headers {
			if spell(other.name) == spell(name) {
				return nil, fmt.Errorf("upstream names the header %s twice", name)
			}
		}
		d.headers = append(d.headers, header{textproto.CanonicalMIMEHeaderKey(name), u.Headers[name]})
	}
	var err error
	if d.fixed, err = newFixed(u); err != nil {
		return nil, err
	}
	if d.statement, err = newStatement(u); err != nil {
		return nil, err
	}
	for _, h := range d.headers {
		twice := d.statement.named(h.name)
		for _, other := range d.fixed.headers {
			twice = twice || spell(h.name) == spell(other.name)
		}
		if twice {
			return nil, fmt.Errorf("upstream names the header %s twice", h.name)
		}
	}
	for _, h := range d.fixed.headers {
		if d.statement.named(h.name) {
			return nil, fmt.Errorf("upstream names the header %s twice", h.name)
		}
	}
	if n := len(d.headers) + len(d.fixed.headers); n > MaxHeaders {
		return nil, fmt.Errorf("upstream has %d headers: at most %d", n, MaxHeaders)
	}
	return d, nil
}

// newDress checks an Upstream and makes it ready for the issuers of g. Where there
// are several, one header tells which: the same subject is another person, and
// the same client another program, at each.
func (g *Guard) newDress(u Upstream) (*dress, error) {
	d, err := newDress(u)
	if err != nil || len(g.config.Foreign) == 0 {
		return d, err
	}
	for _, h := range d.headers {
		if h.fact == FactIssuer {
			return d, nil
		}
		if spell(h.name) == spell(headerIssuer) {
			return nil, fmt.Errorf("upstream header %s tells the issuer where there are several: name another one for the %s", h.name, h.fact)
		}
	}
	for _, h := range d.fixed.headers {
		if spell(h.name) == spell(headerIssuer) {
			return nil, fmt.Errorf("upstream header %s tells the issuer where there are several: it cannot be static", h.name)
		}
	}
	d.headers = append(d.headers, header{headerIssuer, FactIssuer})
	return d, nil
}

// ownNames are headers with a meaning in HTTP, by name or, with a dash at the
// end, by beginning.
var ownNames = []string{
	"Accept-", "Accept", "Cache-Control", "Content-", "Cookie", "Date", "Expect", "Host", "If-", "Keep-Alive",
	"Origin", "Proxy-", "Range", "Referer", "Sec-", "Te", "Trailer", "Transfer-Encoding", "User-Agent", "Via",
}

// checkHeader returns what is wrong with a header that tells a fact.
func checkHeader(name string, fact Fact) error {
	if err := checkHeaderName(name); err != nil {
		return err
	}
	if err := fact.check(); err != nil {
		return fmt.Errorf("upstream header %s: %w", name, err)
	}
	return nil
}

// checkHeaderName returns what is wrong with a header that a configuration names.
func checkHeaderName(name string) error {
	if !isToken(name) || isAlias(name) {
		return fmt.Errorf("upstream header %q is no name for a header: use letters, digits and dashes", name)
	}
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	_, ours := fixedNames[canonical]
	for _, own := range ownNames {
		if ours || canonical == own || strings.HasSuffix(own, "-") && strings.HasPrefix(canonical, own) {
			return fmt.Errorf("upstream header %s has a meaning of its own in HTTP: choose another name", name)
		}
	}
	return nil
}

// identityNames returns the names of every preset and of the given dresses.
func identityNames(dresses ...*dress) []string {
	var names []string
	for _, preset := range presets {
		names = slices.AppendSeq(names, maps.Keys(preset))
	}
	for _, d := range dresses {
		for _, h := range d.headers {
			names = append(names, h.name)
		}
		for _, h := range d.fixed.headers {
			names = append(names, h.name)
		}
		if d.statement != nil && d.statement.scheme == "" { // Authorization is cleaned elsewhere
			names = append(names, d.statement.header)
		}
	}
	return names
}

var errValueTooLong = errors.New("an identity header would be too long for the upstream")

// put sets the headers that tell of p. The values live in space, which must be
// as long as the headers.
func (d *dress) put(h http.Header, p *authz.Principal, space []string) error {
	for i, header := range d.headers {
		value := header.fact.value(p)
		if value == "" {
			continue
		}
		if len(value) > MaxValue {
			d.takeOff(h)
			return errValueTooLong
		}
		space[i] = value
		h[header.name] = space[i : i+1 : i+1]
	}
	return nil
}

// takeOff removes the headers again, so that an error route does not forward them.
func (d *dress) takeOff(h http.Header) {
	for _, header := range d.headers {
		delete(h, header.name)
	}
	d.fixed.takeOff(h)
	d.statement.takeOff(h)
}
