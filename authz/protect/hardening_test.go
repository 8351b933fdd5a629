// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// ambiguousTargets are request targets by which one of several servers behind
// gateways was reached past a rule for /admin, or out of an open /pub.
var ambiguousTargets = map[string]string{
	"dot segments":                 "/x/../admin/x",
	"dot segment, single":          "/./admin/x",
	"dot segments, out of pub":     "/pub/../admin",
	"dot segments, encoded":        "/x/%2e%2e/admin/x",
	"dot segments, half encoded":   "/pub/.%2E/admin",
	"dot segment at the end":       "/pub/..",
	"dot at the end":               "/admin/.",
	"doubled slashes":              "//admin/x",
	"doubled slashes, inside":      "/pub//admin",
	"doubled slashes, many":        "///admin//x",
	"encoded slash":                "/admin%2fx",
	"encoded slash, upper case":    "/pub%2F..%2Fadmin",
	"encoded slash at the start":   "/%2fadmin/x",
	"path parameters":              "/admin;x=1/x",
	"path parameters, empty":       "/admin;/x",
	"path parameters, encoded":     "/admin%3bx/x",
	"path parameters on dots":      "/pub/..;/admin",
	"path parameters on dots, 2":   "/..;/admin/x",
	"path parameters on dots, 3":   "/pub/..;a=b/admin",
	"path parameters on encoded":   "/pub/%2e%2e;/admin",
	"backslash":                    `/admin\x`,
	"backslash, dots":              `/pub\..\admin\x`,
	"backslash, encoded":           "/%5cadmin%5cx",
	"backslash, dots, encoded":     "/pub/..%5cadmin",
	"NUL":                          "/admin%00/x",
	"NUL before a suffix":          "/pub/x%00.css",
	"tab":                          "/admin%09/x",
	"line feed":                    "/admin%0ax",
	"carriage return":              "/admin%0d/x",
	"delete":                       "/admin%7f/x",
	"space at a segment's end":     "/admin%20/x",
	"dot at a segment's end":       "/admin./x",
	"dots at a segment's end":      "/admin../x",
	"three dots":                   "/pub/.../admin",
	"dots and spaces":              "/pub/..%20/admin",
	"space alone":                  "/pub/%20/admin",
	"number sign":                  "/admin%23/x",
	"number sign, raw":             "/admin#/x",
	"question mark, encoded":       "/admin%3f/x",
	"encoded twice, letter":        "/%2561dmin/x",
	"encoded twice, slash":         "/admin%252fx",
	"encoded twice, digits too":    "/admin%25%32%66x",
	"encoded three times":          "/admin%25252fx",
	"encoded twice, dots":          "/pub/%252e%252e/admin",
	"encoded for IIS":              "/admin%25u002fx",
	"overlong slash":               "/admin%c0%afx",
	"overlong dot":                 "/pub/%c0%ae%c0%ae/admin",
	"invalid UTF-8":                "/admin%ff/x",
	"truncated UTF-8":              "/admin%e2%82/x",
	"full-width solidus":           "/%ef%bc%8fadmin/x",
	"full-width dots":              "/pub/%ef%bc%8e%ef%bc%8e/admin",
	"full-width letters":           "/%ef%bd%81dmin/x",
	"dotless i":                    "/adm%c4%b1n/x",
	"dotted capital I":             "/ADM%C4%B0N/x",
	"division slash":               "/admin%e2%88%95x",
	"slash after an encoded slash": "/pub/%2f/admin",
}

// restrictedTargets mean /admin to everybody.
var restrictedTargets = map[string]string{
	"plain":                     "/admin/x",
	"the path itself":           "/admin",
	"a trailing slash":          "/admin/",
	"upper case":                "/ADMIN/x",
	"encoded letter":            "/%61dmin/x",
	"encoded letter, case":      "/ad%6Din/%78",
	"encoded letter, case 2":    "/ad%6din/x",
	"encoded upper-case letter": "/%41dmin/x",
	"a query":                   "/admin/x?/pub/y",
	"a query with dots":         "/admin?a=/../pub",
	"an absolute form":          "http://gateway/admin/x",
	"an absolute form, case":    "HTTP://gateway/Admin/x",
}

// Ensure that what two parsers could read differently is refused and that
// what everybody reads as /admin meets the rule for /admin, where that is
// stricter than the rest (group W of the attack table, first policy).
func TestRulesForAPathCannotBeEvaded(t *testing.T) {
	g := newGateway(t, testConfig(t, "allow /admin/* admin", "allow /* user"))
	g.Start()
	attack(t, g, "Authorization: Bearer user", http.StatusForbidden)
}

// Ensure the same where everything but /pub is protected (second policy).
func TestOpenPathsDoNotLeadElsewhere(t *testing.T) {
	g := newGateway(t, testConfig(t, "public /pub/*", "allow /* user"))
	g.Start()
	attack(t, g, "X-Nothing: here", http.StatusUnauthorized)
}

