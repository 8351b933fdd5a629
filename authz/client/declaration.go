// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"

	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Declaration is a client as a configuration states it: the metadata, and
// secrets in the clear or as digests. At most [MaxSecrets] of both together:
// to change a secret without an interruption, state the new and the old one,
// and later remove the old one.
type Declaration struct {
	Client

	// Secrets in the clear, best as placeholders such as {file./run/secrets/shop}.
	// Each has at least 32 characters, unless weak_secret is set.
	Secret []string `json:"secret,omitempty"`

	// SHA-256 digests of secrets: sha256: and 64 hexadecimal digits, or the
	// same in base64url. The secret behind one should be random.
	SecretHash []string `json:"secret_hash,omitempty"`

	// Whether secrets of fewer than 32 characters are accepted. Default: false.
	WeakSecret bool `json:"weak_secret,omitempty"`
}

// Build returns the client that d declares, or everything that is wrong with
// it. Placeholders must have been replaced.
func (d *Declaration) Build() (*Client, error) {
	c := d.Client
	c.Scopes, c.DefaultScopes = scope.Of(c.Scopes...), scope.Of(c.DefaultScopes...)
	c.Secrets = nil
	var errs []error
	for _, literal := range d.Secret {
		digest, err := DigestSecret(literal, d.WeakSecret)
		c.Secrets, errs = append(c.Secrets, Secret{Digest: digest}), append(errs, err)
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
