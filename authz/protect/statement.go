// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/textproto"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

const (
	// TypeStatement is the media type of what [Token] sends: a type of its own, so
	// that nobody takes one for an access token.
	TypeStatement = "identity+jwt"
	// StatementLifetime is how long one is valid, at most; never longer than the
	// credential that it tells of.
	StatementLifetime = time.Minute
	// statementReuse is for how long one is sent again with the caller's further
	// requests: what is left then is for the way and for clocks that differ.
	statementReuse = 45 * time.Second
	// statementSlots is how many callers' statements one upstream remembers.
	statementSlots = 1 << 12
	// maxAudience is how many services one statement may be for.
	maxAudience = 16
)

// FormatJWT is the one format of [Token].
const FormatJWT = "jwt"

// Token says that the service is told of the caller by a signed token: whatever
// the caller presented outside, inside it is a JWT, which services can verify by
// the gateway's published keys and hand on. Other keys sign it than sign access
// tokens, and no guard accepts it.
//
// Its claims are `iss` (the gateway's issuer), `aud`, `iat`, `exp`, `client_id`,
// `scope` (those that the caller has now), `origin_iss` (who issued the
// credential), for users `sub` and, where known, `preferred_username`, `acr`,
// `auth_time` and `sid`, and the credential's further claims. A machine has no `sub`.
type Token struct {
	// Format is "jwt". Required.
	Format string `json:"format"`
	// Header carries the token and nothing else. Default: Authorization, as a
	// bearer token.
	Header string `json:"header,omitempty"`
	// Audience identifies the services that are to accept it, at most 16. Default:
	// the site's resource.
	Audience []string `json:"audience,omitempty"`
}

// statement is a Token made ready.
type statement struct {
	header   string // canonical
	scheme   string // before the token
	audience []string
	seed     maphash.Seed
	made     []atomic.Pointer[made]
}

// made is a statement that was made. It is immutable.
type made struct {
	facts  string         // what it says, as appendFacts writes it
	claims map[string]any // kept, so that no other map gets the address that is among the facts
	value  string         // of the header
	until  time.Time      // when it is made anew
}

// newStatement checks u.Token, which may be nil, and makes it ready.
func newStatement(u Upstream) (*statement, error) {
	t := u.Token
	if t == nil {
		return nil, nil
	}
	s := &statement{header: "Authorization", scheme: "Bearer ", audience: t.Audience, seed: maphash.MakeSeed(), made: make([]atomic.Pointer[made], statementSlots)}
	switch {
	case t.Format != FormatJWT:
		return nil, fmt.Errorf("upstream token: there is no format %q, only %s", t.Format, FormatJWT)
	case len(t.Audience) > maxAudience || slices.Contains(t.Audience, ""):
		return nil, fmt.Errorf("upstream token: the audience is 1 to %d identifiers", maxAudience)
	case t.Header == "" && u.Basic != nil:
		return nil, errors.New("upstream has both basic and token: there is one Authorization header; name another for the token")
	case t.Header == "" && u.KeepCredential:
		return nil, errors.New("upstream has both keep_credential and token: there is one Authorization header; name another for the token")
	}
	if t.Header != "" {
		if err := checkHeaderName(t.Header); err != nil {
			return nil, err
		}
		s.header, s.scheme = textproto.CanonicalMIMEHeaderKey(t.Header), ""
	}
	return s, nil
}

// named reports whether the statement has a header of that name.
func (s *statement) named(name string) bool { return s != nil && spell(s.header) == spell(name) }

// put sets the header; space has room for its one value.
func (s *statement) put(h http.Header, value string, space []string) {
	if s != nil {
		space[0] = value
		h[s.header] = space[:1:1]
	}
}

// takeOff removes it again.
func (s *statement) takeOff(h http.Header) {
	if s != nil {
		delete(h, s.header)
	}
}

