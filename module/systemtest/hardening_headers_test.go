// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// identity are the headers that a guard manages with its default settings.
var identity = []string{"X-Auth-Subject", "X-Auth-Username", "X-Auth-Client", "X-Auth-Scope"}

// untouched runs attack and fails the test when it reached the upstream.
func untouched(t *testing.T, u *upstream, attack func()) {
	t.Helper()
	before := u.count()
	attack()
	if all := u.hits(); len(all) != before {
		t.Errorf("refused, yet the upstream received %q", all[len(all)-1].Raw)
	}
}

// onlyOurs fails the test when a request at the upstream has identity headers
// other than want ("Name: value").
func onlyOurs(t *testing.T, h hit, want ...string) {
	t.Helper()
	var got []string
	for _, name := range identity {
		got = append(got, h.lines(name)...)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("identity at the upstream: %q, want %q\n%s", got, want, h.Raw)
	}
}

// forgeries are header lines by which a client claims to be somebody.
func forgeries(name string) [][]string {
	return [][]string{
		{name + ": eve"},
		{strings.ToLower(name) + ": eve"},
		{strings.ToUpper(name) + ": eve"},
		{name + ": eve", name + ": mallory"},
		{name + ":"},
		{strings.ReplaceAll(name, "-", "_") + ": eve"},
		{strings.ReplaceAll(name, "-", ".") + ": eve"},
		{strings.Replace(name, "-", "_", 1) + ": eve"},
		{strings.Replace(name, "-", ".", 1) + ": eve", strings.ToLower(strings.ReplaceAll(name, "-", "_")) + ": mallory"},
	}
}

// Ensure that the identity headers that the upstream sees are the guard's, or
// none, in whatever spelling a client sends its own. Rows H01, H02 and H03: a
// machine's token has no subject, so that a forged one would stand alone.
func TestForgedIdentityHeadersNeverReachTheUpstream(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	bearer := "Authorization: Bearer " + g.shopToken("user")
	for _, name := range identity {
		for _, lines := range forgeries(name) {
			if a := g.get("api.localhost", "/x", append(lines, bearer)...); a.status != http.StatusOK {
				t.Errorf("%q: %d", lines, a.status)
				continue
			}
			onlyOurs(t, u.last(), "X-Auth-Client: shop", "X-Auth-Scope: user")

			for _, path := range []string{"/health", "/catalog/1"} { // public, optional
				if a := g.get("api.localhost", path, lines...); a.status != http.StatusOK {
					t.Errorf("%s with %q: %d", path, lines, a.status)
					continue
				}
				onlyOurs(t, u.last())
			}
			untouched(t, u, func() {
				if a := g.get("api.localhost", "/x", lines...); a.status != http.StatusUnauthorized {
					t.Errorf("%q without a token: %d", lines, a.status)
				}
			})
		}
	}
}

// Ensure that aliases of identity headers stay out where Caddy was told to let
// their spelling in. Row H02.
func TestForgedAliasesStayOutWhereCaddyLetsThemIn(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, strings.Replace(guarded, "\toauth2 {\n", `	servers {
		expected_underscore_headers X_Auth_Subject X_Auth_Client X_* Authorization_X
		expected_dot_headers X.Auth.Subject X.Auth.Client X.*
	}
	oauth2 {
`, 1), u.env())
	bearer := "Authorization: Bearer " + g.shopToken("user")

	// Without this the test would pass on a Caddy that drops them anyway.
	g.get("api.localhost", "/health", "X_Other: through", "X.Other: through")
	if len(u.last().lines("X-Other")) != 2 {
		t.Fatalf("Caddy did not let aliases in: %s", u.last().Raw)
	}
	for _, name := range identity {
		for _, lines := range forgeries(name) {
			g.get("api.localhost", "/x", append(lines, bearer)...)
			onlyOurs(t, u.last(), "X-Auth-Client: shop", "X-Auth-Scope: user")
			g.get("api.localhost", "/health", lines...)
			onlyOurs(t, u.last())
		}
	}
}

