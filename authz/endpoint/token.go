// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// tokenAnswer is the successful answer of the token endpoint (RFC 6749 §5.1).
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// tokenExchange is a token request under way.
type tokenExchange struct {
	*exchange
	db        *tokenstore.DB
	name      string // the grant_type, one that is on
	grantType granttype.GrantType
	request   granttype.Request
	anchors   []tokenstore.Generation // of store and client
	noted     bool                    // once: this is not the first attempt
	change    *tokenstore.Change
	decided   *granttype.Authorization
	issued    token.Issued
}

// token is the token endpoint (RFC 6749 §3.2).
func (s *Server) token(x *exchange) error {
	x.event.Type = authz.EventTokenRequest
	t := &tokenExchange{exchange: x}
	ctx := x.r.Context()
	if err := run(ctx, []step{
		{"read the form", t.read},
		{"open the store", t.open},
	}); err != nil {
		return err
	}
	return runAgain(ctx, []step{
		{"authenticate the client", t.authenticate},
		{"choose the grant type", t.choose},
		{"read the scopes", t.readScopes},
		{"read the resources", t.readResources},
		{"note the generations", t.note},
		{"ask the grant type", t.decide},
		{"mint", t.mint},
		{"commit", t.commit},
		{"answer", t.tell},
	})
}

func (t *tokenExchange) open(ctx context.Context) (err error) {
	t.db, err = t.server.config.Store(ctx)
	return err
}

// choose finds the grant type and checks that the client may use it.
func (t *tokenExchange) choose(context.Context) error {
	name, err := t.parameter(authz.ParamGrantType)
	if err != nil {
		return err
	}
	t.grantType = t.server.config.GrantTypes[name]
	if t.grantType == nil {
		return authz.ErrUnsupportedGrantType
	}
	t.name, t.event.GrantType = name, name
	if !t.client.MayUse(name) {
		return authz.ErrUnauthorizedClient
	}
	t.request = granttype.Request{
		Client: t.client, Form: t.form, FilterScopes: t.server.config.FilterScopes, DB: t.db,
		KnownResource: t.server.knownResource, Users: t.server.config.Users, Refresh: t.server.config.Refresh, Recorder: t.server.config.Recorder,
	}
	return nil
}

func (t *tokenExchange) readScopes(context.Context) error {
	asked, err := scope.Parse(t.form.Get(authz.ParamScope))
	if err != nil {
		return authz.ErrInvalidScope.Describe("The scope is malformed.")
	}
	t.request.Scopes = asked
	return nil
}

func (t *tokenExchange) readResources(context.Context) error {
	for _, resource := range t.form[authz.ParamResource] {
		if !t.server.knownResource(resource) {
			return authz.ErrInvalidTarget
		}
	}
	t.request.Resources = t.form[authz.ParamResource]
	return nil
}

// knownResource reports whether tokens can be issued for a resource: it is an absolute
// URI without fragment, and known here (RFC 8707 §2).
func (s *Server) knownResource(resource string) bool {
	return client.ValidateResource(resource) == nil && (resource == s.config.Issuer || s.config.KnownResource(resource))
}

// note takes down the generations of store and client, before anything is
// decided on their strength. Those it knows may have been overtaken: then the
// commit says so, and the next attempt reads them.
func (t *tokenExchange) note(ctx context.Context) (err error) {
	generations := t.db.KnownGenerations
	if t.noted {
		generations = t.db.Generations
	}
	t.noted = true
	anchor := tokenstore.ClientAnchorKey(t.client.ID)
	t.anchors, err = generations(ctx, t.db.StoreAnchor(), anchor)
	if !errors.Is(err, tokenstore.ErrNotFound) {
		return err
	}
	// The first token of a client that stands in the configuration.
	if _, err = t.db.EnsureAnchor(ctx, anchor); err != nil {
		return err
	}
	t.anchors, err = t.db.Generations(ctx, t.db.StoreAnchor(), anchor)
	return err
}