// state returns what the service is told of p: what it was told before, or a new
// statement. Like all on the hot path it takes no lock, and finding one again
// allocates nothing.
func (g *Guard) state(r *http.Request, s *statement, p *authz.Principal) (value string, refusal *authz.Error) {
	if s == nil {
		return "", nil
	}
	resource := ""
	if len(s.audience) == 0 {
		if resource = g.resource(r); resource == "" {
			return "", authz.ErrServer.Because(errors.New("upstream token: the site has no resource to be its audience"))
		}
	}
	var room [1024]byte
	now := g.config.Now()
	facts := appendFacts(room[:0], resource, p, now)
	slot := &s.made[maphash.Bytes(s.seed, facts)%statementSlots]
	if m := slot.Load(); m != nil && m.facts == string(facts) && now.Before(m.until) {
		return m.value, nil
	}
	m, err := g.makeStatement(r.Context(), s, resource, p, now)
	if errors.Is(err, errValueTooLong) {
		return "", authz.ErrDenied.Because(err)
	}
	if err != nil {
		return "", authz.ErrTemporarilyUnavailable.Because(err)
	}
	m.facts = string(facts)
	slot.Store(m)
	return m.value, nil
}

// makeStatement signs what is known of p.
func (g *Guard) makeStatement(ctx context.Context, s *statement, resource string, p *authz.Principal, now time.Time) (*made, error) {
	m := &made{claims: p.Claims, until: now.Add(statementReuse)}
	expires := now.Add(StatementLifetime)
	if p.Expires.Before(expires) {
		expires, m.until = p.Expires, p.Expires // it cannot get better
	}
	audience := s.audience
	if resource != "" {
		audience = []string{resource}
	}
	username := p.Username
	if p.Subject == "" {
		username = "" // a machine: whatever it is called, it is no user
	}
	claims := make(map[string]any, len(p.Claims)+12)
	for name, value := range p.Claims {
		claims[name] = value
	}
	// What the guard itself says comes after what the credential says, and what it
	// does not say is not there: a credential's own word for it would be mistaken.
	for name, value := range map[string]any{
		"sub": p.Subject, "preferred_username": username, "client_id": p.Client, "scope": p.Scopes.String(),
		"origin_iss": p.Issuer, "acr": p.ACR, "sid": p.Session,
	} {
		if claims[name] = value; value == "" {
			delete(claims, name)
		}
	}
	delete(claims, "nbf")
	delete(claims, "jti")
	delete(claims, "cnf")
	delete(claims, "auth_time")
	if !p.AuthTime.IsZero() {
		claims["auth_time"] = p.AuthTime.Unix()
	}
	claims["iss"], claims["aud"], claims["iat"], claims["exp"] = g.config.Issuer, audience, now.Unix(), expires.Unix()
	text, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("upstream token: %w", err)
	}
	raw, err := g.config.Sign(ctx, text, expires)
	if err != nil {
		return nil, fmt.Errorf("upstream token: %w", err)
	}
	if m.value = s.scheme + raw; len(m.value) > MaxValue {
		return nil, errValueTooLong
	}
	return m, nil
}

// appendFacts writes all that a statement says: each fact with its length before
// it, so that no two callers' facts read the same. Of further claims it writes the
// address: they are shared by the requests of one credential, and never change.
// When the credential expires is a fact only where that is sooner than the
// statement itself would: so all credentials of one client share a statement.
func appendFacts(b []byte, resource string, p *authz.Principal, now time.Time) []byte {
	for _, fact := range [...]string{resource, p.Issuer, p.Subject, p.Username, p.Client, p.Session, p.ACR} {
		b = binary.AppendUvarint(b, uint64(len(fact)))
		b = append(b, fact...)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Scopes)))
	for _, word := range p.Scopes {
		b = binary.AppendUvarint(b, uint64(len(word)))
		b = append(b, word...)
	}
	b = binary.AppendVarint(b, p.AuthTime.Unix())
	var ends int64
	if p.Expires.Before(now.Add(StatementLifetime)) {
		ends = p.Expires.UnixNano()
	}
	b = binary.AppendVarint(b, ends)
	if len(p.Claims) == 0 {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(reflect.ValueOf(p.Claims).Pointer()))
}
