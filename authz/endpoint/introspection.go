// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// inactive is all that is said of a token that is not valid, and of one that the
// client has no business with (RFC 7662 §2.2).
type inactive struct {
	Active bool `json:"active"`
}

// active is what is said of a valid token (RFC 7662 §2.2).
type active struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	Client    string   `json:"client_id"`
	TokenType string   `json:"token_type,omitempty"`
	Expires   int64    `json:"exp"`
	IssuedAt  int64    `json:"iat"`
	Username  string   `json:"username,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  []string `json:"aud"`
	Issuer    string   `json:"iss"`
	ID        string   `json:"jti,omitempty"`
}

// introspection is an introspection request under way.
type introspection struct {
	*exchange
	rec    *tokenstore.Record[token.Record]
	holder *client.Client
	person token.Person
}

// introspect is the introspection endpoint (RFC 7662). A client learns of its own
// tokens, and of the access tokens for the resources that it serves; of all
// others it learns nothing.
func (s *Server) introspect(x *exchange) error {
	x.event.Type = authz.EventIntrospected
	x.answer = inactive{}
	i := &introspection{exchange: x}
	err := run(x.r.Context(), []step{
		{"read the form", i.read},
		{"authenticate the client", i.authenticate},
		{"demand a secret", i.demandSecret},
		{"find the token", i.find},
		{"check the client's business with it", i.checkBusiness},
		{"find the token's client", i.findHolder},
		{"find the token's user", i.findPerson},
		{"answer", i.tell},
	})
	if errors.Is(err, authz.ErrInvalidToken) {
		return nil // the answer still is the safe one
	}
	return err
}

// demandSecret refuses clients that have not proved who they are (§2.1).
func (i *introspection) demandSecret(context.Context) error {
	if !i.client.Confidential() {
		return authz.ErrInvalidClient
	}
	return nil
}

func (i *introspection) find(ctx context.Context) error {
	raw, err := i.parameter(authz.ParamToken)
	if err != nil {
		return err
	}
	i.rec, err = i.server.verifier.Find(ctx, raw)
	return err
}

func (i *introspection) checkBusiness(context.Context) error {
	t := &i.rec.Value
	own := t.Client == i.client.ID
	served := t.Kind == token.Access && i.client.Serves(t.Audience)
	if !own && !served {
		return authz.ErrInvalidToken
	}
	return nil
}

// findHolder makes sure that the client that has the token still may act.
func (i *introspection) findHolder(ctx context.Context) (err error) {
	i.holder, err = i.server.config.Clients.Client(ctx, i.rec.Value.Client)
	if errors.Is(err, client.ErrNotFound) {
		return authz.ErrInvalidToken
	}
	return err
}

// findPerson makes sure that the user whom the token is for still may act.
func (i *introspection) findPerson(ctx context.Context) (err error) {
	if people, subject := i.server.config.People, i.rec.Value.Subject; people != nil && subject != "" {
		i.person, err = people.Person(ctx, subject)
	}
	return err
}

func (i *introspection) tell(context.Context) error {
	t := &i.rec.Value
	said := active{
		Active:   true,
		Scope:    t.Scopes.Intersect(i.holder.Scopes).String(), // what was taken from the client is gone from its tokens
		Client:   t.Client,
		Expires:  i.rec.Expires.Unix(),
		IssuedAt: t.IssuedAt,
		Username: i.person.Username,
		Subject:  t.Subject,
		Audience: t.Audience,
		Issuer:   i.server.config.Issuer,
		ID:       t.ID,
	}
	if t.Kind == token.Access {
		said.TokenType = authz.TokenTypeBearer
	}
	i.event.Subject, i.event.Grant = t.Subject, t.Grant
	i.answer = said
	return nil
}
