// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package granttype

import (
	"context"
	"errors"
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// AuthorizationCode gives a client the tokens that a user said yes to, for the code
// that the authorization endpoint issued (RFC 6749 §4.1.3).
//
// A code counts once. Its rightful client with all its proofs who presents it again
// loses what it got (§4.1.2): one of the two who had the code is not the client.
// Whatever else comes changes nothing, but five wrong verifiers end a code.
type AuthorizationCode struct{}

// Authorize redeems a code.
func (AuthorizationCode) Authorize(ctx context.Context, r *Request, change *tokenstore.Change) (*Authorization, error) {
	raw := r.Form.Get(authz.ParamCode)
	if raw == "" {
		return nil, authz.ErrInvalidRequest.Describe("The parameter code is missing.")
	}
	if kind, ok := token.Check(raw); !ok || kind != token.Code {
		return nil, authz.ErrInvalidGrant
	}
	rec, err := tokenstore.Load[Code](ctx, r.DB, codeKey(raw))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, authz.ErrInvalidGrant
	}
	if err != nil {
		return nil, err
	}
	code := &rec.Value
	if code.Client != r.Client.ID || r.Form.Get(authz.ParamRedirectURI) != code.RedirectURI {
		// §4.1.3: "ensure that the authorization code was issued to the authenticated
		// client", and that the redirect URI is the one of the authorization request,
		// or none where that had none.
		return nil, authz.ErrInvalidGrant
	}
	if verifier := r.Form.Get(authz.ParamCodeVerifier); !code.meets(verifier) {
		return nil, refuseVerifier(ctx, r, rec, verifier)
	}
	if code.Spent {
		return nil, r.replayed(ctx, code.Grant, code.Subject)
	}
	if err := r.checkUser(ctx, code.Subject); err != nil {
		return nil, err
	}
	audience, err := r.narrowedAudience(code.Audience)
	if err != nil {
		return nil, err
	}
	granted := code.Scopes.Intersect(r.Client.Scopes) // some may have been taken from the client in the meantime
	if len(granted) == 0 && len(code.Scopes) > 0 {
		return nil, authz.ErrInvalidScope
	}

	spent := *code
	spent.Spent = true
	// What the code gave is all that there is to revoke: it need not outlive that.
	change.Replace(rec.Key, rec.Revision, &spent, r.DB.Now().Add(spentCodeLifetime), tokenstore.SameChange(tokenstore.GrantKey(code.Grant)))
	a := &Authorization{
		NewGrant: code.Grant,
		Facts: token.Record{
			Subject: code.Subject, Session: code.Session, Scopes: granted, Audience: audience,
			ACR: code.ACR, AuthTime: code.AuthTime,
		},
		Anchors: lasting(rec.Anchors),
	}
	if r.Client.MayUse(authz.GrantRefreshToken) {
		idle, absolute := r.Refresh.For(r.Client.Client)
		a.RefreshLifetime, a.GrantLifetime = min(idle, absolute), absolute
		a.RefreshScopes, a.RefreshAudience, a.Began = code.Scopes, code.Audience, r.DB.Now()
	}
	return a, nil
}

// refuseVerifier counts a verifier that is wrong: guessing ends the code.
func refuseVerifier(ctx context.Context, r *Request, rec *tokenstore.Record[Code], verifier string) error {
	if verifier == "" || rec.Value.Challenge == "" || rec.Value.Spent {
		return authz.ErrInvalidGrant
	}
	change := r.DB.NewChange()
	code := rec.Value
	if code.Wrong++; code.Wrong < MaxWrongVerifiers {
		change.Replace(rec.Key, rec.Revision, &code, rec.Expires, rec.Anchors...)
	} else {
		change.DeleteAt(rec.Key, rec.Revision)
	}
	if _, err := r.DB.Commit(ctx, change); err != nil {
		return err
	}
	return authz.ErrInvalidGrant
}

// lasting returns those anchors of a code on which its tokens depend, but for store
// and client, which the endpoint adds. The session is not among them: a user who
// signs out of the browser keeps the applications that they gave access.
func lasting(anchors []tokenstore.Generation) []tokenstore.Generation {
	return slices.DeleteFunc(slices.Clone(anchors), func(g tokenstore.Generation) bool {
		kind := g.Key.Kind()
		return kind != tokenstore.KindUserAnchor && kind != tokenstore.KindConsentAnchor
	})
}

// narrowedAudience returns what a token is for of all that it may be for: all, or the
// resources asked for (RFC 8707 §2.2). They must still be known: their operator may
// have taken one out of service.
func (r *Request) narrowedAudience(all []string) ([]string, error) {
	wanted := r.Resources
	if len(wanted) == 0 {
		wanted = all
	}
	for _, resource := range wanted {
		granted := slices.ContainsFunc(all, func(a string) bool { return authz.SameResource(a, resource) })
		if !granted || !r.KnownResource(resource) {
			return nil, authz.ErrInvalidTarget
		}
	}
	return wanted, nil
}
