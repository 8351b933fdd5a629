// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that nobody who makes an account for themselves gets a name that an account of
// a source has, in whatever spelling: services would take them for the other. And that
// a source that cannot tell its names, or cannot now, lets nobody take one.
func TestHardeningNamesOfOthersAtSignUp(t *testing.T) {
	var down atomic.Bool
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case down.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.FormValue("username") != "bob":
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(app.Close)
	path := filepath.Join(t.TempDir(), "users")
	hash := cheap.compute(right)
	if err := os.WriteFile(path, []byte("zoe:"+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := &Htpasswd{Path: path, Log: slog.New(slog.DiscardHandler)}
	login := bound(t, &Login{URL: app.URL, Cookie: "session", Check: app.URL})
	w := newWorld(t)
	directory := func(sources ...NamedSource) (*Directory, error) {
		return New(Config{Store: func(context.Context) (*tokenstore.DB, error) { return w.db, nil }, Sources: sources, Params: cheap, SignUp: true, Recorder: &w.events})
	}
	for name, source := range map[string]Source{"a log-in": &Login{URL: app.URL, Cookie: "session"}, "another": &elsewhere{name: "sue"}} {
		if _, err := directory(NamedSource{"app", source}); err == nil || !strings.Contains(err.Error(), "source app") {
			t.Errorf("%s that cannot tell its names: %v", name, err)
		}
	}
	d, err := directory(NamedSource{"file", file}, NamedSource{"app", login})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"zoe": ErrExists, " ZOE ": ErrExists, "bob": ErrExists, "ann": nil} {
		_, err := d.Register(t.Context(), Addition{Username: name, Password: right})
		wantError(t, name, err, want)
	}
	down.Store(true)
	if _, err := d.Register(t.Context(), Addition{Username: "carl", Password: right}); !errors.Is(err, authz.ErrTemporarilyUnavailable) {
		t.Errorf("while the application is down: %v", err)
	}
}

// Row U14: nobody is called like somebody's subject, whoever would have them so, and
// whoever asks for a subject gets the user who has it.
func TestHardeningSubjectsAreNoNames(t *testing.T) {
	w := newWorld(t)
	zoe, bob := w.add("zoe"), w.add("bob")
	path := filepath.Join(t.TempDir(), "users")
	for _, name := range []string{zoe.Subject, strings.ToLower(zoe.Subject), strings.ToUpper(zoe.Subject)} {
		a := Addition{Username: name, Password: right}
		_, err := w.Register(t.Context(), a)
		wantError(t, "registered", err, ErrName)
		_, err = w.Create(t.Context(), "admin", a)
		wantError(t, "created", err, ErrName)
		_, err = w.Import(t.Context(), "admin", []Addition{a})
		wantError(t, "imported", err, ErrName)
		_, err = w.Edit(t.Context(), "admin", bob.Subject, func(u *User) error { u.Username = name; return nil })
		wantError(t, "renamed", err, ErrName)
		if _, err := ReadCSV(strings.NewReader("username\n" + name + "\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("in a CSV file: %v", err)
		}
		if err := os.WriteFile(path, []byte(name+":"+string(cheap.compute(right))+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		file := &Htpasswd{Path: path, Log: slog.New(slog.DiscardHandler)}
		if err := file.Load(); err == nil || !strings.Contains(err.Error(), path+":1:") {
			t.Errorf("in a file of htpasswd: %v", err)
		}
		anybody := &elsewhere{name: strings.ToLower(name), id: "1", password: right}
		_, err = w.directory(cheap, NamedSource{"app", anybody}).Verify(t.Context(), name, right)
		wantError(t, "from a source", err, ErrRefused)
	}
	for _, text := range []string{zoe.Subject, "ZOE"} {
		if rec, err := w.Lookup(t.Context(), text); err != nil || rec.Value.Subject != zoe.Subject {
			t.Errorf("%s: %v, %v", text, rec, err)
		}
	}
	_, err := w.Lookup(t.Context(), strings.ToLower(zoe.Subject))
	wantError(t, "another subject", err, ErrNotFound)
}
