// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package consent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// world is a store in which users allow clients something.
type world struct {
	testing.TB
	db    *tokenstore.DB
	given int
}

var site = []string{"https://api.example.com"}

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t}
	w.db, err = tokenstore.Open(t.Context(), store, tokenstore.Options{SealKeys: []tokenstore.SealKey{tokenstore.GenerateSealKey()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	return w
}

// client is the generation of a client.
func (w *world) client(id string) tokenstore.Generation {
	w.Helper()
	g, err := w.db.EnsureAnchor(w.Context(), tokenstore.ClientAnchorKey(id))
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// held is what a user allows a client now.
func (w *world) held(subject, client string) *consent.Held {
	w.Helper()
	h, err := consent.Find(w.Context(), w.db, subject, w.client(client))
	if err != nil {
		w.Fatal(err)
	}
	return h
}

// commit commits what do puts into a change.
func (w *world) commit(do func(*tokenstore.Change)) error {
	change := w.db.NewChange()
	do(change)
	_, err := w.db.Commit(context.WithoutCancel(w.Context()), change)
	return err
}

// give has a user allow a client granted of asked, and returns the key of something
// that depends on it.
func (w *world) give(subject, client, asked, granted string) tokenstore.Key {
	w.Helper()
	w.given++
	digest := [32]byte{byte(w.given), byte(w.given >> 8)}
	h := w.held(subject, client)
	err := w.commit(func(change *tokenstore.Change) {
		anchor := h.Give(change, w.db.Now(), words(asked), words(granted), site)
		change.Create(tokenstore.CredentialKey(digest), "token", w.db.Now().Add(time.Hour), anchor)
	})
	if err != nil {
		w.Fatal(err)
	}
	return tokenstore.CredentialKey(digest)
}

// alive reports whether something still is there.
func (w *world) alive(key tokenstore.Key) bool {
	w.Helper()
	_, err := tokenstore.Load[string](w.Context(), w.db, key)
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		w.Fatal(err)
	}
	return err == nil
}

func words(text string) scope.Set {
	set, err := scope.Parse(text)
	if err != nil {
		panic(err)
	}
	return set
}

// Ensure that what was allowed is not asked again, and that it is of this user, for
// this client, these scopes and these resources alone.
func TestRemembered(t *testing.T) {
	w := newWorld(t)
	if w.held("ann", "shop").Covers(nil, nil, nil) {
		t.Error("nothing was allowed, and it counts")
	}
	w.give("ann", "shop", "a b c", "a b")
	for _, c := range []struct {
		subject, client, scopes, optional string
		resources                         []string
		covers                            bool
	}{
		{"ann", "shop", "a", "", site, true}, {"ann", "shop", "a b", "", site, true}, {"ann", "shop", "", "", site, true},
		{"ann", "shop", "a d", "", site, false}, {"ann", "shop", "a d", "d", site, false},
		{"ann", "shop", "a c", "c", site, true}, // unticked, and still may be
		{"ann", "shop", "a c", "", site, false}, // unticked once, now part of the whole
		{"ann", "shop", "c", "c", site, false},  // nothing would be left
		{"ann", "shop", "a", "", nil, false}, {"ann", "shop", "a", "", []string{"https://other.example.com"}, false},
		{"bob", "shop", "a", "", site, false}, {"anna", "shop", "a", "", site, false}, {"ann", "mail", "a", "", site, false},
	} {
		if got := w.held(c.subject, c.client).Covers(words(c.scopes), words(c.optional), c.resources); got != c.covers {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Ensure that a consent that is widened keeps what came of it, its first day, and what
// was allowed and unticked before and is not asked now.
func TestWidened(t *testing.T) {
	w := newWorld(t)
	first := w.give("ann", "shop", "a b", "a")
	before := w.held("ann", "shop")
	second := w.give("ann", "shop", "a c", "a c")
	after := w.held("ann", "shop")
	if after.Scopes().String() != "a c" || after.Unticked(site).String() != "b" || after.Since != before.Since || after.Anchor != before.Anchor {
		t.Errorf("%+v, before %+v", after.Consent, before.Consent)
	}
	if !w.alive(first) || !w.alive(second) {
		t.Error("widening ends what there was")
	}
	w.give("ann", "shop", "b", "b")
	if h := w.held("ann", "shop"); h.Scopes().String() != "a b c" || len(h.Unticked(site)) != 0 {
		t.Errorf("%+v", h.Consent)
	}
}

// Ensure that what the user takes back is gone from what the client got before, and
// not only from what it gets now.
func TestTakenBack(t *testing.T) {
	w := newWorld(t)
	wide := w.give("ann", "shop", "a b", "a b")
	since := w.held("ann", "shop").Since
	narrow := w.give("ann", "shop", "a b", "a")
	if w.alive(wide) || !w.alive(narrow) {
		t.Errorf("what had all %v, what has the rest %v", w.alive(wide), w.alive(narrow))
	}
	if h := w.held("ann", "shop"); h.Scopes().String() != "a" || h.Unticked(site).String() != "b" || h.Since != since {
		t.Errorf("%+v", h.Consent)
	}
	// Not to tick once more what never was ticked takes nothing back.
	w.give("ann", "shop", "a b", "a")
	if !w.alive(narrow) {
		t.Error("the same answer again ends what there was")
	}
}

// Ensure that the end of a consent ends what came of it and nothing else, once; that it
// is asked anew then; and that what is being made at that moment fails.
func TestEnded(t *testing.T) {
	w := newWorld(t)
	token, other, another := w.give("ann", "shop", "a", "a"), w.give("ann", "mail", "a", "a"), w.give("bob", "shop", "a", "a")
	h := w.held("ann", "shop")
	if err := consent.End(t.Context(), w.db, "ann", "ann", "shop"); err != nil {
		t.Fatal(err)
	}
	if w.alive(token) || !w.alive(other) || !w.alive(another) {
		t.Errorf("its own %v, another client's %v, another user's %v", w.alive(token), w.alive(other), w.alive(another))
	}
	for name, late := range map[string]func(*tokenstore.Change){
		"kept":    func(c *tokenstore.Change) { c.Create(tokenstore.SpentKey([32]byte{1}), nil, time.Time{}, h.Keep(c)) },
		"widened": func(c *tokenstore.Change) { h.Give(c, w.db.Now(), words("a b"), words("a b"), site) },
	} {
		if err := w.commit(late); !errors.Is(err, tokenstore.ErrConflict) {
			t.Errorf("%s after its end: %v", name, err)
		}
	}
	if err := consent.End(t.Context(), w.db, "ann", "ann", "shop"); !errors.Is(err, consent.ErrNotFound) {
		t.Errorf("ended twice: %v", err)
	}
	if w.held("ann", "shop").Covers(words("a"), nil, site) {
		t.Error("it still counts")
	}
	w.give("ann", "shop", "a", "a")
	if w.alive(token) {
		t.Error("allowed anew, what ended is back")
	}
}

// Ensure that a consent is to the client that there was: not to another one of its id,
// nor after all that it had was revoked.
func TestOfAnotherClient(t *testing.T) {
	w := newWorld(t)
	token := w.give("ann", "shop", "a", "a")
	anchor := tokenstore.ConsentAnchorKey(w.held("ann", "shop").Anchor)
	if err := w.commit(func(c *tokenstore.Change) { c.Revoke(tokenstore.ClientAnchorKey("shop")) }); err != nil {
		t.Fatal(err)
	}
	h := w.held("ann", "shop")
	if h.Covers(words("a"), nil, site) || len(h.Scopes()) != 0 {
		t.Errorf("it counts: %+v", h.Consent)
	}
	w.give("ann", "shop", "b", "b")
	if h := w.held("ann", "shop"); h.Scopes().String() != "b" || w.alive(token) || w.alive(anchor) {
		t.Errorf("%+v; what came of the first %v, its anchor %v", h.Consent, w.alive(token), w.alive(anchor))
	}
}

// Ensure that of many answers to one question one counts, whatever it is, and that the
// others, told so, find what it was.
func TestAnsweredAtOnce(t *testing.T) {
	w := newWorld(t)
	for _, before := range []string{"", "z"} {
		if before != "" {
			w.give("ann", "shop", before, before)
		}
		h := w.held("ann", "shop")
		var group sync.WaitGroup
		var won, lost atomic.Int64
		for i := range 16 {
			word := string(rune('a' + i))
			group.Go(func() {
				own := *h
				switch err := w.commit(func(c *tokenstore.Change) { own.Give(c, w.db.Now(), words(word), words(word), site) }); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, tokenstore.ErrConflict):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 || lost.Load() != 15 {
			t.Errorf("%d of 16 count, %d are told", won.Load(), lost.Load())
		}
	}
	if all, _, err := consent.List(t.Context(), w.db, "ann", "", 10); err != nil || len(all) != 1 {
		t.Errorf("%d records, %v", len(all), err)
	}
}

// Ensure that a replay is noted for the user to see, where there is a consent, and ends
// nothing by itself.
func TestReplayIsNoted(t *testing.T) {
	w := newWorld(t)
	token := w.give("ann", "shop", "a", "a")
	for _, client := range []string{"shop", "mail"} {
		at := time.Unix(1_900_000_000, 0)
		err := w.commit(func(c *tokenstore.Change) {
			c.Put(tokenstore.SpentKey([32]byte{byte(len(client))}), nil, time.Time{})
			if err := consent.NoteReplay(t.Context(), w.db, c, "ann", client, at); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if h := w.held("ann", "shop"); h.Replayed != 1_900_000_000 || !h.Covers(words("a"), nil, site) || !w.alive(token) {
		t.Errorf("%+v", h.Consent)
	}
	if all, _, err := consent.ListAll(t.Context(), w.db, "", 10); err != nil || len(all) != 1 {
		t.Errorf("%d consents, %v", len(all), err)
	}
}

// Ensure that all consents of a user end with the user, however many there are, and
// nobody else's.
func TestMoreThanOneChangeHolds(t *testing.T) {
	w := newWorld(t)
	for many := range 3 {
		err := w.commit(func(c *tokenstore.Change) {
			for i := range tokenstore.MaxChange / 5 {
				h := &consent.Held{Consent: consent.Consent{Client: fmt.Sprintf("client-%d-%d", many, i), Subject: "ann"}}
				h.Give(c, w.db.Now(), words("a"), words("a"), site)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	token := w.give("anna", "shop", "a", "a")
	if err := w.commit(func(c *tokenstore.Change) {
		if err := consent.EndAll(t.Context(), w.db, c, "ann"); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if all, _, err := consent.ListAll(t.Context(), w.db, "", 10); err != nil || len(all) != 1 || !w.alive(token) {
		t.Errorf("%d consents are left, %v", len(all), err)
	}
}
