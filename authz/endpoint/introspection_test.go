// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// nothing is all that a client learns of a token that is none of its business.
const nothing = `{"active":false}`

// Ensure that a client learns all of its own token (RFC 7662 §2.2).
func TestIntrospectOwnToken(t *testing.T) {
	w := newWorld(t)
	raw := w.issue("&scope=orders:read")
	r := w.send("/oauth/introspect", "job", "token="+raw+"&token_type_hint=refresh_token")
	for name, want := range map[string]string{
		"active": "true", "client_id": "job", "scope": "orders:read", "token_type": "Bearer", "iss": issuer, "aud": `["` + issuer + `"]`, "sub": "",
	} {
		if got := r.field(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	rec, err := w.verifier.Find(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if r.field("exp") != strconv.FormatInt(rec.Expires.Unix(), 10) || r.field("iat") != strconv.FormatInt(rec.Value.IssuedAt, 10) {
		t.Errorf("exp %s, iat %s; the record has %v and %d", r.field("exp"), r.field("iat"), rec.Expires, rec.Value.IssuedAt)
	}
	if r.status != 200 || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", r.status, r.header)
	}
}

// Ensure that whoever has no business with a token learns exactly nothing of it.
func TestIntrospectionTellsStrangersNothing(t *testing.T) {
	w := newWorld(t)
	forAPI, forOther := w.issue("&resource=https://api.example.com"), w.issue("&resource=urn:reports")
	revoked := w.issue("")
	w.send("/oauth/revoke", "job", "token="+revoked)
	for name, c := range map[string]struct {
		client, token string
		active        bool
	}{
		"the client itself":              {"job", forAPI, true},
		"the audience's client":          {"api", forAPI, true},
		"the audience's client, other":   {"api", forOther, false},
		"a stranger":                     {"spa", forAPI, false},
		"a revoked token":                {"job", revoked, false},
		"an unknown token":               {"job", token.New(token.Access), false},
		"not a token":                    {"job", "hello", false},
		"a client secret":                {"job", token.New(token.ClientSecret), false},
		"what the server would not know": {"job", strings.Repeat("x", 5000), false},
	} {
		r := w.send("/oauth/introspect", c.client, "token="+c.token)
		if r.status != 200 || c.active != (r.field("active") == "true") || !c.active && r.body != nothing {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
}

// Ensure that introspection wants a client that has proved who it is, and is one
// answer for all that have not (S16, RFC 7662 §2.1).
func TestIntrospectionDemandsAuthentication(t *testing.T) {
	w := newWorld(t)
	raw := w.issue("")
	w.do(w.request("POST", "/oauth/introspect", "token="+raw)).want(t, "no credentials", 401, "invalid_client")
	w.do(w.request("POST", "/oauth/introspect", "token="+raw+"&client_id=app")).want(t, "a public client", 401, "invalid_client")
	w.do(w.request("POST", "/oauth/introspect", "token="+raw, header("Authorization", "Bearer "+raw))).want(t, "the token itself", 401, "invalid_client")
	w.send("/oauth/introspect", "nobody", "token="+raw).want(t, "unknown client", 401, "invalid_client")
	w.send("/oauth/introspect", "job", "").want(t, "no token", 400, "invalid_request")
}

// Ensure that trouble is not called inactive: a resource server would sign its
// users out.
func TestIntrospectInTrouble(t *testing.T) {
	w := newWorld(t)
	cause := tokenstore.ErrUnavailable
	w.engine.failReads.Store(&cause)
	w.send("/oauth/introspect", "job", "token="+token.New(token.Access)).trouble(t, "reads")
}

// Ensure that what was taken from a client is gone from its tokens at once: a
// scope, and everything when it is disabled or removed (A15).
func TestIntrospectionFollowsTheClient(t *testing.T) {
	w := newWorld(t)
	raw, err := client.Add(t.Context(), w.db, "admin", client.Client{
		ID: "stored", GrantTypes: []string{"client_credentials"}, Scopes: scope.Of("a", "b"), AuthMethod: "client_secret_post",
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	credentials := "&client_id=stored&client_secret=" + raw
	access := w.do(w.request("POST", "/oauth/token", "grant_type=client_credentials&resource=https://api.example.com"+credentials)).field("access_token")
	edit := func(change func(*client.Client)) {
		t.Helper()
		if _, err := client.Edit(t.Context(), w.db, "admin", "stored", func(c *client.Client) error { change(c); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	seen := func(active, scopes string) {
		t.Helper()
		r := w.send("/oauth/introspect", "api", "token="+access)
		if r.field("active") != active || r.field("scope") != scopes || active == "false" && r.body != nothing {
			t.Errorf("%s, want %s with scope %q", r.body, active, scopes)
		}
	}
	seen("true", "a b")
	edit(func(c *client.Client) { c.Scopes = scope.Of("b", "c") })
	seen("true", "b")
	edit(func(c *client.Client) { c.Disabled = true })
	seen("false", "")
	for _, path := range []string{"token", "revoke", "introspect"} {
		w.do(w.request("POST", "/oauth/"+path, "grant_type=client_credentials&token="+access+credentials)).want(t, "disabled: "+path, 401, "invalid_client")
	}
	edit(func(c *client.Client) { c.Disabled = false })
	seen("true", "b")
	if err := client.Remove(t.Context(), w.db, "admin", "stored"); err != nil {
		t.Fatal(err)
	}
	seen("false", "")
	w.do(w.request("POST", "/oauth/introspect", "token="+access+credentials)).want(t, "removed", 401, "invalid_client")
}

// Ensure that a client that the configuration no longer names loses its tokens.
func TestIntrospectionForgetsClientsThatAreNotConfigured(t *testing.T) {
	w := newWorld(t)
	access := w.issue("&resource=https://api.example.com")
	without := newWorld(t, func(c *endpoint.Config) {
		var left []*client.Client
		for _, c := range clients(t) {
			if c.ID != "job" {
				left = append(left, c)
			}
		}
		registry, err := client.NewRegistry(left, w.verifier.Store)
		if err != nil {
			t.Fatal(err)
		}
		c.Clients, c.Store = registry, w.verifier.Store
	})
	if r := w.send("/oauth/introspect", "api", "token="+access); r.field("active") != "true" {
		t.Fatalf("before: %s", r.body)
	}
	if r := without.send("/oauth/introspect", "api", "token="+access); r.body != nothing {
		t.Errorf("after: %s", r.body)
	}
}
