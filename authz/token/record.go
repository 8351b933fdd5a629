// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import "github.com/caddy-oauth2/caddy-oauth2/authz/scope"

// Record is what the store keeps of a token, under the digest of its text. When
// it expires and what it depends on stand beside it, in tokenstore.Record. The
// numbers are on disk: they are never given to another field.
type Record struct {
	// Kind is what the token is for.
	Kind Kind `cbor:"1,keyasint"`
	// Grant is the id of the grant that the token comes from.
	Grant string `cbor:"2,keyasint"`
	// Client is the id of the client that the token was issued to.
	Client string `cbor:"3,keyasint"`
	// Subject is the user's id; empty for a machine's token.
	Subject string `cbor:"4,keyasint,omitempty"`
	// Session is the id of the sign-in session, if the token comes from one.
	Session string `cbor:"5,keyasint,omitempty"`
	// Scopes are those granted.
	Scopes scope.Set `cbor:"6,keyasint,omitempty"`
	// Audience lists the resources that the token is for. It is never empty.
	Audience []string `cbor:"7,keyasint"`
	// IssuedAt is when the token was made, in seconds since 1970.
	IssuedAt int64 `cbor:"8,keyasint"`
	// ConfirmationKey is the thumbprint of the key that the presenter must prove
	// to hold (RFC 7800); empty for a bearer token.
	ConfirmationKey string `cbor:"9,keyasint,omitempty"`
	// ACR is the authentication context class of the sign-in.
	ACR string `cbor:"10,keyasint,omitempty"`
	// AuthorizationDetails is the granted JSON of RFC 9396.
	AuthorizationDetails []byte `cbor:"11,keyasint,omitempty"`
	// Parent is the id of the grant whose token was exchanged for this one
	// (RFC 8693).
	Parent string `cbor:"12,keyasint,omitempty"`
	// Claims are further facts by name.
	Claims map[string]any `cbor:"13,keyasint,omitempty"`
	// AuthTime is when the user last proved who they are, in seconds since 1970
	// (OpenID Connect Core §2); 0 for a machine's token.
	AuthTime int64 `cbor:"14,keyasint,omitempty"`
	// Began is when the first refresh token of the grant was issued, in seconds since
	// 1970; in a refresh token only.
	Began int64 `cbor:"15,keyasint,omitempty"`
	// ID is what the token calls itself (`jti`, RFC 7519 §4.1.7), in a format that
	// has that. It is not stored: such a token says it itself.
	ID string `cbor:"-"`
}

// Grant is what the store keeps of a grant. The record is also the anchor of all
// tokens of the grant: it does not change while they live, and deleting it ends
// them. It expires with the last of them.
type Grant struct {
	// Type is the grant type that began it.
	Type string `cbor:"1,keyasint"`
	// Client is the id of the client that has it.
	Client string `cbor:"2,keyasint"`
	// Subject is the id of the user who gave it; empty for a machine's.
	Subject string `cbor:"3,keyasint,omitempty"`
	// Session is the id of the sign-in session in which it was given.
	Session string `cbor:"4,keyasint,omitempty"`
	// Scopes are the most that tokens of the grant may have.
	Scopes scope.Set `cbor:"5,keyasint,omitempty"`
	// Audience lists the resources that tokens of the grant may be for.
	Audience []string `cbor:"6,keyasint"`
	// IssuedAt is when it was given, in seconds since 1970.
	IssuedAt int64 `cbor:"7,keyasint"`
	// ACR is the authentication context class of the sign-in.
	ACR string `cbor:"8,keyasint,omitempty"`
	// AuthorizationDetails is the granted JSON of RFC 9396.
	AuthorizationDetails []byte `cbor:"9,keyasint,omitempty"`
	// Parent is the id of the grant whose token was exchanged for this one.
	Parent string `cbor:"10,keyasint,omitempty"`
	// AuthTime is when the user last proved who they are, in seconds since 1970.
	AuthTime int64 `cbor:"11,keyasint,omitempty"`
}
