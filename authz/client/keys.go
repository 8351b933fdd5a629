// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

// Limits of the keys that a client is registered with.
const (
	// MaxJWKS is the length in bytes of the longest key set.
	MaxJWKS = 16 << 10
	// MaxKeys is how many keys one client may have.
	MaxKeys = 20
)

// ParseKeys reads the public keys of a client: a JWK Set (RFC 7517 §5) with at
// least one key that suits [AuthSigningAlgs]. A set with a private or secret key is
// refused: it would be kept and shown. No error repeats anything of the text.
func ParseKeys(jwks []byte) (jose.KeySet, error) {
	if len(jwks) > MaxJWKS {
		return nil, fmt.Errorf("jwks: more than %d bytes", MaxJWKS)
	}
	all, err := jose.ParseKeySet(jwks)
	if err != nil {
		return nil, errors.New(`jwks: not a JWK Set (RFC 7517 §5), such as {"keys": [ … ]}`)
	}
	var written struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(jwks, &written) != nil {
		return nil, errors.New("jwks: a key that is no JSON object")
	}
	for _, key := range written.Keys {
		// RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2.
		for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, private := key[member]; private {
				return nil, errors.New("jwks: a private or secret key; give the public keys only")
			}
		}
	}
	if len(written.Keys) > MaxKeys {
		return nil, fmt.Errorf("jwks: more than %d keys", MaxKeys)
	}
	usable := slices.DeleteFunc(all, func(key jose.Key) bool { return !slices.ContainsFunc(AuthSigningAlgs(), fits(key)) })
	if len(usable) == 0 {
		return nil, errors.New("jwks: no key to check signatures with: EC keys are of curve P-256, RSA keys have 2048 bits or more, and Ed25519 is the other kind")
	}
	return usable, nil
}

// fits returns a function that reports whether a key is one for an algorithm.
func fits(key jose.Key) func(algorithm string) bool {
	return func(algorithm string) bool {
		return (key.Algorithm == "" || key.Algorithm == algorithm) && jose.CheckKey(algorithm, key.Public) == nil
	}
}

// ValidateSigningAlg reports whether algorithm is one for an authentication method;
// empty is the default.
func ValidateSigningAlg(algorithm, method string) error {
	if algorithm == "" {
		return nil
	}
	suits := func(a string) bool { return signingMethod(a) == method }
	if algs := slices.DeleteFunc(AuthSigningAlgs(), func(a string) bool { return !suits(a) }); !slices.Contains(algs, algorithm) {
		if len(algs) == 0 {
			return fmt.Errorf("auth_method %s takes no auth_signing_alg: it signs nothing", method)
		}
		return fmt.Errorf("auth_signing_alg of auth_method %s is one of %s", method, strings.Join(algs, ", "))
	}
	return nil
}

// validateKeys checks that there are keys where the authentication method has
// them, and only there.
func (c *Client) validateKeys() error {
	if err := ValidateSigningAlg(c.AuthSigningAlg, c.Method()); err != nil {
		return err
	}
	inline, published := len(c.JWKS) > 0, c.JWKSURI != ""
	switch {
	case c.Method() != authz.AuthPrivateKeyJWT && (inline || published):
		return fmt.Errorf("jwks and jwks_uri are for auth_method %s", authz.AuthPrivateKeyJWT)
	case c.Method() != authz.AuthPrivateKeyJWT:
		return nil
	case inline && published:
		return errors.New("either jwks or jwks_uri, not both") // RFC 7591 §2
	case published:
		if err := fetch.CheckURL(c.JWKSURI, c.trust()); err != nil {
			return fmt.Errorf("jwks_uri: %w", err)
		}
		return nil
	case !inline:
		return fmt.Errorf("auth_method %s needs the client's public keys: jwks or jwks_uri", authz.AuthPrivateKeyJWT)
	}
	keys, err := ParseKeys(c.JWKS)
	if err != nil {
		return err
	}
	if alg := c.AuthSigningAlg; alg != "" && !slices.ContainsFunc(keys, func(key jose.Key) bool { return fits(key)(alg) }) {
		return fmt.Errorf("jwks: no key for auth_signing_alg %s", alg)
	}
	return nil
}