// attack sends all targets and expects 400, or for those without ambiguity
// the given refusal; letters that only look alike may meet that too.
func attack(t *testing.T, g *gateway, header string, refusal int) {
	for name, target := range ambiguousTargets {
		response := g.raw(t, lines("GET "+target+" HTTP/1.1", "Host: gateway", header, "Connection: close"))
		if s := response.StatusCode; s != http.StatusBadRequest && (s != refusal || scan(target, encoded) != lookalike) {
			t.Errorf("%s: %s was answered with %d", name, target, s)
		}
	}
	for name, target := range restrictedTargets {
		response := g.raw(t, lines("GET "+target+" HTTP/1.1", "Host: gateway", header, "Connection: close"))
		if response.StatusCode != refusal {
			t.Errorf("%s: %s was answered with %d", name, target, response.StatusCode)
		}
	}
	if seen := g.upstream.take(); len(seen) > 0 {
		t.Errorf("the upstream saw %q", seen)
	}
}

// Ensure that HTTP/2 leads to the same verdicts as HTTP/1.1 (W10).
func TestHTTP2IsJudgedLikeHTTP1(t *testing.T) {
	g := newGateway(t, testConfig(t, "allow /admin/* admin", "allow /* user"))
	g.EnableHTTP2 = true
	g.StartTLS()
	client := g.Client()
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: client.Transport.(*http.Transport).TLSClientConfig.RootCAs}
	check := func(name, target string, want int) {
		if !strings.HasPrefix(target, "/") || strings.Contains(target, "#") {
			return // forms of HTTP/1.1
		}
		u, err := url.Parse(g.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.Opaque = "//" + u.Host + target
		r := &http.Request{Method: "GET", URL: u, Header: http.Header{"Authorization": {"Bearer user"}}, Host: u.Host}
		response, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = response.Body.Close()
		if s := response.StatusCode; response.ProtoMajor != 2 || s != want && (s != http.StatusForbidden || scan(target, encoded) != lookalike) {
			t.Errorf("%s: %s was answered with %d over %s", name, target, s, response.Proto)
		}
	}
	for name, target := range ambiguousTargets {
		check(name, target, http.StatusBadRequest)
	}
	for name, target := range restrictedTargets {
		check(name, target, http.StatusForbidden)
	}
	if seen := g.upstream.take(); len(seen) > 0 {
		t.Errorf("the upstream saw %q", seen)
	}
}

// Ensure that forms of targets without a path, tunnels and echoes are refused (W09, W15).
func TestTunnelsAndOddTargetsAreRefused(t *testing.T) {
	g := newGateway(t, testConfig(t, "public /*"))
	g.Start()
	for request, want := range map[string]int{
		"CONNECT upstream:80 HTTP/1.1":     http.StatusMethodNotAllowed,
		"CONNECT / HTTP/1.1":               http.StatusMethodNotAllowed,
		"OPTIONS * HTTP/1.1":               http.StatusMethodNotAllowed,
		"TRACE / HTTP/1.1":                 http.StatusMethodNotAllowed,
		"GET * HTTP/1.1":                   http.StatusBadRequest,
		"GET http://eve@gateway/ HTTP/1.1": http.StatusBadRequest,
		"GET ftp://gateway/ HTTP/1.1":      http.StatusBadRequest,
		"get / HTTP/1.1":                   http.StatusForbidden,
		"FOO / HTTP/1.1":                   http.StatusForbidden,
	} {
		response := g.raw(t, lines(request, "Host: gateway", "Connection: close"))
		if response.StatusCode != want {
			t.Errorf("%s was answered with %d, not %d", request, response.StatusCode, want)
		}
	}
	if seen := g.upstream.take(); len(seen) > 0 {
		t.Errorf("the upstream saw %q", seen)
	}
}

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

// Ensure that a request whose trailers are not known yet is not the server's
// own, into which the server will write whatever arrives.
func TestRequestsWithOpenEndAreSeparated(t *testing.T) {
	g := newGuard(t, testConfig(t, "public /p"))
	r := get("POST", "/p", "")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("hello")), -1
	if _, seen, err := serve(t, r, g); err != nil || seen == nil || seen.request == r {
		t.Errorf("the request is the server's own: %v", err)
	}
}

// Ensure that a refusal does not wait for a body that the client holds back
// until it is asked for it (H17).
func TestRefusalComesBeforeTheBody(t *testing.T) {
	g := newGateway(t, testConfig(t, "allow /*"))
	g.Start()
	response := g.raw(t, lines("POST / HTTP/1.1", "Host: gateway", "Content-Length: 1000000000", "Expect: 100-continue"))
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("the answer is %d", response.StatusCode)
	}
}