// Ensure that a client cannot delete, by naming them in Connection, the headers
// that the guard sets. Row H04.
func TestConnectionHeaderCannotDeleteIdentity(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	bearer := "Authorization: Bearer " + g.shopToken("user")
	for _, lines := range [][]string{
		{"Connection: close, X-Auth-Client, X-Auth-Scope"},
		{"Connection: x-auth-client,X-AUTH-SCOPE, close"},
		{"Connection: X-Auth-Client", "Connection: X-Auth-Scope, close"},
		{"Connection: close, Authorization, X-Forwarded-For, X-Auth-Client"},
		{"Connection: close, X_Auth_Client, X.Auth.Scope"},
		{"Connection: close,, ,X-Auth-Client ;q=1, X-Auth-Client\t"},
		{"Proxy-Connection: X-Auth-Client", "Connection: close"},
	} {
		if a := g.get("api.localhost", "/x", append(lines, bearer)...); a.status != http.StatusOK {
			t.Errorf("%q: %d", lines, a.status)
			continue
		}
		onlyOurs(t, u.last(), "X-Auth-Client: shop", "X-Auth-Scope: user")
		if len(u.last().lines("X-Forwarded-For")) != 1 {
			t.Errorf("%q: X-Forwarded-For was deleted: %s", lines, u.last().Raw)
		}
	}
}

// Ensure that a request with more than one credential is refused, however they
// are put together: two servers could each pick another. Row H05.
func TestTwoCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	good := g.shopToken("user")
	for _, path := range []string{"/x", "/catalog/1"} {
		for _, lines := range [][]string{
			{"Authorization: Bearer " + good, "Authorization: Bearer " + good},
			{"Authorization: Bearer " + good, "Authorization: Bearer bad"},
			{"Authorization: Bearer bad", "authorization: Bearer " + good},
			{"Authorization: Bearer " + good + ", Bearer " + good},
			{"Authorization: Bearer " + good + ",Bearer bad"},
			{"Authorization: Bearer " + good, "Authorization: DPoP " + good},
			{"Authorization: Bearer " + good + " " + good},
			{"Authorization: Bearer " + good, "Authorization:"},
		} {
			untouched(t, u, func() {
				a := g.get("api.localhost", path, lines...)
				if a.status != http.StatusBadRequest || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_request"`) {
					t.Errorf("%s, %d lines: %d %q", path, len(lines), a.status, a.header.Get("WWW-Authenticate"))
				}
			})
		}
	}
}

// Ensure that malformed credentials are refused and never repaired: what could be a
// token is one that nobody knows, what cannot be one is a malformed request (RFC 6750
// §3.1), and another scheme is no credential. Row S08.
func TestDeformedTokensAreRefused(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	good := g.shopToken("user")
	other := "A"
	if good[20] == 'A' {
		other = "B"
	}
	for status, credentials := range map[int][]string{
		http.StatusUnauthorized: {
			"Bearer " + good[:len(good)-1], "Bearer " + good + "a", "Bearer " + good + "=", "Bearer " + good[:20] + other + good[21:],
			"Bearer " + strings.ToUpper(good), "Bearer " + good[6:], "Bearer co2rt_" + good[6:], "Bearer " + strings.Repeat("A", 8000),
			"Basic c2hvcDp4", good, "Token " + good,
		},
		http.StatusBadRequest: {
			"Bearer", "Bearer " + good + " " + good, "Bearer " + good + " b", `Bearer "` + good + `"`, "Bearer %63" + good[1:], "Bearer " + good + "\t.",
			"Bearer {http.request.host}", "Bearer " + good + ";a=b", "Bearer " + good + ", Bearer " + good, "Basic c2hvcDp4, Bearer " + good,
			"Bearer " + strings.Repeat("A", 8193),
		},
	} {
		for _, credential := range credentials {
			untouched(t, u, func() {
				a := g.get("api.localhost", "/x", "Authorization: "+credential)
				if a.status != status {
					t.Errorf("%.12q…, %d bytes: %d, want %d", credential, len(credential), a.status, status)
				}
				if status == http.StatusBadRequest && !strings.Contains(a.body, `"invalid_request"`) {
					t.Errorf("%.12q…, %d bytes: %s", credential, len(credential), a.body)
				}
			})
		}
	}
	for _, scheme := range []string{"bearer", "BEARER", "Bearer  "} { // RFC 9110 §11.1, §11.4
		if a := g.get("api.localhost", "/x", "Authorization: "+scheme+" "+good); a.status != http.StatusOK {
			t.Errorf("scheme %q: %d", scheme, a.status)
		}
	}
}

