// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// sameAnswer reports whether a client that gets err is told what every one is told
// whose authentication fails.
func sameAnswer(err error) bool {
	e, want := (*authz.Error)(nil), authz.ErrInvalidClient
	return errors.As(err, &e) && e.Status == want.Status && e.Code == want.Code && e.Description == want.Description
}

// Ensure that logs can tell why an assertion was refused, in a word of ours, while
// its client is told the same of all.
func TestRefusedAssertionsAreNamed(t *testing.T) {
	ec, other := signers()["ES256"], signers()["EdDSA"]
	w := newWorld(t, build(t, keyed(t, "job", ec)), build(t, declared(func(d *Declaration) { d.ID = "basic" })))
	now := time.Now()
	made := func(id string, claims map[string]any) url.Values { return asserting(ec.sign(t, said(id, claims), nil)) }
	old := made("job", nil)
	old.Set(authz.ParamClientAssertionType, "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")
	for want, forms := range map[Refusal][]url.Values{
		"":               {made("job", nil)},
		RefusedForm:      {asserting("no token"), old, asserting(ec.sign(t, said("job", nil), map[string]any{"typ": "at+jwt"}))},
		RefusedClient:    {made("nobody", nil), made("basic", nil)},
		RefusedSignature: {asserting(other.sign(t, said("job", nil), nil))},
		RefusedIssuer:    {made("job", map[string]any{"iss": "other"})},
		RefusedAudience:  {made("job", map[string]any{"aud": issuer + "/oauth/token"})},
		RefusedID:        {made("job", map[string]any{"jti": nil})},
		RefusedExpiry:    {made("job", map[string]any{"exp": now.Add(-time.Hour).Unix(), "iat": nil}), made("job", map[string]any{"exp": nil})},
		RefusedTime:      {made("job", map[string]any{"nbf": now.Add(10 * time.Minute).Unix()}), made("job", map[string]any{"iat": now.Add(-2 * time.Hour).Unix()})},
	} {
		for _, form := range forms {
			_, err := w.authenticator().authenticate(t.Context(), nil, form, constantTime)
			if why := RefusalIn(err); why != want || want != "" && !sameAnswer(err) {
				t.Errorf("refused for %q, want %q: %v", why, want, err)
			}
		}
	}
	spent := Authenticated{once: onceOf("job", "1", now.Add(time.Hour))}
	change := w.db.NewChange()
	spent.Spend(change)
	if _, err := w.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if err := spent.CheckUnspent(t.Context(), w.db); RefusalIn(err) != RefusedReplay || !sameAnswer(err) {
		t.Errorf("replayed: %v", err)
	}
}
