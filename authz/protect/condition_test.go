// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// conditional is a guard with one row that demands that, beyond the scope user.
func conditional(t testing.TB, c Conditions) Config {
	config := testConfig(t, "allow /* user")
	config.Rows[0].Conditions = &c
	return config
}

// claiming returns a user's token with claims.
func claiming(claims map[string]any) authz.Principal {
	return changed(func(p *authz.Principal) { p.Claims = claims }, "user")
}

// Ensure that claims and groups are compared as text, alone and in lists, and
// that what the credential itself states cannot be claimed otherwise.
func TestClaimConditions(t *testing.T) {
	for _, c := range []struct {
		claim  string
		value  any
		passes bool
	}{
		{"tier gold silver", "gold", true},
		{"tier gold silver", "silver", true},
		{"tier gold", "Gold", false},
		{"tier gold", "goldfinch", false},
		{"tier gold", nil, false},
		{"tier gold", []any{"x", "gold"}, true},
		{"tier gold", []string{"x", "gold"}, true},
		{"tier gold", []any{[]any{"gold"}}, false},
		{"tier gold", map[string]any{"gold": true}, false},
		{"tier gold", []any{}, false},
		{"level 3", uint64(3), true},
		{"level 3", float64(3), true},
		{"level -3", int64(-3), true},
		{"level 3", 3.5, false},
		{"level 3.5", []any{3.5}, true},
		{"level 3", json.Number("3"), true},
		{"account 9007199254740993", int64(9007199254740993), true},
		{"account 9007199254740992", float64(9007199254740993), false}, // it has become another
		{"account 9007199254740992", []any{float64(9007199254740993)}, false},
		{"admin true", true, true},
		{"admin true", false, false},
		{"sub u-17", "eve", true},
		{"sub eve", "eve", false},
		{"client_id shop", "eve", true},
		{"iss eve", "eve", false},
		{"acr high", "high", false},
	} {
		words := strings.Fields(c.claim)
		config := conditional(t, Conditions{Claims: map[string][]string{words[0]: words[1:]}})
		claims := map[string]any{}
		if c.value != nil {
			claims[words[0]] = c.value
		}
		config.Authenticator = tokens{"t": claiming(claims)}
		w, seen, err := serve(t, get("GET", "/x", "t"), newGuard(t, config))
		if err != nil || (seen != nil) != c.passes || !c.passes && (w.Code != 403 || !strings.Contains(w.Header().Get("WWW-Authenticate"), `error="insufficient_scope"`) || strings.Contains(w.Header().Get("WWW-Authenticate"), "scope=")) {
			t.Errorf("claim %s of %v: %d %q %v", c.claim, c.value, w.Code, w.Header(), err)
		}
	}
	config := conditional(t, Conditions{Groups: []string{"staff", "board"}, Claims: map[string][]string{"tier": {"gold"}}})
	config.Authenticator = tokens{
		"both":     claiming(map[string]any{"groups": []any{"guests", "board"}, "tier": "gold"}),
		"one":      claiming(map[string]any{"groups": "staff", "tier": "gold"}),
		"tier":     claiming(map[string]any{"tier": "gold"}),
		"groups":   claiming(map[string]any{"groups": []any{"staff"}}),
		"unscoped": changed(func(p *authz.Principal) { p.Scopes = nil; p.Claims = map[string]any{"groups": "staff", "tier": "gold"} }),
	}
	for token, status := range map[string]int{"both": 200, "one": 200, "tier": 403, "groups": 403, "unscoped": 403, "": 401} {
		if w, _, _ := serve(t, get("GET", "/x", token), newGuard(t, config)); w.Code != status {
			t.Errorf("%s: %d", token, w.Code)
		}
	}
}

