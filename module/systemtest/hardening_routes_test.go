// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// verdict is what a target must meet at both policies, asked with a token of
// scope user: admin.localhost closes /admin/*, open.localhost opens /pub/* (and
// is asked without a token).
type verdict int

const (
	ambiguous verdict = iota // 400: two servers could read it differently
	closed                   // it means /admin/…: 403, and at the open site 401
	ordinary                 // it means neither: 200, and at the open site 401
	opened                   // it means /pub/…: 200 at both
	alike                    // it looks like /admin/…: 400 where that has a row, and at the open site 401
)

// targets are request targets by the row that they belong to.
var targets = []struct {
	row    string
	want   verdict
	target string
}{
	// Dot segments, slashes, case.
	{"W01", ambiguous, "/x/../admin/x"},
	{"W01", ambiguous, "/./admin/x"},
	{"W01", ambiguous, "//admin/x"},
	{"W01", ambiguous, "///admin//x"},
	{"W01", ambiguous, "/admin%2fx"},
	{"W01", ambiguous, "/%2fadmin/x"},
	{"W01", ambiguous, "/pub%2F..%2Fadmin/x"},
	{"W01", ambiguous, "/x/%2e%2e/admin/x"},
	{"W01", ambiguous, "/x/.%2E/admin/x"},
	{"W01", ambiguous, "/pub/%2e%2e/admin/x"},
	{"W01", ambiguous, "/pub/../admin/x"},
	{"W01", ambiguous, "/pub/..%2fadmin/x"},
	{"W01", ambiguous, "/admin/%2e%2e/pub/x"},
	{"W01", closed, "/ADMIN/x"},
	{"W01", closed, "/Admin/X"},
	// Path parameters, as servlet containers strip them.
	{"W02", ambiguous, "/..;/admin/x"},
	{"W02", ambiguous, "/pub/..;/admin/x"},
	{"W02", ambiguous, "/admin;x=1/x"},
	{"W02", ambiguous, "/admin;/x"},
	{"W02", ambiguous, "/;/admin/x"},
	{"W02", ambiguous, "/pub;/../admin"},
	{"W02", ambiguous, "/admin%3b/x"},
	// Backslashes, as Windows reads them.
	{"W03", ambiguous, `/admin\x`},
	{"W03", ambiguous, `/x\..\admin\x`},
	{"W03", ambiguous, `/pub\..\admin\x`},
	{"W03", ambiguous, "/%5cadmin%5cx"},
	{"W03", ambiguous, "/pub/..%5Cadmin"},
	// Control bytes and what ends a segment.
	{"W04", ambiguous, "/admin%00/x"},
	{"W04", ambiguous, "/admin%00"},
	{"W04", ambiguous, "/pub/%00/../admin"},
	{"W04", ambiguous, "/admin%09/x"},
	{"W04", ambiguous, "/admin%0a/x"},
	{"W04", ambiguous, "/admin%0d%0aX-Auth-Client:%20eve/x"},
	{"W04", ambiguous, "/admin%1f/x"},
	{"W04", ambiguous, "/admin%7f/x"},
	{"W04", ambiguous, "/admin%20/x"},
	{"W04", ambiguous, "/admin./x"},
	{"W04", ambiguous, "/admin%2e/x"},
	// The query is not the path.
	{"W06", ordinary, "/x?/pub/y"},
	{"W06", ordinary, "/x?a=/../pub/y&b=//;\\"},
	{"W06", closed, "/admin/x?/pub/"},
	{"W06", opened, "/pub/x?/admin/y"},
	// Encoded twice.
	{"W07", ambiguous, "/%2561dmin/x"},
	{"W07", ambiguous, "/admin%252fx"},
	{"W07", ambiguous, "/pub/%252e%252e/admin"},
	{"W07", ambiguous, "/pub/%25%32%65%25%32%65/admin"},
	// Bytes that are no UTF-8, and letters that look like others.
	{"W08", ambiguous, "/admin%c0%afx"},
	{"W08", ambiguous, "/pub/%c0%ae%c0%ae/admin"},
	{"W08", ambiguous, "/admin%ff/x"},
	{"W08", ambiguous, "/%ef%bc%8fadmin/x"}, // some fold a full-width solidus into a solidus
	{"W08", alike, "/adm%c4%b1n/x"},         // and a dotless i into an i
	{"W08", ordinary, "/%c5%bfecret/x"},
	{"W08", ordinary, "/caf%c3%a9"},
	{"W08", ordinary, "/cafe%cc%81"},
	// Segments, not strings of letters.
	{"W13", closed, "/admin"},
	{"W13", ordinary, "/administrator"},
	{"W13", ordinary, "/admin-x/y"},
	{"W13", opened, "/pub"},
	{"W13", ordinary, "/public"},
	// Letters that need no encoding.
	{"W18", closed, "/%61dmin/x"},
	{"W18", closed, "/ad%6Din/x"},
	{"W18", closed, "/ad%6din/%78"},
	{"W18", opened, "/%70ub/x"},
	// Ends.
	{"W19", closed, "/admin/"},
	{"W19", ambiguous, "/admin//"},
	{"W19", ambiguous, "/admin/."},
	{"W19", ambiguous, "/pub/.."},
	{"W19", ambiguous, "/admin/.."},
	{"W19", ambiguous, "/pub/%2e"},
	{"W19", opened, "/pub/"},
	// What must not be refused: ordinary names.
	{"W01", ordinary, "/x/.well-known-ish/...three"},
	{"W01", ordinary, "/a.b/c..d/~e!$&'()*+,=:@-_"},
	{"W01", ordinary, "/"},
}

