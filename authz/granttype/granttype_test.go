// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package granttype_test

import (
	"errors"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Ensure that only confidential clients use client_credentials (RFC 6749 §4.4),
// however one that is not came to be registered for it.
func TestClientCredentialsAreForConfidentialClients(t *testing.T) {
	for method, want := range map[string]error{"none": authz.ErrUnauthorizedClient, "client_secret_basic": nil, "": nil} {
		c := client.Authenticated{Client: &client.Client{ID: "job", AuthMethod: method, Scopes: scope.Of("a")}}
		decided, err := granttype.ClientCredentials{}.Authorize(t.Context(), &granttype.Request{Client: c}, nil)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%q: %v", method, err)
		}
		if err == nil && (decided.Facts.Subject != "" || decided.RefreshLifetime != 0 || decided.Facts.Scopes.String() != "a") {
			t.Errorf("%q: %+v", method, decided)
		}
	}
}

// Ensure that never more is granted than is allowed and was asked for.
func TestGrantable(t *testing.T) {
	allowed, defaults := scope.Of("a", "b"), scope.Of("a")
	for _, c := range []struct {
		asked           string
		strict, filters string // what is granted; "-" is refused
	}{
		{"", "a", "a"}, {"b", "b", "b"}, {"a b", "a b", "a b"}, {"b c", "-", "b"}, {"c", "-", "-"},
	} {
		for filter, want := range map[bool]string{false: c.strict, true: c.filters} {
			asked, err := scope.Parse(c.asked)
			if err != nil {
				t.Fatal(err)
			}
			r := granttype.Request{Scopes: asked, FilterScopes: filter}
			granted, err := r.Grantable(allowed, defaults)
			if want == "-" && !errors.Is(err, authz.ErrInvalidScope) || want != "-" && (err != nil || granted.String() != want) {
				t.Errorf("%q, filtered %v: %q, %v; want %q", c.asked, filter, granted, err, want)
			}
		}
	}
}
