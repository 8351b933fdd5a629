// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

const testPrefix = "/oauth"

// plain is the set without any configuration, made once for all tests.
var plain = sync.OnceValues(func() (*Set, error) { return New(Config{Prefix: testPrefix}) })

func newSet(t testing.TB, c Config) *Set {
	t.Helper()
	s, err := plain()
	if c != (Config{}) {
		c.Prefix = testPrefix
		s, err = New(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func request(language string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://auth.example.com/oauth/signin", nil)
	r.Header.Set("Accept-Language", language)
	return r
}

func render(t testing.TB, s *Set, language string, page Page) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Render(w, request(language), http.StatusOK, page); err != nil {
		t.Fatal(err)
	}
	return w
}

// Ensure that each page may use its own assets and nothing else, cannot be framed
// or kept, and that only forms that lead to clients may lead away.
func TestPolicies(t *testing.T) {
	const stay = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
	s := newSet(t, Config{})
	for _, page := range allPages {
		h := render(t, s, "", page).Header()
		want := stay + "; form-action 'self'"
		switch page.(type) {
		case Consent, FormPost:
			want = stay
		case Refusal:
			want = s.alonePolicy
		}
		if got := h.Get("Content-Security-Policy"); got != want {
			t.Errorf("%T: %s", page, got)
		}
		for name, value := range map[string]string{
			"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "strict-origin",
			"X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8", "Vary": "Accept-Language",
		} {
			if h.Get(name) != value {
				t.Errorf("%T: %s: %q", page, name, h.Get(name))
			}
		}
	}
	for _, page := range []Page{
		SignIn{Form: Form{Leads: true}}, SecondFactor{Form: Form{Leads: true}}, Chooser{Form: Form{Leads: true}},
		SignUp{Form: Form{Leads: true}}, SignOut{Form: Form{Leads: true}}, PasswordChange{Form: Form{Leads: true}}, PasswordReset{Form: Form{Leads: true}},
	} {
		if got := render(t, s, "", page).Header().Get("Content-Security-Policy"); got != stay {
			t.Errorf("%T: %s", page, got)
		}
	}
}

// Ensure that pages can be rendered by many at once, the first time too.
func TestRenderConcurrently(t *testing.T) {
	s, err := New(Config{Prefix: testPrefix})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 4 {
		for _, page := range []Page{SignIn{}, Consent{}, AccountHome{}} {
			wait.Go(func() {
				if err := s.Render(httptest.NewRecorder(), request("de"), http.StatusOK, page); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
}
