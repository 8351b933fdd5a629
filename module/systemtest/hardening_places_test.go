// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"fmt"
	"net"
	"net/http"
	"net/http/fcgi"
	"strings"
	"testing"
)

// places is a configuration of guards that take tokens from everywhere.
var places = guarded + `
http://places.localhost:{$PORT} {
	log
	oauth2_protect {
		accept bearer {
			query
			form
			cookie tok
		}
		public /health
		deny /internal/*
		allow /admin/* admin
		allow /* user
	}
	reverse_proxy {$UPSTREAM}
}

http://passing.localhost:{$PORT} {
	log
	oauth2_protect {
		accept bearer {
			query
			cookie tok
		}
		errors pass
		challenge support "mail us"
		allow /* user
	}
	reverse_proxy 127.0.0.1:1
	handle_errors {
		header X-Handled {err.status_code}
		respond "{uri} {http.request.orig_uri} {http.request.orig_uri.query} {header.Cookie}{header.Authorization}"
	}
}

http://fcgi.localhost:{$PORT} {
	oauth2_protect {
		accept bearer {
			query
		}
		allow /* user
	}
	reverse_proxy {$FCGI} {
		transport fastcgi
	}
}
`

// Ensure that a token means the same wherever it comes from, that two of them
// are refused, and that it is in no log and, but for forms, does not go on. Rows
// S10 to S12, B18, B24 to B26, H11 and L02.
func TestTokensFromEveryPlace(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, places, u.env(), "FCGI=127.0.0.1:1")
	user, revoked := g.shopToken("user"), g.shopToken("user")
	g.revoke(revoked)
	const form = "Content-Type: application/x-www-form-urlencoded"
	const own = "Sec-Fetch-Site: same-origin"
	type attempt struct {
		method, target, body string
		lines                []string
	}
	// with returns the requests that carry a token in one place each.
	with := func(path, token string) map[string]attempt {
		return map[string]attempt{
			"header": {"GET", path, "", []string{"Authorization: Bearer " + token}},
			"query":  {"GET", path + "?a=1&access_token=" + token + "&b=2", "", nil},
			"form":   {"POST", path, "a=1&access_token=" + token, []string{form}},
			"cookie": {"POST", path, "", []string{"Cookie: a=1; tok=" + token, own}},
		}
	}
	send := func(a attempt, more ...string) answer {
		return g.request(a.method, "places.localhost", a.target, a.body, append(more, a.lines...)...)
	}
	for _, c := range []struct {
		path, token string
		want        int
	}{{"/x", user, 200}, {"/admin/x", user, 403}, {"/x", revoked, 401}, {"/internal/x", user, 403}, {"/x", user + "x", 401}} {
		for place, a := range with(c.path, c.token) {
			before := u.count()
			if got := send(a); got.status != c.want || (u.count() > before) != (c.want == 200) {
				t.Errorf("%s in the %s: %d, want %d", c.path, place, got.status, c.want)
			}
			if c.want != 200 {
				continue
			}
			hit := u.last()
			if place == "form" {
				if hit.Body != a.body {
					t.Errorf("the form arrived as %q", hit.Body)
				}
			} else if strings.Contains(hit.Raw, c.token) {
				t.Errorf("the token in the %s goes on: %s", place, hit.Raw)
			}
			if place == "query" && hit.RequestURI != "/x?a=1&b=2" || place == "cookie" && hit.Header.Get("Cookie") != "a=1" {
				t.Errorf("around the token: %s", hit.Raw)
			}
		}
	}
	for place, a := range with("/x", user) {
		for second, line := range map[string]string{"header": "Authorization: Bearer " + user, "cookie": "Cookie: tok=" + user} {
			want := http.StatusBadRequest
			if second == "cookie" && place != "cookie" {
				want = http.StatusOK // it counts only where there is nothing else
			}
			if second == "header" && place == "cookie" {
				want = http.StatusOK
			}
			if got := send(a, line); got.status != want {
				t.Errorf("%s and %s: %d, want %d", place, second, got.status, want)
			}
		}
	}
	for _, h := range u.hits() { // whatever was tried
		if len(h.lines("Authorization")) > 0 || strings.Contains(h.Header.Get("Cookie"), "tok") {
			t.Errorf("a token goes on: %s", h.Raw)
		}
	}
	// Where a place is not accepted, what is there proves nothing.
	for place, a := range with("/x", user) {
		if place == "header" {
			continue
		}
		if got := g.request(a.method, "api.localhost", a.target, a.body, a.lines...); got.status != http.StatusUnauthorized {
			t.Errorf("%s where that is not accepted: %d", place, got.status)
		}
	}
	// A form beyond the limit is refused before it goes anywhere; other bodies are not read.
	big := strings.Repeat("x", 1<<20)
	untouched(t, u, func() {
		if got := send(attempt{"POST", "/x", "a=" + big, []string{form, "Authorization: Bearer " + user}}); got.status != http.StatusRequestEntityTooLarge {
			t.Errorf("a form of 1 MiB: %d", got.status)
		}
	})
	if got := send(attempt{"POST", "/x", big, []string{"Content-Type: text/plain", "Authorization: Bearer " + user}}); got.status != 200 || len(u.last().Body) != len(big) {
		t.Errorf("another body of 1 MiB: %d", got.status)
	}
}

