// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Client is an application that may ask for tokens, by the names of RFC 7591.
// A Client that comes from a [Registry] is shared and read-only.
type Client struct {
	// The client's identifier, which it sends with each request. 1 to 255
	// characters: letters, digits and - . _ ~ : / @, and no segments "." and "..".
	// Required. It is not a secret.
	ID string `json:"id" cbor:"1,keyasint"`

	// What people see where the client is shown to them, at most 200 bytes.
	// Default: the identifier.
	Name string `json:"name,omitempty" cbor:"2,keyasint,omitempty"`

	// How the client proves who it is, at every endpoint: client_secret_basic,
	// client_secret_post, client_secret_jwt, private_key_jwt, or none for an
	// application that cannot keep a secret. Default: client_secret_basic.
	AuthMethod string `json:"auth_method,omitempty" cbor:"3,keyasint,omitempty"`

	// The ways in which the client may obtain tokens, such as
	// client_credentials. Default: none; a service that only introspects needs none.
	GrantTypes []string `json:"grant_types,omitempty" cbor:"4,keyasint,omitempty"`

	// The scopes that the client may ask for, at most 100. What is taken away
	// here is at once taken from the tokens it has. Default: none.
	Scopes scope.Set `json:"scopes,omitempty" cbor:"5,keyasint,omitempty"`

	// What the client gets when it asks for no scope in particular; each must
	// also be in scopes. Default: all of scopes.
	DefaultScopes scope.Set `json:"default_scopes,omitempty" cbor:"6,keyasint,omitempty"`

	// Where users are sent back to, at most 50: https URLs, http URLs on
	// 127.0.0.1, [::1] or localhost, and URIs of a private-use scheme with a dot in it,
	// such as com.example.app:/callback. They are compared character by character,
	// but that the port of 127.0.0.1 and [::1] is free. Required for authorization_code.
	RedirectURIs []string `json:"redirect_uris,omitempty" cbor:"7,keyasint,omitempty"`

	// The web origins whose scripts may call the token and revocation endpoints
	// as this client, such as https://app.example.com. Default: the origins of
	// its http and https redirect URIs.
	Origins []string `json:"origins,omitempty" cbor:"8,keyasint,omitempty"`

	// The resources that the client serves: it may introspect the access tokens
	// whose audience is one of them, beside its own. Default: none.
	Introspects []string `json:"introspects,omitempty" cbor:"9,keyasint,omitempty"`

	// How long the client's access tokens last, from 1s to 87600h. Default: as
	// the server has it for the grant type.
	AccessTokenLifetime Duration `json:"access_token_lifetime,omitempty" cbor:"10,keyasint,omitempty"`

	// The format of the client's access tokens, such as opaque or jwt. Default: the
	// server's.
	AccessTokenFormat string `json:"access_token_format,omitempty" cbor:"16,keyasint,omitempty"`

	// Whether the client is shut out: it cannot authenticate, and its tokens
	// are refused, until it is enabled again. Default: false.
	Disabled bool `json:"disabled,omitempty" cbor:"11,keyasint,omitempty"`

	// The public keys of a client of auth_method private_key_jwt: a JWK Set (RFC
	// 7517 §5) of at most 16 KiB and 20 keys. In a configuration it may also be a
	// text, a placeholder such as {file./etc/caddy/shop.jwks}, which is resolved
	// once, when the configuration is loaded. Either this or jwks_uri.
	JWKS json.RawMessage `json:"jwks,omitempty" cbor:"13,keyasint,omitempty"`

	// Where the client publishes its public keys: an https URL. They are fetched
	// when they are needed, and kept. Either this or jwks.
	JWKSURI string `json:"jwks_uri,omitempty" cbor:"14,keyasint,omitempty"`

	// The one algorithm that the client's assertions are signed with: ES256,
	// EdDSA (in assertions also by its newer name, Ed25519), PS256 or RS256 for
	// private_key_jwt, HS256 for client_secret_jwt.
	// Default: whichever of these suits the key.
	AuthSigningAlg string `json:"auth_signing_alg,omitempty" cbor:"15,keyasint,omitempty"`

	// Which authorization requests need a code challenge (PKCE, RFC 7636). With always,
	// all do; with optional, none does; with plain, all do, but challenges of method
	// plain, which protect little, are accepted beside S256. Default: all do, but those
	// in which a client that authenticates asks for the scope openid and sends a nonce.
	PKCE string `json:"pkce,omitempty" cbor:"17,keyasint,omitempty"`

	// Whether the client's authorization requests must be pushed (RFC 9126).
	// Default: as the server has it.
	RequirePAR bool `json:"require_par,omitempty" cbor:"18,keyasint,omitempty"`

	// Whether the client is the operator's own, so that users are not asked for
	// their consent. Not for a client that has an owner. Default: false.
	FirstParty bool `json:"first_party,omitempty" cbor:"19,keyasint,omitempty"`

	// The scopes that users may untick where they are asked for their consent, of
	// those in scopes. Default: none; users say yes or no to all.
	OptionalScopes scope.Set `json:"optional_scopes,omitempty" cbor:"20,keyasint,omitempty"`

	// Whether each use of a refresh token replaces it by another: on or off. Off is for
	// clients that authenticate, to which their refresh tokens are bound by that (RFC
	// 9700 §2.2.2). Default: on.
	RefreshRotation string `json:"refresh_rotation,omitempty" cbor:"21,keyasint,omitempty"`

	// How long a refresh token lasts that is not used, from 1s to 87600h. Default: as
	// the server has it.
	RefreshIdle Duration `json:"refresh_idle,omitempty" cbor:"22,keyasint,omitempty"`

	// How long after the user's consent the last refresh token ends, used or not,
	// from 1s to 87600h. Default: as the server has it.
	RefreshLifetime Duration `json:"refresh_lifetime,omitempty" cbor:"23,keyasint,omitempty"`

	// What the client says of itself.
	About

	// Secrets are the digests of the client's secrets, the newest first. At most
	// [MaxSecrets], so that a secret can be changed without an interruption.
	Secrets []Secret `json:"-" cbor:"12,keyasint,omitempty"`

	// configured: the operator wrote it into the configuration.
	configured bool
}

