// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// NewSiteSession puts into change what the store keeps of the cookie that lets
// somebody into one guarded site, and returns the cookie's value. facts are those of
// the sign-in; their Audience is the site. What it depends on are the generations of
// store, user and session, so that it ends with each of them.
func NewSiteSession(change *tokenstore.Change, facts Record, issued, expires time.Time, anchors []tokenstore.Generation) string {
	raw := New(SiteSession)
	facts.Kind, facts.IssuedAt = SiteSession, issued.Unix()
	change.Create(tokenstore.CredentialKey(Digest(raw)), &facts, expires, anchors...)
	return raw
}

// siteSession returns the facts of a cookie of a guarded site. It costs what a
// token costs: nothing is allocated for one that is in the cache.
func (v *Verifier) siteSession(ctx context.Context, raw string) (*tokenstore.Record[Record], error) {
	if kind, ok := Check(raw); !ok || kind != SiteSession {
		return nil, authz.ErrInvalidToken
	}
	db, err := v.Store(ctx)
	if err != nil {
		return nil, authz.ErrTemporarilyUnavailable.Because(err)
	}
	rec, err := found(tokenstore.CachedCredential[Record](ctx, db, Digest(raw)))
	if err == nil && rec.Value.Kind != SiteSession {
		return nil, authz.ErrInvalidToken
	}
	return rec, err
}
