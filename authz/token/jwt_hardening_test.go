// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token_test

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// twin returns another text of a token signed by ES256 that verifies as well: of
// each signature (r, s) there is a second one, (r, -s).
func twin(t testing.TB, raw string) string {
	t.Helper()
	dot := strings.LastIndexByte(raw, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot:])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return raw[:dot] + base64.RawURLEncoding.EncodeToString(signature)
}

// forge signs claims with the server's own keys: what could come of a fault
// elsewhere in it.
func (w *world) forge(t testing.TB, purpose keyring.Purpose, typ string, claims map[string]any) string {
	t.Helper()
	keys, err := w.jwt.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := keys.Sign(t.Context(), purpose, keyring.Policy{}, typ, text, w.db.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Ensure S01 and S05: only a token of the right typ, signed with a key for access
// tokens, is an access token, however right its claims are.
func TestOtherSignedThingsAreNoAccessTokens(t *testing.T) {
	w := newSignedWorld(t)
	_, claims := w.elsewhere(t, w.mint(t, w.order(t)).Access)
	for typ, good := range map[string]bool{
		"at+jwt": true, "AT+JWT": true, "application/at+jwt": true, "JWT": false, "": false, "rt+jwt": false,
		"logout+jwt": false, "dpop+jwt": false, "jwt": false,
	} {
		w.valid(t, w.forge(t, keyring.AccessTokens, typ, claims), good)
	}
	w.valid(t, w.forge(t, keyring.Identities, "at+jwt", claims), false)
}

// Ensure S02, S07, S19 and B34: a token that lacks a claim, or has another issuer,
// is none. Our own keys signed all of these.
func TestClaimsOfJWT(t *testing.T) {
	w := newSignedWorld(t)
	_, claims := w.elsewhere(t, w.mint(t, w.order(t)).Access)
	own := claims["co2"].(map[string]any)
	with := func(name string, value any) map[string]any {
		c := maps.Clone(claims)
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return c
	}
	withOwn := func(name string, value any) map[string]any {
		o := maps.Clone(own)
		o[name] = value
		return with("co2", o)
	}
	w.valid(t, w.forge(t, keyring.AccessTokens, token.TypeJWT, claims), true)
	for name, changed := range map[string]map[string]any{
		"another issuer":      with("iss", "https://staging.example.com"),
		"issuer with slash":   with("iss", issuer+"/"),
		"issuers":             with("iss", []string{issuer}),
		"no audience":         with("aud", []string{}),
		"audience of no text": with("aud", 7),
		"exp of zero":         with("exp", 0), "exp in the past": with("exp", time.Now().Unix()-1), "exp of text": with("exp", "tomorrow"),
		"exp that is negative": with("exp", -1), "exp with a fraction": with("exp", 2e9+0.5),
		"iat of zero":             with("iat", 0),
		"an odd scope":            with("scope", "a\"b"),
		"scopes as a list":        with("scope", []string{"orders:read"}),
		"bound in another way":    with("cnf", map[string]any{"x5t#S256": "x"}),
		"sub of another client":   with("sub", "user-1"),
		"neither user nor client": withOwn("sub", ""),
		"no grant":                withOwn("grant", ""), "another grant": withOwn("grant", "0000000000000000000000000000"),
		"no generations": withOwn("gen", ""), "odd generations": withOwn("gen", "****"), "short generations": withOwn("gen", own["gen"].(string)[:6]),
		"longer generations": withOwn("gen", own["gen"].(string)+"AAAA"),
	} {
		raw := w.forge(t, keyring.AccessTokens, token.TypeJWT, changed)
		if w.valid(t, raw, false); t.Failed() {
			t.Fatalf("with %s", name)
		}
	}
	for _, name := range []string{"iss", "sub", "aud", "client_id", "exp", "iat", "jti", "co2"} {
		if w.valid(t, w.forge(t, keyring.AccessTokens, token.TypeJWT, with(name, nil)), false); t.Failed() {
			t.Fatalf("without %s", name)
		}
	}
	// Without scope it has none, not all of them.
	p, err := w.verifier.Authenticate(t.Context(), bearer(w.forge(t, keyring.AccessTokens, token.TypeJWT, with("scope", nil))))
	if err != nil || len(p.Scopes) != 0 {
		t.Errorf("without scope: %v, %v", p.Scopes, err)
	}
}

// Ensure V02 and S19: a token in the cache of one issuer is nothing to another
// that has the same store and keys.
func TestJWTOfAnotherIssuer(t *testing.T) {
	w := newSignedWorld(t)
	raw := w.cached(t)
	other := new(token.JWT)
	other.Bind("https://other.example.com", w.jwt.Keys)
	w.verifier.Formats = []token.Format{other}
	w.valid(t, raw, false)
	w.verifier.Formats = []token.Format{w.jwt}
	w.valid(t, raw, true)
}

// Ensure J14 in a race: a token whose keys rotate between the check of its
// signature and the look at what it depends on is not called invalid, because its
// client would throw it away; unless the rotation withdraws them.
func TestKeysRotateWhileAJWTIsVerified(t *testing.T) {
	for pace, good := range map[keyring.Pace]bool{keyring.Overlapping: true, keyring.AtOnce: true, keyring.Revoking: false} {
		w := newSignedWorld(t)
		raw := w.mint(t, w.order(t)).Access
		keys, err := w.jwt.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Published(t.Context(), keyring.AccessTokens); err != nil { // and are in the cache
			t.Fatal(err)
		}
		rotated := false
		rotate := func() {
			rotated = true
			if err := keys.Rotate(t.Context(), keyring.AccessTokens, keyring.Policy{}, pace, "admin"); err != nil {
				t.Error(err)
			}
		}
		w.engine.before.Store(&rotate)
		w.valid(t, raw, good)
		if !rotated {
			t.Error("nothing was read")
		}
		w.valid(t, raw, good)
	}
}

// Ensure S08: a token with any one character changed, cut or added is none, but
// for the twins of ECDSA signatures.
func TestAlteredJWT(t *testing.T) {
	w := newSignedWorld(t)
	raw := w.mint(t, w.order(t)).Access
	for i := range len(raw) {
		for _, c := range []byte{raw[i] ^ 1, 'A', '=', '.'} {
			if c != raw[i] {
				w.valid(t, raw[:i]+string(c)+raw[i+1:], false)
			}
		}
	}
	for _, altered := range []string{raw[:len(raw)-1], raw + "A", raw + "=", raw + ".", " " + raw, `"` + raw + `"`, raw + "." + raw} {
		w.valid(t, altered, false)
	}
	w.valid(t, raw, true)
}

// Ensure J12: tokens that name unknown keys cost no read, as long as there are keys
// and when there are none.
func TestUnknownKeysCostNothing(t *testing.T) {
	w := newSignedWorld(t)
	header := func(kid string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"` + kid + `"}`))
	}
	for _, keys := range []bool{false, true} {
		if keys {
			w.ahead.Store(int64(time.Minute))
			w.cached(t)
		}
		w.valid(t, header("first")+".e30.AAAA", false)
		reads := w.engine.reads.Load()
		for i := range 500 {
			w.valid(t, header(fmt.Sprint(i))+".e30.AAAA", false)
		}
		if n := w.engine.reads.Load() - reads; n > 5 {
			t.Errorf("keys: %v; 500 unknown keys cost %d reads", keys, n)
		}
	}
}

// FuzzJWT: no text panics the verifier, and none is accepted but the token that
// was made and its twin.
func FuzzJWT(f *testing.F) {
	w := newSignedWorld(f)
	good := w.mint(f, w.order(f)).Access
	other := twin(f, good)
	f.Add(good)
	f.Add(other)
	f.Add(good[:len(good)-2])
	f.Add(w.forge(f, keyring.AccessTokens, token.TypeJWT, map[string]any{"iss": issuer, "co2": map[string]any{"gen": "U1NTUw"}}))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		_, err := w.verifier.Authenticate(context.Background(), bearer(raw))
		if (err == nil) != (raw == good || raw == other) {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}

// FuzzAnchors: whatever stands in a token as generations, reading it does not
// panic, and no token does without store, client and grant.
func FuzzAnchors(f *testing.F) {
	w := newSignedWorld(f)
	_, claims := w.elsewhere(f, w.mint(f, w.order(f)).Access)
	own := claims["co2"].(map[string]any)
	good, err := base64.RawURLEncoding.DecodeString(own["gen"].(string))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:4])
	f.Add([]byte{'G', 0, 200})
	f.Add([]byte{'U', 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, gen []byte) {
		own["gen"] = base64.RawURLEncoding.EncodeToString(gen)
		rec, err := w.verifier.Find(context.Background(), w.forge(t, keyring.AccessTokens, token.TypeJWT, claims))
		if err != nil {
			return
		}
		kinds := map[tokenstore.Kind]bool{}
		for _, g := range rec.Anchors {
			kinds[g.Key.Kind()] = true
		}
		if !kinds[tokenstore.KindStore] || !kinds[tokenstore.KindClientAnchor] || !kinds[tokenstore.KindGrant] {
			t.Fatalf("%x: it depends on %v", gen, rec.Anchors)
		}
	})
}