// MaxSecrets is how many secrets of one client count at the same time.
const MaxSecrets = 2

// Secret is what is kept of a client's secret. Where the secret itself is needed
// (see [authz.AuthSecretJWT]), the store has it beside the client, sealed.
type Secret struct {
	// Digest is the SHA-256 of the secret's bytes.
	Digest [32]byte `cbor:"1,keyasint"`
	// NotAfter is when the secret stops counting; the zero time means never.
	NotAfter time.Time `cbor:"2,keyasint,omitzero"`
	// text is the secret of a configured client that must be recoverable.
	text string
}

// String hides the digest: it would let anybody who reads it search for a weak secret.
func (Secret) String() string { return "***" }

// GoString hides the digest.
func (Secret) GoString() string { return "***" }

// live reports whether the secret counts at the given time.
func (s Secret) live(now time.Time) bool { return s.NotAfter.IsZero() || now.Before(s.NotAfter) }

// Method returns how the client proves who it is, the default filled in.
func (c *Client) Method() string {
	if c.AuthMethod == "" {
		return authz.AuthSecretBasic
	}
	return c.AuthMethod
}

// Confidential reports whether the client proves who it is (RFC 6749 §2.1).
func (c *Client) Confidential() bool { return c.Method() != authz.AuthNone }

// HasSecret reports whether the client proves who it is by a secret that it
// shares with the server.
func (c *Client) HasSecret() bool {
	return c.Confidential() && c.Method() != authz.AuthPrivateKeyJWT
}

// recoverable reports whether the secret itself must be kept, not only a digest.
func (c *Client) recoverable() bool { return c.Method() == authz.AuthSecretJWT }

// DisplayName returns what to call the client before people.
func (c *Client) DisplayName() string {
	if c.Name == "" {
		return c.ID
	}
	return c.Name
}

// MayUse reports whether the client may obtain tokens by grantType.
func (c *Client) MayUse(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// Defaults returns the scopes of a request that names none.
func (c *Client) Defaults() scope.Set {
	if len(c.DefaultScopes) == 0 {
		return c.Scopes
	}
	return c.DefaultScopes
}

// Serves reports whether the client may introspect tokens for one of audience.
func (c *Client) Serves(audience []string) bool {
	return slices.ContainsFunc(audience, func(a string) bool {
		return slices.ContainsFunc(c.Introspects, func(served string) bool { return authz.SameResource(a, served) })
	})
}
