// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// told sends a request with a token through the guard and returns the headers
// that the upstream got.
func told(t *testing.T, c Config, target, token string) http.Header {
	t.Helper()
	_, seen, err := serve(t, get("GET", target, token), newGuard(t, c))
	if err != nil || seen == nil {
		t.Fatalf("%s with %s did not pass: %v", target, token, err)
	}
	return seen.request.Header
}

func header1(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func sameHeader(a, b http.Header) bool {
	return maps.EqualFunc(a, b, func(x, y []string) bool { return strings.Join(x, "\n") == strings.Join(y, "\n") })
}

// Ensure that the upstream learns what its configuration says, by the names
// of each preset, and no user headers for a machine.
func TestUpstreamLearnsOfItsCaller(t *testing.T) {
	for _, c := range []struct {
		upstream Upstream
		token    string
		want     http.Header
	}{
		{Upstream{}, "admin", header1("X-Auth-Subject", "u-17", "X-Auth-Username", "ann", "X-Auth-Client", "shop", "X-Auth-Scope", "admin user")},
		{Upstream{}, "machine", header1("X-Auth-Client", "shop", "X-Auth-Scope", "user")},
		{Upstream{Preset: "kong"}, "user", header1("X-Consumer-Id", "shop", "X-Consumer-Username", "shop", "X-Credential-Identifier", "shop", "X-Authenticated-Scope", "user", "X-Authenticated-Userid", "u-17")},
		{Upstream{Preset: "oauth2-proxy"}, "user", header1("X-Forwarded-User", "u-17", "X-Forwarded-Preferred-Username", "ann")},
		{Upstream{Preset: "oauth2-proxy"}, "machine", http.Header{}},
		{Upstream{Preset: "remote-user"}, "user", header1("Remote-User", "ann")},
		{Upstream{Preset: "remote-user", Headers: map[string]Fact{"x-app": FactClient}}, "user", header1("Remote-User", "ann", "X-App", "shop")},
		{Upstream{Headers: map[string]Fact{"X-Who": FactSubject}}, "user", header1("X-Who", "u-17")},
		{Upstream{Headers: map[string]Fact{"X-Who": FactSubject}, KeepCredential: true}, "user", header1("X-Who", "u-17", "Authorization", "Bearer user")},
	} {
		config := testConfig(t, "allow /*")
		config.Upstream = c.upstream
		if got := told(t, config, "/", c.token); !sameHeader(got, c.want) {
			t.Errorf("%+v with %s: %v", c.upstream, c.token, got)
		}
	}
}

// Ensure that a row's own upstream replaces the guard's, and that the other
// one's headers are removed from requests all the same.
func TestRowsHaveTheirOwnUpstream(t *testing.T) {
	config := testConfig(t, "allow /a", "allow /b")
	config.Rows[1].Upstream = &Upstream{Headers: map[string]Fact{"X-Who": FactSubject}}
	if got := told(t, config, "/b", "user"); !sameHeader(got, header1("X-Who", "u-17")) {
		t.Errorf("%v", got)
	}
	r := get("GET", "/a", "user")
	r.Header.Set("X-Who", "eve")
	if _, seen, _ := serve(t, r, newGuard(t, config)); seen == nil || seen.request.Header.Get("X-Who") != "" {
		t.Error("a header of another row can be forged")
	}
}

// Ensure that no value can split a header, be taken for a list, or differ
// from another one after decoding (H07); what is too long is refused.
func TestValuesAreSafe(t *testing.T) {
	for value, want := range map[string]string{
		"ann":              "ann",
		"Ann Example":      "Ann Example",
		" ann ":            "%20ann%20",
		" ":                "%20",
		"a\r\nX-Admin: 1":  "a%0D%0AX-Admin: 1",
		"a\x00b":           "a%00b",
		"a,b":              "a%2Cb",
		"100%":             "100%25",
		"%41":              "%2541",
		"Zoë":              "Zo%C3%AB",
		"{env.SECRET}":     "{env.SECRET}",
		"a\tb\x7f":         "a%09b%7F",
		"\"quoted\" \\ ;=": "\"quoted\" \\ ;=",
	} {
		config := testConfig(t, "allow /*")
		config.Authenticator = tokens{"x": changed(func(p *authz.Principal) { p.Username = value })}
		got := told(t, config, "/", "x").Get("X-Auth-Username")
		if got != want {
			t.Errorf("%q is sent as %q", value, got)
		}
		if back, err := url.PathUnescape(got); err != nil || back != value {
			t.Errorf("%q is read as %q, %v", value, back, err)
		}
	}
	for _, value := range []string{strings.Repeat("a", MaxValue+1), strings.Repeat("\n", MaxValue/3+1), strings.Repeat("\n", 1<<20)} {
		config := testConfig(t, "allow /*")
		config.Authenticator = tokens{"x": changed(func(p *authz.Principal) { p.Username = value })}
		r := get("GET", "/", "x")
		w, seen, err := serve(t, r, newGuard(t, config))
		if w.Code != http.StatusForbidden || seen != nil || err != nil || len(r.Header) > 0 {
			t.Errorf("%d bytes: status %d, %v, headers left: %d", len(value), w.Code, err, len(r.Header))
		}
	}
}

// Ensure that the scopes told are those that the client has at present.
func TestScopesAreCutToTheClients(t *testing.T) {
	config := testConfig(t, "allow /*")
	config.Clients = registry{"shop": scope.Of("user", "other")}
	if got := told(t, config, "/", "admin").Get("X-Auth-Scope"); got != "user" {
		t.Error(got)
	}
}

// Ensure that upstream configurations that cannot work are refused in words.
func TestBadUpstreamsAreRefused(t *testing.T) {
	many := map[string]Fact{}
	for i := range MaxHeaders + 1 {
		many["X-"+strings.Repeat("A", i+1)] = FactClient
	}
	for want, upstream := range map[string]Upstream{
		"use kong, oauth2-proxy, remote-user":                                                      {Preset: "nginx"},
		"use subject, username, client, scope, issuer, groups, grant_id, expires_at or claim.NAME": {Headers: map[string]Fact{"X-A": "email"}},
		"is no fact":                           {Headers: map[string]Fact{"X-A": ""}},
		"use letters, digits and dashes":       {Headers: map[string]Fact{"X_A": FactClient}},
		`"X A" is no name`:                     {Headers: map[string]Fact{"X A": FactClient}},
		"authorization has a meaning":          {Headers: map[string]Fact{"authorization": FactClient}},
		"Content-Type has a meaning":           {Headers: map[string]Fact{"Content-Type": FactClient}},
		"X-Forwarded-For has a meaning":        {Headers: map[string]Fact{"X-Forwarded-For": FactClient}},
		"names the header x-consumer-id twice": {Preset: "kong", Headers: map[string]Fact{"x-consumer-id": FactClient}},
		"names the header x-a twice":           {Headers: map[string]Fact{"x-a": FactClient, "X-A": FactClient}},
		"17 headers: at most 16":               {Headers: many},
		`"claim." is no fact`:                  {Headers: map[string]Fact{"X-A": "claim."}},
		"names the header X-A twice":           {Headers: map[string]Fact{"X-A": FactClient}, Static: map[string]string{"x-a": "x"}},
		"Authorization has a meaning":          {Static: map[string]string{"Authorization": "Bearer x"}},
		"a static value is printable":          {Static: map[string]string{"X-A": "a\nb"}},
		"header X-B: a static value":           {Static: map[string]string{"X-B": ""}},
		"header X-C: a static value":           {Static: map[string]string{"X-C": " x"}},
		"one of them is empty":                 {Basic: &Basic{Username: "x"}},
		"has no colon":                         {Basic: &Basic{Username: "a:b", Password: "x"}},
		"has a control character":              {Basic: &Basic{Username: "a", Password: "x\n"}},
		"more than 255 bytes":                  {Basic: &Basic{Username: strings.Repeat("a", 256), Password: "x"}},
		"both basic and keep_credential":       {Basic: &Basic{Username: "a", Password: "x"}, KeepCredential: true},
	} {
		config := testConfig(t, "allow /*")
		config.Upstream = upstream
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
		config = testConfig(t, "allow /*")
		config.Rows[0].Upstream, config.Rows[0].Source = &upstream, "Caddyfile:7"
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Caddyfile:7") {
			t.Errorf("%v does not say %q and where", err, want)
		}
	}
}