// statuses returns what a verdict means at admin.localhost with a user's token
// and at open.localhost without a token.
func (v verdict) statuses() (admin, open int) {
	switch v {
	case closed:
		return http.StatusForbidden, http.StatusUnauthorized
	case ordinary:
		return http.StatusOK, http.StatusUnauthorized
	case opened:
		return http.StatusOK, http.StatusOK
	case alike:
		return http.StatusBadRequest, http.StatusUnauthorized
	default:
		return http.StatusBadRequest, http.StatusBadRequest
	}
}

// Ensure that no way of writing a path gets around the row that it belongs to,
// under a policy that closes a part and under one that opens a part; that what
// is let through reaches the upstream as it was judged; and that HTTP/2 comes to
// the same verdicts. Group W.
func TestPathTricksDoNotChangeTheRow(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, guardedH2, u.env())
	user := "Authorization: Bearer " + g.shopToken("user")
	h2 := g.dialH2()
	for _, c := range targets {
		adminWant, openWant := c.want.statuses()
		for _, site := range []struct {
			host  string
			want  int
			lines []string
		}{{"admin.localhost", adminWant, []string{user}}, {"open.localhost", openWant, nil}} {
			before := u.count()
			got := g.get(site.host, c.target, site.lines...).status
			if got != site.want {
				t.Errorf("%s %s%s: %d, want %d", c.row, site.host, c.target, got, site.want)
			}
			arrived := u.count() - before
			switch {
			case got != http.StatusOK && arrived != 0:
				t.Errorf("%s %s%s: refused, yet it reached the upstream", c.row, site.host, c.target)
			case got == http.StatusOK && u.last().RequestURI != c.target:
				t.Errorf("%s %s%s: the upstream got %s", c.row, site.host, c.target, u.last().RequestURI)
			}
			if h2got := h2.get(site.host+":"+g.port, c.target, site.lines...); h2got != got {
				t.Errorf("W10 %s%s: %d over HTTP/1.1, %d over HTTP/2", site.host, c.target, got, h2got)
			}
		}
	}
}

