// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	library "github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ours = "https://auth.example.com"

// world is a foreign authorization server on loopback, what is remembered of
// it, and a clock.
type world struct {
	testing.TB
	memory *Memory
	server *httptest.Server
	ec     *ecdsa.PrivateKey
	rsa    *rsa.PrivateKey
	nanos  atomic.Int64
	asked  atomic.Int32 // introspection requests

	mu     sync.Mutex
	answer http.HandlerFunc // of the introspection endpoint
}

var (
	ecKey  = sync.OnceValue(func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k })
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
)

func newWorld(t testing.TB) *world {
	w := &world{TB: t, ec: ecKey(), rsa: rsaKey()}
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	client := fetch.New()
	keys := jwks.New(client, w.now, slog.New(slog.DiscardHandler))
	w.memory = NewMemory(client, keys, w.now)
	t.Cleanup(func() { w.memory.Close(); keys.Close(); client.Close(); w.server.Close() })
	return w
}

func (w *world) now() time.Time       { return time.Unix(1_800_000_000, w.nanos.Load()) }
func (w *world) pass(d time.Duration) { w.nanos.Add(int64(d)) }

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case authz.PathServerMetadata:
		_ = json.NewEncoder(rw).Encode(map[string]string{"issuer": w.server.URL, "jwks_uri": w.server.URL + "/jwks"})
	case "/jwks":
		_ = json.NewEncoder(rw).Encode(library.JSONWebKeySet{Keys: []library.JSONWebKey{
			{Key: w.ec.Public(), KeyID: "ec", Use: "sig"},
			{Key: w.rsa.Public(), KeyID: "rsa", Use: "sig"},
		}})
	case "/introspect":
		w.asked.Add(1)
		w.mu.Lock()
		answer := w.answer
		w.mu.Unlock()
		answer(rw, r)
	default:
		http.NotFound(rw, r)
	}
}

// says sets the answer of the introspection endpoint.
func (w *world) says(answer any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = func(rw http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(rw).Encode(answer) }
}

// set returns a set that accepts the world's issuer, changed as wanted.
func (w *world) set(change func(*Issuer)) *Set {
	w.Helper()
	i := Issuer{Issuer: w.server.URL, Audience: []string{"api"}}
	if change != nil {
		change(&i)
	}
	issuers := []Issuer{i}
	if err := ValidateAll(issuers, ours, false); err != nil {
		w.Fatal(err)
	}
	return NewSet(w.memory, own{}, ours, issuers, false)
}

func generic(i *Issuer) { i.Profile = ProfileGeneric }

// introspected has a set ask about every token, and keep the answer so long.
func (w *world) introspected(cache time.Duration) func(*Issuer) {
	return func(i *Issuer) {
		keep := client.Duration(cache)
		i.Introspection = &Introspection{URL: w.server.URL + "/introspect", ClientID: "the gate", ClientSecret: "s:cret", Cache: &keep}
	}
}

// claims returns those of a good token, with changes; nil takes one away.
func (w *world) claims(changes claims) claims {
	c := claims{
		"iss": w.server.URL, "sub": "ann", "aud": "api", "client_id": "app", "scope": "read write",
		"exp": w.now().Add(time.Hour).Unix(), "iat": w.now().Unix(), "jti": "1",
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, value any) bool { return value == nil })
	return c
}

// sign makes a token.
func (w *world) sign(c claims, header map[string]any) string {
	w.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		w.Fatal(err)
	}
	return w.signText(string(payload), library.ES256, w.ec, "ec", header)
}

func (w *world) signText(payload string, algorithm library.SignatureAlgorithm, key any, kid string, header map[string]any) string {
	w.Helper()
	options := new(library.SignerOptions)
	for name, value := range header {
		options.WithHeader(library.HeaderKey(name), value)
	}
	signer, err := library.NewSigner(library.SigningKey{Algorithm: algorithm, Key: library.JSONWebKey{Key: key, KeyID: kid}}, options)
	if err != nil {
		w.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		w.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		w.Fatal(err)
	}
	return raw
}

var at = map[string]any{"typ": typeAccess}

// own is our own authorization server: it knows one opaque token, and says of
// itself that it was asked about all others.
type own struct{}

var errAskedUs = errors.New("our own server was asked")

func (own) Authenticate(_ context.Context, c authz.Credential) (authz.Principal, error) {
	if c.Value == "co2at_ours" {
		return authz.Principal{Issuer: ours, Client: "shop", Scopes: scope.Of("read")}, nil
	}
	return authz.Principal{}, authz.ErrInvalidToken.Because(errAskedUs)
}

func (own) Recognizes(raw string) bool { return strings.HasPrefix(raw, "co2at_") }

func bearer(raw string) authz.Credential {
	return authz.Credential{Scheme: authz.SchemeBearer, Value: raw}
}

// passes ensures that a token is accepted.
func passes(t *testing.T, s *Set, raw, what string) authz.Principal {
	t.Helper()
	p, err := s.Authenticate(t.Context(), bearer(raw))
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return p
}

// refuses ensures that a token is refused with a template.
func refuses(t *testing.T, s *Set, raw, what string, template error) {
	t.Helper()
	if p, err := s.Authenticate(t.Context(), bearer(raw)); !errors.Is(err, template) {
		t.Errorf("%s: %+v, %v", what, p, err)
	}
}
