// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// allowing returns a house, and what gives its client "web" other scopes, as an operator
// does with another configuration.
func allowing(t *testing.T) (*house, func(scopes ...string)) {
	t.Helper()
	var config *endpoint.Config
	h := newHouse(t, func(c *endpoint.Config) { config = c })
	return h, func(scopes ...string) {
		t.Helper()
		clients := peopled(t)
		for _, c := range clients {
			if c.ID == "web" {
				c.Scopes = scope.Of(scopes...)
			}
		}
		successor, err := client.NewRegistry(clients, config.Store)
		if err != nil {
			t.Fatal(err)
		}
		config.Clients.Retire(successor)
	}
}

// T05: what was taken from the client after the user allowed it is in no token that its
// code gives, and the code is not lost when that leaves nothing.
func TestCodeGivesNoScopeTakenFromTheClient(t *testing.T) {
	h, may := allowing(t)
	both, alone := h.webCode(), h.allow("client_id=web&scope=b&redirect_uri="+escape(webURI)+pkce, webURI)
	may("a", "c")
	if r := h.redeem(both); r.status != 200 || r.field("scope") != "a" {
		t.Errorf("%d %s", r.status, r.body)
	}
	h.redeem(alone).want(t, "nothing left", 400, "invalid_scope")
	may("a", "b", "c")
	if r := h.redeem(alone); r.status != 200 || r.field("scope") != "b" {
		t.Errorf("given back: %d %s", r.status, r.body)
	}
}

// T05: nor in any that its refresh token gives, asked for or not. The refresh token
// keeps all: what is given back is there again.
func TestRefreshGivesNoScopeTakenFromTheClient(t *testing.T) {
	h, may := allowing(t)
	raw := h.tokens().field("refresh_token")
	alone := h.redeem(h.allow("client_id=web&scope=b&redirect_uri="+escape(webURI)+pkce, webURI)).field("refresh_token")
	may("a", "c")
	h.refresh(raw, "&scope=a+b").want(t, "taken, and asked for", 400, "invalid_scope")
	h.refresh(alone, "").want(t, "nothing left", 400, "invalid_scope")
	r := h.refresh(raw, "")
	if r.status != 200 || r.field("scope") != "a" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	may("a", "b", "c")
	if r := h.refresh(r.field("refresh_token"), ""); r.status != 200 || r.field("scope") != "a b" {
		t.Errorf("given back: %d %s", r.status, r.body)
	}
	if r := h.refresh(alone, ""); r.status != 200 || r.field("scope") != "b" {
		t.Errorf("given back: %d %s", r.status, r.body)
	}
}
