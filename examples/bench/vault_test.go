// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

func testVault(t *testing.T) vaultOptions {
	t.Helper()
	return vaultOptions{
		Path: filepath.Join(t.TempDir(), "tokens.db"), SealKey: tokenstore.GenerateSealKey().Text(), Issuer: "https://issuer.example",
	}
}

// Ensure that bulk-loaded tokens of both formats are what the product takes for its
// own, after the store was closed and opened again, and all of one length.
func TestBulkLoadedTokensAreValid(t *testing.T) {
	for name, signed := range map[string]bool{"opaque": false, "jwt": true} {
		t.Run(name, func(t *testing.T) {
			order := fillOrder{Vault: testVault(t), Signed: signed, Tokens: 100, Each: 7, Keep: 30, Out: filepath.Join(t.TempDir(), "out")}
			if _, err := fillHelper(t.Context(), order); err != nil {
				t.Fatal(err)
			}
			v, err := openVault(t.Context(), order.Vault, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer v.close()
			if signed {
				v.sign()
			}
			out, err := os.ReadFile(order.Out)
			if err != nil {
				t.Fatal(err)
			}
			verifier := token.Verifier{
				Issuer:  order.Vault.Issuer,
				Store:   func(context.Context) (*tokenstore.DB, error) { return v.db, nil },
				Formats: []token.Format{v.minter.Format},
			}
			unique, lengths := map[string]bool{}, map[int]bool{}
			for text := range strings.FieldsSeq(string(out)) {
				unique[text], lengths[len(text)] = true, true
				p, err := verifier.Authenticate(t.Context(), authz.Credential{Scheme: authz.SchemeBearer, Value: text})
				if err != nil || p.Client != clientID || !p.Scopes.Has(scopeHeld) {
					t.Fatalf("principal %+v, error %v", p, err)
				}
			}
			if len(unique) != order.Keep || len(lengths) != 1 {
				t.Errorf("%d different tokens of %d, of %d lengths", len(unique), order.Keep, len(lengths))
			}
		})
	}
}

// Ensure that a bare write has the size of the real one and can be applied again and
// again; and that of a refresh is larger than that of a token.
func TestShapesAreTheRealBatches(t *testing.T) {
	minting, rotation, err := learnShapes(t.Context(), testVault(t))
	if err != nil {
		t.Fatal(err)
	}
	v, err := openVault(t.Context(), testVault(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	for _, s := range []*shape{&minting, &rotation} {
		for range 3 {
			b := s.next()
			if len(b.Put) != len(s.template.Put) || len(b.Expect) != len(s.template.Expect) || len(b.Delete) != len(s.template.Delete) {
				t.Errorf("%d puts, %d expectations and %d deletions; the real batch has %d, %d and %d", len(b.Put), len(b.Expect), len(b.Delete),
					len(s.template.Put), len(s.template.Expect), len(s.template.Delete))
			}
			for i, put := range b.Put {
				if real := s.template.Put[i]; len(put.Key) != len(real.Key) || !bytes.Equal(put.Value, real.Value) {
					t.Errorf("put %d differs in more than its key", i)
				}
			}
			if _, err := v.engine.Apply(t.Context(), b); err != nil {
				t.Error(err)
			}
		}
	}
	if len(rotation.template.Put) <= len(minting.template.Put) || len(rotation.template.Delete) == 0 {
		t.Errorf("a refresh puts %d records and deletes %d, a token puts %d",
			len(rotation.template.Put), len(rotation.template.Delete), len(minting.template.Put))
	}
}

// Ensure that a transaction of many functions is held once.
func TestSlowCommitsHoldEachTransactionOnce(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "batch.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	slow := &slowCommits{delay: 100 * time.Millisecond}
	for range 2 {
		begin := time.Now()
		err := db.Update(func(tx *bbolt.Tx) error {
			for range 50 {
				slow.begin(tx)
			}
			return nil
		})
		if took := time.Since(begin); err != nil || took < slow.delay || took > 25*slow.delay {
			t.Errorf("took %v, error %v", took, err)
		}
	}
}

// Ensure that the Caddyfile has the public half of the key that assertions are
// signed with.
func TestClientKeyIsInTheCaddyfile(t *testing.T) {
	text, err := os.ReadFile("Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	x := base64.RawURLEncoding.EncodeToString(clientKey().Public().(ed25519.PublicKey))
	if !bytes.Contains(text, []byte(`"x":"`+x+`"`)) {
		t.Errorf("the Caddyfile has another key than %s", x)
	}
}
