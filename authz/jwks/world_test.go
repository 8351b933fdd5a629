// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	library "github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an issuer on loopback, a cache, and a clock.
type world struct {
	*testing.T
	cache   *Cache
	server  *httptest.Server
	fetches atomic.Int32 // of the key set
	nanos   atomic.Int64

	mu     sync.Mutex
	keys   map[string]*ecdsa.PrivateKey // what the set has, by kid
	answer http.HandlerFunc             // instead of the set
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, keys: map[string]*ecdsa.PrivateKey{}}
	w.nanos.Store(int64(time.Hour))
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	client := fetch.New()
	w.cache = New(client, func() time.Time { return time.Unix(1e9, w.nanos.Load()) }, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { w.cache.Close(); client.Close(); w.server.Close() })
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/jwks" {
		http.NotFound(rw, r)
		return
	}
	w.fetches.Add(1)
	w.mu.Lock()
	answer := w.answer
	var set library.JSONWebKeySet
	for _, id := range slices.Sorted(maps.Keys(w.keys)) { // the same set is the same document
		set.Keys = append(set.Keys, library.JSONWebKey{Key: w.keys[id].Public(), KeyID: id, Algorithm: "ES256", Use: "sig"})
	}
	w.mu.Unlock()
	if answer != nil {
		answer(rw, r)
		return
	}
	_ = json.NewEncoder(rw).Encode(set)
}

// publish makes a key and puts it into the set; the ones named are withdrawn.
func (w *world) publish(kid string, withdrawn ...string) *ecdsa.PrivateKey {
	w.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[kid] = key
	for _, id := range withdrawn {
		delete(w.keys, id)
	}
	return key
}

// instead has the server answer otherwise; nil ends that.
func (w *world) instead(answer http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

func (w *world) pass(d time.Duration) { w.nanos.Add(int64(d)) }

func (w *world) source() Source {
	return Source{Owner: "https://issuer.example", URL: w.server.URL + "/jwks", By: fetch.Operator}
}

// token makes a token that is signed with a key and names it kid, if at all.
func (w *world) token(key *ecdsa.PrivateKey, kid string) *jose.Token {
	w.Helper()
	signer, err := library.NewSigner(library.SigningKey{Algorithm: library.ES256, Key: library.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		w.Fatal(err)
	}
	signed, err := signer.Sign([]byte(`{"sub":"ann"}`))
	if err != nil {
		w.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		w.Fatal(err)
	}
	token, err := jose.Parse(raw, jose.Asymmetric()...)
	if err != nil {
		w.Fatal(err)
	}
	return token
}

// fetched ensures how often the set has been fetched.
func (w *world) fetched(want int32, when string) {
	w.Helper()
	if n := w.fetches.Load(); n != want {
		w.Errorf("%s: %d fetches, want %d", when, n, want)
	}
}

// settled waits until no fetch is on its way.
func (k *Keys) settled() {
	k.mu.Lock()
	flight := k.flight
	k.mu.Unlock()
	if flight != nil {
		<-flight
	}
}

// page answers with a text.
func page(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}