// Ensure that what follows a refused request on its connection is not taken
// for a request of its own by the upstream (B01).
func TestSmuggledRequestsDoNotArrive(t *testing.T) {
	g := newGateway(t, testConfig(t, "public POST /p", "allow /admin/* admin"))
	g.Start()
	smuggled := "GET /admin/x HTTP/1.1\r\nHost: gateway\r\n\r\n"
	for _, request := range []string{
		lines("POST /p HTTP/1.1", "Host: gateway", "Content-Length: 4", "Transfer-Encoding: chunked") + "0\r\n\r\n" + smuggled,
		lines("POST /p HTTP/1.1", "Host: gateway", "Transfer-Encoding: chunked") + "0\r\nX: y\r\n\r\n" + smuggled,
		lines("POST /p HTTP/1.1", "Host: gateway", "Content-Length: "+strconv.Itoa(len(smuggled))) + smuggled,
	} {
		g.raw(t, request)
		for _, seen := range g.upstream.take() {
			if strings.HasPrefix(seen, "GET /admin") {
				t.Errorf("%q: the upstream saw %q", request, seen)
			}
		}
	}
}

// Ensure that a very long path is answered cheaply and not passed (W20).
func TestLongPathsAreRefusedCheaply(t *testing.T) {
	g := newGuard(t, testConfig(t, "allow /a/*/b/*/c", "allow /* user"))
	for _, path := range []string{
		strings.Repeat("/a", 8000), strings.Repeat("/a/*", 4000), "/" + strings.Repeat("../", 10000), "/" + strings.Repeat("%2561", 3000),
	} {
		w, seen, err := serve(t, get("GET", path, ""), g)
		if err != nil || seen != nil || w.Code/100 != 4 {
			t.Errorf("%.20q…: status %d, %v", path, w.Code, err)
		}
	}
}

// Ensure that answers do not tell whether something is behind the guard (S20),
// are not kept by caches, and have no body for HEAD.
func TestRefusalsAreAlike(t *testing.T) {
	g := newGateway(t, testConfig(t, "allow /* user"))
	g.Start()
	var bodies []string
	for _, target := range []string{"/there", "/not-there"} {
		response := g.raw(t, lines("GET "+target+" HTTP/1.1", "Host: gateway"))
		body, _ := io.ReadAll(response.Body)
		bodies = append(bodies, string(body)+response.Header.Get("WWW-Authenticate"))
		if response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: headers %v", target, response.Header)
		}
	}
	if bodies[0] != bodies[1] || bodies[0] == "" {
		t.Errorf("answers differ: %q", bodies)
	}
	response := g.raw(t, lines("HEAD / HTTP/1.1", "Host: gateway", "Connection: close"))
	if body, _ := io.ReadAll(response.Body); len(body) > 0 || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("HEAD: %d, %q", response.StatusCode, body)
	}
}

// Ensure that a method which a wide row names does not get past the stricter row
// of a narrower path, which names no methods: neither deny nor another scope.
func TestUncommonMethodDoesNotFallThroughToAWiderRow(t *testing.T) {
	g := newGuard(t, testConfig(t, "allow GET PROPFIND /* user", "deny /internal/*", "allow /admin/* admin", "allow REPORT /admin/audit user"))
	for request, status := range map[string]int{
		"PROPFIND /files":       http.StatusOK,
		"PROPFIND /internal":    http.StatusForbidden,
		"PROPFIND /internal/x":  http.StatusForbidden,
		"PROPFIND /admin/x":     http.StatusForbidden,
		"PROPFIND /admin/audit": http.StatusForbidden,
		"REPORT /admin/audit":   http.StatusOK,
		"MKCOL /admin/x":        http.StatusForbidden,
	} {
		method, path, _ := strings.Cut(request, " ")
		w, _, err := serve(t, get(method, "https://api.example.com"+path, "user"), g)
		if err != nil || w.Code != status {
			t.Errorf("%s: %d %v, expected %d", request, w.Code, err, status)
		}
	}
}

// Ensure that a request of TLS early data, which anybody on the way can repeat,
// changes nothing in the name of its credential (RFC 8470).
func TestReplayableRequestsAreRefused(t *testing.T) {
	c := testConfig(t, "allow /* user", "optional /free/*", "public /open/*")
	c.EarlyData = func(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }
	g := newGuard(t, c)
	for _, test := range []struct {
		method, path, token string
		status              int
	}{
		{"POST", "/orders", "user", http.StatusTooEarly},
		{"DELETE", "/orders/1", "user", http.StatusTooEarly},
		{"POST", "/free/orders", "user", http.StatusTooEarly},
		{"POST", "/orders", "", http.StatusUnauthorized},
		{"POST", "/free/orders", "", http.StatusOK},
		{"POST", "/open/orders", "user", http.StatusOK},
		{"GET", "/orders", "user", http.StatusOK},
		{"HEAD", "/orders", "user", http.StatusOK},
	} {
		r := get(test.method, "https://api.example.com"+test.path, test.token)
		r.TLS.HandshakeComplete = false
		if w, _, err := serve(t, r, g); err != nil || w.Code != test.status {
			t.Errorf("%s %s in early data: %d %v, expected %d", test.method, test.path, w.Code, err, test.status)
		}
		r = get(test.method, "https://api.example.com"+test.path, test.token)
		if w, _, err := serve(t, r, g); err != nil || w.Code == http.StatusTooEarly {
			t.Errorf("%s %s after the handshake: %d %v", test.method, test.path, w.Code, err)
		}
	}
}
