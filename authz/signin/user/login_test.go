// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
)

// legacy is an application with a log-in of its own, where sue has the right password.
type legacy struct {
	*httptest.Server
	asked atomic.Int64
	// answer is what becomes of a log-in.
	answer func(w http.ResponseWriter, r *http.Request, ok bool)
	check  int
	last   atomic.Pointer[http.Request]
}

func newLegacy(t *testing.T) *legacy {
	t.Helper()
	l := &legacy{check: http.StatusOK}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		if r.URL.Path == "/check" {
			if r.URL.Query().Get("username") != "sue" || r.URL.Query().Get("key") != "k" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.WriteHeader(l.check)
			return
		}
		name, password, basic := r.BasicAuth()
		if !basic {
			if err := r.ParseForm(); err != nil || r.URL.RawQuery != "" {
				t.Errorf("no form: %v", err)
			}
			name, password = r.PostForm.Get("username"), r.PostForm.Get("password")
		}
		l.last.Store(r)
		l.answer(w, r, name == "sue" && password == right)
	}))
	t.Cleanup(l.Close)
	return l
}

// marks answers with a redirect and a cookie, to another place if it failed.
func marks(w http.ResponseWriter, r *http.Request, ok bool) {
	http.SetCookie(w, &http.Cookie{Name: "visit", Value: "always"})
	if ok {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s"})
		http.Redirect(w, r, "/home?new", http.StatusFound)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: "x", MaxAge: -1})
	http.Redirect(w, r, "/login?failed", http.StatusFound)
}

// bound makes l ready for use.
func bound(t *testing.T, l *Login) *Login {
	t.Helper()
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	client := fetch.New()
	t.Cleanup(client.Close)
	l.Bind(func(context.Context) (*fetch.Client, error) { return client, nil })
	return l
}

