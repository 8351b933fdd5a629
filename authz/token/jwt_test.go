// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// elsewhere reads a token as a service does that has nothing but the published
// keys.
func (w *world) elsewhere(t testing.TB, raw string) (jose.Header, map[string]any) {
	t.Helper()
	keys, err := w.jwt.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := keys.Published(t.Context(), keyring.AccessTokens)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.ParseKeySet(text)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := jose.Parse(raw, keyring.Algorithms()...)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Verify(tok); err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := tok.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	return tok.Header, claims
}

// Ensure that a token says on the wire what RFC 9068 §2 wants, and says whether its
// sub is a user or a client.
func TestJWTOnTheWire(t *testing.T) {
	w := newSignedWorld(t)
	o := w.order(t)
	machine := w.mint(t, o)
	header, claims := w.elsewhere(t, machine.Access)
	if header.Type != "at+jwt" || header.Algorithm != jose.ES256 {
		t.Errorf("header %+v", header)
	}
	for name, want := range map[string]any{"iss": issuer, "sub": "job", "client_id": "job", "aud": issuer, "scope": "orders:read"} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	own := claims["co2"].(map[string]any)
	if own["sub"] != "client" || own["grant"] != machine.Grant {
		t.Errorf("co2 is %v", own)
	}
	if lasts := claims["exp"].(float64) - claims["iat"].(float64); lasts != 3600 {
		t.Errorf("it lasts %v s", lasts)
	}
	if claims["jti"] == "" || len(machine.Access) > 800 {
		t.Errorf("jti %v, %d bytes", claims["jti"], len(machine.Access))
	}
	o.Facts.Subject, o.Facts.Audience = "job", []string{issuer, "https://api.example.com"} // S06: a user whose id is that of a client
	o.Facts.AuthorizationDetails = []byte(`[{"type":"payment"}]`)
	o.Facts.ConfirmationKey = "thumbprint"
	o.Facts.Claims = map[string]any{"groups": []string{"a"}, "sub": "root", "exp": 1, "co2": "x", "scope": "admin"}
	_, claims = w.elsewhere(t, w.mint(t, o).Access)
	if claims["co2"].(map[string]any)["sub"] != "user" || claims["scope"] != "orders:read" || claims["sub"] != "job" {
		t.Errorf("a user's: %v", claims)
	}
	if !reflect.DeepEqual(claims["groups"], []any{"a"}) || !reflect.DeepEqual(claims["aud"], []any{issuer, "https://api.example.com"}) ||
		!reflect.DeepEqual(claims["cnf"], map[string]any{"jkt": "thumbprint"}) || !reflect.DeepEqual(claims["authorization_details"], []any{map[string]any{"type": "payment"}}) {
		t.Errorf("a user's: %v", claims)
	}
}

// Ensure S06: a client's token never stands for a user, whatever that is called.
func TestMachineJWTHasNoSubject(t *testing.T) {
	w := newSignedWorld(t)
	p, err := w.verifier.Authenticate(t.Context(), bearer(w.mint(t, w.order(t)).Access))
	if err != nil || p.Subject != "" || p.Client != "job" {
		t.Errorf("principal %+v, %v", p, err)
	}
}

// Ensure that revoking one token of a grant ends it and no other, also when the
// text of its signature was changed into another one that verifies.
func TestRevokeOneJWT(t *testing.T) {
	w := newSignedWorld(t)
	o := w.order(t)
	o.Facts.Subject = "user-1"
	first := w.mint(t, o)
	gens, err := w.db.Generations(t.Context(), tokenstore.GrantKey(first.Grant))
	if err != nil {
		t.Fatal(err)
	}
	o.Grant, o.Facts.Grant, o.Anchors = nil, first.Grant, append(o.Anchors, gens...)
	second := w.mint(t, o)
	w.valid(t, first.Access, true)
	w.valid(t, twin(t, first.Access), true)
	rec, err := w.verifier.Find(t.Context(), first.Access)
	if err != nil {
		t.Fatal(err)
	}
	w.change(t, func(c *tokenstore.Change) { w.jwt.End(c, rec) })
	w.change(t, func(c *tokenstore.Change) { w.jwt.End(c, rec) }) // again is no error
	w.valid(t, first.Access, false)
	w.valid(t, twin(t, first.Access), false)
	w.valid(t, second.Access, true)
}

