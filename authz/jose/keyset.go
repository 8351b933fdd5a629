// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	// MaxKeySet is the length in bytes of the longest JWK Set that is read.
	MaxKeySet = 512 << 10
	// MaxKeys is how many keys one set may have.
	MaxKeys = 100
	// maxTries is how many keys are tried for a token that names none: each costs
	// a signature check, and anybody can send tokens.
	maxTries = 4
)

// ErrKeySet: the document is no JWK Set that can be used. It may repeat what the
// document says.
var ErrKeySet = errors.New("jose: malformed key set")

// ErrUnknownKey: no key of the set is one that the token may be signed with.
var ErrUnknownKey = errors.New("jose: the token names no known key")

// Key is a public key.
type Key struct {
	// ID is its `kid`, or "".
	ID string
	// Algorithm is the one that it is for; "" when its set does not say.
	Algorithm string
	// Public is an *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey.
	Public any
}

// KeySet is the keys of one signer. It is shared and read-only.
type KeySet []Key

// ParseKeySet reads a JWK Set (RFC 7517 §5). Keys that verify no signature here
// (for encryption, of another type, symmetric, weak, with a private part) are
// left out, as §5 wants it; so the set may be empty. The error is [ErrKeySet].
func ParseKeySet(document []byte) (KeySet, error) {
	if len(document) > MaxKeySet {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrKeySet, MaxKeySet)
	}
	if err := checkObject(document); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeySet, err)
	}
	var written struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(document, &written) != nil || written.Keys == nil {
		return nil, fmt.Errorf("%w: it has no list of keys", ErrKeySet)
	}
	if len(written.Keys) > MaxKeys {
		return nil, fmt.Errorf("%w: more than %d keys", ErrKeySet, MaxKeys)
	}
	set := make(KeySet, 0, len(written.Keys))
	for _, text := range written.Keys {
		if key, ok := parseKey(text); ok {
			set = append(set, key)
		}
	}
	return set, nil
}

// parseKey reads one key, if it is of use.
func parseKey(text []byte) (Key, bool) {
	var extra struct {
		Operations []string `json:"key_ops"`
	}
	var k jose.JSONWebKey
	if json.Unmarshal(text, &k) != nil || json.Unmarshal(text, &extra) != nil {
		return Key{}, false
	}
	key := Key{ID: k.KeyID, Algorithm: canonical(k.Algorithm), Public: k.Key}
	switch {
	case !k.Valid() || !k.IsPublic() || len(k.KeyID) > MaxKeyID:
		return Key{}, false
	case k.Use != "" && k.Use != "sig": // RFC 7517 §4.2
		return Key{}, false
	case extra.Operations != nil && !slices.Contains(extra.Operations, "verify"): // §4.3
		return Key{}, false
	}
	fits := func(algorithm string) bool {
		return (key.Algorithm == "" || key.Algorithm == algorithm) && CheckKey(algorithm, key.Public) == nil
	}
	return key, slices.ContainsFunc(Asymmetric(), fits)
}

// Has reports whether the set has keys that t may be signed with. When it has
// none, a newer version of the set may.
func (s KeySet) Has(t *Token) bool {
	return slices.ContainsFunc(s, func(k Key) bool { return k.mayVerify(t) })
}

// Verify checks the signature of t with the keys of its `kid`; where it has none,
// with those of its algorithm, at most four. The errors are [ErrUnknownKey] when
// there is no such key, and [ErrSignature].
func (s KeySet) Verify(t *Token) error {
	err := ErrUnknownKey
	tries := 0
	for _, key := range s {
		if !key.mayVerify(t) {
			continue
		}
		if tries++; tries > maxTries {
			break
		}
		if err = t.Verify(key.Public); err == nil {
			return nil
		}
	}
	return err
}

// mayVerify reports whether k is a key that t may be signed with: by its `kid`, and
// always one of its algorithm.
func (k Key) mayVerify(t *Token) bool {
	return (t.Header.KeyID == "" || t.Header.KeyID == k.ID) &&
		(k.Algorithm == "" || k.Algorithm == t.Header.Algorithm) && CheckKey(t.Header.Algorithm, k.Public) == nil
}
