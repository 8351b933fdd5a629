// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package granttype holds the ways to obtain tokens, one file each, behind one
// small interface.
package granttype

import (
	"context"
	"net/url"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// GrantType judges token requests of one grant_type value. It is the contract of
// the namespace oauth2.grant_types. Implementations are safe for concurrent use
// and keep nothing between requests but in the store.
type GrantType interface {
	// Authorize judges a request whose client is authenticated and may use the
	// grant type, and says what to issue.
	//
	// What the request spends (a code, a refresh token) goes into change, which is
	// committed together with the new tokens: both happen or neither. When
	// somebody else changed in the meantime what Authorize relied on, it is
	// called again, with a fresh change, at most a few times; so it must have no
	// effect except through change. To change something although it refuses, such
	// as to end the grant of a replayed code, it commits a change of its own to
	// r.DB and then returns the error.
	//
	// An error that is no *authz.Error is taken for trouble: the client gets 503.
	Authorize(ctx context.Context, r *Request, change *tokenstore.Change) (*Authorization, error)
}

// Request is a token request that passed all checks that are common to grant types.
type Request struct {
	// Client is the client, authenticated in the way it is registered for.
	Client client.Authenticated
	// Form holds the parameters of the body, each once except resource; those
	// without a value are not there (RFC 6749 §3.2).
	Form url.Values
	// Scopes are those asked for; empty when the request names none.
	Scopes scope.Set
	// Resources are those asked for (RFC 8707), checked and known here.
	Resources []string
	// FilterScopes says that scopes which may not be granted are left out; else
	// they refuse the request.
	FilterScopes bool
	// DB is the store; its clock is the time.
	DB *tokenstore.DB
	// KnownResource reports whether tokens can be issued for a resource.
	KnownResource func(string) bool
	// Users knows who may act at present. It is there if any user can sign in.
	Users Users
	// Refresh is how long refresh tokens last.
	Refresh RefreshPolicy
	// Recorder is told what happens beside the request's own end.
	Recorder authz.Recorder
}

// Users knows users.
type Users interface {
	// Present returns a user who may act at present, and the generation of their
	// anchor. The error is [user.ErrNotFound] when there is none, else trouble.
	Present(ctx context.Context, subject string) (*user.User, tokenstore.Generation, error)
}

// Authorization is what a grant type has decided.
type Authorization struct {
	// Grant is the id of the existing grant that the tokens join, whose
	// generation is then among Anchors. Empty: they begin a new grant.
	Grant string
	// NewGrant is the id for a new grant; "": one is made.
	NewGrant string
	// Again is the answer that was given before and is given once more. Then nothing
	// is issued or committed, and nothing else here counts.
	Again *Answer
	// Facts are what the tokens state. Needed are Scopes, within what the client
	// may have; Client, Grant, Kind and IssuedAt are filled in. Without an
	// Audience it is the resources asked for, else the issuer.
	Facts token.Record
	// Anchors are the generations of what was checked: user, session, consent,
	// existing grant. Those of store and client are added. If one of them moves
	// before the commit, nothing is issued.
	Anchors []tokenstore.Generation
	// Lifetime is that of the access token. 0: as configured for the client, the
	// grant type or the server.
	Lifetime time.Duration
	// RefreshLifetime is that of a refresh token; 0: there is none.
	RefreshLifetime time.Duration
	// RefreshScopes and RefreshAudience are those of the refresh token: what it can be
	// used for, of which the access token may have a part.
	RefreshScopes   scope.Set
	RefreshAudience []string
	// Began is when its first refresh token was issued.
	Began time.Time
	// GrantLifetime is how long a new grant lasts beyond its access tokens. 0: not longer.
	GrantLifetime time.Duration
	// Minted, if given, is called with the new tokens before they are committed, and
	// may add to the change.
	Minted func(*Answer) error
}

// Answer is what a client gets: tokens that were issued. The numbers are on disk,
// sealed.
type Answer struct {
	// Access is the access token, Refresh the refresh token or "".
	Access  string `cbor:"1,keyasint"`
	Refresh string `cbor:"2,keyasint,omitempty"`
	// Scopes are those of the access token.
	Scopes scope.Set `cbor:"3,keyasint,omitempty"`
	// Expires is when the access token does.
	Expires time.Time `cbor:"4,keyasint"`
}

// Grantable returns the scopes to grant when at most allowed can be: those asked
// for, or defaults when the request names none (RFC 6749 §3.3). The error is
// [authz.ErrInvalidScope], when more was asked for or, while scopes are
// filtered, when nothing of it remains.
func (r *Request) Grantable(allowed, defaults scope.Set) (scope.Set, error) {
	if len(r.Scopes) == 0 {
		return defaults, nil
	}
	granted := r.Scopes.Intersect(allowed)
	if len(granted) == 0 || len(granted) < len(r.Scopes) && !r.FilterScopes {
		return nil, authz.ErrInvalidScope
	}
	return granted, nil
}
