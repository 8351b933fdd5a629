// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// clients are registered in each way that a client can authenticate.
const clients = `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		scope user
		client basic {
			secret basic-secret-0123456789abcdefghijklmn
			grant_types client_credentials
			scopes user
		}
		client post {
			secret post-secret-0123456789abcdefghijklmno
			auth_method client_secret_post
			grant_types client_credentials
			scopes user
		}
		client "odd:client~@1" {
			secret "p+ss%41:wörd-0123456789 abcdefghijklmn"
			grant_types client_credentials
			scopes user
		}
		client public {
			auth_method none
			scopes user
		}
		client off {
			secret off-secret-0123456789abcdefghijklmnopq
			grant_types client_credentials
			scopes user
			disabled
		}
	}
}

http://localhost:{$PORT} {
	log
	oauth2_server
}
`

const (
	basicSecret = "basic-secret-0123456789abcdefghijklmn"
	postSecret  = "post-secret-0123456789abcdefghijklmno"
	oddSecret   = "p+ss%41:wörd-0123456789 abcdefghijklmn"
	offSecret   = "off-secret-0123456789abcdefghijklmnopq"
)

// startClients starts a gateway with the [clients] configuration.
func startClients(t *testing.T) *gateway {
	t.Helper()
	g := start(t, clients)
	for _, secret := range []string{basicSecret, postSecret, oddSecret, offSecret} {
		g.canary(secret)
	}
	return g
}

// tokenRequest sends a client_credentials request with further parameters and
// header lines, and returns the answer and its error code.
func (g *gateway) tokenRequest(params string, lines ...string) (answer, string) {
	g.t.Helper()
	a := g.request("POST", "localhost", "/oauth/token", "grant_type=client_credentials"+params, append(lines, formType)...)
	var failure struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.body), &failure); err != nil {
		g.t.Errorf("%d with a body that is no JSON: %.200q", a.status, a.body)
	}
	if !strings.Contains(a.header.Get("Cache-Control"), "no-store") {
		g.t.Errorf("%d without Cache-Control: no-store", a.status)
	}
	if a.status == http.StatusOK {
		g.remember(a)
	}
	return a, failure.Error
}

// Ensure that a request with two ways of authenticating is refused, whichever of
// them would do. Row A01.
func TestTwoClientAuthenticationsAreRefused(t *testing.T) {
	t.Parallel()
	g := startClients(t)
	header := "Authorization: Basic " + basic("basic", basicSecret)
	for _, c := range []struct {
		params string
		lines  []string
	}{
		{"&client_id=basic&client_secret=" + basicSecret, []string{header}},
		{"&client_secret=" + basicSecret, []string{header}},
		{"&client_secret=", []string{header}},
		{"&client_assertion=x&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer", []string{header}},
		{"&client_id=post&client_secret=" + postSecret + "&client_assertion=x", nil},
		{"", []string{header, header}},
		{"&client_id=post&client_id=post&client_secret=" + postSecret, nil},
		{"&client_id=post&client_secret=" + postSecret + "&client_secret=" + postSecret, nil},
		{"&client_id=post", []string{header}},
	} {
		a, code := g.tokenRequest(c.params, c.lines...)
		if a.status != http.StatusBadRequest || code != "invalid_request" {
			t.Errorf("%s with %d headers: %d %s", strings.ReplaceAll(c.params, postSecret, "***"), len(c.lines), a.status, code)
		}
	}
	// The id beside Basic repeats what Basic says, and clients send it.
	if a, _ := g.tokenRequest("&client_id=basic", header); a.status != http.StatusOK {
		t.Errorf("client_id beside Basic: %d %s", a.status, a.body)
	}
}

