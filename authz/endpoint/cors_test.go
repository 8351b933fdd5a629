// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"net/http"
	"slices"
	"testing"
)

// Ensure that a page of the client's own origin may read the answers that its
// client gets, and no other page (U27).
func TestTokenAnswersAreForTheClientsOrigins(t *testing.T) {
	w := newWorld(t)
	for origin, allowed := range map[string]bool{
		"https://spa.example.com": true, "": false, "null": false, "https://app.example.com": false, "https://evil.example": false,
		"https://spa.example.com.evil.example": false, "http://spa.example.com": false, "https://SPA.example.com": false, "https://spa.example.com:8443": false,
	} {
		for _, c := range []struct{ path, body string }{
			{"/oauth/token", "grant_type=client_credentials"}, {"/oauth/token", "grant_type=unheard-of"}, {"/oauth/revoke", "token=x"},
		} {
			r := w.send(c.path, "spa", c.body, header("Origin", origin))
			want := ""
			if allowed {
				want = origin
			}
			if got := r.header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%s %s, %q: allowed %q", c.path, c.body, origin, got)
			}
			if !slices.Contains(r.header.Values("Vary"), "Origin") || r.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s, %q: %v", c.path, origin, r.header)
			}
		}
	}
	if r := w.send("/oauth/token", "nobody", "", header("Origin", "https://spa.example.com")); r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a refused client's answer is readable")
	}
	if r := w.send("/oauth/introspect", "spa", "token=x", header("Origin", "https://spa.example.com")); r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("introspection is readable by pages")
	}
}

// Ensure that a preflight is answered for origins of configured clients only.
func TestPreflight(t *testing.T) {
	w := newWorld(t)
	ask := func(path, origin string) reply {
		return w.do(w.request(http.MethodOptions, path, "", header("Origin", origin), header("Access-Control-Request-Method", "POST")))
	}
	for origin, allowed := range map[string]bool{"https://spa.example.com": true, "https://app.example.com": true, "null": false, "https://evil.example": false} {
		r := ask("/oauth/token", origin)
		if r.status != 204 || (r.header.Get("Access-Control-Allow-Origin") == origin) != allowed || (r.header.Get("Access-Control-Allow-Methods") == "POST") != allowed || r.header.Get("Vary") != "Origin" {
			t.Errorf("%s: %d %v", origin, r.status, r.header)
		}
	}
	ask("/oauth/introspect", "https://spa.example.com").want(t, "introspection", 405, "method_not_allowed")
}

// Ensure that every page may read the metadata.
func TestMetadataIsForAllOrigins(t *testing.T) {
	w := newWorld(t)
	const path = "/.well-known/oauth-authorization-server"
	if r := w.do(w.request("GET", path, "", header("Origin", "https://evil.example"))); r.header.Get("Access-Control-Allow-Origin") != "*" || r.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%v", r.header)
	}
	r := w.do(w.request(http.MethodOptions, path, "", header("Origin", "https://evil.example"), header("Access-Control-Request-Method", "GET"), header("Access-Control-Request-Headers", "mcp-protocol-version")))
	if r.status != 204 || r.header.Get("Access-Control-Allow-Origin") != "*" || r.header.Get("Access-Control-Allow-Headers") != "*" {
		t.Errorf("preflight: %d %v", r.status, r.header)
	}
	if r := w.do(w.request("GET", "/oauth/errors/denied", "", header("Origin", "https://evil.example"))); r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("pages are not for scripts")
	}
}
