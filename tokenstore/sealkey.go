// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// SealKeySize is the size of a sealing key in bytes.
const SealKeySize = 32

// MaxSealKeys is how many sealing keys a store takes at a time: one that seals
// and those that still open.
const MaxSealKeys = 16

// SealKey is a sealing key. It lives outside the store, which keeps only its
// fingerprint. A SealKey prints as its fingerprint, never as the key. The zero
// SealKey is no key.
type SealKey struct {
	key [SealKeySize]byte
	id  SealKeyID
	gcm cipher.AEAD
}

// SealKeyID is a sealing key's fingerprint. It tells nothing of the key.
type SealKeyID [8]byte

// String is the fingerprint in hexadecimal.
func (id SealKeyID) String() string { return hex.EncodeToString(id[:]) }

// GenerateSealKey makes a random sealing key.
func GenerateSealKey() SealKey {
	var key [SealKeySize]byte
	rand.Read(key[:]) // crypto/rand.Read never fails: it ends the program instead
	return newSealKey(key)
}

// ParseSealKeys reads the text of a key file: one key a line, in base64 of
// either alphabet, the first of them the one that seals. Empty lines and lines
// that begin with # are passed over. The error, ErrSealKey, names the line and
// never shows it.
func ParseSealKeys(text string) ([]SealKey, error) {
	var keys []SealKey
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := ParseSealKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no key in the text", ErrSealKey)
	}
	if len(keys) > MaxSealKeys {
		return nil, fmt.Errorf("%w: %d keys, at most %d are taken", ErrSealKey, len(keys), MaxSealKeys)
	}
	return keys, nil
}

// ParseSealKey reads one key: 32 bytes in base64, of either alphabet, padded or
// not. The error is ErrSealKey and does not show the text.
func ParseSealKey(text string) (SealKey, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw) != SealKeySize {
		return SealKey{}, fmt.Errorf("%w: a key is %d random bytes in base64, such as `openssl rand -base64 %d` makes",
			ErrSealKey, SealKeySize, SealKeySize)
	}
	return newSealKey([SealKeySize]byte(raw)), nil
}

// newSealKey derives what is used of key: the fingerprint and the cipher are
// kept apart by derivation, so that the one shows nothing of the other.
func newSealKey(key [SealKeySize]byte) SealKey {
	k := SealKey{key: key}
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("caddy-oauth2 seal key fingerprint"))
	copy(k.id[:], mac.Sum(nil))
	block, err := aes.NewCipher(derive(key[:], "caddy-oauth2 seal v1"))
	if err != nil {
		panic("tokenstore: " + err.Error()) // the key's length is fixed above
	}
	if k.gcm, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		panic("tokenstore: " + err.Error()) // AES has the block size that GCM wants
	}
	return k
}

// derive makes a 32-byte key from secret for one purpose (HKDF-SHA-256, RFC 5869).
func derive(secret []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, purpose, sha256.Size)
	if err != nil {
		panic("tokenstore: " + err.Error()) // only for lengths that SHA-256 cannot give
	}
	return key
}

// ID is the key's fingerprint.
func (k SealKey) ID() SealKeyID { return k.id }

// Text is the key as a key file holds it: one line of base64. It is the secret.
func (k SealKey) Text() string { return base64.StdEncoding.EncodeToString(k.key[:]) }

// String names the key by its fingerprint.
func (k SealKey) String() string { return "seal key " + k.id.String() }

// GoString is String, so that %#v shows no secret either.
func (k SealKey) GoString() string { return k.String() }

// usable says whether k was made by one of the constructors.
func (k SealKey) usable() bool { return k.gcm != nil }
