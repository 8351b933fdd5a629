// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token_test

import (
	"errors"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// siteSession saves the cookie of a site, which depends on a user and a session.
func (w *world) siteSession(t testing.TB) string {
	t.Helper()
	var anchors []tokenstore.Generation
	for _, key := range []tokenstore.Key{tokenstore.UserAnchorKey("u-1"), tokenstore.SessionAnchorKey("s-1")} {
		g, err := w.db.EnsureAnchor(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		anchors = append(anchors, g)
	}
	var raw string
	w.change(t, func(change *tokenstore.Change) {
		raw = token.NewSiteSession(change, token.Record{
			Subject: "u-1", Session: "s-1", Audience: []string{"https://legacy.example.org"}, ACR: "1", AuthTime: 1_800_000_000,
		}, w.db.Now(), w.db.Now().Add(time.Hour), anchors)
	})
	return raw
}

// Ensure that the cookie of a site stands for its user, as a cookie and not as a token,
// as long as the session lasts, and costs what a token costs.
func TestSiteSessionIsACookieAndNoToken(t *testing.T) {
	w := newWorld(t)
	raw := w.siteSession(t)
	cookie := authz.Credential{Scheme: authz.SchemeSession, Value: raw}
	p, err := w.verifier.Authenticate(t.Context(), cookie)
	if err != nil || p.Subject != "u-1" || p.Session != "s-1" || p.Client != "" || len(p.Scopes) != 0 || p.AuthTime.Unix() != 1_800_000_000 {
		t.Fatalf("%+v, %v", p, err)
	}
	access, mixed := w.mint(t, w.order(t)).Access, token.New(token.SiteSession)
	w.change(t, func(change *tokenstore.Change) {
		change.Create(tokenstore.CredentialKey(token.Digest(mixed)), token.Record{Kind: token.Access, Subject: "u-1"}, w.db.Now().Add(time.Hour))
	})
	for name, c := range map[string]authz.Credential{
		"as a token":        {Scheme: authz.SchemeBearer, Value: raw},
		"a token as cookie": {Scheme: authz.SchemeSession, Value: access},
		"a token's record":  {Scheme: authz.SchemeSession, Value: mixed},
		"another spelling":  {Scheme: "Session", Value: raw},
		"cut off":           {Scheme: authz.SchemeSession, Value: raw[:len(raw)-1]},
		"made up":           {Scheme: authz.SchemeSession, Value: token.New(token.SiteSession)},
		"a ticket":          {Scheme: authz.SchemeSession, Value: token.New(token.Ticket)},
	} {
		if _, err := w.verifier.Authenticate(t.Context(), c); !errors.Is(err, authz.ErrInvalidToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.verifier.Find(t.Context(), raw); !errors.Is(err, authz.ErrInvalidToken) {
		t.Errorf("found for introspection: %v", err)
	}
	w.settle(t, cookie)
	if n := testing.AllocsPerRun(1000, func() { _, _ = w.verifier.Authenticate(t.Context(), cookie) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	w.change(t, func(change *tokenstore.Change) { change.Revoke(tokenstore.SessionAnchorKey("s-1")) })
	if _, err := w.verifier.Authenticate(t.Context(), cookie); !errors.Is(err, authz.ErrInvalidToken) {
		t.Errorf("after the session: %v", err)
	}
}
