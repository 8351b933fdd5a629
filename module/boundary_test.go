// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// fakeRoom is a room that does as it is told.
type fakeRoom func(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error

func (f fakeRoom) ServeHTTP(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	return f(w, r, next)
}

// passing is a room that lets everything pass.
var passing = fakeRoom(func(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	return next(w, r)
})

// prepared returns a request as Caddy hands it to handlers.
func prepared(target string) (*http.Request, *httptest.ResponseRecorder) {
	w := httptest.NewRecorder()
	return caddyhttp.PrepareRequest(httptest.NewRequest("GET", target, nil), caddy.NewReplacer(), w, nil), w
}

func next(err error) caddyhttp.Handler {
	return caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return err })
}

// Ensure that a panic of ours is an answer of 500, logged and counted.
func TestOwnPanicIs500(t *testing.T) {
	core, lines := observer.New(zap.DebugLevel)
	b := &boundary{log: zap.New(core)}
	before := testutil.ToFloat64(panics)
	r, w := prepared("/x")
	err := b.serve(fakeRoom(func(http.ResponseWriter, *http.Request, func(http.ResponseWriter, *http.Request) error) error {
		panic("a fault")
	}), w, r, next(nil))
	var answer caddyhttp.HandlerError
	if !errors.As(err, &answer) || answer.StatusCode != http.StatusInternalServerError {
		t.Errorf("got %v", err)
	}
	if testutil.ToFloat64(panics) != before+1 || lines.Len() != 1 {
		t.Errorf("%d lines, counted %v", lines.Len(), testutil.ToFloat64(panics)-before)
	}
}

// Ensure that error routes see nobody after a refusal: neither who stood in the
// placeholders before, nor the placeholders themselves; and that an inner guard
// which refuses does not make a caller nobody.
func TestRefusedRequestIsNobodysInErrorRoutes(t *testing.T) {
	b := &boundary{log: zap.NewNop(), identifies: true}
	refusing := fakeRoom(func(http.ResponseWriter, *http.Request, func(http.ResponseWriter, *http.Request) error) error {
		return authz.ErrInvalidToken
	})
	const who = "<{http.auth.user.id}|{http.auth.oauth2.client_id}>"
	for name, test := range map[string]struct {
		before   func(ctx context.Context, repl *caddy.Replacer)
		expected string
	}{
		"set by another handler": {func(_ context.Context, repl *caddy.Replacer) { repl.Set("http.auth.user.id", "eve") }, "<|>"},
		"unset":                  {func(context.Context, *caddy.Replacer) {}, "<|>"},
		"passed an outer guard": {func(ctx context.Context, _ *caddy.Replacer) {
			identify(ctx, &authz.Principal{Client: "shop", Expires: time.Now()})
		}, "<|shop>"},
	} {
		r, w := prepared("/x")
		repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		test.before(r.Context(), repl)
		if err := b.serve(refusing, w, r, next(nil)); err == nil {
			t.Fatal("nothing was refused")
		}
		if got := repl.ReplaceKnown(who, ""); got != test.expected {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Ensure that a panic behind us goes on its way: http.ErrAbortHandler has a
// meaning there, and an answer may have begun.
func TestPanicBehindIsNotOurs(t *testing.T) {
	b := &boundary{log: zap.NewNop()}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	r, w := prepared("/x")
	_ = b.serve(passing, w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }))
	t.Error("the panic was swallowed")
}

// Ensure that trouble of ours becomes Caddy's error with a Retry-After, and
// that an error from behind us is left as it is.
func TestErrorsAreDressedOnlyWhereOurs(t *testing.T) {
	b := &boundary{log: zap.NewNop()}
	r, w := prepared("/x")
	err := b.serve(fakeRoom(func(http.ResponseWriter, *http.Request, func(http.ResponseWriter, *http.Request) error) error {
		return authz.ErrTemporarilyUnavailable
	}), w, r, next(nil))
	var answer caddyhttp.HandlerError
	if !errors.As(err, &answer) || answer.StatusCode != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" {
		t.Errorf("got %v, Retry-After %q", err, w.Header().Get("Retry-After"))
	}
	behind := errors.New("behind")
	if err := b.serve(passing, w, r, next(behind)); err != behind {
		t.Errorf("got %v", err)
	}
}

