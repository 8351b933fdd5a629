// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
)

// Ensure that a token under EdDSA's newer name (RFC 9864) verifies wherever EdDSA
// is accepted, with a key by either name, and no better than one under the older.
func TestEdDSAByItsNewerName(t *testing.T) {
	keys := signers()
	sign := func(claims string) string {
		input := encode(`{"alg":"Ed25519","kid":"ed"}`) + "." + encode(claims)
		return input + "." + encode(string(ed25519.Sign(keys[EdDSA].(ed25519.PrivateKey), []byte(input))))
	}
	raw := sign(`{"sub":"a"}`)
	for name, algorithm := range map[string]any{"either": nil, "older": EdDSA, "newer": Ed25519} {
		members := map[string]any{"kid": "ed"}
		if algorithm != nil {
			members["alg"] = algorithm
		}
		set, err := ParseKeySet(document(t, jwk(t, keys[EdDSA].Public(), members)))
		if err != nil || !accepted(raw, set, EdDSA) || !accepted(raw, set, Asymmetric()...) {
			t.Errorf("a key of the %s name: %v", name, err)
		}
		if older := signed(t, EdDSA, keys[EdDSA], map[string]any{"kid": "ed"}, `{}`); !accepted(older, set, EdDSA) {
			t.Errorf("a key of the %s name, and a token of the older", name)
		}
		parts := strings.Split(raw, ".")
		for what, forged := range map[string]string{
			"other claims":      parts[0] + "." + encode(`{"sub":"b"}`) + "." + parts[2],
			"another signature": parts[0] + "." + parts[1] + "." + strings.Split(sign(`{}`), ".")[2],
			"a short signature": parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-4],
		} {
			if accepted(forged, set, EdDSA) {
				t.Errorf("%s was accepted", what)
			}
		}
	}
	if _, err := Parse(raw, ES256, Ed25519); !errors.Is(err, ErrMalformed) {
		t.Errorf("where EdDSA is not accepted: %v", err)
	}
	tok, err := Parse(raw, EdDSA)
	if err != nil || tok.Header.Algorithm != EdDSA {
		t.Fatalf("%+v, %v", tok, err)
	}
	for _, other := range []any{keys[ES256].Public(), keys[RS256].Public(), []byte(keys[EdDSA].Public().(ed25519.PublicKey)), ed25519.PublicKey(nil), nil} {
		if tok.Verify(other) == nil || tok.Claims(new(struct{})) == nil {
			t.Errorf("verified with a %T", other)
		}
	}
}