// Ensure that no header by which proxies tell each other about a request enters
// a decision. Rows H08 and H09.
func TestForwardingHeadersDecideNothing(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	user, reader := "Authorization: Bearer "+g.shopToken("user"), "Authorization: Bearer "+g.shopToken("read")
	for _, line := range []string{
		"X-Original-URL: /pub/x", "X-Rewrite-URL: /pub/x", "X-Forwarded-Uri: /pub/x", "X-Forwarded-Prefix: /pub", "X-Forwarded-Path: /pub/x",
		"X-Forwarded-Method: OPTIONS", "X-Forwarded-Host: localhost", "X-Forwarded-Proto: https", "X-Forwarded-For: 127.0.0.1",
		"Forwarded: for=127.0.0.1;host=localhost;proto=https", "X-Real-IP: 127.0.0.1", "X-Forwarded-Port: 443",
		"X-HTTP-Method-Override: GET", "X-Method-Override: GET", "X-HTTP-Method: GET",
	} {
		untouched(t, u, func() {
			if a := g.get("open.localhost", "/secret", line); a.status != http.StatusUnauthorized {
				t.Errorf("%q opened /secret: %d", line, a.status)
			}
			if a := g.get("admin.localhost", "/admin/x", line, user); a.status != http.StatusForbidden {
				t.Errorf("%q opened /admin/x: %d", line, a.status)
			}
			if a := g.request("DELETE", "api.localhost", "/orders/1", "", line, reader); a.status != http.StatusForbidden {
				t.Errorf("%q opened DELETE: %d", line, a.status)
			}
		})
	}

	// A service that honours a method override must not see one: the scopes were
	// decided on the real method.
	for _, name := range []string{"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"} {
		a := g.get("api.localhost", "/orders/1", name+": DELETE", reader)
		if a.status != http.StatusOK {
			t.Errorf("%s: %d", name, a.status)
		} else if got := u.last().lines(name); len(got) != 0 {
			t.Errorf("the upstream got %q", got)
		}
	}
	// So must one that takes its path from a header.
	for _, name := range []string{"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Prefix"} {
		a := g.get("api.localhost", "/orders/1", name+": /admin", reader)
		if a.status != http.StatusOK {
			t.Errorf("%s: %d", name, a.status)
		} else if got := u.last().lines(name); len(got) != 0 {
			t.Errorf("the upstream got %q", got)
		}
	}
}

// Ensure that the upstream never learns the caller's credential, unless the
// configuration says so. Row H11.
func TestUpstreamDoesNotReceiveTheCredential(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, guarded+`
http://keep.localhost:{$PORT} {
	oauth2_protect user {
		upstream {
			keep_credential
		}
	}
	reverse_proxy {$UPSTREAM}
}
`, u.env())
	good := g.shopToken("user")
	for _, path := range []string{"/x", "/catalog/1", "/health"} {
		if a := g.get("api.localhost", path, "Authorization: Bearer "+good, "Cookie: theme=dark"); a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
			continue
		}
		raw := u.last().Raw
		if strings.Contains(raw, good) || len(u.last().lines("Authorization")) != 0 {
			t.Errorf("%s: the upstream got the credential", path)
		}
		if !strings.Contains(raw, "Cookie: theme=dark") {
			t.Errorf("%s: a foreign cookie was lost", path)
		}
	}
	if a := g.get("keep.localhost", "/x", "Authorization: Bearer "+good); a.status != http.StatusOK || len(u.last().lines("Authorization")) != 1 {
		t.Errorf("keep_credential: %d %s", a.status, strings.ReplaceAll(u.last().Raw, good, "***"))
	}
}

