// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"strings"
	"testing"
	"time"
)

// Ensure that every client needs a code challenge but where that is said, or where
// a client that authenticates has a nonce to tell its codes by.
func TestNeedsChallenge(t *testing.T) {
	for _, c := range []struct {
		pkce, method string
		nonced, want bool
	}{
		{"", "", false, true}, {"", "", true, false}, {"", "none", true, true}, {"", "none", false, true},
		{"always", "", true, true}, {"plain", "", true, true}, {"optional", "none", false, false},
	} {
		if got := (&Client{PKCE: c.pkce, AuthMethod: c.method}).NeedsChallenge(c.nonced); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for pkce, want := range map[string]string{"": "S256", "always": "S256", "optional": "S256", "plain": "S256 plain"} {
		if got := strings.Join((&Client{PKCE: pkce}).ChallengeMethods(), " "); got != want {
			t.Errorf("%s: %s", pkce, got)
		}
	}
}

// Ensure that what is wrong with the settings of the code flow is said.
func TestFlowSettingsAreValidated(t *testing.T) {
	valid := func() Declaration {
		return Declaration{Secret: []string{strings.Repeat("s", MinSecret)}, Client: Client{
			ID: "app", GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{"https://app.example.com/"},
			Scopes: []string{"a", "b"}, OptionalScopes: []string{"b"}, PKCE: "always", RefreshRotation: "off",
			RefreshIdle: Duration(time.Hour), RefreshLifetime: Duration(time.Hour), FirstParty: true,
		}}
	}
	d := valid()
	if c, err := d.Build(); err != nil || c.Rotates() || c.SelfRegistered() {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Declaration){
		"pkce is one of":       func(d *Declaration) { d.PKCE = "never" },
		"refresh_rotation is":  func(d *Declaration) { d.RefreshRotation = "maybe" },
		"that authenticates":   func(d *Declaration) { d.AuthMethod, d.Secret = "none", nil },
		"optional_scopes":      func(d *Declaration) { d.OptionalScopes = []string{"c"} },
		"is not a scope":       func(d *Declaration) { d.OptionalScopes = []string{"c d"} },
		"first_party excludes": func(d *Declaration) { d.Owner = "u1" },
		"needs redirect_uris":  func(d *Declaration) { d.RedirectURIs = nil },
		"refresh_idle: ":       func(d *Declaration) { d.RefreshIdle = Duration(time.Millisecond) },
		"refresh_lifetime: ":   func(d *Declaration) { d.RefreshLifetime = Duration(-time.Hour) },
		"longer than":          func(d *Declaration) { d.RefreshIdle = Duration(2 * time.Hour) },
	} {
		d := valid()
		change(&d)
		if _, err := d.Build(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
