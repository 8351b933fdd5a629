// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// asserter is a client that authenticates by assertions (RFC 7523 §2.2).
type asserter struct {
	id  string
	key any // private, or its secret
	alg jose.SignatureAlgorithm
	kid string
}

// newAsserter returns a client with a new key of its own.
func newAsserter(t testing.TB, id string) asserter {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return asserter{id, key, jose.ES256, id + "-1"}
}

// public is the client's public key set.
func (a asserter) public() string {
	key := a.key.(crypto.Signer).Public()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: a.kid, Use: "sig"}}})
	if err != nil {
		panic(err) // a key that was made here
	}
	return string(text)
}

// claims are those of a good assertion, with others in the place of some; one
// that is nil is left out.
func (a asserter) claims(g *gateway, others map[string]any) map[string]any {
	c := map[string]any{
		"iss": a.id, "sub": a.id, "aud": "http://localhost:" + g.port, "jti": rand.Text(),
		"exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(),
	}
	maps.Copy(c, others)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// sign signs claims, with further header members. The token becomes a canary.
func (a asserter) sign(g *gateway, claims map[string]any, header map[jose.HeaderKey]any) string {
	g.t.Helper()
	return g.canary(a.text(g, claims, header))
}

// text is sign for one token of very many: to look for them all would take a while.
func (a asserter) text(g *gateway, claims map[string]any, header map[jose.HeaderKey]any) string {
	g.t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"kid": a.kid}}
	maps.Copy(options.ExtraHeaders, header)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: a.alg, Key: a.key}, options)
	if err != nil {
		g.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		g.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		g.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		g.t.Fatal(err)
	}
	return text
}

// fresh is a good assertion that was never used.
func (a asserter) fresh(g *gateway) string { return a.sign(g, a.claims(g, nil), nil) }

// asserted counts assertions. Each comes from an address of its own, so that at a
// gateway behind a proxy none has to wait because others have failed.
var asserted atomic.Uint32

// assert asks an endpoint with an assertion, and returns the answer's status and
// error code. A token in it becomes a canary.
func (g *gateway) assert(endpoint, assertion string, params url.Values) (status int, code string) {
	g.t.Helper()
	form := url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion}, "grant_type": {"client_credentials"}, "token": {"unknown"},
	}
	maps.Copy(form, params)
	req, err := http.NewRequest(http.MethodPost, g.url("localhost", "/oauth/"+endpoint), strings.NewReader(form.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	n := asserted.Add(1)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", n>>16&0xff, n>>8&0xff, n&0xff))
	resp, body := g.do(req)
	var said struct {
		Error string `json:"error"`
		token
	}
	if err := json.Unmarshal(body, &said); err != nil {
		g.t.Errorf("%d with a body that is no JSON: %.200q", resp.StatusCode, body)
	}
	if said.AccessToken != "" {
		g.canary(said.AccessToken)
	}
	if resp.StatusCode == http.StatusOK && endpoint == "token" && said.AccessToken == "" {
		g.t.Errorf("200 without a token: %.200q", body)
	}
	return resp.StatusCode, said.Error
}
