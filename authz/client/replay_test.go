// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that of many requests with one assertion exactly one can commit, and that
// all later ones are told before they do anything. Row A11.
func TestAssertionIsSpentOnce(t *testing.T) {
	ec := signers()["ES256"]
	w := newWorld(t, build(t, keyed(t, "job", ec)), build(t, keyed(t, "jobs", ec)))
	as := func(id string, claims map[string]any) Authenticated {
		t.Helper()
		who, err := w.authenticator().authenticate(t.Context(), nil, asserting(ec.sign(t, said(id, claims), nil)), constantTime)
		if err != nil {
			t.Fatal(err)
		}
		return who
	}
	spend := func(who Authenticated) error {
		change := w.db.NewChange()
		who.Spend(change)
		_, err := w.db.Commit(t.Context(), change)
		return err
	}
	same := map[string]any{"jti": "the same"}
	who := as("job", same)
	if err := who.CheckUnspent(t.Context(), w.db); err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			switch err := spend(who); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, tokenstore.ErrConflict):
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 32 spent it", won.Load())
	}
	// Another assertion of the same jti is the same one; another client's is not.
	if err := as("job", same).CheckUnspent(t.Context(), w.db); !errors.Is(err, authz.ErrInvalidClient) {
		t.Errorf("the jti again: %v", err)
	}
	for name, who := range map[string]Authenticated{
		"another jti":                   as("job", nil),
		"another client's":              as("jobs", same),
		"a jti that differs at the end": as("job", map[string]any{"jti": "the same "}),
		"a jti to run into another id":  as("job", map[string]any{"jti": "s-1"}),
		"that id":                       as("jobs", map[string]any{"jti": "-1"}),
	} {
		if err := errors.Join(who.CheckUnspent(t.Context(), w.db), spend(who)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ensure that the mark of an assertion stays until the assertion is refused for its
// age, not much longer, and shows nothing of it.
func TestMarkOutlivesTheAssertion(t *testing.T) {
	ec := signers()["ES256"]
	w := newWorld(t, build(t, keyed(t, "job", ec)))
	expires := time.Now().Add(time.Minute)
	form := asserting(ec.sign(t, said("job", map[string]any{"exp": expires.Unix(), "jti": "very secret"}), nil))
	who, err := w.authenticator().authenticate(t.Context(), nil, form, constantTime)
	if err != nil {
		t.Fatal(err)
	}
	change := w.db.NewChange()
	who.Spend(change)
	if _, err := w.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(who.once.key), "secret") || who.once.key.Kind() != tokenstore.KindSpent {
		t.Errorf("%q", who.once.key)
	}
	// Second by second: as long as it authenticates, it is known to be spent.
	known, ended := 0, false
	for range 100 {
		_, err := w.authenticator().authenticate(t.Context(), nil, form, constantTime)
		if err != nil {
			ended = true
			break
		}
		if err := who.CheckUnspent(t.Context(), w.db); !errors.Is(err, authz.ErrInvalidClient) {
			t.Fatalf("after %d s it authenticates, and counts as unspent: %v", known, err)
		}
		known++
		w.ahead.Add(int64(time.Second))
	}
	if !ended || known < 60 {
		t.Errorf("it authenticates for %d s", known)
	}
	w.ahead.Add(int64(3 * time.Second))
	if err := who.CheckUnspent(t.Context(), w.db); err != nil {
		t.Errorf("the mark is still there: %v", err)
	}
}
