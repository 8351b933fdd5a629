// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"fmt"
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// TypeJWT is the media type of [JWT] access tokens (RFC 9068 §2.1).
const TypeJWT = "at+jwt"

// JWT is the format of signed access tokens that carry their facts (RFC 9068): a
// service that cannot ask this server may verify one by its published keys.
//
// What RFC 9068 leaves open: a machine's token has the client's id as `sub`, as
// §2.2 wants it, and the member `sub` of the private claim `co2` says whether that
// is a "user" or a "client". `co2` also names the grant and, in `gen`, the
// generations of what the token depends on. So here a JWT is as revocable as any
// token: whoever presents it for the first time costs a signature check and one
// look-up, of grant and anchors and of the mark that RFC 7009 leaves; then it is
// remembered until one of them changes.
type JWT struct {
	// Issuer is the `iss` of tokens made, and the only one accepted. Required.
	Issuer string
	// Keys returns the keys of the open store. Required.
	Keys func(context.Context) (*keyring.Keyring, error)
	// Policy says how the keys are. Tokens of all keys published are accepted.
	Policy keyring.Policy
}

// Keyed is a [Format] that signs: whoever hosts it tells it, before its first use,
// who issues and where the keys are.
type Keyed interface {
	Format
	// Bind sets issuer and keys.
	Bind(issuer string, keys func(context.Context) (*keyring.Keyring, error))
	// KeyPolicy says how the keys are to be.
	KeyPolicy() keyring.Policy
}

// Bind implements [Keyed].
func (j *JWT) Bind(issuer string, keys func(context.Context) (*keyring.Keyring, error)) {
	j.Issuer, j.Keys = issuer, keys
}

// KeyPolicy implements [Keyed].
func (j *JWT) KeyPolicy() keyring.Policy { return j.Policy }

// Mint signs a token. Nothing is kept of it but its grant, which is the order's
// business. A token that no guard would read is refused as the request's fault: it
// names too much.
func (j *JWT) Mint(ctx context.Context, _ *tokenstore.Change, d Draft) (string, error) {
	keys, err := j.Keys(ctx)
	if err != nil {
		return "", err
	}
	d.Record.ID = NewID(keys.Now())
	text, err := encodeClaims(j.Issuer, d)
	if err != nil {
		return "", err
	}
	raw, err := keys.Sign(ctx, keyring.AccessTokens, j.Policy, TypeJWT, text, d.Expires)
	if err == nil && len(raw) > jose.MaxLength {
		return "", authz.ErrInvalidRequest.Describe("A token for that many scopes and resources would be too long.")
	}
	return raw, err
}

// Recognizes reports whether raw looks like a JWT, from whomever.
func (*JWT) Recognizes(raw string) bool { return jose.Looks(raw) }

// Find returns what is remembered of a token, else verifies it.
func (j *JWT) Find(ctx context.Context, db *tokenstore.DB, raw string) (*tokenstore.Record[Record], error) {
	// The issuer is the scope: a token of one is not to be found by a configuration
	// of another, though they share a store.
	if rec, ok := tokenstore.Recall[Record](db, j.Issuer, raw); ok {
		return rec, nil
	}
	return j.find(ctx, db, raw)
}

// End leaves the mark that the token was revoked. The mark is by the token's id:
// whoever has a token can change the text of its signature, but not what it signs.
func (*JWT) End(change *tokenstore.Change, rec *tokenstore.Record[Record]) {
	change.Put(tokenstore.RevokedKey(rec.Value.ID), nil, rec.Expires)
}

func (j *JWT) find(ctx context.Context, db *tokenstore.DB, raw string) (*tokenstore.Record[Record], error) {
	return tokenstore.Derive(ctx, db, j.Issuer, raw, func(ctx context.Context) (tokenstore.Derived[Record], error) {
		return j.verify(ctx, raw)
	})
}

// verify says what a token states, and what it depends on. Whatever is wrong with
// it is tokenstore.ErrNotFound.
func (j *JWT) verify(ctx context.Context, raw string) (d tokenstore.Derived[Record], err error) {
	tok, err := jose.Parse(raw, keyring.Algorithms()...)
	if err != nil {
		return d, fmt.Errorf("%w: %w", tokenstore.ErrNotFound, err)
	}
	// RFC 9068 §4: another typ is another kind of token, and none at all is no access token.
	if !tok.Header.Is(TypeJWT) {
		return d, tokenstore.ErrNotFound
	}
	keys, err := j.Keys(ctx)
	if err != nil {
		return d, err
	}
	key, generation, err := keys.Find(ctx, keyring.AccessTokens, tok.Header.KeyID)
	if err != nil {
		return d, err
	}
	if key.Algorithm != tok.Header.Algorithm {
		return d, tokenstore.ErrNotFound
	}
	if err := tok.Verify(key.Public); err != nil {
		return d, fmt.Errorf("%w: %w", tokenstore.ErrNotFound, err)
	}
	d, ok := decodeClaims(tok, j.Issuer)
	if !ok {
		return d, tokenstore.ErrNotFound
	}
	d.Unless = tokenstore.RevokedKey(d.Value.ID)
	// When the keys change, what is remembered of the token counts no more; whether
	// it still is valid, they say.
	d.Basis = generation
	return d, nil
}

// reserved are the claims that a token states itself. Further facts of these
// names are left out.
var reserved = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "acr", "auth_time", "cnf",
	"authorization_details", "act", "may_act", claimOwn,
}

// IsReserved reports whether a token states the claim of this name itself, so that no
// further fact may have it.
func IsReserved(name string) bool { return slices.Contains(reserved, name) }
