// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"sync"
	"time"

	library "github.com/go-jose/go-jose/v4"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
)

// judge finds out whether the client that was found made the assertion t, here and
// now, and what mark that leaves. The refusal is empty if it did; an error is trouble
// of ours.
//
// The signature comes first, so that all other refusals are nobody's but the
// client's to see. Where there is no client, or one that authenticates otherwise,
// a signature is checked all the same, with keys that are nobody's.
func (a *Authenticator) judge(ctx context.Context, f found, t *jose.Token) (once, Refusal, error) {
	c := f.client
	if c != nil && (c.Method() != signingMethod(t.Header.Algorithm) || c.AuthSigningAlg != "" && c.AuthSigningAlg != t.Header.Algorithm) {
		c = nil
	}
	var signed bool
	var err error
	if t.Header.Algorithm == jose.HS256 {
		signed, err = a.signedWithSecret(ctx, c, f.now, t)
	} else {
		signed, err = a.signedWithKey(ctx, c, t)
	}
	switch {
	case err != nil:
		return once{}, "", err
	case c == nil:
		return once{}, RefusedClient, nil
	case !signed:
		return once{}, RefusedSignature, nil
	}
	db, err := a.Clients.open(ctx)
	if err != nil {
		return once{}, "", err
	}
	var said claims
	if t.Claims(&said) != nil {
		return once{}, RefusedForm, nil
	}
	if refused := said.refused(c.ID, db.Now(), a.Audience); refused != "" {
		return once{}, refused, nil
	}
	return onceOf(c.ID, said.ID, said.expiry()), "", nil
}

// signedWithSecret reports whether t bears a MAC under a secret of c (RFC 7518
// §3.2). It makes [MaxSecrets] of them, whatever c has.
func (a *Authenticator) signedWithSecret(ctx context.Context, c *Client, now time.Time, t *jose.Token) (bool, error) {
	signed := false
	for i := range MaxSecrets {
		text := ""
		if c != nil && i < len(c.Secrets) && c.Secrets[i].live(now) {
			var err error
			if text, err = a.Clients.secretText(ctx, c, c.Secrets[i]); err != nil {
				return false, err
			}
		}
		if text == "" {
			_ = t.Verify(nobodys().secret[:]) // for the time that it takes
			continue
		}
		signed = t.Verify([]byte(text)) == nil || signed
	}
	return signed, nil
}

// signedWithKey reports whether t is signed with a key of c. Keys that cannot be
// fetched are the client's trouble, not ours.
func (a *Authenticator) signedWithKey(ctx context.Context, c *Client, t *jose.Token) (bool, error) {
	err := jose.ErrUnknownKey
	switch {
	case c == nil:
		_, _ = ParseKeys(nobodys().jwks) // for the time that it takes
	case c.JWKSURI == "":
		keys, failed := ParseKeys(c.JWKS)
		if failed != nil {
			return false, failed
		}
		err = keys.Verify(t)
	case a.Keys != nil:
		cache, failed := a.Keys(ctx)
		if failed != nil {
			return false, failed
		}
		_, err = cache.Of(jwks.Source{Owner: "client " + c.ID, URL: c.JWKSURI, By: c.trust()}).Verify(ctx, t)
	}
	if err != nil && !errors.Is(err, jose.ErrSignature) {
		_ = t.Verify(nobodys().public(t.Header.Algorithm)) // for the time that it takes
	}
	return err == nil, ctx.Err()
}

// standIns are keys that nobody signs with.
type standIns struct {
	secret [32]byte
	ec     *ecdsa.PublicKey
	ed     ed25519.PublicKey
	rsa    *rsa.PublicKey
	jwks   []byte // what a client's key set may look like
}

// nobodys are the keys that stand in where a client has none. What verifies with
// them counts for nothing.
var nobodys = sync.OnceValue(func() *standIns {
	s := new(standIns)
	rand.Read(s.secret[:])
	if key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
		s.ec = &key.PublicKey
	}
	s.ed, _, _ = ed25519.GenerateKey(rand.Reader)
	// Any odd number takes as long as a product of two primes, which takes long to find.
	n := new(big.Int).Lsh(big.NewInt(1), jose.MinRSA)
	s.rsa = &rsa.PublicKey{N: n.Sub(n, big.NewInt(1)), E: 65537}
	s.jwks, _ = json.Marshal(library.JSONWebKeySet{Keys: []library.JSONWebKey{{Key: s.ec, KeyID: "1"}, {Key: s.rsa, KeyID: "2"}}})
	return s
})

// public returns the stand-in for an algorithm.
func (s *standIns) public(algorithm string) any {
	switch algorithm {
	case jose.ES256:
		return s.ec
	case jose.EdDSA:
		return s.ed
	}
	return s.rsa
}

// trust says who named the client's jwks_uri.
func (c *Client) trust() fetch.Trust {
	if c.configured {
		return fetch.Operator
	}
	return fetch.Stranger
}
