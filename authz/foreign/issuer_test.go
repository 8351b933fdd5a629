// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
)

// Ensure that an issuer that would leave something open, or could never work,
// is an error that says why.
func TestIssuersAreValidated(t *testing.T) {
	good := func() Issuer {
		keep := client.Duration(MaxCache)
		return Issuer{
			Issuer: "https://login.example.com/tenant", Audience: []string{"api"}, Profile: ProfileGeneric, Algorithms: []string{"RS256"},
			JWKS:          "https://login.example.com/jwks",
			Introspection: &Introspection{URL: "https://login.example.com/introspect", ClientID: "gate", ClientSecret: "secret", Cache: &keep},
		}
	}
	i := good()
	if err := i.Validate(false); err != nil {
		t.Fatal(err)
	}
	duration := func(d time.Duration) *client.Duration { c := client.Duration(d); return &c }
	for want, change := range map[string]func(*Issuer){
		"audience is missing":   func(i *Issuer) { i.Audience = nil },
		"audience has 1 to":     func(i *Issuer) { i.Audience = []string{""} },
		"absolute URL":          func(i *Issuer) { i.Issuer = "login" },
		"must be https":         func(i *Issuer) { i.Issuer = "http://login.example.com" },
		"query":                 func(i *Issuer) { i.Issuer = "https://login.example.com/?a=b" },
		"fragment":              func(i *Issuer) { i.Issuer = "https://login.example.com/#a" },
		"jwks: ":                func(i *Issuer) { i.JWKS = "file:///etc/passwd" },
		"profile":               func(i *Issuer) { i.Profile = "loose" },
		`"HS256"`:               func(i *Issuer) { i.Algorithms = []string{"HS256"} },
		`"none"`:                func(i *Issuer) { i.Algorithms = []string{"none"} },
		"leeway":                func(i *Issuer) { i.Leeway = duration(MaxLeeway + 1) },
		"leeway is":             func(i *Issuer) { i.Leeway = duration(-1) },
		"introspection: ":       func(i *Issuer) { i.Introspection.URL = "http://login.example.com/" },
		"client_id":             func(i *Issuer) { i.Introspection.ClientID = "" },
		"client_secret":         func(i *Issuer) { i.Introspection.ClientSecret = "" },
		"cache is":              func(i *Issuer) { i.Introspection.Cache = duration(MaxCache + 1) },
		"the name of a claim":   func(i *Issuer) { i.ScopeClaim = strings.Repeat("x", maxName+1) },
		"audience: at most":     func(i *Issuer) { i.Audience = strings.Split(strings.Repeat("a,", MaxAudience), ",") },
		"profile and algori":    func(i *Issuer) { i.JWKS, i.Algorithms = "", nil }, // they would do nothing
		"without jwks none is":  func(i *Issuer) { i.JWKS, i.Profile = "", "" },
		"the URL's host is an ": func(i *Issuer) { i.Issuer = "https://127.1/" },
	} {
		i := good()
		change(&i)
		if err := i.Validate(false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q: %v", want, err)
		}
	}
	plain := good()
	plain.Issuer = "http://keycloak:8080/realms/one"
	if err := plain.Validate(true); err != nil {
		t.Errorf("where plain http is permitted: %v", err)
	}
}

// Ensure that one guard's issuers are told apart, and that no token is shown to
// a server that did not issue it.
func TestIssuersOfOneGuard(t *testing.T) {
	one := Issuer{Issuer: "https://one.example", Audience: []string{"api"}}
	asked := Introspection{URL: "https://one.example/introspect", ClientID: "gate", ClientSecret: "secret"}
	other := Issuer{Issuer: "https://other.example", Audience: []string{"api"}, Introspection: &asked}
	third := Issuer{Issuer: "https://third.example", Audience: []string{"api"}, Introspection: &asked}
	for want, issuers := range map[string][]Issuer{
		"":                          {one, other},
		"twice":                     {one, one},
		"has introspection already": {other, third},
		"our own":                   {{Issuer: ours, Audience: []string{"api"}}},
		"audience is missing":       {one, {Issuer: "https://two.example"}},
		"at most":                   make([]Issuer, MaxIssuers+1),
	} {
		err := ValidateAll(issuers, ours, false)
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// Ensure that the secret is in no text that is made of the configuration.
func TestSecretsAreNotShown(t *testing.T) {
	n := Introspection{ClientSecret: "hush"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(format, n); strings.Contains(text, "hush") {
			t.Errorf("%s: %s", format, text)
		}
	}
}
