// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"context"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

// present is what is known of ann.
type present struct{ fault error }

func (p *present) Person(_ context.Context, subject string) (token.Person, error) {
	if subject != "ann" {
		return token.Person{}, authz.ErrInvalidToken
	}
	return token.Person{Username: "ann.smith"}, p.fault
}

// Ensure that whoever introspects learns the user's present name (RFC 7662 §2.2), that
// tokens of a user who may not act are inactive, and that trouble is trouble.
func TestIntrospectionFollowsTheUser(t *testing.T) {
	people := new(present)
	h := newHouse(t, func(c *endpoint.Config) { c.People = people })
	tokens := h.tokens()
	for _, name := range []string{"access_token", "refresh_token"} {
		ask := func() reply { return h.send("/oauth/introspect", "web", "token="+tokens.field(name)) }
		people.fault = nil
		if r := ask(); r.field("active") != "true" || r.field("username") != "ann.smith" || r.field("sub") != "ann" {
			t.Errorf("%s: %s", name, r.body)
		}
		people.fault = authz.ErrInvalidToken
		if r := ask(); r.body != nothing {
			t.Errorf("%s of a user who may not act: %s", name, r.body)
		}
		people.fault = authz.ErrTemporarilyUnavailable
		if r := ask(); r.status != 503 {
			t.Errorf("%s, in trouble: %d %s", name, r.status, r.body)
		}
	}
}
