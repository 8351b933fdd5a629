// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package guess_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

func open(t testing.TB) *tokenstore.DB {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	db, err := tokenstore.Open(t.Context(), store, tokenstore.Options{SealKeys: []tokenstore.SealKey{tokenstore.GenerateSealKey()}, CacheEntries: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// browser keeps the cookie that it gets.
type browser struct {
	guess.Browsers
	db     *tokenstore.DB
	cookie *http.Cookie
}

func (b *browser) request() *http.Request {
	r := httptest.NewRequest("GET", "https://auth.example.com/", nil)
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	return r
}

func (b *browser) device(account string) string { return b.Device(b.request(), b.db, account) }

func (b *browser) signIn(account string) {
	w := httptest.NewRecorder()
	b.Remember(w, b.request(), b.db, account)
	b.cookie = w.Result().Cookies()[0]
}

// Ensure that a browser is known for the accounts that have signed in there, for the
// latest of them, and for no other; and that its cookie keeps to itself.
func TestKnownBrowser(t *testing.T) {
	db := open(t)
	b := &browser{Browsers: guess.Browsers{Secure: true}, db: db}
	if b.device("ada") != "" {
		t.Error("a browser without cookie is known")
	}
	b.signIn("ada")
	if c := b.cookie; !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge < 86400 {
		t.Errorf("%v", c)
	}
	id := b.device("ada")
	if id == "" || b.device("grace") != "" || b.device("") != "" {
		t.Errorf("known as %q; another account: %q", id, b.device("grace"))
	}
	for i := range 7 {
		b.signIn(fmt.Sprint("user", i))
		b.signIn(fmt.Sprint("user", i))
	}
	if b.device("ada") != id || b.device("user0") != id {
		t.Error("a sign-in of another account has made the browser another one")
	}
	b.signIn("ada")
	b.signIn("user7")
	if b.device("ada") != id || b.device("user0") != "" || b.device("user7") != id {
		t.Error("not the oldest one was forgotten")
	}
	if len(b.cookie.Value) > 200 {
		t.Errorf("%d bytes", len(b.cookie.Value))
	}
	other := &browser{Browsers: b.Browsers, db: db}
	other.signIn("ada")
	if other.device("ada") == id {
		t.Error("two browsers are one")
	}
	elsewhere := &browser{Browsers: b.Browsers, db: open(t), cookie: b.cookie}
	if elsewhere.device("ada") != "" {
		t.Error("the cookie of another store is known")
	}
}

// Ensure that a cookie that was made up or changed is none, and is replaced.
func TestForgedBrowser(t *testing.T) {
	b := &browser{db: open(t)}
	b.signIn("ada")
	good := b.cookie.Value
	swapped := []byte(good)
	swapped[0] = map[bool]byte{true: 'B', false: 'A'}[swapped[0] == 'A']
	for _, value := range []string{string(swapped), good[:len(good)-3], good + "AA", "A", strings.Repeat("A", 43), strings.Repeat("A", 1<<13), "!!"} {
		b.cookie = &http.Cookie{Name: "oauth2_known", Value: value}
		if b.device("ada") != "" {
			t.Errorf("%.50q is known", value)
		}
		if b.signIn("ada"); b.device("ada") == "" {
			t.Errorf("%.50q keeps the browser from being known", value)
		}
	}
	b.cookie = &http.Cookie{Name: "oauth2_known", Value: good}
	r := b.request()
	r.AddCookie(b.cookie)
	if b.Device(r, b.db, "ada") != "" {
		t.Error("one of two cookies was chosen")
	}
}

// FuzzBrowsers makes sure that no cookie that we did not make is a browser in which an
// account has signed in, and that none is kept that is too long.
func FuzzBrowsers(f *testing.F) {
	db := open(f)
	b := browser{db: db}
	w := httptest.NewRecorder()
	b.Remember(w, b.request(), db, "ann")
	good := w.Result().Cookies()[0]
	for _, value := range []string{good.Value, good.Value + "A", "", "=", strings.Repeat("A", 64), strings.Repeat("A", 192), strings.Repeat("_", 1000)} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := httptest.NewRequest("GET", "https://auth.example.com/", nil)
		r.Header.Set("Cookie", good.Name+"="+value)
		if known := b.Device(r, db, "ann"); known != "" && !strings.HasPrefix(strings.Trim(value, "\" "), good.Value) {
			t.Fatalf("%q is known", value)
		}
		if known := b.Device(r, db, "bob"); known != "" {
			t.Fatalf("%q is known to another account", value)
		}
		w := httptest.NewRecorder()
		b.Remember(w, r, db, "bob")
		if set := w.Result().Cookies(); len(set) != 1 || len(set[0].Value) > 256 {
			t.Fatalf("%q becomes %v", value, set)
		}
	})
}
