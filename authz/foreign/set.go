// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
)

// Own checks the credentials of our own authorization server.
type Own interface {
	Authenticate(ctx context.Context, c authz.Credential) (authz.Principal, error)
	// Recognizes reports, from the text alone, whether raw may be a token of ours.
	Recognizes(raw string) bool
}

// Set is the issuers that a guard accepts, our own among them. It is safe for
// concurrent use.
type Set struct {
	memory *Memory
	own    Own
	issuer string // our own
	by     map[string]*issuer
	asked  *issuer // the one that is asked about opaque tokens, or nil
	seed   digest  // of all settings
}

// issuer is an Issuer made ready.
type issuer struct {
	Issuer
	by            fetch.Trust
	algorithms    []string
	keys          *jwks.Keys // nil where it is asked about all of its tokens
	authorization string
}

// NewSet makes the issuers ready, which are valid (see [ValidateAll]). It fetches
// nothing.
func NewSet(memory *Memory, own Own, ownIssuer string, issuers []Issuer, insecure bool) *Set {
	s := &Set{memory: memory, own: own, issuer: ownIssuer, by: map[string]*issuer{}}
	hash := sha256.New()
	for _, declared := range issuers {
		i := &issuer{Issuer: declared, by: trust(insecure), algorithms: declared.Algorithms}
		if len(i.algorithms) == 0 {
			i.algorithms = jose.Asymmetric()
		}
		if i.Introspection == nil || i.JWKS != "" {
			i.keys = memory.keys.Of(jwks.Source{Owner: i.Issuer.Issuer, URL: i.JWKS, By: i.by})
		}
		if i.Introspection != nil {
			i.authorization = basic(i.Introspection.ClientID, i.Introspection.ClientSecret)
			s.asked = i
		}
		s.by[i.Issuer.Issuer] = i
		_, _ = hash.Write(i.settings(i.by)) // a hash never fails
	}
	hash.Sum(s.seed[:0])
	return s
}

// Authenticate returns the principal of a bearer credential of any accepted
// issuer. It states facts: whether they suffice is for the caller to decide.
//
// The error is [authz.ErrInvalidToken] for whatever is not a valid access token,
// and [authz.ErrTemporarilyUnavailable] when its issuer cannot tell.
func (s *Set) Authenticate(ctx context.Context, c authz.Credential) (authz.Principal, error) {
	if c.Scheme != authz.SchemeBearer {
		return s.own.Authenticate(ctx, c)
	}
	signed := jose.Looks(c.Value)
	if !signed && (s.asked == nil || s.own.Recognizes(c.Value)) {
		return s.own.Authenticate(ctx, c)
	}
	d := s.digest(c.Value)
	if v := s.memory.recall(d); v != nil {
		return v.answer()
	}
	i := s.asked
	if signed {
		if i = s.by[issuerOf(c.Value)]; i == nil {
			return s.own.Authenticate(ctx, c)
		}
	}
	v, err := s.find(ctx, i, c.Value, d, signed)
	if err != nil {
		return authz.Principal{}, err
	}
	return v.answer()
}

// find finds out who a token of i stands for.
func (s *Set) find(ctx context.Context, i *issuer, raw string, d digest, signed bool) (*verdict, error) {
	if signed && i.keys != nil {
		v, err := i.verify(ctx, raw, s.memory.now())
		if err == nil {
			s.memory.remember(d, v)
		}
		return v, err
	}
	return s.memory.once(ctx, i.Introspection.URL, d, func(ctx context.Context) (*verdict, error) {
		return i.ask(ctx, s.memory.fetch, raw, s.memory.now)
	})
}

// digest names a token as judged by this set.
func (s *Set) digest(raw string) digest {
	var room [1024]byte
	return sha256.Sum256(append(append(room[:0], s.seed[:]...), raw...))
}

// issuerOf returns the issuer that a signed token names, unverified, or "". It
// only chooses who verifies, and compares the name again.
func issuerOf(raw string) string {
	_, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(text, &c) != nil {
		return ""
	}
	return c.Issuer
}
