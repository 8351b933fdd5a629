// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that challenges carry the attributes of the configuration after their
// own (B20), and that none can stand in for those.
func TestFurtherAttributes(t *testing.T) {
	config := testConfig(t, "allow /*")
	config.Challenge = map[string]string{"x-version": `2 "b"`, "support": "mail us"}
	for _, token := range []string{"", "bogus"} {
		w, _, _ := serve(t, get("GET", "/x", token), newGuard(t, config))
		if got := w.Header().Get("WWW-Authenticate"); !strings.HasSuffix(got, `, support="mail us", x-version="2 \"b\""`) {
			t.Error(got)
		}
	}
	for name, value := range map[string]string{
		"error": "x", "Scope": "x", "REALM": "x", "resource_metadata": "https://evil.example", "max_age": "1", "nonce": "x",
		"a b": "x", "": "x", "a": "", "b": "ü", "c": "a\nb", "d": strings.Repeat("x", MaxAttribute+1),
	} {
		config.Challenge = map[string]string{name: value}
		if _, err := New(config); err == nil {
			t.Errorf("%q: %q loads", name, value)
		}
	}
	config.Challenge = map[string]string{"a": "x", "A": "y"}
	if _, err := New(config); err == nil {
		t.Error("one name in two spellings")
	}
}

// Ensure that who opens a page in a browser is answered by one, and that scripts,
// pictures and programs get JSON; the rest of the answer is the same.
func TestPageForBrowsers(t *testing.T) {
	config := testConfig(t, "allow /*")
	config.ErrorURI = func(code string) string { return "https://auth.example.com/errors/" + code }
	config.Page = func(w http.ResponseWriter, _ *http.Request, refusal *authz.Error, uri string) error {
		w.Header().Set("X-Page", uri)
		w.WriteHeader(refusal.Status)
		return nil
	}
	g := newGuard(t, config)
	const html = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
	for headers, page := range map[string]bool{
		html:                               true,
		html + "|Sec-Fetch-Mode: navigate": true,
		"Accept: application/json|Accept: TEXT/HTML": true,
		html + "|Sec-Fetch-Mode: cors":               false,
		html + "|Sec-Fetch-Mode: no-cors":            false,
		html + "|X-Requested-With: XMLHttpRequest":   false,
		"Accept: */*":              false,
		"Accept: application/json": false,
		"Accept: text/htmlx":       false,
		"Sec-Fetch-Mode: navigate": false,
	} {
		r := httptest.NewRequest("GET", "/x", nil)
		for header := range strings.SplitSeq(headers, "|") {
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Add(name, value)
		}
		w, _, err := serve(t, r, g)
		if err != nil || w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q %v", headers, w.Code, w.Header(), err)
		}
		if got := w.Header().Get("X-Page") == "https://auth.example.com/errors/credential_required"; got != page || page == (w.Header().Get("Content-Type") == "application/json") {
			t.Errorf("%s: %q", headers, w.Header())
		}
	}
	config.PassErrors = true
	r := httptest.NewRequest("GET", "/x", nil)
	r.Header.Set("Accept", "text/html")
	if w, _, err := serve(t, r, newGuard(t, config)); err == nil || w.Header().Get("X-Page") != "" {
		t.Error("a page where the caller answers itself")
	}
}
