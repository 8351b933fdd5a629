// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"strings"
	"testing"
)

// forged are headers by which a client claims to be somebody, in spellings
// that many services read as the same name.
var forged = []string{
	"X-Auth-Subject: eve", "x-auth-subject: eve", "X_Auth_Subject: eve", "X.Auth.Username: eve", "X-Auth_Client: eve",
	"X-AUTH-SCOPE: admin", "X-Auth-Scope:", "X-Auth-Scope: admin", "X~Auth~Scope: admin",
	"X-Forwarded-User: eve", "X_Forwarded_Email: eve@example.com", "X-Forwarded-Groups: wheel", "X-Forwarded-Access-Token: eve",
	"X-Auth-Request-User: eve", "Remote-User: eve", "Remote_User: eve", "Remote-Groups: wheel",
	"X-Consumer-ID: eve", "X-Consumer-Username: eve", "X-Credential-Identifier: eve", "X-Authenticated-UserId: eve",
	"X-Forwarded_For: eve", "X_Forwarded_Proto: eve",
}

// Ensure that no identity header of a client arrives, whatever its spelling,
// the row and the credential (H01, H02, H03).
func TestIdentityHeadersCannotBeForged(t *testing.T) {
	config := testConfig(t, "allow /a", "optional /o", "public /p")
	config.Upstream = Upstream{Headers: map[string]Fact{"X-Who": FactSubject}}
	g := newGateway(t, config)
	g.Start()
	for _, request := range []string{"/a user", "/a machine", "/o user", "/o ", "/p user", "/p "} {
		target, token, _ := strings.Cut(request, " ")
		header := append([]string{"GET " + target + " HTTP/1.1", "Host: gateway", "X_WHO: eve", "X-Kept: yes"}, forged...)
		if token != "" {
			header = append(header, "Authorization: Bearer "+token)
		}
		response := g.raw(t, lines(header...))
		seen := g.upstream.take()
		if response.StatusCode != http.StatusOK || len(seen) != 1 {
			t.Fatalf("%s: status %d, %d requests upstream", request, response.StatusCode, len(seen))
		}
		if low := strings.ToLower(seen[0]); strings.Contains(low, "eve") || strings.Contains(low, "wheel") || strings.Contains(low, "x-auth") || strings.Contains(low, "bearer") {
			t.Errorf("%s: the upstream saw %q", request, seen[0])
		}
		if !strings.Contains(seen[0], "X-Kept: yes") {
			t.Errorf("%s: an ordinary header is missing: %q", request, seen[0])
		}
		if want := target != "/p" && token == "user"; strings.Contains(seen[0], "X-Who: u-17\r\n") != want {
			t.Errorf("%s: the upstream saw %q", request, seen[0])
		}
	}
}

// Ensure that a client cannot have the proxy remove headers that the guard
// sets (H04).
func TestConnectionCannotRemoveOurHeaders(t *testing.T) {
	g := newGateway(t, testConfig(t, "allow /*"))
	g.Start()
	for _, connection := range [][]string{
		{"Connection: X-Auth-Subject, Authorization, X-Forwarded-For"},
		{"connection: close, x-auth-subject"},
		{"Connection: close", "Connection: X-AUTH-SUBJECT"},
		{"Connection: keep-alive,\tX-Auth-Subject ,close"},
	} {
		request := append([]string{"GET / HTTP/1.1", "Host: gateway", "Authorization: Bearer user"}, connection...)
		g.raw(t, lines(request...))
		seen := g.upstream.take()
		if len(seen) != 1 || !strings.Contains(seen[0], "X-Auth-Subject: u-17\r\n") {
			t.Errorf("%q: the upstream saw %q", connection, seen)
		}
	}
}

// Ensure that only a WebSocket handshake may upgrade (H14).
func TestOnlyWebSocketUpgrades(t *testing.T) {
	g := newGateway(t, testConfig(t, "public /*"))
	g.Start()
	for _, c := range []struct {
		header  []string
		reaches bool
	}{
		{[]string{"GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"}, true},
		{[]string{"GET / HTTP/1.1", "Connection: keep-alive, Upgrade", "Upgrade: WebSocket"}, true},
		{[]string{"GET / HTTP/1.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"}, false},
		{[]string{"GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket, h2c"}, false},
		{[]string{"GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"}, false},
		{[]string{"GET / HTTP/1.1", "Connection: close", "Upgrade: websocket"}, false},
		{[]string{"GET / HTTP/1.0", "Connection: Upgrade", "Upgrade: websocket"}, false},
		{[]string{"POST / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 0"}, false},
	} {
		g.raw(t, lines(append(c.header, "Host: gateway")...))
		seen := g.upstream.take()
		if len(seen) != 1 || strings.Contains(strings.ToLower(seen[0]), "upgrade") != c.reaches || strings.Contains(strings.ToLower(seen[0]), "http2-settings") {
			t.Errorf("%q: the upstream saw %q", c.header, seen)
		}
	}
}

