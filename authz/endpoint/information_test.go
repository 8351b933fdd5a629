// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// Ensure that the metadata lists exactly what is on, and that every endpoint in
// it answers (RFC 8414 §2).
func TestMetadata(t *testing.T) {
	w := newWorld(t)
	r := w.do(w.request("GET", "/.well-known/oauth-authorization-server", "", func(r *http.Request) { r.Host = "evil.example" }))
	var doc map[string]any
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil || r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r.header.Get("Content-Type") != "application/json" || !strings.Contains(r.header.Get("Cache-Control"), "max-age") {
		t.Errorf("%v", r.header)
	}
	for name, want := range map[string]string{
		"issuer":                                                   `"` + issuer + `"`,
		"token_endpoint":                                           `"` + issuer + `/oauth/token"`,
		"revocation_endpoint":                                      `"` + issuer + `/oauth/revoke"`,
		"introspection_endpoint":                                   `"` + issuer + `/oauth/introspect"`,
		"scopes_supported":                                         `["orders:read","orders:write"]`,
		"response_types_supported":                                 `[]`,
		"grant_types_supported":                                    `["client_credentials"]`,
		"token_endpoint_auth_methods_supported":                    `["client_secret_basic","client_secret_post","client_secret_jwt","private_key_jwt","none"]`,
		"revocation_endpoint_auth_methods_supported":               `["client_secret_basic","client_secret_post","client_secret_jwt","private_key_jwt","none"]`,
		"introspection_endpoint_auth_methods_supported":            `["client_secret_basic","client_secret_post","client_secret_jwt","private_key_jwt"]`,
		"token_endpoint_auth_signing_alg_values_supported":         `["ES256","EdDSA","PS256","RS256","HS256","Ed25519"]`,
		"revocation_endpoint_auth_signing_alg_values_supported":    `["ES256","EdDSA","PS256","RS256","HS256","Ed25519"]`,
		"introspection_endpoint_auth_signing_alg_values_supported": `["ES256","EdDSA","PS256","RS256","HS256","Ed25519"]`,
	} {
		got, err := json.Marshal(doc[name])
		if err != nil || string(got) != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
		delete(doc, name)
	}
	if len(doc) != 0 {
		t.Errorf("beside that: %v", doc)
	}
	for _, path := range []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect"} {
		if r := w.do(w.request("POST", path, "")); r.status != 401 {
			t.Errorf("%s: %d", path, r.status)
		}
	}
	if r := w.do(w.request("POST", "/.well-known/oauth-authorization-server", "")); r.status != 405 || r.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", r.status, r.header)
	}
}

// Ensure that an issuer with a path is found under both well-known names, and
// only there (RFC 8414 §3.1, §5).
func TestMetadataOfAnIssuerWithAPath(t *testing.T) {
	for _, issuer := range []string{"https://example.com/tenant/one", "https://example.com/tenant/one/"} {
		w := newWorld(t, func(c *endpoint.Config) { c.Issuer, c.Prefix = issuer, "/tenant/one/oauth" })
		for _, path := range []string{"/.well-known/oauth-authorization-server/tenant/one", "/tenant/one/.well-known/oauth-authorization-server"} {
			r := w.do(w.request("GET", path, ""))
			if r.field("issuer") != issuer || r.field("token_endpoint") != "https://example.com/tenant/one/oauth/token" {
				t.Errorf("%s: %d %s", path, r.status, r.body)
			}
		}
		if r := w.do(w.request("GET", "/.well-known/oauth-authorization-server", "")); r.status != 418 {
			t.Errorf("without the path: %d", r.status)
		}
		if r := w.do(w.request("POST", "/tenant/one/oauth/token", "")); r.status != 401 {
			t.Errorf("token endpoint: %d", r.status)
		}
	}
}

// Ensure that requests to paths that are not ours go on.
func TestOtherPathsGoOn(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/oauth", "/oauth/", "/oauth/token/", "/oauth/tokens", "/OAUTH/token", "/oauth//token", "/health", "/oauth/error", "/.well-known/oauth-authorization-server/x", "/.well-known/openid-configuration"} {
		if r := w.do(w.request("GET", path, "")); r.status != 418 {
			t.Errorf("%s: %d", path, r.status)
		}
	}
}

// Ensure that health says whether tokens can be issued.
func TestHealth(t *testing.T) {
	w := newWorld(t)
	if r := w.do(w.request("GET", "/oauth/health", "")); r.status != 200 || r.field("status") != "ok" || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := w.do(w.request("HEAD", "/oauth/health", "")); r.status != 200 || r.body != "" {
		t.Errorf("HEAD: %d", r.status)
	}
	w.do(w.request("POST", "/oauth/health", "")).want(t, "POST", 405, "method_not_allowed")
	cause := errors.New("disk on fire")
	w.engine.failReads.Store(&cause)
	w.do(w.request("GET", "/oauth/health", "")).trouble(t, "reads fail")
	w.engine.failReads.Store(nil)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	w.do(w.request("GET", "/oauth/health", "")).trouble(t, "closed")
}

