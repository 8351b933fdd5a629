// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// signers are keys of every kind, made once.
var signers = sync.OnceValue(func() map[string]crypto.Signer {
	must := func(s crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return s
	}
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	long := must(rsa.GenerateKey(rand.Reader, 2048))
	return map[string]crypto.Signer{
		ES256: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		ES384: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		ES512: must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		EdDSA: ed,
		RS256: long, RS384: long, RS512: long, PS256: long, PS384: long, PS512: long,
	}
})

// encode is base64url without padding.
func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signed signs claims with go-jose; headers are members of the protected header.
func signed(t testing.TB, algorithm string, key any, headers map[string]any, claims string) string {
	t.Helper()
	opts := new(jose.SignerOptions)
	for name, value := range headers {
		opts = opts.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// signedText signs whatever texts the header and the claims are, by ES256.
func signedText(t testing.TB, header, claims string) string {
	t.Helper()
	key := signers()[ES256].(*ecdsa.PrivateKey)
	input := encode(header) + "." + encode(claims)
	hash := crypto.SHA256.New()
	hash.Write([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, hash.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode(string(r.FillBytes(make([]byte, 32)))+string(s.FillBytes(make([]byte, 32))))
}

// accepted says whether raw is a token that the set verifies.
func accepted(raw string, set KeySet, algorithms ...string) bool {
	t, err := Parse(raw, algorithms...)
	return err == nil && set.Verify(t) == nil
}

// document is a JWK Set.
func document(t testing.TB, keys ...any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
