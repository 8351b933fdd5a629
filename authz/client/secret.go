// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// MinSecret is the number of characters that a chosen secret must have,
	// unless the configuration says weak_secret: its digest could be searched.
	MinSecret = 32
	// MaxSecret is the length in bytes of the longest secret.
	MaxSecret = 1024

	secretHashPrefix = "sha256:"
)

// DigestSecret returns the digest of a literal secret. One shorter than
// [MinSecret] characters is refused unless weak is set. No error repeats any
// of the secret.
func DigestSecret(literal string, weak bool) ([32]byte, error) {
	switch n := len([]rune(literal)); {
	case literal == "":
		return [32]byte{}, errors.New("the secret is empty")
	case n < MinSecret && !weak:
		return [32]byte{}, fmt.Errorf("the secret has fewer than %d characters; use a longer one, or allow this one with weak_secret", MinSecret)
	case len(literal) > MaxSecret:
		return [32]byte{}, fmt.Errorf("the secret is longer than %d bytes", MaxSecret)
	}
	return sha256.Sum256([]byte(literal)), nil
}

// ParseSecretHash reads a secret_hash: "sha256:" and the SHA-256 of the secret
// in hexadecimal or base64url (padding optional).
func ParseSecretHash(text string) ([32]byte, error) {
	const usage = `secret_hash is "sha256:" and the SHA-256 of the secret, as 64 hexadecimal digits or in base64url`
	var digest [32]byte
	encoded, ok := strings.CutPrefix(text, secretHashPrefix)
	if !ok {
		return digest, errors.New(usage)
	}
	decoded, err := hex.DecodeString(encoded)
	if len(encoded) != hex.EncodedLen(len(digest)) {
		decoded, err = base64.RawURLEncoding.Strict().DecodeString(strings.TrimSuffix(encoded, "="))
	}
	if err != nil || len(decoded) != len(digest) {
		return digest, errors.New(usage)
	}
	return [32]byte(decoded), nil
}

// FormatSecretHash returns the secret_hash for a digest.
func FormatSecretHash(digest [32]byte) string {
	return secretHashPrefix + hex.EncodeToString(digest[:])
}

// comparison is how secrets are compared. Tests count what it does.
type comparison struct {
	digest  func([]byte) [32]byte
	compare func(x, y []byte) int
}

var constantTime = comparison{sha256.Sum256, subtle.ConstantTimeCompare}

// match reports whether one of the presented texts is one of the secrets. It
// takes the same number of steps whatever they are: every text is digested and
// compared with [MaxSecrets] digests, dummies where there are fewer secrets. A
// client that does not exist has none, so it costs the same as a wrong secret.
func (m comparison) match(secrets []Secret, presented [2]string, now time.Time) bool {
	var slots [MaxSecrets]Secret
	known := copy(slots[:], secrets)
	matched := 0
	for _, text := range presented {
		digest := m.digest([]byte(text))
		for i, s := range slots {
			counts := 0
			if i < known && s.live(now) {
				counts = 1
			}
			matched |= counts & m.compare(digest[:], s.Digest[:])
		}
	}
	return matched == 1
}
