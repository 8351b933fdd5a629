// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"crypto/tls"
	"net/http"
	"net/url"
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
