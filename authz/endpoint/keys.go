// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

// Where the public keys are, below the prefix: those of access tokens, and apart
// from them those of what upstreams are told. Whoever verifies the one must not
// be able to take the other for it.
const (
	pathKeys         = "/jwks"
	pathUpstreamKeys = "/jwks/upstream"
)

// serveKeys serves the public keys of a purpose (RFC 7517 §5).
func (s *Server) serveKeys(purpose keyring.Purpose) route {
	return func(w http.ResponseWriter, r *http.Request) error {
		return s.servePublic(w, r, "application/jwk-set+json", func() ([]byte, error) {
			keys, err := s.config.SigningKeys(r.Context())
			if err != nil {
				return nil, err
			}
			return keys.Published(r.Context(), purpose)
		})
	}
}

// signs reports whether there are keys of access tokens, or will be. When that
// cannot be known at present, there are none to rely on.
func (s *Server) signs(ctx context.Context) bool {
	if s.config.SigningKeys == nil || s.config.Signs {
		return s.config.Signs
	}
	keys, err := s.config.SigningKeys(ctx)
	if err != nil {
		return false
	}
	inUse, err := keys.InUse(ctx, keyring.AccessTokens)
	return err == nil && inUse
}

// minterFor returns what mints a client's tokens: in the client's own format if
// it has one that is there.
func (s *Server) minterFor(c *client.Client) token.Minter {
	if format := s.config.ClientFormats[c.AccessTokenFormat]; format != nil {
		return token.Minter{Format: format}
	}
	return s.minter
}
