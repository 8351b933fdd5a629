// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// postTokenIssue issues a token to a client as if it had asked for one itself.
func postTokenIssue(r *adminRequest) (any, error) {
	if err := r.onThisMachine(); err != nil {
		return nil, err
	}
	var order tokenOrder
	if err := r.read(&order); err != nil {
		return nil, err
	}
	made, err := r.app.endpoints.Issue(r.Context(), actorAdmin, endpoint.Order{
		Client: order.Client, Scopes: order.Scopes, Resources: order.Resources, Lifetime: time.Duration(order.Lifetime),
	})
	switch {
	case errors.Is(err, client.ErrNotFound):
		return nil, adminRefusal(http.StatusNotFound, fmt.Sprintf("there is no client %q, or it is disabled: see `caddy oauth2 client list`", order.Client))
	case errors.Is(err, authz.ErrUnauthorizedClient):
		return nil, adminRefusal(http.StatusBadRequest, fmt.Sprintf("client %q may not use client_credentials, or has no secret to use it with", order.Client))
	case errors.Is(err, authz.ErrInvalidScope):
		return nil, adminRefusal(http.StatusBadRequest, fmt.Sprintf("client %q may not have a scope among %q: see `caddy oauth2 client show %s`",
			order.Client, strings.Join(order.Scopes, " "), order.Client))
	case errors.Is(err, authz.ErrInvalidTarget):
		return nil, adminRefusal(http.StatusBadRequest, "a resource is not one of this server: the issuer and the guarded sites are")
	case err != nil:
		return nil, err
	}
	return tokenIssued{
		AccessToken: secretText(made.Token), TokenType: authz.TokenTypeBearer, Expires: made.Expires.UTC().Truncate(time.Second),
		Scopes: append([]string{}, made.Scopes...), Audience: made.Audience, Grant: made.Grant,
	}, nil
}

// postTokenInspect says what a token stands for, to the operator: more than the
// introspection endpoint tells clients.
func postTokenInspect(r *adminRequest) (any, error) {
	rec, _, err := r.namedToken()
	if err != nil || rec == nil {
		return tokenView{}, err
	}
	t := rec.Value
	// What the guard and the introspection endpoint would say: a client that is
	// gone or disabled has no active token.
	if _, err := r.app.registry.Client(r.Context(), t.Client); errors.Is(err, client.ErrNotFound) {
		return tokenView{}, nil
	} else if err != nil {
		return nil, err
	}
	return tokenView{
		Active: true, Kind: strings.ReplaceAll(t.Kind.String(), " ", "_"), Client: t.Client, Subject: t.Subject, Scopes: t.Scopes,
		Audience: t.Audience, Grant: t.Grant,
		IssuedAt: moment(time.Unix(t.IssuedAt, 0)), Expires: moment(rec.Expires),
	}, nil
}

// postTokenRevoke ends one token. A token that has ended already is no error.
func postTokenRevoke(r *adminRequest) (any, error) {
	rec, format, err := r.namedToken()
	if err != nil || rec == nil {
		return tokenRevoked{}, err
	}
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	t := rec.Value
	done := authz.Event{Type: authz.EventTokenRevoked, Outcome: authz.Allowed, Actor: actorAdmin,
		Client: t.Client, Subject: t.Subject, Grant: t.Grant}
	change := db.NewChange()
	format.End(change, rec)
	return tokenRevoked{Revoked: true, Grant: t.Grant}, r.commit(db, change, done)
}

// namedToken reads a token from the body and finds it, and its format; nil when it is not, or no
// longer, valid. A text that is no token of ours is an error: most likely it was
// cut or mistyped, and that its owner should know.
func (r *adminRequest) namedToken() (*tokenstore.Record[token.Record], token.Format, error) {
	var order tokenNamed
	if err := r.read(&order); err != nil {
		return nil, nil, err
	}
	format := r.app.verifier.FormatOf(string(order.Token))
	if format == nil {
		return nil, nil, adminRefusal(http.StatusBadRequest, "this is no token of this server: its checksum does not hold. Was it cut or mistyped?")
	}
	db, err := r.db()
	if err != nil {
		return nil, nil, err
	}
	rec, err := format.Find(r.Context(), db, string(order.Token))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, nil, nil
	}
	return rec, format, err
}
