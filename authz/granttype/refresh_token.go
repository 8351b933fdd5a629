// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package granttype

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Defaults of how long refresh tokens last.
const (
	DefaultRefreshIdle     = 30 * 24 * time.Hour
	DefaultRefreshAbsolute = 365 * 24 * time.Hour
	// DefaultReuseWindow is how long a refresh token that was spent gets its answer
	// again; MaxReuseWindow bounds that.
	DefaultReuseWindow = 30 * time.Second
	MaxReuseWindow     = 10 * time.Minute
)

// RefreshPolicy is how long refresh tokens last where the client does not say otherwise.
type RefreshPolicy struct {
	// Idle is how long one lasts that is not used; Absolute how long after the first
	// one of a grant the last one ends. 0: the defaults.
	Idle, Absolute time.Duration
}

// Validate reports what is wrong with the policy.
func (p RefreshPolicy) Validate() error {
	if err := errors.Join(client.ValidateLifetime(p.Idle), client.ValidateLifetime(p.Absolute)); err != nil {
		return err
	}
	if idle, absolute := p.For(&client.Client{}); idle > absolute {
		return fmt.Errorf("refresh tokens end after %v, so none can be idle for %v", absolute, idle)
	}
	return nil
}

// For returns how long the refresh tokens of a client last.
func (p RefreshPolicy) For(c *client.Client) (idle, absolute time.Duration) {
	absolute = cmp.Or(time.Duration(c.RefreshLifetime), p.Absolute, DefaultRefreshAbsolute)
	return cmp.Or(time.Duration(c.RefreshIdle), p.Idle, min(DefaultRefreshIdle, absolute)), absolute
}

// RefreshToken gives a client new tokens for a refresh token (RFC 6749 §6), which it
// replaces by another unless the client goes without that (RFC 9700 §4.14.2).
//
// A client whose answer was lost may ask again: for a while it gets the same one,
// as long as it has not used what was in that. Later, a token that was replaced is in
// two hands, and its grant ends.
type RefreshToken struct {
	// ReuseWindow is for how long. 0: [DefaultReuseWindow]; negative: not at all.
	ReuseWindow time.Duration
}

// Authorize judges a refresh token.
func (g RefreshToken) Authorize(ctx context.Context, r *Request, change *tokenstore.Change) (*Authorization, error) {
	raw := r.Form.Get(authz.ParamRefreshToken)
	if raw == "" {
		return nil, authz.ErrInvalidRequest.Describe("The parameter refresh_token is missing.")
	}
	if kind, ok := token.Check(raw); !ok || kind != token.Refresh {
		return nil, authz.ErrInvalidGrant
	}
	rec, err := tokenstore.Load[token.Record](ctx, r.DB, tokenstore.CredentialKey(token.Digest(raw)))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return g.again(ctx, r, raw)
	}
	if err != nil {
		return nil, err
	}
	t := &rec.Value
	if t.Kind != token.Refresh || t.Client != r.Client.ID {
		return nil, authz.ErrInvalidGrant
	}
	if err := r.checkUser(ctx, t.Subject); err != nil {
		return nil, err
	}
	idle, absolute := r.Refresh.For(r.Client.Client)
	now, began := r.DB.Now(), time.Unix(t.Began, 0)
	if rest := began.Add(absolute).Sub(now); rest < idle {
		idle = rest
	}
	if idle <= 0 {
		return nil, authz.ErrInvalidGrant
	}
	granted, err := r.narrowedScopes(t.Scopes)
	if err != nil {
		return nil, err
	}
	audience, err := r.narrowedAudience(t.Audience)
	if err != nil {
		return nil, err
	}
	a := &Authorization{
		Grant: t.Grant,
		Facts: token.Record{
			Subject: t.Subject, Session: t.Session, Scopes: granted, Audience: audience, ACR: t.ACR, AuthTime: t.AuthTime,
			AuthorizationDetails: t.AuthorizationDetails, Parent: t.Parent, Claims: t.Claims,
		},
		Anchors: withGrant(rec.Anchors),
	}
	if !r.Client.Rotates() {
		prolong(change, rec, now, idle)
		return a, nil
	}
	// RFC 6749 §6: the new refresh token has the scope of the old one.
	a.RefreshLifetime, a.RefreshScopes, a.RefreshAudience, a.Began = idle, t.Scopes, t.Audience, began
	change.DeleteAt(rec.Key, rec.Revision)
	a.Minted = func(answer *Answer) error { return g.keep(r, change, raw, rec, answer) }
	return a, nil
}

// prolong makes change depend on a refresh token that is not replaced, and notes its
// use. To write that down each time would have clients that refresh at once wait
// for one another, so it is done once in a while.
func prolong(change *tokenstore.Change, rec *tokenstore.Record[token.Record], now time.Time, idle time.Duration) {
	if expires := now.Add(idle); expires.Sub(rec.Expires) > idle/16 {
		change.Replace(rec.Key, rec.Revision, &rec.Value, expires, rec.Anchors...)
		return
	}
	change.Expect(tokenstore.Generation{Key: rec.Key, Revision: rec.Revision})
}

// narrowedScopes returns the scopes of a new access token: those asked for, or all
// of the refresh token's, without those that the client may not have any more.
func (r *Request) narrowedScopes(all scope.Set) (scope.Set, error) {
	allowed := all.Intersect(r.Client.Scopes)
	if len(r.Scopes) == 0 {
		if len(allowed) == 0 && len(all) > 0 {
			return nil, authz.ErrInvalidScope
		}
		return allowed, nil
	}
	return r.Grantable(allowed, nil) // §6: "MUST NOT include any scope not originally granted"
}

// checkUser makes sure that the user may act at present.
func (r *Request) checkUser(ctx context.Context, subject string) error {
	if r.Users == nil {
		return authz.ErrInvalidGrant
	}
	_, _, err := r.Users.Present(ctx, subject)
	if errors.Is(err, user.ErrNotFound) {
		return authz.ErrInvalidGrant
	}
	return err
}

// withGrant returns those anchors of a token on which its successors depend, but for
// store and client, which the endpoint adds.
func withGrant(anchors []tokenstore.Generation) []tokenstore.Generation {
	var kept []tokenstore.Generation
	for _, g := range anchors {
		if kind := g.Key.Kind(); kind != tokenstore.KindStore && kind != tokenstore.KindClientAnchor {
			kept = append(kept, g)
		}
	}
	return kept
}

// replayed ends a grant of which something that was spent has come again, from the
// rightful client and with all its proofs. It returns how the request ends.
func (r *Request) replayed(ctx context.Context, grant, subject string) error {
	event := authz.Event{Type: authz.EventGrantReplayed, Outcome: authz.Allowed, Client: r.Client.ID, Subject: subject, Grant: grant, Actor: r.Client.ID}
	change := r.DB.NewChange()
	r.Client.Expect(change)
	change.Revoke(tokenstore.GrantKey(grant))
	if err := consent.NoteReplay(ctx, r.DB, change, subject, r.Client.ID, r.DB.Now()); err != nil {
		return err
	}
	change.Audit(tokenstore.AuditEntry{
		Type: string(event.Type), Outcome: string(event.Outcome), Client: event.Client, Subject: event.Subject, Grant: event.Grant, Actor: event.Actor,
	})
	if _, err := r.DB.Commit(ctx, change); err != nil {
		return err
	}
	r.Recorder.Record(ctx, event)
	return authz.ErrInvalidGrant
}
