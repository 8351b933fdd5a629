// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package handle

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// intent is what a handle carries in the tests.
type intent struct {
	Where string `cbor:"1,keyasint"`
}

// world is a keeper above a real store, and a clock.
type world struct {
	Keeper
	db    *tokenstore.DB
	ahead atomic.Int64 // how far the clock is ahead of the machine's
}

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{}
	w.db, err = tokenstore.Open(t.Context(), store, tokenstore.Options{
		SealKeys: []tokenstore.SealKey{tokenstore.GenerateSealKey()},
		Now:      func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	w.Keeper = Keeper{Store: func(context.Context) (*tokenstore.DB, error) { return w.db, nil }, Secure: true}
	return w
}

// browser returns a request of a browser that has the cookies of an answer.
func browser(answer *httptest.ResponseRecorder) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://auth.example.com/", nil)
	for _, c := range answer.Result().Cookies() {
		r.AddCookie(c)
	}
	return r
}

// sealed makes a handle in a new browser.
func (w *world) sealed(t testing.TB) (text string, r *http.Request) {
	t.Helper()
	answer := httptest.NewRecorder()
	binding := w.Binding(answer, httptest.NewRequest(http.MethodGet, "https://auth.example.com/", nil))
	text, err := w.Seal(t.Context(), "consent", binding, time.Hour, intent{"there"})
	if err != nil {
		t.Fatal(err)
	}
	return text, browser(answer)
}

// Ensure that a handle opens in its own browser, for what it was made for, while
// it lasts, and as it was made.
func TestHandleOpensInItsBrowserOnly(t *testing.T) {
	w := newWorld(t)
	text, own := w.sealed(t)
	_, other := w.sealed(t)
	var got intent
	if _, err := w.Open(t.Context(), own, "consent", text, &got); err != nil || got.Where != "there" {
		t.Fatalf("in its own browser: %v, %+v", err, got)
	}
	for name, try := range map[string]struct {
		r             *http.Request
		purpose, text string
	}{
		"another browser": {other, "consent", text},
		"no cookie":       {httptest.NewRequest(http.MethodGet, "/", nil), "consent", text},
		"another purpose": {own, "sign in", text},
		"cut off":         {own, "consent", text[:len(text)-4]},
		"changed":         {own, "consent", text[:40] + swap(text[40]) + text[41:]},
		"no base64":       {own, "consent", "%" + text[1:]},
		"nothing":         {own, "consent", ""},
		"far too long":    {own, "consent", strings.Repeat("A", MaxLength+1)},
	} {
		if _, err := w.Open(t.Context(), try.r, try.purpose, try.text, &got); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.ahead.Add(int64(time.Hour))
	if _, err := w.Open(t.Context(), own, "consent", text, &got); !errors.Is(err, ErrInvalid) {
		t.Errorf("after an hour: %v", err)
	}
}

// swap returns another letter.
func swap(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

// Ensure that a handle is used up once, whatever else tries at the same time.
func TestHandleIsSpentOnce(t *testing.T) {
	w := newWorld(t)
	text, own := w.sealed(t)
	var got intent
	won := make(chan bool)
	for range 10 {
		opened, err := w.Open(t.Context(), own, "consent", text, &got)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			change := w.db.NewChange()
			Spend(change, opened)
			_, err := w.db.Commit(t.Context(), change)
			if err != nil && !errors.Is(err, tokenstore.ErrConflict) {
				t.Error(err)
			}
			won <- err == nil
		}()
	}
	winners := 0
	for range 10 {
		if <-won {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d have used it up", winners)
	}
}

// Ensure that a browser keeps its cookie, that a cookie not made here is none, and
// that two are none (row U07).
func TestBindingIsOurOwnCookie(t *testing.T) {
	w := newWorld(t)
	answer := httptest.NewRecorder()
	binding := w.Binding(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Binding(answer, httptest.NewRequest(http.MethodGet, "/", nil)) != binding || len(answer.Result().Cookies()) != 1 {
		t.Error("one answer gives a browser two cookies")
	}
	again := httptest.NewRecorder()
	if w.Binding(again, browser(answer)) != binding || len(again.Header()) > 0 {
		t.Error("a browser that has a cookie gets another one")
	}
	c := answer.Result().Cookies()[0]
	if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %v", c)
	}
	for name, cookies := range map[string][]string{
		"somebody's text": {"\x00\x00"}, "too short": {binding[1:]}, "too long": {binding + "A"}, "two": {binding, binding},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for _, value := range cookies {
			r.Header.Add("Cookie", c.Name+"="+value)
		}
		if got := w.Binding(httptest.NewRecorder(), r); got == binding || len(got) != bindingLength {
			t.Errorf("%s: bound to %q", name, got)
		}
	}
}

// Ensure that only what a page of ours sent counts as such (row U01).
func TestSameOriginMustBeSaid(t *testing.T) {
	const own = "https://auth.example.com"
	for _, c := range []struct {
		site, origin string
		want         bool
	}{
		{"same-origin", "", true}, {"same-origin", own, true}, {"", own, true},
		{"", "", false}, {"", "null", false}, {"", "https://auth.example.com.evil", false}, {"", "http://auth.example.com", false},
		{"cross-site", own, false}, {"same-site", own, false}, {"none", own, false},
	} {
		r := httptest.NewRequest(http.MethodPost, own, nil)
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if SameOrigin(r, own) != c.want {
			t.Errorf("Sec-Fetch-Site %q, Origin %q: not %v", c.site, c.origin, c.want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	text, own := w.sealed(f)
	f.Add(text)
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, tried string) {
		var got intent
		if _, err := w.Open(context.Background(), own, "consent", tried, &got); err == nil && tried != text {
			t.Errorf("%q opens", tried)
		} else if err != nil && !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
}
