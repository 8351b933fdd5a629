// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

// people knows one user, user-1.
type people struct {
	user  token.Person
	fault error
	asked int
}

func (p *people) Person(_ context.Context, subject string) (token.Person, error) {
	p.asked++
	if subject != "user-1" {
		return token.Person{}, authz.ErrInvalidToken
	}
	return p.user, p.fault
}

// Ensure that the principal of a user's token names who the user is now, and says of
// them what is so now, whatever the token states; and that a user who may not act, or of
// whom that cannot be told, gets no further.
func TestPrincipalsAreTheUsersOfNow(t *testing.T) {
	eachFormat(t, func(t *testing.T, newWorld func(testing.TB) *world) {
		w := newWorld(t)
		known := &people{user: token.Person{Username: "zoe", Claims: map[string]any{"groups": []string{"staff"}}}}
		w.verifier.People = known
		o := w.order(t)
		o.Facts.Subject, o.Facts.Claims = "user-1", map[string]any{"groups": []any{"wheel"}, "team": "blue"}
		raw := w.mint(t, o).Access
		o.Facts.Claims = nil
		bare := w.mint(t, o).Access
		authenticate := func(raw string) (authz.Principal, error) { return w.verifier.Authenticate(t.Context(), bearer(raw)) }
		got, err := authenticate(raw)
		if want := map[string]any{"groups": []string{"staff"}, "team": "blue"}; err != nil || got.Username != "zoe" || !reflect.DeepEqual(got.Claims, want) {
			t.Errorf("%q %v, %v", got.Username, got.Claims, err)
		}
		known.user = token.Person{Username: "zoe.smith", Claims: map[string]any{"groups": []string(nil)}}
		if got, err = authenticate(bare); err != nil || got.Username != "zoe.smith" || !reflect.DeepEqual(got.Claims, known.user.Claims) {
			t.Errorf("renamed: %q %v, %v", got.Username, got.Claims, err)
		}
		for _, fault := range []error{authz.ErrInvalidToken, authz.ErrTemporarilyUnavailable} {
			known.fault = fault
			if _, err := authenticate(raw); !errors.Is(err, fault) {
				t.Errorf("%v, want %v", err, fault)
			}
		}
		known.fault, known.asked = nil, 0
		o.Facts.Subject = "somebody else"
		if _, err := authenticate(w.mint(t, o).Access); !errors.Is(err, authz.ErrInvalidToken) {
			t.Errorf("an unknown user: %v", err)
		}
		o.Facts.Subject = ""
		if got, err := authenticate(w.mint(t, o).Access); err != nil || got.Username != "" || known.asked != 1 {
			t.Errorf("a machine's token: %q, %v, asked %d times", got.Username, err, known.asked)
		}
	})
}
