// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/url"
	"sync"
	"testing"
	"time"

	library "github.com/go-jose/go-jose/v4"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

// signer signs assertions, as a client does.
type signer struct {
	key any // private, or a secret
	alg string
	kid string
}

// signers are those of a client with a key of each kind.
var signers = sync.OnceValue(func() map[string]signer {
	ec, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, ed, err2 := ed25519.GenerateKey(rand.Reader)
	rs, err3 := rsa.GenerateKey(rand.Reader, 2048)
	if err1 != nil || err2 != nil || err3 != nil {
		panic("no keys")
	}
	return map[string]signer{
		"ES256": {ec, jose.ES256, "ec"}, "EdDSA": {ed, jose.EdDSA, "ed"},
		"RS256": {rs, jose.RS256, "rsa"}, "PS256": {rs, jose.PS256, "rsa"},
	}
})

// public returns the public key set of signers.
func public(t testing.TB, of ...signer) json.RawMessage {
	t.Helper()
	var set library.JSONWebKeySet
	for _, s := range of {
		set.Keys = append(set.Keys, library.JSONWebKey{Key: s.key.(crypto.Signer).Public(), KeyID: s.kid})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// said are the claims of a good assertion of a client, with others in the place
// of some; a claim that is nil is left out.
func said(client string, others map[string]any) map[string]any {
	c := map[string]any{
		"iss": client, "sub": client, "aud": issuer, "jti": rand.Text(),
		"exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(),
	}
	maps.Copy(c, others)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// sign signs claims, with further header members.
func (s signer) sign(t testing.TB, claims any, header map[string]any) string {
	t.Helper()
	options := new(library.SignerOptions)
	if s.kid != "" {
		options.WithHeader("kid", s.kid)
	}
	for name, value := range header {
		options.WithHeader(library.HeaderKey(name), value)
	}
	made, err := library.NewSigner(library.SigningKey{Algorithm: library.SignatureAlgorithm(s.alg), Key: s.key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, ok := claims.([]byte)
	if !ok {
		if payload, err = json.Marshal(claims); err != nil {
			t.Fatal(err)
		}
	}
	signed, err := made.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// asserting returns a form with an assertion.
func asserting(assertion string) url.Values {
	return url.Values{
		authz.ParamClientAssertionType: {authz.AssertionTypeJWT},
		authz.ParamClientAssertion:     {assertion},
	}
}

// keyed returns a declaration of a client with the public keys of signers.
func keyed(t testing.TB, id string, of ...signer) *Declaration {
	return declared(func(d *Declaration) {
		d.ID, d.Secret, d.AuthMethod, d.JWKS = id, nil, authz.AuthPrivateKeyJWT, public(t, of...)
	})
}
