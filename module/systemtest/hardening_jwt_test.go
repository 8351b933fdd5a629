// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// Ensure that no token of our own format passes that is altered, unsigned, or signed by
// another key than ours, and that no URL in one is fetched. Rows J01, J02, J04, J07,
// J09, J11, J16, J18, S05 and S08.
func TestForgedSignedTokens(t *testing.T) {
	t.Parallel()
	g, u := startSigned(t)
	good := g.shopToken("user")
	if status := g.call("api.localhost", "/x", good); status != http.StatusOK {
		t.Fatal(status)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(g.get("localhost", "/oauth/jwks").body), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%d keys are published: %v", len(set.Keys), err)
	}
	g.refuses(u, altered(t, good))
	g.refuses(u, forged(g, set.Keys[0], claimsOf(t, good)))
	if status := g.call("api.localhost", "/x", good); status != http.StatusOK {
		t.Errorf("the good one afterwards: %d", status)
	}
}

// Ensure that what our own key has signed is no access token unless it says that it is
// one, from us, for this service, until when, and whose. Rows S01, S02, S05, S07 and S19.
func TestSignedTokensForOthers(t *testing.T) {
	t.Parallel()
	g, u := startSigned(t)
	good, elsewhere := g.shopToken("user"), g.token("shop", shopSecret, "resource", "http://admin.localhost:"+g.port)
	claims := claimsOf(t, good)
	g.stop()
	tokens, whole, withoutScope := map[string]string{}, "", ""
	g.withKeys(func(sign func(mediaType string, claims map[string]any) string) {
		for name, others := range map[string]map[string]any{
			"S02, for another service": {"aud": "http://admin.localhost:" + g.port}, "S02, for two others": {"aud": []string{"a:b", "http://admin.localhost:" + g.port}},
			"S02, for nobody": {"aud": nil}, "S02, for none of a list": {"aud": []string{}},
			"S07, without client": {"client_id": nil}, "S07, without subject": {"sub": nil}, "S07, of another subject": {"sub": "ann"},
			"S07, without all that is ours": {"co2": nil}, "without id": {"jti": nil}, "without end": {"exp": nil}, "ended": {"exp": 1_700_000_000},
			"S19, of a staging server": {"iss": "https://staging.example"}, "S19, of nobody": {"iss": nil},
			"of another client": {"client_id": "reporter", "sub": "reporter"}, "bound to a key": {"cnf": map[string]any{"jkt": "x"}},
		} {
			tokens[name] = sign("at+jwt", with(claims, others))
		}
		for _, typ := range []string{"JWT", "id+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt", "dpop+jwt"} {
			tokens["S01 and S05, typ "+typ] = sign(typ, claims)
		}
		whole, withoutScope = sign("at+jwt", claims), sign("at+jwt", with(claims, map[string]any{"scope": nil}))
	})
	g.start()
	tokens["S02, as it was issued for another service"] = elsewhere
	g.refuses(u, tokens)
	for name, raw := range map[string]string{"as it was issued": good, "signed by the test": whole} {
		if status := g.call("api.localhost", "/x", raw); status != http.StatusOK {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status := g.call("api.localhost", "/x", withoutScope); status != http.StatusForbidden {
		t.Errorf("S07, without scopes: %d", status)
	}
	if status := g.call("admin.localhost", "/x", elsewhere); status != http.StatusForbidden && status != http.StatusOK {
		t.Errorf("the other service's, there: %d", status)
	}
}

// with are claims with others in the place of some; one that is nil is left out.
func with(claims, others map[string]any) map[string]any {
	claims = maps.Clone(claims)
	maps.Copy(claims, others)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// withKeys calls use with what signs by the keys of a gateway that does not run: who
// can do that has taken the store and the key that seals it.
func (g *gateway) withKeys(use func(sign func(mediaType string, claims map[string]any) string)) {
	g.t.Helper()
	text, err := os.ReadFile(g.path("data/caddy/oauth2/tokens.key"))
	if err != nil {
		g.t.Fatal(err)
	}
	seal, err := tokenstore.ParseSealKeys(string(text))
	if err != nil {
		g.t.Fatal(err)
	}
	ctx := g.t.Context()
	store, err := bolt.Open(ctx, g.storeFile(), bolt.Options{})
	if err != nil {
		g.t.Fatal(err)
	}
	db, err := tokenstore.Open(ctx, store, tokenstore.Options{SealKeys: seal})
	if err != nil {
		g.t.Fatal(err)
	}
	keys := keyring.New(db)
	use(func(mediaType string, claims map[string]any) string {
		text, err := json.Marshal(claims)
		if err != nil {
			g.t.Fatal(err)
		}
		raw, err := keys.Sign(ctx, keyring.AccessTokens, keyring.Policy{}, mediaType, text, db.Now().Add(time.Hour))
		if err != nil {
			g.t.Fatal(err)
		}
		return g.canary(raw)
	})
	if err := db.Close(); err != nil {
		g.t.Fatal(err)
	}
}
