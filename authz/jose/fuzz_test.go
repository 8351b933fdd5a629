// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// FuzzParse: no text panics. What is accepted is the one text of its parts, is
// accepted by go-jose too, and says the same to encoding/json.
func FuzzParse(f *testing.F) {
	good := signedText(f, `{"alg":"ES256","kid":"k","typ":"at+jwt"}`, `{"sub":"a","aud":["b","c"],"x":{"y":[1,null,"\u00e9\\"]}}`)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good + "=")
	f.Add("..")
	f.Add(encode(`{"alg":"none"}`) + "." + encode(`{}`) + ".")
	f.Add(encode(`{"alg":"ES256","crit":["b64"],"b64":false}`) + "." + encode(`{}`) + ".AAAA")
	f.Add(encode(`{"alg":"ES256"}`) + "." + encode(`{"a":1,"\u0061":2}`) + ".AAAA")
	public := signers()[ES256].Public()
	f.Fuzz(func(t *testing.T, raw string) {
		tok, err := Parse(raw, Asymmetric()...)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		for _, part := range strings.Split(raw, ".") {
			data, err := decode(part)
			if err != nil || encode(string(data)) != part {
				t.Fatalf("%q is not canonical", part)
			}
		}
		var claims map[string]any
		if err := json.Unmarshal(tok.claims, &claims); err != nil {
			t.Fatalf("claims %q: %v", tok.claims, err)
		}
		var again map[string]any
		if err := tok.Peek(&again); err != nil {
			t.Fatalf("the library finds fault with the claims %q: %v", tok.claims, err)
		}
		if tok.Verify(public) == nil && raw != good {
			other, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Verify(public); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzParseKeySet: no document panics, and every key that it gives verifies
// signatures of some algorithm.
func FuzzParseKeySet(f *testing.F) {
	f.Add(document(f, jwk(f, signers()[ES256].Public(), map[string]any{"kid": "a"}), jwk(f, signers()[RS256].Public(), nil)))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := ParseKeySet(text)
		if err != nil && !errors.Is(err, ErrKeySet) {
			t.Fatalf("another error: %v", err)
		}
		for _, key := range set {
			fits := false
			for _, algorithm := range Asymmetric() {
				fits = fits || CheckKey(algorithm, key.Public) == nil
			}
			if !fits || len(key.ID) > MaxKeyID {
				t.Fatalf("a key %T of no use", key.Public)
			}
		}
	})
}
