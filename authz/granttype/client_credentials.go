// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package granttype

import (
	"context"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// ClientCredentials lets a client act in its own name (RFC 6749 §4.4). Its tokens
// have no subject, and there is no refresh token: the client can always ask
// again (§4.4.3).
type ClientCredentials struct{}

// Authorize grants an authenticated confidential client what it asks for of its
// own scopes.
func (ClientCredentials) Authorize(_ context.Context, r *Request, _ *tokenstore.Change) (*Authorization, error) {
	if !r.Client.Confidential() {
		// §4.4: "MUST only be used by confidential clients".
		return nil, authz.ErrUnauthorizedClient.Describe("Only a client that authenticates may use this grant type.")
	}
	granted, err := r.Grantable(r.Client.Scopes, r.Client.Defaults())
	if err != nil {
		return nil, err
	}
	return &Authorization{Facts: token.Record{Scopes: granted}}, nil
}