// Ensure that no other site can make a browser use the user's cookie: for a
// request that does something, or for a WebSocket.
func TestCookieOfAnotherSitesRequest(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, places, u.env(), "FCGI=127.0.0.1:1")
	cookie := "Cookie: tok=" + g.shopToken("user")
	origin := "http://places.localhost:" + g.port
	for line, own := range map[string]bool{
		"Sec-Fetch-Site: cross-site": false, "Sec-Fetch-Site: same-site": false, "Sec-Fetch-Site: same-origin": true,
		"Origin: http://evil.localhost": false, "Origin: null": false, "Origin: " + origin: true, "X-None: x": false,
	} {
		attack := func() {
			want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[own]
			if a := g.request("POST", "places.localhost", "/x", "", cookie, line); a.status != want {
				t.Errorf("POST with %s: %d", line, a.status)
			}
			if own {
				return
			}
			if a := g.get("places.localhost", "/x", cookie, line, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="); a.status != want || !strings.Contains(a.body, "cross_origin") {
				t.Errorf("WebSocket with %s: %d", line, a.status)
			}
		}
		if own {
			attack()
		} else {
			untouched(t, u, attack)
		}
		if a := g.get("places.localhost", "/x", cookie, line); a.status != http.StatusOK {
			t.Errorf("GET with %s: %d", line, a.status)
		}
	}
}

// Ensure that error routes answer for requests with a token in the URL too, that
// they find none, and that challenge and status are those of the guard.
func TestErrorRoutesFindNoToken(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, places, u.env(), "FCGI=127.0.0.1:1")
	token := g.shopToken("user")
	for query, status := range map[string]int{
		"?a=1&access_token=" + token:                            http.StatusBadGateway, // it may pass, and nothing is behind
		"?a=1&access_token=" + token + "x":                      http.StatusUnauthorized,
		"?access_token=" + token + "&a=1&access_token=" + token: http.StatusBadRequest,
		"?a=1&Access_Token=" + token:                            http.StatusUnauthorized,
	} {
		a := g.get("passing.localhost", "/x"+query, "Cookie: tok="+token+"x", "Authorization: Basic eDp5")
		if a.status != status || a.header.Get("X-Handled") != fmt.Sprint(status) || strings.Contains(a.body, token) || !strings.HasPrefix(a.body, "/x?a=1 /x?a=1 a=1 ") {
			t.Errorf("%s: %d %q %q", query, a.status, a.header, a.body)
		}
		if status != http.StatusBadGateway && !strings.Contains(a.header.Get("WWW-Authenticate"), `support="mail us"`) {
			t.Errorf("%s: %q", query, a.header)
		}
	}
}

// Ensure that services which are told the URL as it was sent do not find a token
// there either.
func TestFastCGIFindsNoToken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen <- fmt.Sprint(r.RequestURI, r.URL, r.Header, fcgi.ProcessEnv(r))
			w.WriteHeader(http.StatusNoContent)
		}))
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	u := newUpstream(t)
	g := start(t, places, u.env(), "FCGI="+l.Addr().String())
	token := g.shopToken("user")
	if a := g.get("fcgi.localhost", "/x?a=1&access_token="+token); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := <-seen; strings.Contains(got, token) || !strings.Contains(got, "a=1") {
		t.Error(got)
	}
}