// Ensure that targets which are not paths meet the guard too or are refused, and
// never reach the upstream unjudged. Row W09.
func TestTargetsThatAreNoPaths(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	user := "Authorization: Bearer " + g.shopToken("user")
	own := "http://admin.localhost:" + g.port
	if a := g.get("admin.localhost", own+"/x", user); a.status != http.StatusOK {
		t.Errorf("absolute form: %d", a.status)
	}
	untouched(t, u, func() {
		for _, c := range []struct {
			method, target string
			want           []int
		}{
			{"GET", own + "/admin/x", []int{403}},
			{"GET", "http://open.localhost:" + g.port + "/x/../admin", []int{400}},
			{"GET", "http://u:p@admin.localhost:" + g.port + "/admin/x", []int{400, 403, 421}},
			{"GET", "http://elsewhere.localhost/admin/x", []int{200, 400, 403, 404, 421}}, // no site of ours: Caddy answers
			{"GET", "*", []int{400}},
			{"OPTIONS", "*", []int{200, 400, 403, 405}}, // net/http answers it itself
			{"CONNECT", "admin.localhost:" + g.port, []int{400, 405}},
			{"CONNECT", "/admin/x", []int{400, 405}},
			{"GET", "admin/x", []int{400}},
			{"GET", "?admin", []int{400}},
			{"GET", "/%zz/admin", []int{400}},
			{"GET", "/admin\x00/x", []int{400}},
		} {
			if got := g.request(c.method, "admin.localhost", c.target, "", user).status; !has(c.want, got) {
				t.Errorf("%s %q: %d, want one of %v", c.method, c.target, got, c.want)
			}
		}
	})
	for _, host := range []string{"ADMIN.localhost", "admin.localhost."} {
		untouched(t, u, func() { g.get(host, "/admin/x", user) })
	}
}

func has(list []int, n int) bool {
	for _, m := range list {
		if m == n {
			return true
		}
	}
	return false
}

// Ensure that a method gets what its row says and no other does: HEAD follows
// GET, unknown ones and lower-case twins have no row. Row W15.
func TestMethodsMeetTheirOwnRow(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	read := "Authorization: Bearer " + g.shopToken("read")
	write := "Authorization: Bearer " + g.shopToken("write")
	for _, method := range []string{"GET", "HEAD"} {
		if got := g.request(method, "api.localhost", "/orders/1", "", read).status; got != http.StatusOK {
			t.Errorf("%s with the scope: %d", method, got)
		}
		untouched(t, u, func() {
			if got := g.request(method, "api.localhost", "/orders/1", "", write).status; got != http.StatusForbidden {
				t.Errorf("%s with another scope: %d", method, got)
			}
		})
	}
	if got := g.request("POST", "api.localhost", "/orders", "x", write).status; got != http.StatusOK {
		t.Errorf("POST with the scope: %d", got)
	}
	untouched(t, u, func() {
		for _, method := range []string{"get", "Get", "FOO", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "PROPFIND", "QUERY"} {
			for _, token := range []string{read, write} {
				switch got := g.request(method, "api.localhost", "/orders/1", "", token).status; got {
				case http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusBadRequest, http.StatusNotImplemented:
				default:
					t.Errorf("%s: %d", method, got)
				}
			}
		}
		if got := g.request("TRACE", "open.localhost", "/pub/x", "").status; got != http.StatusMethodNotAllowed {
			t.Errorf("TRACE on a public row: %d", got)
		}
	})
}

