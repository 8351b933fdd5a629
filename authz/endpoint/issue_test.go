// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"errors"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// issuing returns a server to order tokens from.
func issuing(t *testing.T, w *world) *endpoint.Server {
	t.Helper()
	s, err := endpoint.New(endpoint.Config{
		Issuer: issuer, Clients: w.registry, Store: w.verifier.Store, Recorder: w.events, Render: unseen,
		GrantTypes:    map[string]granttype.GrantType{"client_credentials": granttype.ClientCredentials{}},
		KnownResource: func(resource string) bool { return resource == "urn:reports" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Ensure that an administrator's token is one as the client itself would get, and
// that the audit log names who ordered it.
func TestIssue(t *testing.T) {
	w := newWorld(t)
	issued, err := issuing(t, w).Issue(t.Context(), "admin", endpoint.Order{
		Client: "job", Scopes: []string{"orders:write"}, Resources: []string{"urn:reports"}, Lifetime: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.verifier.Authenticate(t.Context(), authz.Credential{Scheme: authz.SchemeBearer, Value: issued.Token})
	if err != nil || p.Client != "job" || p.Scopes.String() != "orders:write" || p.Audience[0] != "urn:reports" || p.Grant != issued.Grant {
		t.Errorf("%+v, %v", p, err)
	}
	if d := p.Expires.Sub(p.IssuedAt); d < time.Minute || d > time.Minute+time.Second {
		t.Errorf("lives %v", d)
	}
	log, err := w.db.AuditLog(t.Context(), 0, 1)
	if err != nil || len(log) != 1 || log[0].Actor != "admin" || log[0].Client != "job" || log[0].Grant != issued.Grant {
		t.Errorf("audit: %+v, %v", log, err)
	}
	if e := w.events.last(); e.Type != authz.EventTokenIssued || e.Actor != "admin" || e.Outcome != authz.Allowed {
		t.Errorf("event: %+v", e)
	}
}

// Ensure that an administrator cannot order what the client could not get.
func TestIssueWidensNothing(t *testing.T) {
	w := newWorld(t)
	s := issuing(t, w)
	for name, c := range map[string]struct {
		order endpoint.Order
		want  error
	}{
		"unknown client":      {endpoint.Order{Client: "nobody"}, client.ErrNotFound},
		"disabled client":     {endpoint.Order{Client: "off"}, client.ErrNotFound},
		"other grant types":   {endpoint.Order{Client: "api"}, authz.ErrUnauthorizedClient},
		"scope beyond":        {endpoint.Order{Client: "job", Scopes: []string{"admin"}}, authz.ErrInvalidScope},
		"unknown resource":    {endpoint.Order{Client: "job", Resources: []string{"urn:x"}}, authz.ErrInvalidTarget},
		"longer than allowed": {endpoint.Order{Client: "job", Lifetime: 2 * time.Hour}, authz.ErrInvalidRequest},
		"negative lifetime":   {endpoint.Order{Client: "job", Lifetime: -1}, authz.ErrInvalidRequest},
	} {
		if issued, err := s.Issue(t.Context(), "admin", c.order); !errors.Is(err, c.want) || issued.Token != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	cause := tokenstore.ErrUnknown
	w.engine.failWrites.Store(&cause)
	if issued, err := s.Issue(t.Context(), "admin", endpoint.Order{Client: "job"}); !errors.Is(err, authz.ErrTemporarilyUnavailable) || issued.Token != "" {
		t.Errorf("trouble: %v", err)
	}
}