// Ensure that a token presented for the first time costs one read, that the mark
// of its revocation is swept with it, and that nothing is kept of tokens themselves.
func TestFirstUseOfJWTCostsOneRead(t *testing.T) {
	w := newSignedWorld(t)
	w.cached(t) // so that store, client and keys are known
	before := w.db.Stats().Records[tokenstore.KindCredential]
	for range 20 {
		raw := w.mint(t, w.order(t)).Access
		reads := w.engine.reads.Load()
		w.valid(t, raw, true)
		if n := w.engine.reads.Load() - reads; n != 1 {
			t.Errorf("%d reads", n)
		}
	}
	if n := w.db.Stats().Records[tokenstore.KindCredential]; n != before {
		t.Errorf("%d records are kept of 20 tokens", n-before)
	}
	rec, err := w.verifier.Find(t.Context(), w.mint(t, w.order(t)).Access)
	if err != nil {
		t.Fatal(err)
	}
	w.change(t, func(c *tokenstore.Change) { w.jwt.End(c, rec) })
	w.ahead.Store(int64(2 * time.Hour))
	if _, err := w.db.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := tokenstore.Load[any](t.Context(), w.db, tokenstore.RevokedKey(rec.Value.ID)); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("the mark: %v", err)
	}
}

// Ensure that a token holds through rotations of its key until it expires, and
// that it is refused at once when its key is withdrawn.
func TestJWTAndItsKey(t *testing.T) {
	w := newSignedWorld(t)
	keys, err := w.jwt.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rotate := func(pace keyring.Pace) {
		if err := keys.Rotate(t.Context(), keyring.AccessTokens, keyring.Policy{}, pace, "admin"); err != nil {
			t.Fatal(err)
		}
	}
	first := w.mint(t, w.order(t)).Access
	w.valid(t, first, true)
	rotate(keyring.AtOnce)
	second := w.mint(t, w.order(t)).Access
	w.jwt.Policy.Algorithm = jose.EdDSA
	rotate(keyring.Overlapping)
	w.ahead.Store(int64(59 * time.Minute))
	w.valid(t, first, true)
	w.valid(t, second, true)
	third := w.mint(t, w.order(t)).Access
	w.valid(t, third, true)
	rotate(keyring.Revoking)
	for _, raw := range []string{first, second, third} {
		w.valid(t, raw, false)
	}
	w.valid(t, w.mint(t, w.order(t)).Access, true)
}

// Ensure that a token that would be too long to be read is not made.
func TestTooLongJWT(t *testing.T) {
	w := newSignedWorld(t)
	o := w.order(t)
	for i := range 100 {
		o.Facts.Scopes = append(o.Facts.Scopes, strings.Repeat("x", 100)+string(rune('0'+i/10))+string(rune('0'+i%10)))
	}
	o.Facts.Scopes = scope.Of(o.Facts.Scopes...)
	if _, err := w.minter.Mint(t.Context(), w.db, w.db.NewChange(), o); !errors.Is(err, authz.ErrInvalidRequest) {
		t.Error(err)
	}
	o.Facts.Scopes, o.Facts.Claims = nil, map[string]any{"odd": make(chan int)}
	if _, err := w.minter.Mint(t.Context(), w.db, w.db.NewChange(), o); err == nil {
		t.Error("a claim that is no JSON was written")
	}
	o.Facts.Claims, o.Anchors[1].Revision = nil, 0
	if _, err := w.minter.Mint(t.Context(), w.db, w.db.NewChange(), o); err == nil {
		t.Error("a token depends on a client whose generation is unknown")
	}
}

// Ensure that JWTs look like none of ours to the format of opaque tokens, and the
// other way round.
func TestFormatsTellTokensApart(t *testing.T) {
	w := newSignedWorld(t)
	raw := w.mint(t, w.order(t)).Access
	if (token.Opaque{}).Recognizes(raw) || w.jwt.Recognizes(token.New(token.Access)) || !w.jwt.Recognizes(raw) {
		t.Error("the formats do not tell tokens apart")
	}
	var text map[string]any
	if json.Unmarshal([]byte(raw), &text) == nil {
		t.Error("a token is JSON")
	}
}