// Ensure that a client authenticates only in the way it is registered for, and
// not at all with less. Rows A02 and A03.
func TestWeakerClientAuthenticationIsRefused(t *testing.T) {
	t.Parallel()
	g := startClients(t)
	for name, c := range map[string]struct {
		params string
		lines  []string
	}{
		"post of a basic client":   {"&client_id=basic&client_secret=" + basicSecret, nil},
		"basic of a post client":   {"", []string{"Authorization: Basic " + basic("post", postSecret)}},
		"only the id":              {"&client_id=basic", nil},
		"an empty secret":          {"&client_id=basic&client_secret=", nil},
		"basic, no secret":         {"", []string{"Authorization: Basic " + basic("basic", "")}},
		"public with a secret":     {"&client_id=public&client_secret=made-up", nil},
		"public, empty secret":     {"&client_id=public&client_secret=", nil},
		"public by basic":          {"", []string{"Authorization: Basic " + basic("public", "")}},
		"public with made-up one":  {"", []string{"Authorization: Basic " + basic("public", "made-up")}},
		"unknown":                  {"", []string{"Authorization: Basic " + basic("nobody", basicSecret)}},
		"wrong":                    {"", []string{"Authorization: Basic " + basic("basic", postSecret)}},
		"a prefix":                 {"", []string{"Authorization: Basic " + basic("basic", basicSecret[:20])}},
		"more":                     {"", []string{"Authorization: Basic " + basic("basic", basicSecret+"x")}},
		"disabled":                 {"", []string{"Authorization: Basic " + basic("off", offSecret)}},
		"other case of the id":     {"", []string{"Authorization: Basic " + basic("BASIC", basicSecret)}},
		"no client at all":         {"", nil},
		"an assertion nobody asks": {"&client_id=basic&client_assertion=e30.e30.&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer", nil},
		"bearer":                   {"&client_id=basic", []string{"Authorization: Bearer " + basicSecret}},
	} {
		a, code := g.tokenRequest(c.params, c.lines...)
		refused := a.status == http.StatusUnauthorized && code == "invalid_client" || a.status == http.StatusBadRequest && code == "invalid_request"
		if !refused {
			t.Errorf("%s: %d %s", name, a.status, code)
		}
		if a.status == http.StatusUnauthorized && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: challenge %q (RFC 6749 §5.2)", name, a.header.Get("WWW-Authenticate"))
		}
	}
}

// Ensure that a client's id and secret are understood form-encoded, as RFC 6749
// §2.3.1 wants them, and raw, as many clients send them, and that nothing else
// is. Row A04.
func TestBasicCredentialsInBothSpellings(t *testing.T) {
	t.Parallel()
	g := startClients(t)
	id := "odd:client~@1"
	everything := func(s string) string { // as oauth4webapi does
		return strings.NewReplacer("-", "%2D", "_", "%5F", "+", "%20").Replace(url.QueryEscape(s))
	}
	for name, credentials := range map[string]string{
		"encoded":      basic(url.QueryEscape(id), url.QueryEscape(oddSecret)),
		"all encoded":  basic(everything(id), everything(oddSecret)),
		"plain raw":    basic("basic", basicSecret),
		"plain, coded": basic("basic", everything(basicSecret)),
	} {
		if a, code := g.tokenRequest("", "Authorization: Basic "+credentials); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.status, code)
		}
	}
	for name, value := range map[string]string{
		"not base64":         "!!!!",
		"cut":                basic("basic", basicSecret)[:21],
		"url alphabet":       strings.NewReplacer("+", "-", "/", "_").Replace(basic("basic", "\xff\xfe\xfb\xef")),
		"spaces within":      "YmFz aWM6eA==",
		"no colon":           "YmFzaWM=",
		"empty":              "",
		"malformed percent":  basic("basic", basicSecret+"%zz"),
		"loose trailing bit": basic("basic", "x")[:len(basic("basic", "x"))-1] + "/",
	} {
		a, code := g.tokenRequest("", "Authorization: Basic "+value)
		if a.status != http.StatusUnauthorized && a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.status, code)
		}
	}
}

// Ensure that an endpoint answers no method but its own. Row A19.
func TestEndpointsRefuseOtherMethods(t *testing.T) {
	t.Parallel()
	g := startClients(t)
	auth := "Authorization: Basic " + basic("basic", basicSecret)
	for _, endpoint := range formEndpoints {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "post", "TRACE"} {
			a := g.request(method, "localhost", endpoint+"?grant_type=client_credentials", "", auth)
			if a.status != http.StatusMethodNotAllowed || !strings.Contains(a.header.Get("Allow"), "POST") {
				t.Errorf("%s %s: %d, Allow %q", method, endpoint, a.status, a.header.Get("Allow"))
			}
		}
	}
}

