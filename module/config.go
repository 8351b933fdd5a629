// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

const (
	// DefaultFormat is the token format of access tokens.
	DefaultFormat = "opaque"
	// DefaultStore is the engine of the token store.
	DefaultStore = "bolt"
)

// Namespaces of guest modules, and the contract of each.
const (
	// StoreNamespace is that of [tokenstore.Engine].
	StoreNamespace = "oauth2.stores"
	// GrantTypeNamespace is that of [granttype.GrantType].
	GrantTypeNamespace = "oauth2.grant_types"
	// FormatNamespace is that of [token.Format].
	FormatNamespace = "oauth2.token_formats"
	// UsersNamespace is that of [user.Source].
	UsersNamespace = "oauth2.users"
)

// Values of [App.ScopePolicy].
const (
	// ScopeRefuse answers a request for a scope that the client may not have with invalid_scope.
	ScopeRefuse = "refuse"
	// ScopeFilter leaves out what the client may not have; only when nothing is left is it invalid_scope.
	ScopeFilter = "filter"
)

// Values of [App.AssertionAudience].
const (
	// AudienceIssuer accepts assertions that are made for the issuer.
	AudienceIssuer = "issuer"
	// AudienceTokenURL accepts those made for the token endpoint's URL too.
	AudienceTokenURL = "token_url"
)

// Scope is one word of permission, and what it means to people.
type Scope struct {
	// The scope as it stands in tokens and requests: printable ASCII without
	// space, quote and backslash (RFC 6749 §3.3), at most 128 bytes.
	Name string `json:"name"`

	// What the scope permits, in words that a user understands, such as
	// "See your orders". Default: the name.
	Text string `json:"text,omitempty"`
}

// AccessToken says how access tokens are made.
type AccessToken struct {
	// How long access tokens live, from 1s to 87600h. What a client has of its
	// own wins over this. Default: `1h`.
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// Lifetimes by grant type, such as `"client_credentials": "10m"`; they win
	// over `lifetime`.
	Lifetimes map[string]caddy.Duration `json:"lifetimes,omitempty"`

	// The format of access tokens, a module of namespace `oauth2.token_formats`.
	// Default: `opaque`, random values that mean nothing without the store.
	FormatRaw json.RawMessage `json:"format,omitempty" caddy:"namespace=oauth2.token_formats inline_key=name"`
}
