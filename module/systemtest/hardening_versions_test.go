// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strings"
	"testing"
)

// pseudoTricks are field sections by which HTTP/2 and HTTP/3 could name another
// request than the one that is judged. user is an Authorization for ordinary
// paths; the one way to be let through is not among them.
func pseudoTricks(scheme, host, user string) map[string][]string {
	other := strings.Replace(host, "admin.", "open.", 1)
	return map[string][]string{
		"two authorizations": {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "/x", "authorization", user, "authorization", user},
		"two paths":          {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "/x", ":path", "/admin/x", "authorization", user},
		"late path":          {":method", "GET", ":scheme", scheme, ":authority", host, "authorization", user, ":path", "/admin/x"},
		"no slash":           {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "admin/x", "authorization", user},
		"absolute path":      {":method", "GET", ":scheme", scheme, ":authority", host, ":path", scheme + "://" + host + "/admin/x", "authorization", user},
		"star":               {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "*", "authorization", user},
		"empty path":         {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "", "authorization", user},
		"other host":         {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "/admin/x", "host", other, "authorization", user},
		"userinfo":           {":method", "GET", ":scheme", scheme, ":authority", "u@" + host, ":path", "/admin/x", "authorization", user},
		"upper-case host":    {":method", "GET", ":scheme", scheme, ":authority", strings.Replace(host, "admin", "ADMIN", 1), ":path", "/admin/x", "authorization", user},
		"connect":            {":method", "CONNECT", ":authority", host, "authorization", user},
		"extended connect":   {":method", "CONNECT", ":protocol", "websocket", ":scheme", scheme, ":authority", host, ":path", "/admin/x", "authorization", user},
		"connection":         {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "/x", "connection", "x-auth-client", "authorization", user},
		"transfer-encoding":  {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "/x", "transfer-encoding", "chunked", "authorization", user},
		"upper-case name":    {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "/x", "X-Auth-Client", "eve", "authorization", user},
		"line break":         {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "/x", "x", "a\r\nx-auth-client: eve", "authorization", user},
		"break in path":      {":method", "GET", ":scheme", scheme, ":authority", host, ":path", "/x\r\nx-auth-client: eve", "authorization", user},
	}
}

// judgePseudoTricks sends all of them to admin.localhost, and a request that
// claims to be somebody.
func judgePseudoTricks(t *testing.T, u *upstream, scheme, host, user string, request func(fields ...string) int) {
	t.Helper()
	ordinary := []string{":method", "GET", ":scheme", scheme, ":authority", host, ":path", "/x", "authorization", user}
	if got := request(ordinary...); got != http.StatusOK {
		t.Fatalf("an ordinary request: %d", got)
	}
	untouched(t, u, func() {
		for name, fields := range pseudoTricks(scheme, host, user) {
			if got := request(fields...); got == http.StatusOK || got >= 500 {
				t.Errorf("%s: %d", name, got)
			}
		}
	})
	request(append(ordinary, "x-auth-client", "eve", "x-auth-subject", "eve")...)
	onlyOurs(t, u.last(), "X-Auth-Client: shop", "X-Auth-Scope: user")
}

// Ensure that HTTP/2's own ways to name a request do not get around the guard.
// Row W10.
func TestPseudoHeaderTricksMeetTheGuard(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, guardedH2, u.env())
	user := "Bearer " + g.shopToken("user")
	judgePseudoTricks(t, u, "http", "admin.localhost:"+g.port, user, g.dialH2().request)
}

// Ensure that HTTP/3 comes to the verdicts of HTTP/1.1 for every way of writing a
// path, and that its own ways to name a request do not get around the guard. Row
// W10.
func TestHTTP3IsJudgedLikeHTTP1(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	secure := freePort(t)
	config := guarded
	for _, site := range []string{"admin", "open"} {
		config = strings.Replace(config, "http://"+site+".localhost:{$PORT} {", "https://"+site+".localhost:{$SECURE} {\n\ttls cert.pem key.pem", 1)
	}
	g := prepare(t, config, u.env(), "SECURE="+secure)
	cert, key := certificate(t)
	g.write("cert.pem", cert)
	g.write("key.pem", key)
	g.start()
	user := "Bearer " + g.shopToken("user")
	h3 := dialH3(t, secure)
	for _, c := range targets {
		adminWant, openWant := c.want.statuses()
		for _, site := range []struct {
			host  string
			want  int
			lines []string
		}{{"admin.localhost", adminWant, []string{"Authorization: " + user}}, {"open.localhost", openWant, nil}} {
			before := u.count()
			if got := h3.get(site.host+":"+secure, c.target, site.lines...); got != site.want {
				t.Errorf("%s %s%s: %d, want %d", c.row, site.host, c.target, got, site.want)
			}
			arrived := u.count() - before
			switch {
			case site.want != http.StatusOK && arrived != 0:
				t.Errorf("%s %s%s: refused, yet it reached the upstream", c.row, site.host, c.target)
			case site.want == http.StatusOK && u.last().RequestURI != c.target:
				t.Errorf("%s %s%s: the upstream got %s", c.row, site.host, c.target, u.last().RequestURI)
			}
		}
	}
	judgePseudoTricks(t, u, "https", "admin.localhost:"+secure, user, h3.request)
}
