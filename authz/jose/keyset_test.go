// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// jwk is a public key as it stands in a set, with further members.
func jwk(t testing.TB, public any, members map[string]any) map[string]any {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: public})
	if err != nil {
		t.Fatal(err)
	}
	var key map[string]any
	if err := json.Unmarshal(text, &key); err != nil {
		t.Fatal(err)
	}
	maps.Copy(key, members)
	return key
}

// Ensure that a set gives the keys that are of use and passes over all others.
func TestParseKeySet(t *testing.T) {
	keys := signers()
	private, err := json.Marshal(jose.JSONWebKey{Key: keys[ES256], KeyID: "private"})
	if err != nil {
		t.Fatal(err)
	}
	set, err := ParseKeySet(document(t,
		jwk(t, keys[ES256].Public(), map[string]any{"kid": "plain"}),
		jwk(t, keys[RS256].Public(), map[string]any{"kid": "rsa", "alg": PS256, "use": "sig", "unknown": 1}),
		jwk(t, keys[EdDSA].Public(), map[string]any{"kid": "ed", "key_ops": []string{"verify"}}),
		jwk(t, keys[ES256].Public(), map[string]any{"kid": "encrypts", "use": "enc"}),
		jwk(t, keys[ES256].Public(), map[string]any{"kid": "signs", "key_ops": []string{"sign"}}),
		jwk(t, keys[ES256].Public(), map[string]any{"kid": "unfit", "alg": ES384}),
		jwk(t, keys[ES256].Public(), map[string]any{"kid": 7}),
		jwk(t, keys[ES256].Public(), map[string]any{"kid": "off", "x": encode(strings.Repeat("x", 32))}),
		json.RawMessage(private),
		map[string]any{"kty": "oct", "kid": "secret", "k": encode(strings.Repeat("k", 32))},
		map[string]any{"kty": "new"}, "text", 7,
	))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, k := range set {
		ids = append(ids, k.ID)
	}
	if got := strings.Join(ids, " "); got != "plain rsa ed" {
		t.Errorf("the set has %s", got)
	}
	if set, err := ParseKeySet([]byte(`{"keys":[]}`)); err != nil || len(set) != 0 {
		t.Errorf("an empty set: %v, %v", set, err)
	}
	tooMany := make([]any, MaxKeys+1)
	for name, text := range map[string]string{
		"nothing": "", "HTML": "<html>", "a list": "[]", "no keys": "{}", "keys of text": `{"keys":"x"}`, "null": `{"keys":null}`,
		"keys twice": `{"keys":[],"keys":[]}`, "too long": `{"keys":[]` + strings.Repeat(" ", MaxKeySet) + `}`, "too many": string(document(t, tooMany...)),
	} {
		if _, err := ParseKeySet([]byte(text)); !errors.Is(err, ErrKeySet) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ensure that a token is verified with the key that it names, by the algorithm
// that this is for.
func TestKeyOfToken(t *testing.T) {
	keys := signers()
	set := KeySet{{ID: "a", Public: keys[ES256].Public()}, {ID: "r", Algorithm: PS256, Public: keys[RS256].Public()}}
	for _, c := range []struct {
		algorithm, kid string
		want           error
	}{
		{ES256, "a", nil}, {PS256, "r", nil}, {RS256, "r", ErrUnknownKey}, {ES256, "r", ErrUnknownKey}, {ES256, "b", ErrUnknownKey},
		{ES384, "a", ErrUnknownKey}, {ES256, "", nil}, {PS256, "", nil}, {EdDSA, "", ErrUnknownKey},
	} {
		headers := map[string]any{}
		if c.kid != "" {
			headers["kid"] = c.kid
		}
		tok, err := Parse(signed(t, c.algorithm, keys[c.algorithm], headers, `{}`), Asymmetric()...)
		if err != nil {
			t.Fatal(err)
		}
		if err := set.Verify(tok); !errors.Is(err, c.want) {
			t.Errorf("%s with kid %q: %v, want %v", c.algorithm, c.kid, err, c.want)
		}
		if set.Has(tok) != (c.want == nil) {
			t.Errorf("%s with kid %q: has %v", c.algorithm, c.kid, set.Has(tok))
		}
	}
}

// Ensure J18: a token that names no key is tried with four keys and no more.
func TestFewTries(t *testing.T) {
	var set KeySet
	for range maxTries {
		other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		set = append(set, Key{Public: other.Public()})
	}
	raw := signed(t, ES256, signers()[ES256], nil, `{}`)
	set[maxTries-1].Public = signers()[ES256].Public()
	if !accepted(raw, set, ES256) {
		t.Error("the fourth key is not tried")
	}
	set = append(KeySet{set[0]}, set...)
	if accepted(raw, set, ES256) {
		t.Error("a fifth key is tried")
	}
}