// Ensure that the log-in of an application is asked as it wants to be, and that each
// mark of success tells right from wrong; nothing it redirects to is visited.
func TestALogInIsAsked(t *testing.T) {
	app := newLegacy(t)
	for what, login := range map[string]*Login{
		"location":         {Location: "/home?new"},
		"location, begins": {Location: "/home*"},
		"location, whole":  {Location: app.URL + "/home?new"},
		"cookie":           {Cookie: "session"},
		"all":              {Status: []int{302}, Location: "/home*", Cookie: "session", Fields: map[string]string{"remember": "0"}},
	} {
		app.answer = marks
		login.URL = app.URL + "/login"
		l := bound(t, login)
		app.asked.Store(0)
		if _, err := l.Verify(t.Context(), "sue", right+"?"); err != ErrRefused {
			t.Errorf("%s: a wrong password: %v", what, err)
		}
		account, err := l.Verify(t.Context(), "sue", right)
		if err != nil || account.ID != "sue" {
			t.Errorf("%s: %v", what, err)
		}
		if n := app.asked.Load(); n != 2 {
			t.Errorf("%s: %d requests, want 2", what, n)
		}
		if r := app.last.Load(); r.Method != http.MethodPost || r.PostForm.Get("remember") != login.Fields["remember"] || len(r.Cookies()) > 0 {
			t.Errorf("%s: asked by %s %v", what, r.Method, r.PostForm)
		}
	}
	app.answer = func(w http.ResponseWriter, _ *http.Request, ok bool) {
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	basic := bound(t, &Login{URL: app.URL, Basic: true})
	if _, err := basic.Verify(t.Context(), "sue", right); err != nil {
		t.Errorf("basic: %v", err)
	}
	for _, name := range []string{"eve", "sue:" + right, ""} {
		if _, err := basic.Verify(t.Context(), name, right); err != ErrRefused {
			t.Errorf("basic, %s: %v", name, err)
		}
	}
}

// Ensure that a log-in whose marks of success are there in any case lets nobody in.
func TestALogInThatTakesEverybodyIsFoundOut(t *testing.T) {
	app := newLegacy(t)
	app.answer = marks
	for what, login := range map[string]*Login{"cookie": {Cookie: "visit"}, "status": {Status: []int{302}}} {
		login.URL = app.URL
		if _, err := bound(t, login).Verify(t.Context(), "sue", right); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Ensure that trouble of the application is trouble, and refuses nobody for good, and
// that no error holds a password.
func TestTroubleOfALogInIsNoRefusal(t *testing.T) {
	app := newLegacy(t)
	l := bound(t, &Login{URL: app.URL, Location: "/home*", Check: app.URL + "/check?key=k"})
	w := newWorld(t, NamedSource{"app", l})
	app.answer = marks
	rec, err := w.Verify(t.Context(), "sue", right)
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{500, 503, 429} {
		app.answer = func(w http.ResponseWriter, _ *http.Request, _ bool) { w.WriteHeader(status) }
		app.check = status
		err := w.verify("sue", right)
		wantError(t, "sign-in", err, authz.ErrTemporarilyUnavailable)
		if strings.Contains(err.Error(), right) {
			t.Errorf("the error is %v", err)
		}
		_, _, err = w.Present(t.Context(), rec.Value.Subject)
		wantError(t, "refresh", err, authz.ErrTemporarilyUnavailable)
		asked := app.asked.Load()
		_, _, err = w.Known(t.Context(), rec.Value.Subject)
		if wantError(t, "what is known here", err, nil); app.asked.Load() != asked {
			t.Error("it was asked for what is known here")
		}
	}
	app.check = http.StatusNoContent
	_, _, err = w.Present(t.Context(), rec.Value.Subject)
	wantError(t, "there again", err, nil)
	app.check = http.StatusGone
	_, _, err = w.Present(t.Context(), rec.Value.Subject)
	wantError(t, "gone", err, ErrNotFound)
	app.Close()
	wantError(t, "down", w.verify("sue", right), authz.ErrTemporarilyUnavailable)
}

// Ensure that an account that cannot be asked for counts for a time after its last
// sign-in only.
func TestAccountsOfALogInAge(t *testing.T) {
	for _, c := range []struct {
		age, since time.Duration
		want       bool
	}{
		{0, time.Hour, true}, {0, DefaultSeen + time.Hour, false}, {time.Hour, time.Minute, true}, {time.Hour, 2 * time.Hour, false},
	} {
		l := &Login{URL: "https://app.example.com/login", Cookie: "session", MaxAge: c.age}
		if got, err := l.Has(t.Context(), "sue", c.since); got != c.want || err != nil {
			t.Errorf("max_age %v after %v: %v, %v", c.age, c.since, got, err)
		}
	}
	app := newLegacy(t)
	app.answer = marks
	w := newWorld(t, NamedSource{"app", bound(t, &Login{URL: app.URL, Cookie: "session", MaxAge: time.Hour})})
	rec, err := w.Verify(t.Context(), "sue", right)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{nil, ErrNotFound} { // by the store's clock
		_, _, err := w.Present(t.Context(), rec.Value.Subject)
		wantError(t, "by max_age", err, want)
		w.ahead.Add(int64(2 * time.Hour))
	}
}

// Ensure that settings which would send passwords in clear, or could mean anything, are
// refused.
func TestLogInsThatAreRefused(t *testing.T) {
	const u = "https://app.example.com/login"
	for what, l := range map[string]*Login{
		"no mark":            {URL: u},
		"plain":              {URL: "http://app.example.com/login", Cookie: "s"},
		"password in URL":    {URL: "https://a:b@app.example.com", Cookie: "s"},
		"plain check":        {URL: u, Cookie: "s", Check: "http://app.example.com/check"},
		"every location":     {URL: u, Location: "/*"},
		"any location":       {URL: u, Location: "*"},
		"star inside":        {URL: u, Location: "/a*b"},
		"status of failure":  {URL: u, Status: []int{401}},
		"fields with basic":  {URL: u, Basic: true, Fields: map[string]string{"a": "b"}},
		"one field twice":    {URL: u, Cookie: "s", NameField: "x", PasswordField: "x"},
		"the password fixed": {URL: u, Cookie: "s", Fields: map[string]string{"password": "x"}},
		"age":                {URL: u, Cookie: "s", MaxAge: -1},
	} {
		if err := l.Validate(); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