// Ensure that a parameter given twice is refused, but for those that may be. RFC
// 6749 §3.2.
func TestRepeatedParametersAreRefused(t *testing.T) {
	t.Parallel()
	g := startClients(t)
	auth := "Authorization: Basic " + basic("basic", basicSecret)
	for _, params := range []string{"&scope=user&scope=user", "&grant_type=client_credentials", "&scope=user&scope="} {
		if a, code := g.tokenRequest(params, auth); a.status != http.StatusBadRequest || code != "invalid_request" {
			t.Errorf("%s: %d %s", params, a.status, code)
		}
	}
	for params, want := range map[string]string{"&scope=admin": "invalid_scope", "&scope=%22": "invalid_scope", "&resource=nonsense": "invalid_target",
		"&resource=http%3A%2F%2Felsewhere.example%2F": "invalid_target", "&resource=http%3A%2F%2Flocalhost%23f": "invalid_target"} {
		if a, code := g.tokenRequest(params, auth); a.status != http.StatusBadRequest || code != want {
			t.Errorf("%s: %d %s, want %s", params, a.status, code, want)
		}
	}
	for body, want := range map[string]string{"grant_type=password": "unsupported_grant_type", "": "invalid_request", "grant_type=": "invalid_request",
		"grant_type=CLIENT_CREDENTIALS": "unsupported_grant_type"} {
		a := g.request("POST", "localhost", "/oauth/token", body, auth, formType)
		if a.status != http.StatusBadRequest || !strings.Contains(a.body, `"`+want+`"`) {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
}

// Ensure that a client that was disabled or removed is refused at every endpoint
// and its tokens at the very next request. Rows A15 and V10.
func TestDisabledClientIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	secret := g.addClient("stored")
	refused := func(what, token string) {
		t.Helper()
		untouched(t, u, func() {
			if got := g.call("api.localhost", "/x", token); got != http.StatusUnauthorized {
				t.Errorf("token of a client that was %s: %d", what, got)
			}
		})
		for _, endpoint := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke"} {
			resp, body := g.post(endpoint, "stored", secret, url.Values{"grant_type": {"client_credentials"}, "token": {token}})
			if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), "invalid_client") {
				t.Errorf("%s of a client that was %s: %d %s", endpoint, what, resp.StatusCode, body)
			}
		}
		if got := g.introspect("shop", shopSecret, token); got["active"] != false || len(got) != 1 {
			t.Errorf("introspection for another client: %v", got)
		}
	}
	token := g.token("stored", secret)
	if got := g.call("api.localhost", "/x", token); got != http.StatusOK {
		t.Fatalf("before: %d", got)
	}
	g.administer("/oauth2/clients/stored/edit", map[string]any{"disabled": true})
	refused("disabled", token)
	g.administer("/oauth2/clients/stored/edit", map[string]any{"disabled": false})
	token = g.token("stored", secret)
	g.administer("/oauth2/clients/stored/remove", map[string]any{})
	refused("removed", token)

	g.addClient("stored") // a new client of the same name does not inherit
	untouched(t, u, func() {
		if got := g.call("api.localhost", "/x", token); got != http.StatusUnauthorized {
			t.Errorf("token of the old client of that name: %d", got)
		}
	})
}

// Ensure that a client which the Caddyfile no longer names is refused at once,
// with its tokens, and that one whose scopes shrank loses them. Row V10.
func TestClientRemovedFromCaddyfileIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	token := g.shopToken("user admin")
	if got := g.call("admin.localhost", "/admin", token); got != http.StatusOK {
		t.Fatalf("before: %d", got)
	}
	g.mustReload(strings.Replace(guarded, "scopes user admin read write", "scopes user read write", 1))
	untouched(t, u, func() {
		if got := g.call("admin.localhost", "/admin", token); got != http.StatusForbidden {
			t.Errorf("a scope that the client lost: %d", got)
		}
	})
	g.mustReload(strings.Replace(guarded, "client shop {", "client other {", 1))
	untouched(t, u, func() {
		if got := g.call("api.localhost", "/x", token); got != http.StatusUnauthorized {
			t.Errorf("a client that is gone: %d", got)
		}
	})
	g.mustReload(guarded)
	if got := g.call("admin.localhost", "/admin", token); got != http.StatusOK && got != http.StatusUnauthorized {
		t.Errorf("when it is back: %d", got)
	}
}