func (t *tokenExchange) decide(ctx context.Context) (err error) {
	t.change = t.db.NewChange()
	t.client.Expect(t.change)
	t.decided, err = t.grantType.Authorize(ctx, &t.request, t.change)
	if err == nil && !t.client.Scopes.Contains(t.decided.Facts.Scopes) {
		// No grant type widens what the client is registered for.
		return authz.ErrInvalidScope
	}
	return err
}

func (t *tokenExchange) mint(ctx context.Context) (err error) {
	if t.decided.Again != nil {
		return nil
	}
	order := token.Order{
		Facts:           t.decided.Facts,
		Anchors:         append(t.anchors, t.decided.Anchors...),
		Lifetime:        t.lifetime(),
		RefreshLifetime: t.decided.RefreshLifetime,
		RefreshScopes:   t.decided.RefreshScopes,
		RefreshAudience: t.decided.RefreshAudience,
		Began:           t.decided.Began,
		GrantLifetime:   t.decided.GrantLifetime,
	}
	order.Facts.Client = t.client.ID
	order.Facts.Grant = cmp.Or(t.decided.Grant, t.decided.NewGrant)
	if len(order.Facts.Audience) == 0 {
		order.Facts.Audience = t.audience()
	}
	if t.decided.Grant == "" {
		order.Grant = t.newGrant(&order)
	}
	t.issued, err = t.server.minterFor(t.client.Client).Mint(ctx, t.db, t.change, order)
	if err != nil || t.decided.Minted == nil {
		return err
	}
	return t.decided.Minted(&granttype.Answer{
		Access: t.issued.Access, Refresh: t.issued.Refresh, Scopes: t.decided.Facts.Scopes, Expires: t.db.Now().Add(t.issued.Lifetime),
	})
}

// newGrant is the grant that an order begins: the most that tokens of it may have.
func (t *tokenExchange) newGrant(order *token.Order) *token.Grant {
	f := &order.Facts
	g := &token.Grant{
		Type: t.name, Client: f.Client, Subject: f.Subject, Session: f.Session, Scopes: f.Scopes, Audience: f.Audience,
		ACR: f.ACR, AuthTime: f.AuthTime, AuthorizationDetails: f.AuthorizationDetails, Parent: f.Parent,
	}
	if order.RefreshLifetime > 0 && order.RefreshScopes != nil {
		g.Scopes, g.Audience = order.RefreshScopes, order.RefreshAudience
	}
	return g
}

// audience is what the token is for: the resources asked for, else the issuer.
func (t *tokenExchange) audience() []string {
	if len(t.request.Resources) > 0 {
		return t.request.Resources
	}
	return []string{t.server.config.Issuer}
}

// lifetime is that of the access token: what the grant type says, else the
// client, else the server for the grant type, else the server.
func (t *tokenExchange) lifetime() time.Duration {
	for _, d := range []time.Duration{
		t.decided.Lifetime, time.Duration(t.client.AccessTokenLifetime), t.server.config.Lifetimes[t.name],
	} {
		if d > 0 {
			return d
		}
	}
	return t.server.config.Lifetime
}

// commit saves everything at once, and its trace with it. Only then may the
// tokens leave.
func (t *tokenExchange) commit(ctx context.Context) error {
	if t.decided.Again != nil {
		t.event.Subject, t.event.Grant = t.decided.Facts.Subject, t.decided.Grant
		return nil
	}
	t.event.Type = authz.EventTokenIssued
	t.event.Subject, t.event.Grant = t.decided.Facts.Subject, t.issued.Grant
	t.change.Audit(t.auditEntry())
	err := t.exchange.commit(ctx, t.db, t.change)
	if err != nil {
		t.event.Type, t.event.Grant = authz.EventTokenRequest, ""
	}
	return err
}

func (t *tokenExchange) tell(context.Context) error {
	if again := t.decided.Again; again != nil {
		t.issued = token.Issued{Access: again.Access, Refresh: again.Refresh, Lifetime: again.Expires.Sub(t.db.Now())}
	}
	t.answer = tokenAnswer{
		AccessToken:  t.issued.Access,
		TokenType:    authz.TokenTypeBearer,
		ExpiresIn:    int64(t.issued.Lifetime / time.Second),
		RefreshToken: t.issued.Refresh,
		Scope:        t.decided.Facts.Scopes.String(),
	}
	return nil
}
