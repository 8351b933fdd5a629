// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// asserts reports whether a client gets in by a MAC under a secret.
func (w *world) asserts(t *testing.T, id, secret string) bool {
	t.Helper()
	now := w.db.Now()
	claims := said(id, map[string]any{"iat": now.Unix(), "exp": now.Unix() + 60})
	form := asserting(signer{key: []byte(secret), alg: "HS256"}.sign(t, claims, nil))
	_, err := w.authenticator().authenticate(t.Context(), nil, form, constantTime)
	if err != nil && !errors.Is(err, authz.ErrInvalidClient) {
		t.Fatal(err)
	}
	return err == nil
}

// sealed counts the sealed secrets in the store, in which none is to be read.
func (w *world) sealed(t *testing.T, secrets ...string) int {
	t.Helper()
	n := 0
	for from := tokenstore.Key("\x00"); from != ""; {
		items, next, err := w.engine.Range(t.Context(), from, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			if item.Key.Kind() == tokenstore.KindSealed {
				n++
			}
			for _, secret := range secrets {
				if bytes.Contains(item.Value, []byte(secret)) || strings.Contains(string(item.Key), secret) {
					t.Errorf("a record of kind %s shows the secret", item.Key.Kind())
				}
			}
		}
		from = next
	}
	return n
}

// Ensure that a stored client's secret, which its assertions need, is kept sealed
// and for as long as it counts, through rotations and to the client's end.
func TestRecoverableSecretLivesAsLongAsItCounts(t *testing.T) {
	w := newWorld(t)
	first, err := Add(t.Context(), w.db, "admin", Client{ID: "shop", AuthMethod: authz.AuthSecretJWT}, "")
	if err != nil {
		t.Fatal(err)
	}
	if !w.asserts(t, "shop", first) || w.asserts(t, "shop", strong) {
		t.Fatal("the first secret")
	}
	second, err := RotateSecret(t.Context(), w.db, "admin", "shop", Rotation{Overlap: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if !w.asserts(t, "shop", first) || !w.asserts(t, "shop", second) {
		t.Error("within the overlap both secrets count")
	}
	w.ahead.Add(int64(11 * time.Minute))
	if w.asserts(t, "shop", first) || !w.asserts(t, "shop", second) {
		t.Error("after the overlap only the new secret counts")
	}
	third, err := RotateSecret(t.Context(), w.db, "admin", "shop", Rotation{Secret: strong})
	if err != nil || third != strong {
		t.Fatal(err)
	}
	if w.asserts(t, "shop", second) || !w.asserts(t, "shop", third) {
		t.Error("without an overlap the old secret ends at once")
	}
	if n := w.sealed(t, first, second, third); n != 1 {
		t.Errorf("%d sealed secrets, of which one counts", n)
	}
	if _, err := w.db.Reseal(t.Context(), nil); err != nil || !w.asserts(t, "shop", third) {
		t.Errorf("sealed anew: %v", err)
	}
	if err := Remove(t.Context(), w.db, "admin", "shop"); err != nil {
		t.Fatal(err)
	}
	if n := w.sealed(t); n != 0 {
		t.Errorf("%d sealed secrets of a client that is gone", n)
	}
	if w.asserts(t, "shop", third) {
		t.Error("a removed client")
	}
}

// Ensure that a stored client can change how it authenticates, that the old way
// ends with that, and that nobody loses the proof of a client by an edit.
func TestSwitchingTheMethod(t *testing.T) {
	w := newWorld(t)
	digested := w.add(t, Client{ID: "shop"})
	keys := public(t, signers()["ES256"])
	edit := func(change func(*Client)) error {
		_, err := Edit(t.Context(), w.db, "admin", "shop", func(c *Client) error { change(c); return nil })
		return err
	}
	method := func(to string) func(*Client) { return func(c *Client) { c.AuthMethod = to } }
	// works checks that exactly one way is open.
	works := func(what string, ways ...bool) {
		t.Helper()
		if got := fmt.Sprint(ways); strings.Count(got, "true") != 1 || !ways[0] {
			t.Errorf("%s: %s", what, got)
		}
	}
	byBasic := func(secret string) bool {
		_, err := w.authenticator().authenticate(t.Context(), basic("shop", secret), nil, constantTime)
		return err == nil
	}
	byKey := func() bool {
		_, err := w.authenticator().authenticate(t.Context(), nil, asserting(signers()["ES256"].sign(t, said("shop", nil), nil)), constantTime)
		return err == nil
	}

	if err := edit(method(authz.AuthSecretJWT)); err == nil || !strings.Contains(err.Error(), "rotate-secret") {
		t.Errorf("to a MAC, with a digest only: %v", err)
	}
	works("after that", byBasic(digested), w.asserts(t, "shop", digested), byKey())
	shared, err := RotateSecret(t.Context(), w.db, "admin", "shop", Rotation{AuthMethod: authz.AuthSecretJWT, Overlap: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	works("with a MAC", w.asserts(t, "shop", shared), w.asserts(t, "shop", digested), byBasic(digested), byBasic(shared), byKey())
	if err := edit(func(c *Client) { c.AuthMethod, c.JWKS, c.AuthSigningAlg = authz.AuthPrivateKeyJWT, keys, "ES256" }); err != nil {
		t.Fatal(err)
	}
	works("with a key", byKey(), w.asserts(t, "shop", shared), byBasic(shared))
	if n := w.sealed(t, shared); n != 0 {
		t.Errorf("%d sealed secrets, of which none counts", n)
	}
	if err := edit(method(authz.AuthNone)); err == nil {
		t.Error("a client with a key became public")
	}
	if err := edit(method(authz.AuthSecretBasic)); err == nil {
		t.Error("a client came to a secret that nobody knows")
	}
	if _, err := RotateSecret(t.Context(), w.db, "admin", "shop", Rotation{}); err == nil {
		t.Error("a secret beside the key")
	}
	if _, err := RotateSecret(t.Context(), w.db, "admin", "shop", Rotation{AuthMethod: "tls_client_auth"}); err == nil {
		t.Error("a method that there is not")
	}
	last, err := RotateSecret(t.Context(), w.db, "admin", "shop", Rotation{AuthMethod: authz.AuthSecretBasic})
	if err != nil {
		t.Fatal(err)
	}
	works("with a secret again", byBasic(last), w.asserts(t, "shop", last), byKey())
	if c, err := Get(t.Context(), w.db, "shop"); err != nil || c.JWKS != nil || c.AuthSigningAlg != "" || len(c.Secrets) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}