// Ensure that every error's error_uri leads to a page that explains it, or to the
// operator's own.
func TestErrorPages(t *testing.T) {
	w := newWorld(t, func(c *endpoint.Config) {
		c.ErrorURIs = map[string]string{"invalid_scope": "https://docs.example.com/errors#scope"}
	})
	for _, e := range authz.Errors() {
		r := w.do(w.request("GET", "/oauth/errors/"+e.Code, ""))
		if r.status != 200 || !strings.Contains(r.body, "<code>"+e.Code+"</code>") || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d", e.Code, r.status)
		}
	}
	for _, code := range []string{"nonsense", "", "%3Cscript%3E", "invalid_client/x"} {
		if r := w.do(w.request("GET", "/oauth/errors/"+code, "")); r.status != 404 || strings.Contains(r.body, "<script>") {
			t.Errorf("%q: %d %s", code, r.status, r.body)
		}
	}
	w.do(w.request("POST", "/oauth/errors/invalid_client", "")).want(t, "POST", 405, "method_not_allowed")
	if r := w.send("/oauth/token", "job", "grant_type=client_credentials&scope=x"); r.field("error_uri") != "https://docs.example.com/errors#scope" {
		t.Errorf("%s", r.body)
	}
	w.send("/oauth/token", "job", "").want(t, "a code that is not mapped", 400, "invalid_request")
}

// unseen renders the pages of servers that are asked for none.
func unseen(http.ResponseWriter, *http.Request, int, pages.Page) error {
	return errors.New("a page nobody should ask for")
}

// Ensure that a wrong configuration is refused, and says what is wrong.
func TestNewRefusesWrongConfiguration(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*endpoint.Config){
		"no issuer":             func(c *endpoint.Config) { c.Issuer = "" },
		"issuer with query":     func(c *endpoint.Config) { c.Issuer = "https://auth.example.com?x=y" },
		"issuer, bare query":    func(c *endpoint.Config) { c.Issuer = "https://auth.example.com?" },
		"issuer with fragment":  func(c *endpoint.Config) { c.Issuer = "https://auth.example.com#x" },
		"issuer with user":      func(c *endpoint.Config) { c.Issuer = "https://me@auth.example.com" },
		"issuer, plain http":    func(c *endpoint.Config) { c.Issuer = "http://auth.example.com" },
		"issuer, other scheme":  func(c *endpoint.Config) { c.Issuer = "ftp://auth.example.com" },
		"issuer without host":   func(c *endpoint.Config) { c.Issuer = "https:///x" },
		"issuer, dot segment":   func(c *endpoint.Config) { c.Issuer = "https://auth.example.com/a/../b" },
		"issuer, double slash":  func(c *endpoint.Config) { c.Issuer = "https://auth.example.com//a" },
		"issuer, encoded slash": func(c *endpoint.Config) { c.Issuer = "https://auth.example.com/a%2Fb" },
		"prefix without slash":  func(c *endpoint.Config) { c.Prefix = "oauth" },
		"prefix of a slash":     func(c *endpoint.Config) { c.Prefix = "/" },
		"prefix, slash at end":  func(c *endpoint.Config) { c.Prefix = "/oauth/" },
		"prefix, dot segment":   func(c *endpoint.Config) { c.Prefix = "/a/../b" },
		"prefix, odd character": func(c *endpoint.Config) { c.Prefix = "/a b" },
		"no clients":            func(c *endpoint.Config) { c.Clients = nil },
		"no store":              func(c *endpoint.Config) { c.Store = nil },
		"no pages":              func(c *endpoint.Config) { c.Render = nil },
		"negative lifetime":     func(c *endpoint.Config) { c.Lifetime = -1 },
		"short lifetime":        func(c *endpoint.Config) { c.Lifetimes = map[string]time.Duration{"x": 1} },
		"unknown error code":    func(c *endpoint.Config) { c.ErrorURIs = map[string]string{"nonsense": "https://x.example"} },
		"relative error page":   func(c *endpoint.Config) { c.ErrorURIs = map[string]string{"denied": "/x"} },
		"quote in error page":   func(c *endpoint.Config) { c.ErrorURIs = map[string]string{"denied": `https://x.example/"`} },
	} {
		config := endpoint.Config{Issuer: issuer, Clients: w.registry, Store: w.verifier.Store, Render: unseen}
		if _, err := endpoint.New(config); err != nil {
			t.Fatal(err)
		}
		change(&config)
		if _, err := endpoint.New(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, right := range []string{"https://auth.example.com/", "https://auth.example.com/a/b", "https://auth.example.com:8443", "http://localhost:8080", "http://127.0.0.1", "http://[::1]:8080"} {
		if err := endpoint.ValidateIssuer(right, false); err != nil {
			t.Errorf("%s: %v", right, err)
		}
	}
	if err := endpoint.ValidateIssuer("http://auth.example.com", true); err != nil {
		t.Errorf("insecure: %v", err)
	}
}

// Ensure that all mistakes are told at once.
func TestNewTellsAllThatIsWrong(t *testing.T) {
	_, err := endpoint.New(endpoint.Config{Issuer: "x", Prefix: "y"})
	for _, part := range []string{"issuer", "prefix", "Clients"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
}
