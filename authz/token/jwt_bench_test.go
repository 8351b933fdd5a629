// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
)

// BenchmarkAuthenticateColdJWT is a signed token that is used for the first time,
// each of a grant of its own in a file, and its bare signature, in turns. "of-raw" is
// how much is left of the rate at which bare signatures are verified: the median over
// small batches, which does not notice what else the machine does in a few of them.
func BenchmarkAuthenticateColdJWT(b *testing.B) {
	const batch = 100
	w := newSignedWorld(b)
	public := w.publicKey(b, w.mint(b, w.order(b)).Access)
	var tokens []string
	var raw, cold time.Duration
	var ratios []float64
	for b.Loop() {
		if len(tokens) == 0 {
			b.StopTimer()
			tokens = w.mintMany(b, batch)
			raw, cold = 0, 0
			b.StartTimer()
		}
		begin := time.Now()
		if !verifiesRaw(public, tokens[0]) {
			b.Fatal("the signature does not verify")
		}
		between := time.Now()
		if _, err := w.verifier.Authenticate(b.Context(), bearer(tokens[0])); err != nil {
			b.Fatal(err)
		}
		raw, cold = raw+between.Sub(begin), cold+time.Since(between)
		if tokens = tokens[1:]; len(tokens) == 0 {
			ratios = append(ratios, raw.Seconds()/cold.Seconds())
		}
	}
	if len(ratios) > 0 {
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "of-raw")
	}
}

// mintMany mints tokens, each with a grant of its own.
func (w *world) mintMany(t testing.TB, n int) []string {
	t.Helper()
	change := w.db.NewChange()
	texts := make([]string, n)
	for i := range texts {
		issued, err := w.minter.Mint(t.Context(), w.db, change, w.order(t))
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = issued.Access
	}
	if _, err := w.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	return texts
}

// publicKey is the key that verifies a token, as the standard library has it.
func (w *world) publicKey(t testing.TB, raw string) *ecdsa.PublicKey {
	t.Helper()
	tok, err := jose.Parse(raw, jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := w.jwt.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := keys.Find(t.Context(), keyring.AccessTokens, tok.Header.KeyID)
	if err != nil {
		t.Fatal(err)
	}
	return key.Public.(*ecdsa.PublicKey)
}

// verifiesRaw verifies the signature of a token with the standard library alone, and
// looks at nothing else.
func verifiesRaw(key *ecdsa.PublicKey, raw string) bool {
	dot := strings.LastIndexByte(raw, '.')
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil || len(signature) != 64 {
		return false
	}
	digest := sha256.Sum256([]byte(raw[:dot]))
	return ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}

// Ensure that what first uses are compared with tells good signatures from bad ones.
func TestVerifiesRaw(t *testing.T) {
	w := newSignedWorld(t)
	good, other := w.mint(t, w.order(t)).Access, w.mint(t, w.order(t)).Access
	key := w.publicKey(t, good)
	if !verifiesRaw(key, good) {
		t.Error("a good signature is refused")
	}
	if verifiesRaw(key, good[:strings.LastIndexByte(good, '.')]+other[strings.LastIndexByte(other, '.'):]) {
		t.Error("the signature of another token is accepted")
	}
}

// BenchmarkAuthenticateHitJWT is a signed token that is in the cache.
func BenchmarkAuthenticateHitJWT(b *testing.B) {
	w := newSignedWorld(b)
	c, ctx := bearer(w.cached(b)), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.verifier.Authenticate(ctx, c); err != nil {
			b.Fatal(err)
		}
	}
}
