// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that a cookie authorizes only what the browser says this origin, or the
// user, has caused, where the request does something or opens a WebSocket.
func TestCookiesNeedTheSameOrigin(t *testing.T) {
	config := everywhere(t, "allow /*")
	config.Resource = nil
	config.StrictAudience = false
	config.Authenticator = tokens{"user": changed(func(p *authz.Principal) { p.Audience = []string{testIssuer} })}
	g := newGateway(t, config)
	g.Start()
	socket := []string{"Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	for headers, same := range map[string]bool{
		"":                            false,
		"Sec-Fetch-Site: same-origin": true,
		"Sec-Fetch-Site: none":        true,
		"Sec-Fetch-Site: same-site":   false,
		"Sec-Fetch-Site: cross-site":  false,
		"Sec-Fetch-Site: ":            false,
		"Sec-Fetch-Site: same-origin|Sec-Fetch-Site: cross-site": false,
		"Origin: http://api.example.com":                         true,
		"Origin: https://api.example.com":                        true, // TLS may end in front
		"Origin: http://API.example.com":                         true,
		"Origin: http://api.example.com:81":                      false,
		"Origin: http://evil.example":                            false,
		"Origin: http://api.example.com.evil.example":            false,
		"Origin: null":                  false,
		"Origin: ":                      false,
		"Origin: ftp://api.example.com": false,
		"Origin: http://api.example.com|Sec-Fetch-Site: cross-site":  false,
		"Origin: http://evil.example|Sec-Fetch-Site: same-origin":    true,
		"Origin: http://api.example.com|Origin: http://evil.example": false,
	} {
		all := []string{"Cookie: tok=user"}
		if headers != "" {
			all = append(all, strings.Split(headers, "|")...)
		}
		want := map[bool]int{true: 200, false: 403}[same]
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			if response := g.raw(t, fetch(method, "/x", all...)); response.StatusCode != want {
				t.Errorf("%s with %q: %d", method, headers, response.StatusCode)
			}
		}
		handshake := strings.Replace(fetch("GET", "/x", append(all, socket...)...), "Connection: close", "Connection: Upgrade", 1)
		if response := g.raw(t, handshake); response.StatusCode != want {
			t.Errorf("WebSocket with %q: %d", headers, response.StatusCode)
		}
		if response := g.raw(t, fetch("GET", "/x", all...)); response.StatusCode != 200 {
			t.Errorf("GET with %q: %d", headers, response.StatusCode)
		}
		explicit := append([]string{"Authorization: Bearer user"}, all...)
		if response := g.raw(t, fetch("POST", "/x", explicit...)); response.StatusCode != 200 {
			t.Errorf("POST with a header, a cookie and %q: %d", headers, response.StatusCode)
		}
	}
}

// Ensure that https in front of a site makes http another origin.
func TestSameOriginHasTheSameScheme(t *testing.T) {
	g := newGuard(t, everywhere(t, "allow /*")) // its resource is https
	for origin, status := range map[string]int{"https://api.example.com": 200, "http://api.example.com": 403} {
		r := httptest.NewRequest("POST", "http://api.example.com/x", nil)
		r.Header.Set("Cookie", "tok=user")
		r.Header.Set("Origin", origin)
		if w, _, _ := serve(t, r, g); w.Code != status {
			t.Errorf("%s: %d", origin, w.Code)
		}
	}
}

// Ensure that a page that a cookie opened does not come out of a cache for the next
// one who asks: caches heed the Authorization header alone.
func TestAttackPageOfACookieInACache(t *testing.T) {
	g := newGuard(t, everywhere(t, "allow /a", "public /p"))
	for request, want := range map[string]string{"/a tok=user": "private", "/p tok=user": "", "/p ": ""} {
		target, cookie, _ := strings.Cut(request, " ")
		r := httptest.NewRequest("GET", target, nil)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		if w, seen, _ := serve(t, r, g); seen == nil || w.Header().Get("Cache-Control") != want {
			t.Errorf("%s: %d %q", request, w.Code, w.Header())
		}
	}
}

// FuzzTakeCookie checks the reader of cookies against net/http's.
func FuzzTakeCookie(f *testing.F) {
	for _, seed := range []string{"", "tok=x", "a=b; tok=x;c", "tok=x; tok=y", `tok="x"`, "tok = x", "tok=\t0", "tok=x ;a=b", ";;tok=x;"} {
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		if !httpguts.ValidHeaderFieldValue(first) || !httpguts.ValidHeaderFieldValue(second) {
			return // refused by net/http's servers (RFC 9110 §5.5)
		}
		if strings.Count(first+second, ";") > 1000 {
			return // net/http reads none of so many
		}
		h := http.Header{"Cookie": {first, second}}
		var theirs []string
		var others int
		for _, c := range (&http.Request{Header: h}).Cookies() {
			if c.Name == "tok" {
				theirs = append(theirs, c.Value)
			} else {
				others++
			}
		}
		token, found := takeCookie(h, "tok", false)
		left := (&http.Request{Header: h}).Cookies()
		for _, c := range left {
			if c.Name == "tok" {
				t.Errorf("%q, %q: left %q", first, second, h)
			}
		}
		if len(left) != others {
			t.Errorf("%q, %q: lost others: %q", first, second, h)
		}
		if found == present && (len(theirs) != 1 || theirs[0] != token) {
			t.Errorf("%q, %q: found %q, net/http finds %q", first, second, token, theirs)
		}
	})
}