// Ensure that a path without a row is refused, whoever asks. Row W16.
func TestPathWithoutRowIsRefused(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, guarded+`
http://rows.localhost:{$PORT} {
	oauth2_protect {
		allow GET /a/* user
		public /b
	}
	reverse_proxy {$UPSTREAM}
}
`, u.env())
	good := "Authorization: Bearer " + g.shopToken("user admin read write")
	untouched(t, u, func() {
		for _, path := range []string{"/", "/c", "/b/x", "/ab", "/a.b", "/internal/x"} {
			if got := g.get("rows.localhost", path, good).status; got != http.StatusForbidden && got != http.StatusNotFound {
				t.Errorf("%s: %d", path, got)
			}
		}
		if got := g.get("api.localhost", "/internal/x", good).status; got != http.StatusForbidden && got != http.StatusNotFound {
			t.Errorf("a denied path: %d", got)
		}
	})
	for path, want := range map[string]int{"/a": 200, "/a/": 200, "/a/x": 200, "/b": 200} {
		if got := g.get("rows.localhost", path, good).status; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

// Ensure that the decision is made on the path that goes on to the upstream,
// when the site rewrites it before the guard, and that the path as the client
// wrote it is checked too. Row W14.
func TestRewritesAreJudgedAsForwarded(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	const table = `
	oauth2_protect {
		allow /admin/* admin
		allow /* user
	}
	reverse_proxy {$UPSTREAM}
`
	g := start(t, guarded+`
http://rewritten.localhost:{$PORT} {
	rewrite /old/* /admin{uri}`+table+`}
http://stripped.localhost:{$PORT} {
	handle_path /v1/* {`+table+`	}
}
http://prefixed.localhost:{$PORT} {
	uri strip_prefix /v1`+table+`}
`, u.env())
	user := "Authorization: Bearer " + g.shopToken("user")
	untouched(t, u, func() {
		for _, c := range []struct {
			host, target string
			want         int
		}{
			{"rewritten.localhost", "/old/x", 403},
			{"rewritten.localhost", "/old/..;/x", 400},
			{"stripped.localhost", "/v1/admin/x", 403},
			{"stripped.localhost", "/v1/%61dmin/x", 403},
			{"stripped.localhost", "/v1//admin/x", 400},
			{"stripped.localhost", "/v1/x/../admin", 400},
			{"prefixed.localhost", "/v1/admin/x", 403},
			{"prefixed.localhost", "/v1/./admin/x", 400},
			{"prefixed.localhost", "/v1%2fadmin/x", 400},
		} {
			if got := g.get(c.host, c.target, user).status; got != c.want {
				t.Errorf("%s%s: %d, want %d", c.host, c.target, got, c.want)
			}
		}
	})
	for host, target := range map[string]string{"rewritten.localhost": "/x", "stripped.localhost": "/v1/x", "prefixed.localhost": "/v1/x"} {
		if got := g.get(host, target, user).status; got != http.StatusOK || u.last().RequestURI != "/x" {
			t.Errorf("%s%s: %d, upstream got %s", host, target, got, u.last().RequestURI)
		}
	}
}

// Ensure that enormous paths cost next to nothing and never pass. Row W20.
func TestEnormousPathsAreRefusedQuickly(t *testing.T) {
	g, u := startGuarded(t)
	user := "Authorization: Bearer " + g.shopToken("user")
	for name, target := range map[string]string{
		"segments":  strings.Repeat("/a", 7000),
		"long":      "/" + strings.Repeat("a", 16000),
		"dots":      strings.Repeat("/..", 4000) + "/admin",
		"encoded":   "/" + strings.Repeat("%2e%2e%2f", 1500) + "admin",
		"too large": strings.Repeat("/..", 40000),
	} {
		began := time.Now()
		a := g.get("admin.localhost", target, user)
		// The bound is for catastrophic behaviour on a busy machine under the race
		// detector; benchmarks measure the rest.
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		switch {
		case a.status == http.StatusOK && u.last().RequestURI == target && !strings.Contains(target, "dmin"):
		case a.status == http.StatusBadRequest, a.status == http.StatusRequestURITooLong, a.status == http.StatusRequestHeaderFieldsTooLarge:
		default:
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if got := g.call("admin.localhost", "/x", g.shopToken("user")); got != http.StatusOK {
		t.Errorf("afterwards: %d", got)
	}
}

// Ensure that whatever the gateway lets through means, to servers that read
// paths in other ways, nothing more protected than what was asked for. Row W22;
// the guard's own tests do the same without sockets a hundred thousand times.
func TestGeneratedPathsMeanTheSameToEveryUpstream(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	user := g.shopToken("user")
	pieces := []string{"/", "//", "/./", "/../", "admin", "ADMIN", "pub", "%61dmin", "%2f", "%2e", "%2e%2e", "..", ".", ";", ";x=1", `\`, "%5c", "%00", "%25", "2f", "%252f", "%c0%af", "x", "%3b", "%20", "?", "%3f", "#"}
	random := newRandom(t)
	conn := g.dial()
	for range 3000 {
		target := "/"
		for range 1 + random.IntN(7) {
			target += pieces[random.IntN(len(pieces))]
		}
		before := u.count()
		request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: admin.localhost:%s\r\nAuthorization: Bearer %s\r\n\r\n", target, g.port, user)
		if err := conn.send(request); err != nil {
			t.Fatal(err)
		}
		resp, err := conn.response()
		if err != nil {
			t.Fatalf("%q: %v", target, err)
		}
		if _, err := drain(resp); err != nil || resp.Close {
			conn = g.dial()
		}
		if u.count() == before {
			continue
		}
		arrived := u.last().RequestURI
		for name, read := range readings {
			if path := read(arrived); path == "/admin" || strings.HasPrefix(path, "/admin/") {
				t.Errorf("%q was let through as %q, which %s reads as %s", target, arrived, name, path)
			}
		}
	}
}
