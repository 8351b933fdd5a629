// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
)

// Media types of tokens (RFC 9068 §2.1, RFC 7519 §5.1).
const (
	typeAccess  = "at+jwt"
	typeGeneric = "JWT"
)

var (
	errType      = errors.New("its typ is not that of an access token")
	errOther     = errors.New("it is another kind of token")
	errNoSubject = errors.New("there is no sub")
	errIssuer    = errors.New("it names another issuer")
)

// verify says who a signed token stands for.
func (i *issuer) verify(ctx context.Context, raw string, now time.Time) (*verdict, error) {
	t, err := jose.Parse(raw, i.algorithms...)
	if err != nil {
		return nil, authz.ErrInvalidToken.Because(err)
	}
	if !i.takes(t.Header) {
		return nil, authz.ErrInvalidToken.Because(errType)
	}
	version, err := i.keys.Verify(ctx, t)
	if errors.Is(err, jwks.ErrUnavailable) {
		return nil, authz.ErrTemporarilyUnavailable.Because(err)
	}
	if err != nil {
		return nil, authz.ErrInvalidToken.Because(err)
	}
	var c claims
	if err := t.Claims((*jose.Claims)(&c)); err != nil {
		return nil, authz.ErrInvalidToken.Because(err)
	}
	p, err := i.judge(c, now)
	if err != nil {
		return nil, refusal(err)
	}
	return &verdict{principal: p, until: p.Expires, keys: i.keys, version: version}, nil
}

// takes reports whether the header may be that of an access token (RFC 9068 §4).
func (i *issuer) takes(h jose.Header) bool {
	if h.Is(typeAccess) {
		return true
	}
	return i.Profile == ProfileGeneric && (h.Type == "" || h.Is(typeGeneric))
}

// judge judges the claims of a token whose signature is good.
func (i *issuer) judge(c claims, now time.Time) (*authz.Principal, error) {
	if c["iss"] != i.Issuer.Issuer {
		return nil, errIssuer
	}
	p, err := i.principal(c, now)
	switch {
	case err != nil:
		return nil, err
	case p.Expires.IsZero():
		return nil, errNoExpiry
	case c["sub"] == nil || c["sub"] == "":
		return nil, errNoSubject
	case i.Profile == ProfileGeneric:
		return p, i.access(c)
	case c["client_id"] == nil:
		return nil, errNoClient
	}
	return p, nil
}

// access returns an error when a token whose header does not say what it is can
// be seen to be no access token: its claims call it something else (Keycloak,
// Cognito), or have the marks of an ID token or a logout token (OpenID Connect
// Core §2, Back-Channel Logout §2.4). Only access tokens have scopes.
func (i *issuer) access(c claims) error {
	if _, some, _ := c.scopes(i.ScopeClaim); !some || c["events"] != nil {
		return errOther
	}
	if !c.called("typ", authz.SchemeBearer) || !c.called("token_use", "access") {
		return errOther
	}
	if c["typ"] != nil || c["token_use"] != nil {
		return nil
	}
	for _, mark := range []string{"nonce", "at_hash", "c_hash", "s_hash"} {
		if c[mark] != nil {
			return errOther
		}
	}
	return nil
}

// called reports whether a claim is absent or one of the given texts, without
// regard to case.
func (c claims) called(claim string, names ...string) bool {
	text, ok := c[claim].(string)
	return c[claim] == nil || ok && slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(text, name) })
}

// refusal tells the client's developer of an expired token, and otherwise
// nothing but that the token is invalid.
func refusal(err error) *authz.Error {
	e := authz.ErrInvalidToken.Because(err)
	if errors.Is(err, errExpired) {
		e = e.Describe("The access token has expired.")
	}
	return e
}