// Ensure that a request with more than one credential is refused (H05).
func TestSeveralCredentialsAreRefused(t *testing.T) {
	g := newGateway(t, testConfig(t, "allow /*", "optional /o"))
	g.Start()
	for _, header := range [][]string{
		{"Authorization: Bearer user", "Authorization: Bearer user"},
		{"Authorization: Bearer user", "authorization: Basic eA=="},
		{"Authorization: Bearer user, Bearer admin"},
		{"Authorization: Bearer user,Bearer admin"},
		{"Authorization: Basic eA==, Bearer admin"},
		{"Authorization: Bearer user", "  admin"}, // a folded line (RFC 9112 §5.2)
		{"Authorization: Bearer \"user\""},
		{"Authorization: Bearer user\tadmin"},
		{"Authorization: Bearer"},
		{"Authorization:"},
	} {
		for _, target := range []string{"/", "/o"} {
			response := g.raw(t, lines(append([]string{"GET " + target + " HTTP/1.1", "Host: gateway"}, header...)...))
			challenge := response.Header.Get("WWW-Authenticate")
			if response.StatusCode != http.StatusBadRequest || !strings.Contains(challenge, `error="invalid_request"`) {
				t.Errorf("%s %q was answered with %d, %s", target, header, response.StatusCode, challenge)
			}
		}
	}
	if seen := g.upstream.take(); len(seen) > 0 {
		t.Errorf("the upstream saw %q", seen)
	}
}

// Ensure that headers by which upstreams route, override methods or find
// their client are removed (H08, H09), unless the peer is trusted.
func TestForwardingHeadersAreRemoved(t *testing.T) {
	where := []string{
		"X-Original-URL: /admin", "X-Rewrite-URL: /admin", "X-Forwarded-Uri: /admin", "X-Forwarded-Prefix: /admin",
		"X-Forwarded-Port: 1", "Forwarded: for=eve", "X-Real-IP: 10.0.0.1", "X_Original_Url: /admin",
	}
	how := []string{
		"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X-Forwarded-Method: DELETE",
		"X_HTTP_METHOD_OVERRIDE: DELETE",
	}
	for _, trusted := range []bool{false, true} {
		config := testConfig(t, "public /*")
		config.TrustedPeer = func(*http.Request) bool { return trusted }
		g := newGateway(t, config)
		g.Start()
		g.raw(t, lines(append(append([]string{"GET / HTTP/1.1", "Host: gateway", "X-Forwarded-For: 192.0.2.1"}, where...), how...)...))
		seen := g.upstream.take()
		if len(seen) != 1 {
			t.Fatalf("%d requests upstream", len(seen))
		}
		if strings.Contains(seen[0], "DELETE") || !strings.Contains(seen[0], "X-Forwarded-For: 192.0.2.1") {
			t.Errorf("the upstream saw %q", seen[0])
		}
		for _, header := range where {
			name, _, _ := strings.Cut(header, ":")
			if strings.Contains(strings.ToLower(seen[0]), strings.ToLower(name)+":") != trusted {
				t.Errorf("trusted %v: %s: the upstream saw %q", trusted, name, seen[0])
			}
		}
	}
}

// Ensure that trailers carry neither credentials nor identities, announced or
// not (H16), and that other announced ones arrive.
func TestTrailersCannotCarryIdentity(t *testing.T) {
	g := newGateway(t, testConfig(t, "allow /a", "public /p"))
	g.Start()
	for _, target := range []string{"/a", "/p"} {
		for _, announced := range []string{"Trailer: X-Checksum, X-Auth-Subject, Authorization, X-Real-IP", "Trailer: X-Checksum", "X-None: announced"} {
			response := g.raw(t, lines("POST "+target+" HTTP/1.1", "Host: gateway", "Authorization: Bearer user", "Transfer-Encoding: chunked", announced)+
				"5\r\nhello\r\n0\r\n"+lines("X-Checksum: 7", "X-Auth-Subject: eve", "X_Auth_Subject: eve", "Authorization: Bearer eve", "X-Real-IP: eve"))
			seen := g.upstream.take()
			if response.StatusCode != http.StatusOK || len(seen) != 1 || !strings.Contains(seen[0], "hello") {
				t.Fatalf("%s, %s: status %d, the upstream saw %q", target, announced, response.StatusCode, seen)
			}
			if strings.Contains(seen[0], "eve") {
				t.Errorf("%s, %s: the upstream saw %q", target, announced, seen[0])
			}
			if strings.Contains(seen[0], "X-Checksum: 7") != strings.Contains(announced, "X-Checksum") {
				t.Errorf("%s, %s: the upstream saw %q", target, announced, seen[0])
			}
		}
	}
}
