// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

const (
	// clientSigned is the client of this folder's Caddyfile whose tokens are JWTs,
	// and clientWithKey the one that proves itself by private_key_jwt.
	clientSigned  = "bench-signed"
	clientWithKey = "bench-key"
	// signedConns is at how many connections both are measured.
	signedConns = 16
	// assertionRate is how many assertions are provided for each second: more than
	// are used.
	assertionRate = 10_000
	// assertionLifetime is within the hour that the server permits.
	assertionLifetime = 50 * time.Minute
)

// issueSigned compares, at the same endpoint, opaque tokens for a secret with JWTs
// for a secret, and with opaque tokens for an assertion.
func (b *bench) issueSigned(ctx context.Context, title string, g *gateway) error {
	base, err := newSide(ctx, "opaque, by secret", g.pid(), formLoad(g.tokens, tokenPath, clientID), signedConns)
	if err != nil {
		return err
	}
	defer base.leave()
	seconds := b.opts.issueFor.Seconds() * float64(b.opts.issuePairs*issueSlices)
	assertions, err := signAssertions(g.vault.Issuer, assertionRate+int(assertionRate*seconds))
	if err != nil {
		return err
	}
	for _, one := range []struct {
		key, what string
		load      load
	}{
		{"jwt", "JWTs ÷ opaque tokens", formLoad(g.tokens, tokenPath, clientSigned)},
		{"assertion", "private_key_jwt ÷ client_secret_basic", assertionLoad(g.tokens, tokenPath, assertions)},
	} {
		own, err := newSide(ctx, one.what, g.pid(), one.load, signedConns)
		if err != nil {
			return err
		}
		defer own.leave()
		all, err := b.compare(ctx, base, []side{own}, plan{b.opts.issuePairs, issueSlices, b.opts.issueFor, diskForeignLimit})
		if err != nil {
			return err
		}
		b.add(title, issueFigure(fmt.Sprintf("issue-%s-%d", one.key, signedConns), fmt.Sprintf("at %d, %s: tokens/s", signedConns, one.what), all[0]))
	}
	return nil
}

// clientKey is the key of clientWithKey; its public half is in the Caddyfile.
func clientKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(clientSecret))
	return ed25519.NewKeyFromSeed(seed[:])
}

// signAssertions makes assertions of clientWithKey (RFC 7523), each to be used once.
func signAssertions(issuer string, n int) (*deck, error) {
	key, now := clientKey(), time.Now()
	encode := base64.RawURLEncoding.EncodeToString
	d := &deck{once: true, tokens: make([]string, n)}
	for i := range d.tokens {
		claims, err := json.Marshal(map[string]any{
			"iss": clientWithKey, "sub": clientWithKey, "aud": issuer, "jti": rand.Text(),
			"iat": now.Unix(), "exp": now.Add(assertionLifetime).Unix(),
		})
		if err != nil {
			return nil, err
		}
		text := encode([]byte(`{"alg":"EdDSA","typ":"JWT"}`)) + "." + encode(claims)
		d.tokens[i] = text + "." + encode(ed25519.Sign(key, []byte(text)))
	}
	return d, nil
}

// assertionLoad is a load of token requests, each with another assertion.
func assertionLoad(addr, path string, assertions *deck) load {
	form := tokenForm + "&" + url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}.Encode() + "&client_assertion="
	last := assertions.tokens[0]
	request := formRequest(addr, path, "", form+last)
	return load{addr: addr, request: request, hole: len(request) - len(last), tokens: assertions}
}
