// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
)

// Declaration is a client as a configuration states it: the metadata, and
// secrets in the clear or as digests. At most [MaxSecrets] of both together:
// to change a secret without an interruption, state the new and the old one,
// and later remove the old one.
type Declaration struct {
	Client

	// Secrets in the clear, best as placeholders such as {file./run/secrets/shop}.
	// Each has at least 32 characters, unless weak_secret is set; for auth_method
	// client_secret_jwt it always has, and is kept in memory.
	Secret []string `json:"secret,omitempty"`

	// SHA-256 digests of secrets: sha256: and 64 hexadecimal digits, or the
	// same in base64url. The secret behind one should be random. Not for
	// auth_method client_secret_jwt, which needs the secret itself.
	SecretHash []string `json:"secret_hash,omitempty"`

	// Whether secrets of fewer than 32 characters are accepted. Default: false.
	WeakSecret bool `json:"weak_secret,omitempty"`
}

// Build returns the client that d declares, or everything that is wrong with
// it. Placeholders must have been replaced.
func (d *Declaration) Build() (*Client, error) {
	c := d.Client
	normalize(&c)
	c.Secrets, c.configured = nil, true
	var errs []error
	for _, literal := range d.Secret {
		digest, err := DigestSecret(literal, d.WeakSecret)
		s := Secret{Digest: digest}
		if c.recoverable() {
			s.text = literal
		}
		c.Secrets, errs = append(c.Secrets, s), append(errs, err)
	}
	if c.recoverable() && d.WeakSecret {
		// RFC 7518 §3.2: "A key of the same size as the hash output or larger MUST be used".
		errs = append(errs, fmt.Errorf("auth_method %s excludes weak_secret: its secret is the key of HS256, of at least %d bytes", c.AuthMethod, MinSecret))
	}
	if c.recoverable() && len(d.SecretHash) > 0 {
		errs = append(errs, fmt.Errorf("auth_method %s needs the secret itself, not a secret_hash", c.AuthMethod))
	}
	for _, text := range d.SecretHash {
		digest, err := ParseSecretHash(text)
		c.Secrets, errs = append(c.Secrets, Secret{Digest: digest}), append(errs, err)
	}
	if err := errors.Join(append(errs, c.Validate())...); err != nil {
		return nil, fmt.Errorf("client %q: %w", d.ID, err)
	}
	return &c, nil
}

// String names the client and hides its secrets.
func (d Declaration) String() string { return fmt.Sprintf("client %q", d.ID) }

// GoString is String.
func (d Declaration) GoString() string { return d.String() }
