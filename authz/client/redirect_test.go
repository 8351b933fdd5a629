// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"net/url"
	"strings"
	"testing"
)

// R04, R05, R09, R11, R12, R13: what may be registered as a redirect URI, and
// what looks like it.
func TestRedirectURIsThatCanBeRegistered(t *testing.T) {
	for _, uri := range []string{
		"https://app.example.com/cb", "https://app.example.com/cb?tenant=1", "https://app.example.com:8443", "https://xn--bcher-kva.example/",
		"http://127.0.0.1/cb", "http://127.0.0.1:8080/cb", "http://[::1]:9/cb", "http://localhost:3000/cb",
		"com.example.app:/cb", "com.example.app://host/cb",
	} {
		if err := ValidateRedirectURI(uri); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
	for row, uris := range map[string][]string{
		"R04": {"https://app.example.com/cb#x", "https://app.example.com/cb#", "com.example.app:/cb#x"},
		"R05": {"https://good.example@evil.example/cb", "https://a@b@evil.example/", "https://good.example%40evil.example/cb", "http://localhost:80@evil.example/", "https://@evil.example/"},
		"R09": {"https://bücher.example/", "https://app。example.com/cb", "https://ａpp.example.com/cb", "https://app.example.com/\u202ecb"},
		"R11": {"http://app.example.com/cb", "http://10.0.0.1/cb"},
		"R12": {"http://127.0.0.1.evil.example/", "http://127.1/", "http://0x7f.1/", "http://[::ffff:127.0.0.1]/", "http://localhost.evil.example/", "http://127.0.0.2/", "http://[::1%25eth0]/", "http://LOCALHOST/"},
		"R13": {"myapp:/cb", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "urn:ietf:wg:oauth:2.0:oob"},
		"R20": {"https://" + strings.Repeat("[::", 5000), "http://[not-an-ip]/", "https://a/" + strings.Repeat("x", MaxURI), "https:///cb", "https://", "/cb", "cb", "", `https://a\b/`, "https://a/ b"},
	} {
		for _, uri := range uris {
			if ValidateRedirectURI(uri) == nil {
				t.Errorf("%s: %.60s can be registered", row, uri)
			}
		}
	}
}

// R02, R03, R12, R13: a redirect URI is the registered one, to the letter; only at a
// loopback address may the port be another.
func TestRedirectURIsAreExact(t *testing.T) {
	c := &Client{RedirectURIs: []string{
		"https://app.example.com/cb", "https://app.example.com/q?a=1&b=2", "http://127.0.0.1/cb", "http://[::1]:7777/cb",
		"http://localhost:3000/cb", "com.example.app:/cb", "http://127.0.0.1?only=query",
	}}
	for _, uri := range append(c.RedirectURIs, "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://[::1]/cb", "http://[::1]:1024/cb", "http://127.0.0.1:99?only=query") {
		if !c.Redirects(uri) {
			t.Errorf("%s is refused", uri)
		}
	}
	for _, uri := range []string{
		"", "https://app.example.com", "https://app.example.com/cb/", "https://app.example.com/CB", "https://app.example.com/cb/x", "https://app.example.com/cb;x",
		"https://app.example.com/cb/../evil", "https://app.example.com/cb%2f..%2fx", "https://app.example.com/cb/..;/x", "https://APP.example.com/cb",
		"https://app.example.com:443/cb", "https://app.example.com/cb#", "https://app.example.com/cb?", "https://app.example.com/cb?x=1", "https://app.example.com.evil.example/cb",
		"https://app.example.com/q?b=2&a=1", "https://app.example.com/q?a=1", "https://app.example.com/q", "https://app.example.com/q?a=1&b=2&c=3",
		"http://127.0.0.1:0/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:080/cb", "http://127.0.0.1:65536/cb", "http://127.0.0.1:99999999999999999999/cb", "http://127.0.0.1:80@evil.example/cb",
		"http://127.0.0.1:1evil.example/cb", "http://127.0.0.1.evil.example/cb", "http://127.0.0.1:1/cb/", "http://127.0.0.1:1", "https://127.0.0.1/cb", "http://127.1/cb", "http://[::1]:7777/cb?x",
		"http://[::1]evil.example/cb", "http://[::1]@evil.example/cb", "http://localhost:3001/cb", "http://localhost/cb", "com.example.app://evil.example/cb", "com.example.app:/cb2", "http://127.0.0.1#only=query",
	} {
		if c.Redirects(uri) {
			t.Errorf("%s is accepted", uri)
		}
	}
}

// Ensure that what any program on the user's machine could receive is known.
func TestNativeRedirectURIs(t *testing.T) {
	for uri, want := range map[string]bool{
		"https://app.example.com/cb": false, "https://127.0.0.1/cb": false, "http://127.0.0.1:9/cb": true, "http://[::1]/cb": true, "http://localhost:3000/": true, "com.example.app:/cb": true,
	} {
		if IsNative(uri) != want {
			t.Errorf("%s: %v", uri, !want)
		}
	}
}

// FuzzRedirects looks for a URI that is accepted though a browser would be led to
// another place than a registered one.
func FuzzRedirects(f *testing.F) {
	c := &Client{RedirectURIs: []string{"https://app.example.com/cb", "http://127.0.0.1:80/cb", "http://[::1]/cb?x=1", "com.example.app:/cb"}}
	for _, seed := range append(c.RedirectURIs, "http://127.0.0.1:8080/cb", "http://127.0.0.1:1@evil/cb", "http://[::1]:70000/cb?x=1") {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		_ = ValidateRedirectURI(uri) // never panics
		if !c.Redirects(uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.User != nil || u.Fragment != "" {
			t.Fatalf("accepted: %q, %v", uri, err)
		}
		for _, registered := range c.RedirectURIs {
			r, err := url.Parse(registered)
			if err == nil && u.Scheme == r.Scheme && u.Hostname() == r.Hostname() && u.Path == r.Path && u.RawQuery == r.RawQuery && u.Opaque == r.Opaque {
				return
			}
		}
		t.Fatalf("accepted: %q", uri)
	})
}
