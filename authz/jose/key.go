// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
)

// Algorithms of signatures (RFC 7518 §3.1, RFC 8037 §3.1).
const (
	ES256 = "ES256"
	ES384 = "ES384"
	ES512 = "ES512"
	EdDSA = "EdDSA"
	RS256 = "RS256"
	RS384 = "RS384"
	RS512 = "RS512"
	PS256 = "PS256"
	PS384 = "PS384"
	PS512 = "PS512"
	// Those that verify with a shared secret. Whoever accepts them must accept no
	// others for the same key.
	HS256 = "HS256"
	HS384 = "HS384"
	HS512 = "HS512"
)

// Ed25519 is the newer name of EdDSA on the one curve that is supported here
// (RFC 9864 §2.2). It is accepted wherever EdDSA is, and shown as that.
const Ed25519 = "Ed25519"

// canonical returns the name that an algorithm goes by here.
func canonical(algorithm string) string {
	if algorithm == Ed25519 {
		return EdDSA
	}
	return algorithm
}

// MinRSA and MaxRSA bound the size of RSA keys, in bits: shorter ones are weak
// (RFC 7518 §3.3), longer ones take too long to verify with.
const (
	MinRSA = 2048
	MaxRSA = 8192
)

// Asymmetric lists the algorithms that verify with a public key.
func Asymmetric() []string {
	return []string{ES256, ES384, ES512, EdDSA, RS256, RS384, RS512, PS256, PS384, PS512}
}

var errKeyFit = errors.New("the key is not one for the algorithm")

// CheckKey reports why a public key or shared secret cannot verify signatures of
// an algorithm: it is of another kind or curve, too weak, or too long. Without
// it, a public key could be taken for a shared secret (RFC 8725 §3.1).
func CheckKey(algorithm string, key any) error {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if key != nil && (algorithm == ES256 && key.Curve == elliptic.P256() ||
			algorithm == ES384 && key.Curve == elliptic.P384() || algorithm == ES512 && key.Curve == elliptic.P521()) {
			return nil
		}
	case ed25519.PublicKey:
		if algorithm == EdDSA && len(key) == ed25519.PublicKeySize {
			return nil
		}
	case *rsa.PublicKey:
		switch algorithm {
		case RS256, RS384, RS512, PS256, PS384, PS512:
			if key != nil && key.N != nil && key.N.BitLen() >= MinRSA && key.N.BitLen() <= MaxRSA && key.E > 2 && key.E&1 == 1 {
				return nil
			}
		}
	case []byte:
		// RFC 7518 §3.2: as long as the hash, at least.
		if algorithm == HS256 && len(key) >= 32 || algorithm == HS384 && len(key) >= 48 || algorithm == HS512 && len(key) >= 64 {
			return nil
		}
	}
	return errKeyFit
}
