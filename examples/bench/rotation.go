// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/url"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	users "github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// rotate begins a grant of a user and replaces its refresh token once, as the token
// endpoint does but without HTTP.
func (v *vault) rotate(ctx context.Context) error {
	now := v.db.Now()
	anchors, err := v.userAnchors(ctx)
	if err != nil {
		return err
	}
	raw, err := v.beginGrant(ctx, now, anchors)
	if err != nil {
		return err
	}
	change := v.db.NewChange()
	decided, err := granttype.RefreshToken{}.Authorize(ctx, &granttype.Request{
		Client: client.Authenticated{Client: &client.Client{ID: application, Scopes: scope.Of(scopeHeld)}},
		Form:   url.Values{authz.ParamGrantType: {authz.GrantRefreshToken}, authz.ParamRefreshToken: {raw}},
		DB:     v.db, KnownResource: func(string) bool { return true }, Users: everybody{}, Recorder: authz.Discard,
	}, change)
	if err != nil {
		return err
	}
	decided.Facts.Client, decided.Facts.Grant = application, decided.Grant
	issued, err := v.minter.Mint(ctx, v.db, change, token.Order{
		Facts: decided.Facts, Anchors: append(v.anchors, decided.Anchors...), Lifetime: liveFor,
		RefreshLifetime: decided.RefreshLifetime, RefreshScopes: decided.RefreshScopes, RefreshAudience: decided.RefreshAudience, Began: decided.Began,
	})
	if err != nil {
		return err
	}
	err = decided.Minted(&granttype.Answer{
		Access: issued.Access, Refresh: issued.Refresh, Scopes: decided.Facts.Scopes, Expires: now.Add(liveFor),
	})
	if err != nil {
		return err
	}
	change.Audit(tokenstore.AuditEntry{
		Type: string(authz.EventTokenIssued), Outcome: string(authz.Allowed), GrantType: authz.GrantRefreshToken,
		Client: application, Subject: decided.Facts.Subject, Grant: issued.Grant, Routine: true,
	})
	_, err = v.db.Commit(ctx, change)
	return err
}

// beginGrant issues the first refresh token of a grant.
func (v *vault) beginGrant(ctx context.Context, now time.Time, anchors []tokenstore.Generation) (string, error) {
	change := v.db.NewChange()
	facts := token.Record{
		Client: application, Subject: token.NewID(now), Session: token.NewID(now), Scopes: scope.Of(scopeHeld), Audience: []string{v.issuer},
		ACR: "1", AuthTime: now.Unix(),
	}
	issued, err := v.minter.Mint(ctx, v.db, change, token.Order{
		Grant: &token.Grant{
			Type: authz.GrantAuthorizationCode, Client: facts.Client, Subject: facts.Subject, Session: facts.Session,
			Scopes: facts.Scopes, Audience: facts.Audience, ACR: facts.ACR, AuthTime: facts.AuthTime,
		},
		Facts: facts, Anchors: anchors, Lifetime: liveFor, RefreshLifetime: granttype.DefaultRefreshIdle, Began: now,
	})
	if err != nil {
		return "", err
	}
	_, err = v.db.Commit(ctx, change)
	return issued.Refresh, err
}

// userAnchors are those of store and client, with a user's and a consent's.
func (v *vault) userAnchors(ctx context.Context) ([]tokenstore.Generation, error) {
	id := token.NewID(v.db.Now())
	anchors := append([]tokenstore.Generation(nil), v.anchors...)
	for _, key := range []tokenstore.Key{tokenstore.UserAnchorKey(id), tokenstore.ConsentAnchorKey(id)} {
		generation, err := v.db.EnsureAnchor(ctx, key)
		if err != nil {
			return nil, err
		}
		anchors = append(anchors, generation)
	}
	return anchors, nil
}

// everybody is present.
type everybody struct{}

func (everybody) Present(context.Context, string) (*users.User, tokenstore.Generation, error) {
	return new(users.User), tokenstore.Generation{}, nil
}