// Ensure that a fallback for refused requests receives neither their credential
// nor their claims to be somebody. Row H12.
func TestFallbackUpstreamReceivesNoCredential(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, guarded+`
http://fallback.localhost:{$PORT} {
	oauth2_protect {
		errors pass
		allow /* admin
	}
	respond "guarded"
	handle_errors {
		reverse_proxy {$UPSTREAM}
	}
}
`, u.env())
	for _, credential := range []string{g.shopToken("user"), g.canary("co2at_not-a-token-but-a-secret")} {
		before := u.count()
		g.get("fallback.localhost", "/x", "Authorization: Bearer "+credential, "X-Auth-Client: eve", "X-Auth-Subject: eve")
		if u.count() != before+1 {
			t.Fatal("the fallback was not asked")
		}
		if last := u.last(); strings.Contains(last.Raw, credential) {
			t.Error("the fallback got the credential")
		}
		onlyOurs(t, u.last())
	}
}

// Ensure that a client cannot have the proxy upgrade the connection to a
// protocol in which the guard would not see its requests. Row H14.
func TestUpgradeToHTTP2IsNotForwarded(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	bearer := "Authorization: Bearer " + g.shopToken("user")
	for _, lines := range [][]string{
		{"Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
		{"Upgrade: H2C", "Connection: upgrade"},
		{"Upgrade: websocket, h2c", "Connection: Upgrade"},
		{"Upgrade: TLS/1.0", "Connection: Upgrade"},
		{"Upgrade: h2c"},
	} {
		a := g.get("api.localhost", "/x", append(lines, bearer)...)
		if a.status == http.StatusSwitchingProtocols {
			t.Errorf("%q: switched", lines)
		}
		if a.status != http.StatusOK {
			continue // refusing it is as good
		}
		last := u.last()
		if len(last.lines("Upgrade")) != 0 || len(last.lines("HTTP2-Settings")) != 0 {
			t.Errorf("%q: forwarded: %s", lines, last.Raw)
		}
	}
}

// Ensure that what comes after the body cannot bring identity or credentials
// that were removed before it. Row H16.
func TestTrailersCarryNoIdentity(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	bearer := "Authorization: Bearer " + g.shopToken("user")
	names := append([]string{"Authorization", "X_Auth_Client", "x.auth.subject", "Proxy-Authorization"}, identity...)
	trailers := ""
	for _, name := range names {
		trailers += name + ": eve\r\n"
	}
	for _, announced := range [][]string{{"Trailer: " + strings.Join(names, ", ")}, nil} {
		lines := append([]string{"Transfer-Encoding: chunked", bearer}, announced...)
		a := g.request("POST", "api.localhost", "/x", "5\r\nhello\r\n0\r\n"+trailers+"\r\n", lines...)
		if a.status != http.StatusOK {
			t.Errorf("announced %t: %d", announced != nil, a.status)
			continue
		}
		last := u.last()
		if last.Body != "hello" || strings.Contains(last.Raw, "eve") {
			t.Errorf("announced %t: the upstream got %s", announced != nil, last.Raw)
		}
	}
}

// Ensure that a refused request is answered before its body: the client that
// asked first is not told to go on. Row H17.
func TestRefusedRequestIsNotAskedForItsBody(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	untouched(t, u, func() {
		conn := g.dial()
		if err := conn.send(fmt.Sprintf("POST /x HTTP/1.1\r\nHost: api.localhost:%s\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n", g.port)); err != nil {
			t.Fatal(err)
		}
		resp, err := conn.response()
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%d before the body", resp.StatusCode)
		}
	})
	conn := g.dial()
	if err := conn.send(fmt.Sprintf("POST /x HTTP/1.1\r\nHost: api.localhost:%s\r\nExpect: 100-continue\r\nContent-Length: 5\r\nAuthorization: Bearer %s\r\n\r\n",
		g.port, g.shopToken("user"))); err != nil {
		t.Fatal(err)
	}
	if resp, err := conn.response(); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("an allowed request is not asked for its body: %v %v", resp, err)
	}
	if err := conn.send("hello"); err != nil {
		t.Fatal(err)
	}
	resp, err := conn.response()
	for err == nil && resp.StatusCode == http.StatusContinue { // the upstream's own, passed on
		resp, err = conn.response()
	}
	if err != nil || resp.StatusCode != http.StatusOK || u.last().Body != "hello" {
		t.Errorf("after the body: %v %v", resp, err)
	}
}
