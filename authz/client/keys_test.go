// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	library "github.com/go-jose/go-jose/v4"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
)

// Ensure that a client has keys exactly where its method needs them, and that they
// are public ones that can be used.
func TestKeysFitTheMethod(t *testing.T) {
	all := signers()
	private := func(s signer) json.RawMessage {
		text, err := json.Marshal(library.JSONWebKeySet{Keys: []library.JSONWebKey{{Key: s.key}}})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, c := range map[string]struct {
		change func(*Declaration)
		says   string // nothing: it is right
	}{
		"each kind":          {func(d *Declaration) { d.JWKS = public(t, all["ES256"], all["EdDSA"], all["RS256"]) }, ""},
		"one algorithm":      {func(d *Declaration) { d.AuthSigningAlg = "ES256" }, ""},
		"published":          {func(d *Declaration) { d.JWKS, d.JWKSURI = nil, "https://app.example.com/keys" }, ""},
		"published nearby":   {func(d *Declaration) { d.JWKS, d.JWKSURI = nil, "http://127.0.0.1:9/keys" }, ""},
		"none":               {func(d *Declaration) { d.JWKS = nil }, "jwks or jwks_uri"},
		"both":               {func(d *Declaration) { d.JWKSURI = "https://app.example.com/keys" }, "not both"},
		"with a secret":      {func(d *Declaration) { d.Secret = []string{strong} }, "excludes a secret"},
		"no key set":         {func(d *Declaration) { d.JWKS = json.RawMessage(`{"kty":"EC"}`) }, "JWK Set"},
		"a text":             {func(d *Declaration) { d.JWKS = json.RawMessage(`"{file.keys}"`) }, "JWK Set"},
		"no key in it":       {func(d *Declaration) { d.JWKS = json.RawMessage(`{"keys":[]}`) }, "no key"},
		"private EC key":     {func(d *Declaration) { d.JWKS = private(all["ES256"]) }, "private"},
		"private RSA key":    {func(d *Declaration) { d.JWKS = private(all["RS256"]) }, "private"},
		"private Ed key":     {func(d *Declaration) { d.JWKS = private(all["EdDSA"]) }, "private"},
		"a shared secret":    {func(d *Declaration) { d.JWKS = json.RawMessage(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`) }, "private"},
		"too long":           {func(d *Declaration) { d.JWKS = json.RawMessage(strings.Repeat(" ", MaxJWKS) + `{"keys":[]}`) }, "16384"},
		"too many":           {func(d *Declaration) { d.JWKS = json.RawMessage(`{"keys":[` + strings.Repeat(`{},`, MaxKeys) + `{}]}`) }, "more than 20"},
		"another algorithm":  {func(d *Declaration) { d.AuthSigningAlg = "RS256" }, "auth_signing_alg RS256"},
		"a MAC":              {func(d *Declaration) { d.AuthSigningAlg = "HS256" }, "auth_signing_alg"},
		"none as algorithm":  {func(d *Declaration) { d.AuthSigningAlg = "none" }, "auth_signing_alg"},
		"plain http":         {func(d *Declaration) { d.JWKS, d.JWKSURI = nil, "http://app.example.com/keys" }, "jwks_uri"},
		"a file":             {func(d *Declaration) { d.JWKS, d.JWKSURI = nil, "file:///etc/passwd" }, "jwks_uri"},
		"a method with keys": {func(d *Declaration) { d.AuthMethod, d.Secret = "", []string{strong} }, "private_key_jwt"},
		"basic with an algorithm": {func(d *Declaration) {
			d.AuthMethod, d.JWKS, d.Secret, d.AuthSigningAlg = "", nil, []string{strong}, "ES256"
		}, "auth_signing_alg"},
		"MAC by its name": {func(d *Declaration) {
			d.AuthMethod, d.JWKS, d.Secret, d.AuthSigningAlg = "client_secret_jwt", nil, []string{strong}, "HS256"
		}, ""},
		"MAC under a digest": {func(d *Declaration) {
			d.AuthMethod, d.JWKS, d.SecretHash = "client_secret_jwt", nil, []string{FormatSecretHash([32]byte{})}
		}, "secret_hash"},
		"MAC under a weak secret": {func(d *Declaration) {
			d.AuthMethod, d.JWKS, d.Secret, d.WeakSecret = "client_secret_jwt", nil, []string{"short"}, true
		}, "weak_secret"},
		"MAC under a short secret": {func(d *Declaration) {
			d.AuthMethod, d.JWKS, d.Secret = "client_secret_jwt", nil, []string{strong[:31]}
		}, "32"},
	} {
		d := keyed(t, "job", all["ES256"])
		c.change(d)
		_, err := d.Build()
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v; want %q", name, err, c.says)
		}
	}
	// What the operator may name, whoever administers clients may not (F01, F05).
	for _, uri := range []string{
		"http://app.example.com/keys", "http://127.0.0.1:9/keys", "https://127.0.0.1/keys", "https://[::1]/keys", "https://10.1.2.3/keys",
		"https://169.254.169.254/latest", "https://2130706433/", "https://app.example.com:22/keys", "https://user@app.example.com/keys", "gopher://app.example.com/",
	} {
		c := Client{ID: "stored", AuthMethod: authz.AuthPrivateKeyJWT, JWKSURI: uri}
		if c.Validate() == nil {
			t.Errorf("accepted of a stored client: %s", uri)
		}
	}
}

// Ensure that keys which a client publishes count, a new one once it signs, and that
// made-up ones make nobody fetch.
func TestPublishedKeys(t *testing.T) {
	first, second := signers()["ES256"], signers()["EdDSA"]
	var published atomic.Pointer[json.RawMessage]
	var fetches atomic.Int32
	publish := func(of ...signer) { text := public(t, of...); published.Store(&text) }
	publish(first)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		_, _ = w.Write(*published.Load())
	}))
	t.Cleanup(server.Close)
	at := func(id string) *Declaration {
		d := keyed(t, id)
		d.JWKS, d.JWKSURI = nil, server.URL
		return d
	}
	w := newWorld(t, build(t, at("job")), build(t, at("other")), build(t, declared(func(d *Declaration) { d.ID = "basic" })))
	outgoing := fetch.New()
	cache := jwks.New(outgoing, w.db.Now, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { cache.Close(); outgoing.Close() })
	a := w.authenticator()
	by := func(s signer, id string) error {
		t.Helper()
		_, err := a.authenticate(t.Context(), nil, asserting(s.sign(t, said(id, nil), nil)), constantTime)
		return err
	}
	if err := by(first, "job"); !errors.Is(err, authz.ErrInvalidClient) {
		t.Errorf("where nobody fetches keys: %v", err)
	}
	a.Keys = func(context.Context) (*jwks.Cache, error) { return cache, nil }
	if err := errors.Join(by(first, "job"), by(first, "other"), by(first, "job")); err != nil {
		t.Fatal(err)
	}
	if n := fetches.Load(); n != 2 {
		t.Errorf("%d fetches for two clients", n)
	}
	publish(first, second)
	if err := by(second, "job"); !errors.Is(err, authz.ErrInvalidClient) {
		t.Errorf("a key that is not fetched yet, because the last fetch was a moment ago: %v", err)
	}
	w.ahead.Add(int64(2 * 60e9))
	early := second.sign(t, said("job", map[string]any{"exp": w.db.Now().Unix() + 60}), nil)
	if _, err := a.authenticate(t.Context(), nil, asserting(early), constantTime); err != nil {
		t.Errorf("the new key: %v", err)
	}
	before := fetches.Load()
	for range 20 {
		if by(signer{key: second.key, alg: "EdDSA", kid: "made-up"}, "job") == nil {
			t.Fatal("a kid that is not published")
		}
	}
	if fetches.Load() != before {
		t.Errorf("%d fetches for keys that are made up", fetches.Load()-before)
	}
}
