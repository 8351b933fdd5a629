// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// DefaultLifetime is how long an access token lasts where nothing says otherwise.
const DefaultLifetime = time.Hour

// Minter makes the tokens of one token request.
type Minter struct {
	// Format is that of access tokens. Refresh tokens are always [Opaque].
	Format Format
}

// Order is what a token request has come to.
type Order struct {
	// Grant is the grant that the tokens begin; its id is Facts.Grant, or made if
	// that is empty. With nil they join the one of Facts.Grant, whose generation must
	// then be among Anchors.
	Grant *Grant
	// Facts are what every token of the order states. Kind, Grant (of a new
	// grant) and IssuedAt are filled in.
	Facts Record
	// Anchors are the generations of store, client and, where there are such,
	// user, session, consent and existing grant, as they were noted when each was
	// checked. The change will hold only while they still are the present ones.
	Anchors []tokenstore.Generation
	// Lifetime is that of the access token.
	Lifetime time.Duration
	// RefreshLifetime is that of a refresh token; with 0 there is none.
	RefreshLifetime time.Duration
	// RefreshScopes and RefreshAudience are those of the refresh token, if they differ
	// from those of Facts.
	RefreshScopes   scope.Set
	RefreshAudience []string
	// Began is when the grant's first refresh token was issued.
	Began time.Time
	// GrantLifetime is how long the grant, if it is new, lasts beyond its access tokens.
	GrantLifetime time.Duration
}

// Issued are the tokens made. They must not leave the server before the change
// is committed.
type Issued struct {
	// Grant is the id of their grant.
	Grant string
	// Access is the access token, Refresh the refresh token or "".
	Access, Refresh string
	// Lifetime is how long the access token lasts.
	Lifetime time.Duration
}

// Mint puts new tokens, and a new grant where the order has one, into change.
func (m Minter) Mint(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, o Order) (Issued, error) {
	now := db.Now()
	o.Facts.IssuedAt = now.Unix()
	change.Expect(o.Anchors...)
	// A copy: appending to the caller's slice could write into its array.
	anchors := append([]tokenstore.Generation(nil), o.Anchors...)
	if o.Grant != nil {
		if o.Facts.Grant == "" {
			o.Facts.Grant = NewID(now)
		}
		o.Grant.IssuedAt = o.Facts.IssuedAt
		key := tokenstore.GrantKey(o.Facts.Grant)
		change.Create(key, o.Grant, now.Add(max(o.Lifetime+o.GrantLifetime, o.RefreshLifetime)), o.Anchors...)
		anchors = append(anchors, tokenstore.SameChange(key))
	}
	issued := Issued{Grant: o.Facts.Grant, Lifetime: o.Lifetime}
	var err error
	o.Facts.Kind = Access
	issued.Access, err = m.Format.Mint(ctx, change, Draft{o.Facts, now.Add(o.Lifetime), anchors})
	if err == nil && o.RefreshLifetime > 0 {
		o.Facts.Kind = Refresh
		if o.RefreshScopes != nil {
			o.Facts.Scopes = o.RefreshScopes
		}
		if o.RefreshAudience != nil {
			o.Facts.Audience = o.RefreshAudience
		}
		if !o.Began.IsZero() {
			o.Facts.Began = o.Began.Unix()
		}
		issued.Refresh, err = Opaque{}.Mint(ctx, change, Draft{o.Facts, now.Add(o.RefreshLifetime), anchors})
	}
	return issued, err
}
