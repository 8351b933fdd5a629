// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Order is an access token that an administrator wants for a client, without a
// token request.
type Order struct {
	// Client is the client's id.
	Client string
	// Scopes are those of the token. None: the client's defaults.
	Scopes []string
	// Resources are those that it is for. None: the issuer.
	Resources []string
	// Lifetime shortens the token's life. 0: that of any token of the client.
	Lifetime time.Duration
}

// Issued is an access token that was ordered.
type Issued struct {
	Token    string
	Expires  time.Time
	Scopes   scope.Set
	Audience []string
	Grant    string
}

// Issue issues the access token that client_credentials (RFC 6749 §4.4) would
// give the client, and nothing beyond it; only the client does not authenticate.
// actor is who orders it, for the audit log. Errors are *authz.Error; for a
// client that is unknown or disabled it wraps [client.ErrNotFound].
func (s *Server) Issue(ctx context.Context, actor string, o Order) (Issued, error) {
	t := &tokenExchange{exchange: &exchange{server: s, form: url.Values{
		authz.ParamGrantType: {authz.GrantClientCredentials},
		authz.ParamScope:     {strings.Join(o.Scopes, " ")},
		authz.ParamResource:  o.Resources,
	}}}
	find := func(ctx context.Context) (err error) {
		t.event = authz.Event{Type: authz.EventTokenRequest, Client: o.Client, Actor: actor}
		t.client.Client, err = s.config.Clients.Client(ctx, o.Client)
		if errors.Is(err, client.ErrNotFound) {
			return authz.ErrInvalidClient.Describe("There is no such client, or it is disabled.").Because(err)
		}
		return err
	}
	shorten := func(context.Context) error {
		longest := t.lifetime()
		if o.Lifetime < 0 || o.Lifetime > longest {
			return authz.ErrInvalidRequest.Describe("Tokens of this client live at most " + longest.String() + ".")
		}
		if o.Lifetime > 0 {
			t.decided.Lifetime = o.Lifetime
		}
		return nil
	}
	err := runAgain(ctx, []step{
		{"open the store", t.open},
		{"find the client", find},
		{"choose the grant type", t.choose},
		{"read the scopes", t.readScopes},
		{"read the resources", t.readResources},
		{"note the generations", t.note},
		{"ask the grant type", t.decide},
		{"shorten the lifetime", shorten},
		{"mint", t.mint},
		{"commit", t.commit},
	})
	if err != nil {
		return Issued{}, err
	}
	t.event.Outcome = authz.Allowed
	s.config.Recorder.Record(ctx, t.event)
	return Issued{
		Token:    t.issued.Access,
		Expires:  t.db.Now().Add(t.issued.Lifetime),
		Scopes:   t.decided.Facts.Scopes,
		Audience: t.audience(),
		Grant:    t.issued.Grant,
	}, nil
}
