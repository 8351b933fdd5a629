// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// Ensure that facts may be shared between guards but decisions are not: what
// one row let pass another one refuses (V01).
func TestDecisionsAreMadeAnew(t *testing.T) {
	g := newGuard(t, testConfig(t, "allow /a user", "allow /b admin"))
	for target, status := range map[string]int{"/a": 200, "/b": 403} {
		for range 3 {
			if w, _, _ := serve(t, get("GET", target, "user"), g); w.Code != status {
				t.Errorf("%s: %d", target, w.Code)
			}
		}
	}
}

// Ensure that of nested guards each decides by its own table on the
// credential that the outermost took away, and that the innermost upstream wins.
func TestNestedGuards(t *testing.T) {
	outer := testConfig(t, "public /p", "optional /o", "allow /*")
	outer.Upstream = Upstream{Headers: map[string]Fact{"X-Outer": FactSubject}}
	inner := testConfig(t, "public /open/*", "optional /open/o", "allow /* user")
	inner.Authenticator = tokens{"user": principal("user"), "weak": principal("read")}
	outer.Authenticator = inner.Authenticator
	for request, want := range map[string]int{
		"/ user": 200, "/ weak": 403, "/ ": 401,
		"/p user": 200, "/p weak": 403, "/p bogus": 401, "/p ": 401,
		"/o user": 200, "/o ": 401,
	} {
		target, token, _ := strings.Cut(request, " ")
		w, seen, err := serve(t, get("GET", target, token), newGuard(t, outer), newGuard(t, inner))
		if err != nil || w.Code != want {
			t.Errorf("%s: %d, %v", request, w.Code, err)
		}
		if w.Code == 200 && (seen.request.Header.Get("X-Auth-Subject") != "u-17" || seen.request.Header.Get("X-Outer") != "" || seen.request.Header.Get("Authorization") != "" || seen.principal.Subject != "u-17") {
			t.Errorf("%s: upstream got %v", request, seen.request.Header)
		}
	}
	for _, target := range []string{"/open/x", "/open/o"} {
		_, seen, err := serve(t, get("GET", target, "user"), newGuard(t, outer), newGuard(t, inner))
		if public := target == "/open/x"; err != nil || seen == nil || (seen.principal == nil) != public || (seen.request.Header.Get("X-Auth-Subject") == "") != public || seen.request.Header.Get("X-Outer") != "" {
			t.Errorf("%s: %v, %+v", target, err, seen)
		}
	}
	broken := get("GET", "/p", "user")
	broken.Header.Add("Authorization", "Bearer admin")
	if w, _, _ := serve(t, broken, newGuard(t, outer), newGuard(t, inner)); w.Code != 400 {
		t.Errorf("two credentials beyond a public row: %d", w.Code)
	}
	inner.Schemes = []string{"DPoP"}
	for _, target := range []string{"/", "/p"} {
		if w, _, _ := serve(t, get("GET", target, "user"), newGuard(t, outer), newGuard(t, inner)); w.Code != 401 {
			t.Errorf("%s: a scheme that the inner guard does not accept: %d", target, w.Code)
		}
	}
	inner.Schemes, inner.Issuer = nil, "https://elsewhere.example.com"
	if w, _, _ := serve(t, get("GET", "/", "user"), newGuard(t, outer), newGuard(t, inner)); w.Code != 401 {
		t.Errorf("a principal of another issuer: %d", w.Code)
	}
}

// Ensure that of nested guards the innermost also decides whether the service
// learns the credential, and that one set in between stays.
func TestNestedGuardsAndTheCredential(t *testing.T) {
	keeping, usual := testConfig(t, "allow /*"), testConfig(t, "allow /*")
	keeping.Upstream.KeepCredential = true
	for _, c := range []struct {
		outer, inner Config
		between      string
		want         string
	}{
		{usual, usual, "", ""},
		{keeping, usual, "", ""},
		{usual, keeping, "", "Bearer user"},
		{usual, usual, "Basic eA==", "Basic eA=="},
		{usual, usual, "Bearer service", "Bearer service"},
		{usual, keeping, "Bearer service", "Bearer service"},
	} {
		outer, inner := newGuard(t, c.outer), newGuard(t, c.inner)
		r := get("GET", "/", "user")
		err := outer.ServeHTTP(nil, r, func(w http.ResponseWriter, r *http.Request) error {
			if c.between != "" {
				r.Header.Set("Authorization", c.between)
			}
			return inner.ServeHTTP(w, r, func(_ http.ResponseWriter, r *http.Request) error {
				if got := r.Header.Get("Authorization"); got != c.want {
					t.Errorf("%+v: upstream got %q", c, got)
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// Ensure that what others put into the context between two guards survives.
func TestContextBetweenGuardsSurvives(t *testing.T) {
	type key struct{}
	g := newGuard(t, testConfig(t, "allow /*"))
	err := g.ServeHTTP(nil, get("GET", "/", "user"), func(w http.ResponseWriter, r *http.Request) error {
		r = r.WithContext(context.WithValue(r.Context(), key{}, "kept"))
		return g.ServeHTTP(w, r, func(_ http.ResponseWriter, r *http.Request) error {
			if r.Context().Value(key{}) != "kept" {
				t.Error("lost")
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}
