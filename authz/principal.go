// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package authz

import (
	"context"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Credential is what a request carries to prove itself, as found on the wire
// and not yet checked.
type Credential struct {
	// Scheme says how it was presented: one of the Scheme constants.
	Scheme string
	// Value is the secret part. It must not be logged.
	Value string
}

// Principal is who a valid credential stands for. It states facts about the
// credential, never a decision: scopes, audience and expiry are judged anew at
// every request. Slices and maps are shared between requests and read-only.
type Principal struct {
	// Issuer is the authorization server that issued the credential.
	Issuer string
	// Subject is the user's random, never reused id at Issuer. It is empty for
	// a machine token: a client's id is never somebody's subject.
	Subject string
	// Username is the user's present name, for people to read. Empty for machines.
	Username string
	// Client is the id of the client that the credential was issued to.
	Client string
	// Scopes are those of the credential, not yet cut to the client's present ones.
	Scopes scope.Set
	// Audience lists the resources that the credential is meant for. It is never empty.
	Audience []string
	// Grant is the id of the grant that the credential comes from.
	Grant string
	// Session is the id of the sign-in session it comes from, if any.
	Session string
	// Scheme is the scheme by which it was presented.
	Scheme string
	// IssuedAt is when the credential was made.
	IssuedAt time.Time
	// Expires is when it ends. It is never zero.
	Expires time.Time
	// ConfirmationKey is the thumbprint of the key that the presenter must
	// prove to hold (RFC 7800); empty for a plain bearer token.
	ConfirmationKey string
	// ACR is the authentication context class of the sign-in (OpenID Connect Core §2).
	ACR string
	// AuthTime is when the user last proved who they are. Zero where nobody signed
	// in for the credential, or its issuer does not say.
	AuthTime time.Time
	// Claims are further facts by name, such as groups.
	Claims map[string]any
}

// PrincipalKey is the key under which a context carries a *Principal. It is
// exported for contexts that carry one themselves; all others use
// [WithPrincipal] and [PrincipalFrom].
type PrincipalKey struct{}

// WithPrincipal returns a context that carries p. Whoever stores a principal
// vouches that its credential was checked in this request. A nil p hides the
// principal of a guard further out.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, PrincipalKey{}, p)
}

// PrincipalFrom returns the principal of the innermost guard that the request
// has passed, or nil when it passed none or as an anonymous request. Its
// scopes are cut to those that the client has at present.
func PrincipalFrom(ctx context.Context) *Principal {
	p, _ := ctx.Value(PrincipalKey{}).(*Principal)
	return p
}