// Ensure that a request with a secret in its URL is in no log of Caddy's, and
// in ours without the secret, however it ends.
func TestSecretInURLStaysOutOfLogs(t *testing.T) {
	for _, target := range []string{"/x?access_token=canary", "/x?a=b&Access%5Ftoken=canary", "/x?client_secret=canary&y"} {
		for _, behind := range []error{nil, fmt.Errorf("%s failed", target)} {
			core, lines := observer.New(zap.DebugLevel)
			b := &boundary{log: zap.New(core)}
			r, w := prepared(target)
			if err := b.serve(passing, w, r, next(behind)); err != nil {
				t.Errorf("%s: Caddy would log %v", target, err)
			}
			if behind != nil && w.Code != http.StatusInternalServerError {
				t.Errorf("%s: answered %d", target, w.Code)
			}
			if skip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar).(bool); !skip {
				t.Errorf("%s is in the access log", target)
			}
			if lines.Len() != 1 || strings.Contains(fmt.Sprint(lines.All()), "canary") {
				t.Errorf("%s: our lines: %v", target, lines.All())
			}
		}
	}
	r, w := prepared("/x?code=DE&token=1")
	if err := (&boundary{log: zap.NewNop()}).serve(passing, w, r, next(nil)); err != nil || caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar) != nil {
		t.Error("an ordinary request is not in the access log")
	}
}

// Ensure that placeholders say what the innermost guard found, win over what
// other handlers set, are empty for the anonymous, and are never expanded again.
func TestPlaceholders(t *testing.T) {
	r, _ := prepared("/x")
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	repl.Set("http.auth.user.id", "eve")
	const template = "{http.auth.user.id}|{http.auth.user.name}|{http.auth.oauth2.client_id}|{http.auth.oauth2.scope}|" +
		"{http.auth.oauth2.subject}|{http.auth.oauth2.grant_id}|{http.auth.oauth2.expires_at}"
	alice := &authz.Principal{
		Subject: "s1", Username: "{env.HOME}", Client: "shop", Scopes: scope.Of("read", "write"), Grant: "g1", Expires: time.Unix(1000, 0),
		Claims: map[string]any{"groups": "staff"},
	}
	for _, step := range []struct {
		principal *authz.Principal
		expected  string
	}{
		{alice, "s1|{env.HOME}|shop|read write|s1|g1|1000"},
		{&authz.Principal{Client: "job", Grant: "g2", Expires: time.Unix(2000, 0)}, "||job|||g2|2000"},
		{nil, "||||||"},
	} {
		identify(r.Context(), step.principal)
		if got := repl.ReplaceKnown(template, ""); got != step.expected {
			t.Errorf("got %s, expected %s", got, step.expected)
		}
	}
}

// Ensure that claims of one guard's principal are not those of the next one's,
// and that a claim nobody has is empty.
func TestClaimPlaceholders(t *testing.T) {
	r, _ := prepared("/x")
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	identify(r.Context(), &authz.Principal{Claims: map[string]any{"groups": "staff"}})
	if got := repl.ReplaceKnown("<{http.auth.oauth2.claim.groups}>", ""); got != "<staff>" {
		t.Errorf("got %s", got)
	}
	identify(r.Context(), nil)
	if got := repl.ReplaceKnown("<{http.auth.oauth2.claim.groups}>", ""); got != "<>" {
		t.Errorf("for the anonymous: %s", got)
	}
}

// Ensure that a gate holds requests back until it opens, and turns them away
// when their time is over or the configuration is given up.
func TestGate(t *testing.T) {
	g := newGate()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := g.wait(ctx); !errors.Is(err, authz.ErrTemporarilyUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a request that ended: %v", err)
	}
	waiting := make(chan error)
	go func() { waiting <- g.wait(context.Background()) }()
	g.open()
	if err := <-waiting; err != nil {
		t.Errorf("after it opened: %v", err)
	}
	g.close()
	if err := g.wait(ctx); err != nil {
		t.Errorf("an open gate was closed: %v", err)
	}

	given := newGate()
	go func() { waiting <- given.wait(context.Background()) }()
	given.close()
	if err := <-waiting; !errors.Is(err, errShut) {
		t.Errorf("a configuration that was given up: %v", err)
	}
}