// Ensure that a sign-in that is too old or too weak, and none at all, is asked for
// again as RFC 9470 §3 says; so is one that is yet to come, and would never be old.
func TestStepUp(t *testing.T) {
	config := conditional(t, Conditions{ACRValues: []string{"urn:two", "urn:three"}, MaxAge: 300})
	signedIn := func(acr string, ago time.Duration) authz.Principal {
		return changed(func(p *authz.Principal) { p.ACR, p.AuthTime = acr, testTime.Add(-ago) }, "user")
	}
	config.Authenticator = tokens{
		"good":  signedIn("urn:two", 5*time.Minute),
		"old":   signedIn("urn:two", 5*time.Minute+time.Second),
		"weak":  signedIn("urn:one", 0),
		"ahead": signedIn("urn:two", -authTimeAhead), // its issuer's clock is
		"ever":  signedIn("urn:two", -authTimeAhead-time.Second),
		"never": changed(func(p *authz.Principal) { p.ACR = "urn:three" }, "user"),
		"user":  principal("user"),
	}
	g := newGuard(t, config)
	for token, status := range map[string]int{"good": 200, "ahead": 200, "ever": 401, "old": 401, "weak": 401, "never": 401, "user": 401} {
		w, _, _ := serve(t, get("GET", "/x", token), g)
		challenge := w.Header().Get("WWW-Authenticate")
		if w.Code != status || status == 401 && (!strings.Contains(challenge, `Bearer error="insufficient_user_authentication"`) ||
			!strings.Contains(challenge, `, acr_values="urn:two urn:three", max_age="300"`)) {
			t.Errorf("%s: %d %s", token, w.Code, challenge)
		}
	}
	if w, _, _ := serve(t, get("GET", "/x", "bogus"), g); strings.Contains(w.Header().Get("WWW-Authenticate"), "acr_values") {
		t.Error("an invalid token is asked for a stronger sign-in")
	}
}

// Ensure that an expression decides last, that its trouble is a no, and that
// nothing works without somebody to read it.
func TestExpressionConditions(t *testing.T) {
	config := conditional(t, Conditions{Expression: "even", Groups: []string{"staff"}})
	if _, err := New(config); err == nil {
		t.Error("an expression that nobody can read")
	}
	asked := 0
	config.Compile = func(text string) (Expression, error) {
		if text != "even" {
			return nil, errors.New("unknown word")
		}
		return func(r *http.Request, p *authz.Principal) (bool, error) {
			asked++
			if r.URL.Path == "/broken" {
				return true, errors.New("no such overload")
			}
			return p.Subject == "u-17" && r.URL.Path == "/even", nil
		}, nil
	}
	config.Authenticator = tokens{"staff": claiming(map[string]any{"groups": "staff"}), "other": principal("user")}
	g := newGuard(t, config)
	for request, status := range map[string]int{"/even staff": 200, "/odd staff": 403, "/broken staff": 403, "/even other": 403} {
		target, token, _ := strings.Cut(request, " ")
		if w, _, _ := serve(t, get("GET", target, token), g); w.Code != status {
			t.Errorf("%s: %d", request, w.Code)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	config.Rows[0].Conditions.Expression, config.Rows[0].Source = "odd", "Caddyfile:7"
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "Caddyfile:7") || !strings.Contains(err.Error(), "unknown word") {
		t.Error(err)
	}
}

// Ensure that what no credential can meet, and what no challenge can say, does not load.
func TestConditionsAreValidated(t *testing.T) {
	many := make([]string, MaxConditions+2)
	for i := range many {
		many[i] = "x"
	}
	for name, c := range map[string]Conditions{
		"no value":        {Claims: map[string][]string{"tier": nil}},
		"no name":         {Claims: map[string][]string{"": {"x"}}},
		"empty value":     {Claims: map[string][]string{"tier": {""}}},
		"long value":      {Groups: []string{strings.Repeat("x", MaxConditionText+1)}},
		"many values":     {Groups: many},
		"quote in acr":    {ACRValues: []string{`a"b`}},
		"space in acr":    {ACRValues: []string{"a b"}},
		"negative age":    {MaxAge: -1},
		"endless age":     {MaxAge: MaxMaxAge + 1},
		"long expression": {Expression: strings.Repeat("x", MaxExpression+1)},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: valid", name)
		}
	}
	row := Row{Verb: Optional, Path: "/x", Conditions: &Conditions{Groups: []string{"a"}}}
	if err := row.Validate(); err == nil {
		t.Error("conditions on an optional row")
	}
}

// Ensure that explanations tell of conditions.
func TestExplainTellsOfConditions(t *testing.T) {
	c := Conditions{Claims: map[string][]string{"tier": {"gold", "silver"}}, Groups: []string{"staff"}, ACRValues: []string{"urn:two"}, MaxAge: 90}
	const want = "claim tier gold silver, group staff, acr urn:two, max_age 1m30s"
	if e := newGuard(t, conditional(t, c)).Explain("GET", "/x"); e.Conditions != want || e.Requirement != "user" {
		t.Errorf("%+v", e)
	}
}
