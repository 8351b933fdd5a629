// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

// Ensure that nothing is fetched before the first token, and that many that
// wait for one set wait for one fetch.
func TestFirstTokensShareOneFetch(t *testing.T) {
	w := newWorld(t)
	key := w.publish("a")
	keys := w.cache.Of(w.source())
	w.fetched(0, "before the first token")
	var group sync.WaitGroup
	for range 50 {
		token := w.token(key, "a")
		group.Go(func() {
			if _, err := keys.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	w.fetched(1, "after fifty")
}

// Ensure that ten thousand tokens with made-up key ids cost the issuer one
// fetch a minute, and that good ones pass all the while (row J12).
func TestUnknownKeysCostOneFetchAMinute(t *testing.T) {
	w := newWorld(t)
	key := w.publish("a")
	keys := w.cache.Of(w.source())
	good, bad := w.token(key, "a"), w.token(key, "b")
	for minute := range int32(3) {
		for i := range 10_000 {
			bad.Header.KeyID = fmt.Sprint("made-up-", i)
			if _, err := keys.Verify(t.Context(), bad); !errors.Is(err, jose.ErrUnknownKey) {
				t.Fatalf("a made-up key id: %v", err)
			}
		}
		if _, err := keys.Verify(t.Context(), good); err != nil {
			t.Fatal(err)
		}
		w.fetched(minute+1, fmt.Sprintf("minute %d", minute+1))
		w.pass(coolDown)
	}
}

// Ensure that a rotation needs nobody: the first token with the new key passes,
// and one whose key was withdrawn ends with the next renewal, also where its
// signature had been verified before (row J14 at the other end).
func TestRotationMidFlight(t *testing.T) {
	w := newWorld(t)
	old := w.publish("old")
	keys := w.cache.Of(w.source())
	version, err := keys.Verify(t.Context(), w.token(old, "old"))
	if err != nil || !keys.Current(version) {
		t.Fatal(err)
	}
	w.pass(coolDown)
	fresh := w.publish("new")
	if _, err := keys.Verify(t.Context(), w.token(fresh, "new")); err != nil {
		t.Fatalf("a new key: %v", err)
	}
	if keys.Current(version) {
		t.Error("the version did not change with the set")
	}
	version, _ = keys.Verify(t.Context(), w.token(old, "old"))
	w.publish("newest", "old")
	w.pass(renewAfter)
	if !keys.Current(version) {
		t.Error("a renewal is waited for")
	}
	keys.settled()
	if keys.Current(version) {
		t.Error("a withdrawn key is still good")
	}
	if _, err := keys.Verify(t.Context(), w.token(old, "old")); !errors.Is(err, jose.ErrUnknownKey) {
		t.Errorf("a withdrawn key: %v", err)
	}
	w.fetched(3, "after all")

	version, _ = keys.Verify(t.Context(), w.token(fresh, "new"))
	w.pass(renewAfter)
	keys.Current(version)
	keys.settled()
	w.fetched(4, "after a renewal")
	if !keys.Current(version) {
		t.Error("the same set is another version")
	}
}

// Ensure that keys which nobody asked for in a while are renewed before they are
// used again, and used all the same when that fails.
func TestIdleKeysAreRenewedFirst(t *testing.T) {
	w := newWorld(t)
	old := w.publish("old")
	keys := w.cache.Of(w.source())
	token := w.token(old, "old")
	version, err := keys.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	w.instead(page(http.StatusBadGateway, ""))
	w.pass(waitAfter)
	if keys.Current(version) {
		t.Error("idle keys count as the present ones")
	}
	for range 3 {
		if _, err := keys.Verify(t.Context(), token); err != nil {
			t.Errorf("when they cannot be renewed: %v", err)
		}
	}
	w.fetched(2, "after a failure")
	w.instead(nil)
	w.publish("new", "old")
	w.pass(coolDown)
	keys.Current(version)
	keys.settled()
	w.pass(waitAfter)
	w.publish("newer", "new")
	if _, err := keys.Verify(t.Context(), token); !errors.Is(err, jose.ErrUnknownKey) {
		t.Errorf("a key that was withdrawn meanwhile: %v", err)
	}
	w.fetched(4, "after all")
}

// Ensure that whatever an issuer answers instead of its keys, the last good
// ones are used until they are too old, and no longer; and that it comes back
// by itself (rows J13 and FD11).
func TestLastGoodKeysAreKept(t *testing.T) {
	w := newWorld(t)
	key := w.publish("a")
	keys := w.cache.Of(w.source())
	token := w.token(key, "a")
	if _, err := keys.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	many := `{"keys":[` + strings.Repeat(`{"kty":"oct","k":"AA"},`, 10_000) + `{}]}`
	for name, answer := range map[string]http.HandlerFunc{
		"trouble":  page(http.StatusInternalServerError, `{"keys":[]}`),
		"HTML":     page(http.StatusOK, "<html><body>Sign in</body></html>"),
		"no keys":  page(http.StatusOK, `{"keys":[]}`),
		"no set":   page(http.StatusOK, `[]`),
		"many":     page(http.StatusOK, many),
		"enormous": page(http.StatusOK, strings.Repeat(" ", 10<<20)),
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"cut":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		w.instead(answer)
		w.pass(renewAfter)
		if _, err := keys.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		keys.settled()
		if !keys.stats().Failing {
			t.Errorf("%s: it was taken for a set", name)
		}
		if _, err := keys.Verify(t.Context(), token); err != nil {
			t.Errorf("%s, after the fetch: %v", name, err)
		}
		w.instead(nil)
		w.pass(renewAfter)
		_, _ = keys.Verify(t.Context(), token)
		keys.settled()
	}
	w.instead(page(http.StatusBadGateway, ""))
	w.pass(MaxAge - time.Second)
	if _, err := keys.Verify(t.Context(), token); err != nil {
		t.Errorf("a second before they are too old: %v", err)
	}
	keys.settled()
	w.pass(time.Second)
	if _, err := keys.Verify(t.Context(), token); !errors.Is(err, ErrUnavailable) {
		t.Errorf("when they are too old: %v", err)
	}
	w.instead(nil)
	w.pass(coolDown)
	if _, err := keys.Verify(t.Context(), token); err != nil {
		t.Errorf("when the issuer is back: %v", err)
	}
}

// Ensure that an issuer that is down at first is trouble, not a refusal, that
// it is not asked more and more often, and that its tokens pass once it is back.
func TestIssuerThatIsDownAtFirst(t *testing.T) {
	w := newWorld(t)
	key := w.publish("a")
	keys := w.cache.Of(w.source())
	token := w.token(key, "a")
	w.instead(page(http.StatusServiceUnavailable, ""))
	for second := range 600 {
		for range 10 {
			if _, err := keys.Verify(t.Context(), token); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("second %d: %v", second, err)
			}
		}
		w.pass(time.Second)
	}
	if n := w.fetches.Load(); n > 16 {
		t.Errorf("%d fetches in ten minutes", n)
	}
	w.instead(nil)
	w.pass(coolDown)
	if _, err := keys.Verify(t.Context(), token); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// Ensure that nobody waits longer than they want to, and that a silent issuer
// holds nothing up when the cache is closed.
func TestSilentIssuer(t *testing.T) {
	w := newWorld(t)
	key := w.publish("a")
	keys := w.cache.Of(w.source())
	w.instead(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := keys.Verify(ctx, w.token(key, "a")); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent issuer: %v", err)
	}
	w.cache.Close()
	if _, err := keys.Verify(t.Context(), w.token(key, "a")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a closed cache: %v", err)
	}
}

// Ensure that a key id says nothing beyond its issuer, though both have their
// keys at one place (row J11).
func TestSameKeyIDAtTwoIssuers(t *testing.T) {
	one, other := newWorld(t), newWorld(t)
	key := one.publish("a")
	other.publish("a")
	token := one.token(key, "a")
	if _, err := one.cache.Of(one.source()).Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	elsewhere := Source{Owner: "https://other.example", URL: other.source().URL, By: fetch.Operator}
	if _, err := one.cache.Of(elsewhere).Verify(t.Context(), token); !errors.Is(err, jose.ErrSignature) {
		t.Errorf("another issuer's key of the same id: %v", err)
	}
}

// Ensure that sets of strangers do not pile up, and never push out one that
// the operator named.
func TestStrangersSetsAreBounded(t *testing.T) {
	w := newWorld(t)
	named := w.cache.Of(w.source())
	first := w.cache.Of(Source{Owner: "client 0", URL: "https://example.com/"})
	for i := range maxStrangers + 10 {
		w.pass(time.Minute)
		w.cache.Of(Source{Owner: fmt.Sprint("client ", i), URL: "https://example.com/"})
	}
	if n := len(w.cache.Stats()); n != maxStrangers+1 {
		t.Errorf("%d sets, want %d", n, maxStrangers+1)
	}
	if w.cache.Of(w.source()) != named {
		t.Error("the operator's set is gone")
	}
	if w.cache.Of(Source{Owner: "client 0", URL: "https://example.com/"}) == first {
		t.Error("the oldest set is still there")
	}
}
