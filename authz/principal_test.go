// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package authz_test

import (
	"context"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that a context yields the innermost principal, and none where an
// inner guard hides it or there is none.
func TestPrincipalTravelsInTheContext(t *testing.T) {
	ctx := t.Context()
	if authz.PrincipalFrom(ctx) != nil {
		t.Error("a principal from nowhere")
	}
	outer := authz.WithPrincipal(ctx, &authz.Principal{Client: "outer"})
	inner := authz.WithPrincipal(outer, &authz.Principal{Client: "inner"})
	if p := authz.PrincipalFrom(inner); p == nil || p.Client != "inner" {
		t.Errorf("%+v", p)
	}
	if p := authz.PrincipalFrom(context.WithoutCancel(outer)); p == nil || p.Client != "outer" {
		t.Errorf("%+v", p)
	}
	if p := authz.PrincipalFrom(authz.WithPrincipal(inner, nil)); p != nil {
		t.Errorf("%+v is not hidden", p)
	}
}
