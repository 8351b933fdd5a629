// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strings"
	"testing"
)

// twice is an authorization server at two hosts, one of them the issuer's.
const twice = coded + `
http://second.localhost:{$PORT} {
	log
	oauth2_server {
		admin staff
	}
	respond other
}
`

// Ensure that pages are at the issuer's host alone, where sessions and passkeys are:
// another host leads there, wherever in a flow, without a cookie of its own; and that
// it serves programs as ever.
func TestPagesAreAtTheIssuersHost(t *testing.T) {
	t.Parallel()
	g := start(t, twice, "SECRET="+codeSecret, "REUSE=10m")
	for _, target := range []string{
		"/oauth/signin", "/oauth/signup", "/oauth/signout", "/oauth/account", "/oauth/account/security", "/oauth/developer", "/oauth/admin",
		"/oauth/authorize?client_id=shop&state=%20%22a%2Fb&x=//evil.example", "/oauth/consent", "/oauth/session?x=1",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for _, host := range []string{"second.localhost", "SECOND.LocalHost"} {
				a := g.request(method, host, target, "")
				if got, want := a.header.Get("Location"), g.issuer()+target; a.status != http.StatusTemporaryRedirect || got != want || len(a.header.Values("Set-Cookie")) > 0 {
					t.Errorf("%s %s at %s: %d to %q, not to %q; %v", method, target, host, a.status, got, want, a.header)
				}
			}
		}
		if a := g.get("localhost", target); strings.HasPrefix(a.header.Get("Location"), g.issuer()+target) {
			t.Errorf("%s at the issuer leads to itself", target)
		}
	}
	for _, target := range []string{"/oauth/health", "/.well-known/oauth-authorization-server", "/oauth/jwks", "/oauth/errors/invalid_token"} {
		if a := g.get("second.localhost", target); a.status != http.StatusOK {
			t.Errorf("%s: %d", target, a.status)
		}
	}
	for target, want := range map[string]int{"/oauth/token": 401, "/oauth/revoke": 401, "/oauth/introspect": 401, "/oauth/par": 401, "/oauth/signin": 403, "/oauth/account": 403, "/other": 200} {
		if a := g.request(http.MethodPost, "second.localhost", target, "x=y", formType, "Sec-Fetch-Site: cross-site"); a.status != want {
			t.Errorf("POST %s: %d, want %d", target, a.status, want)
		}
	}
}

// Ensure that a host serves the pages itself where the issuer's is another machine's, a
// proxy in front perhaps: to lead there could lead back here.
func TestPagesWhereTheIssuersHostIsNot(t *testing.T) {
	t.Parallel()
	g := start(t, strings.Replace(peopled, "\nhttp://localhost:{$PORT} {", "\nhttp://inside.localhost:{$PORT}, http://other.localhost:{$PORT} {", 1))
	for _, host := range []string{"inside.localhost", "other.localhost"} {
		if a := g.get(host, "/oauth/signin"); a.status != http.StatusOK || !strings.Contains(a.body, "Sign in") {
			t.Errorf("%s: %d %v", host, a.status, a.header)
		}
	}
}
