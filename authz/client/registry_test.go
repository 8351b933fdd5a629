// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that clients of the configuration come before those of the store, also
// when they are disabled.
func TestConfiguredClientsComeFirst(t *testing.T) {
	w := newWorld(t,
		build(t, declared(func(d *Declaration) { d.Name = "configured" })),
		build(t, declared(func(d *Declaration) { d.ID, d.Disabled = "off", true })))
	for _, id := range []string{"job", "off", "stored"} {
		w.add(t, Client{ID: id, Name: "stored"})
	}
	for id, name := range map[string]string{"job": "configured", "stored": "stored"} {
		c, err := w.registry.Client(t.Context(), id)
		if err != nil || c.Name != name {
			t.Errorf("%s: %v, %v", id, c, err)
		}
	}
	for _, id := range []string{"off", "nobody", "", "not\x00an id"} {
		if c, err := w.registry.Client(t.Context(), id); !errors.Is(err, ErrNotFound) || c != nil {
			t.Errorf("%q: %v, %v", id, c, err)
		}
	}
	if !w.registry.Configured("off") || w.registry.Configured("stored") || len(w.registry.ConfiguredClients()) != 2 {
		t.Error("what is configured is not told")
	}
}

// Ensure that a registry takes no wrong client and no id twice.
func TestRegistryRefusesWrongConfiguration(t *testing.T) {
	c := build(t, declared(nil))
	if _, err := NewRegistry([]*Client{c, c}, nil); err == nil {
		t.Error("the same id twice")
	}
	if _, err := NewRegistry([]*Client{{ID: "open"}}, nil); err == nil {
		t.Error("a confidential client without a secret")
	}
}

// Ensure that looking up costs no allocation, neither for a configured client nor
// for a stored one in the cache: the guard does it for every request.
func TestLookUpDoesNotAllocate(t *testing.T) {
	w := newWorld(t, build(t, declared(nil)))
	w.add(t, Client{ID: "stored"})
	w.warm(t, "stored")
	for _, id := range []string{"job", "stored"} {
		if n := testing.AllocsPerRun(1000, func() { _, _ = w.registry.Client(t.Context(), id) }); n != 0 {
			t.Errorf("%s: %v allocations", id, n)
		}
	}
}

// Ensure that trouble of the store is not taken for an unknown client, while
// configured clients do without the store.
func TestTroubleIsNotAnUnknownClient(t *testing.T) {
	w := newWorld(t, build(t, declared(nil)))
	w.engine.failing.Store(true)
	if _, err := w.registry.Client(t.Context(), "stored"); !errors.Is(err, authz.ErrTemporarilyUnavailable) || errors.Is(err, ErrNotFound) {
		t.Errorf("error = %v", err)
	}
	if _, err := w.registry.Client(t.Context(), "job"); err != nil {
		t.Errorf("configured: %v", err)
	}
}

// issue mints a token for a client of the store.
func (w *world) issue(t *testing.T, id string) string {
	t.Helper()
	anchor := tokenstore.ClientAnchorKey(id)
	gens, err := w.db.Generations(t.Context(), w.db.StoreAnchor(), anchor)
	if err != nil {
		t.Fatal(err)
	}
	change := w.db.NewChange()
	issued, err := token.Minter{Format: token.Opaque{}}.Mint(t.Context(), w.db, change, token.Order{
		Grant: &token.Grant{Client: id}, Facts: token.Record{Client: id, Audience: []string{"x"}}, Anchors: gens, Lifetime: time.Hour,
	})
	if err == nil {
		_, err = w.db.Commit(t.Context(), change)
	}
	if err != nil {
		t.Fatal(err)
	}
	return issued.Access
}

// alive reports whether a token is valid.
func (w *world) alive(t *testing.T, raw string) bool {
	t.Helper()
	v := token.Verifier{Store: func(context.Context) (*tokenstore.DB, error) { return w.db, nil }, Formats: []token.Format{token.Opaque{}}}
	_, err := v.Authenticate(t.Context(), authz.Credential{Scheme: authz.SchemeBearer, Value: raw})
	if err != nil && !errors.Is(err, authz.ErrInvalidToken) {
		t.Fatal(err)
	}
	return err == nil
}

// Ensure that an edit counts at the next look-up and leaves tokens and secrets alone.
func TestEditKeepsTokensAndSecrets(t *testing.T) {
	w := newWorld(t)
	secret := w.add(t, Client{ID: "shop", Scopes: scope.Set{"a", "b"}})
	raw := w.issue(t, "shop")
	w.warm(t, "shop")
	edited, err := Edit(t.Context(), w.db, "admin", "shop", func(c *Client) error {
		c.Name, c.ID, c.Scopes, c.Secrets = "Shop", "other", scope.Set{"c", "a"}, nil
		return nil
	})
	if err != nil || edited.ID != "shop" {
		t.Fatal(edited, err)
	}
	c, err := w.registry.Client(t.Context(), "shop")
	if err != nil || c.Name != "Shop" || c.Scopes.String() != "a c" {
		t.Errorf("%v, %v", c, err)
	}
	if !w.alive(t, raw) {
		t.Error("the edit revoked a token")
	}
	if _, err := w.authenticator().authenticate(t.Context(), basic("shop", secret), nil, constantTime); err != nil {
		t.Errorf("the secret after the edit: %v", err)
	}
	if _, err := Edit(t.Context(), w.db, "admin", "shop", func(c *Client) error { c.AuthMethod = "none"; return nil }); err == nil {
		t.Error("a confidential client became public")
	}
	refused := errors.New("no")
	if _, err := Edit(t.Context(), w.db, "admin", "shop", func(*Client) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("edit's own error: %v", err)
	}
}

// Ensure that of two edits at the same time one is refused, not lost.
func TestConcurrentEditsDoNotOverwriteEachOther(t *testing.T) {
	w := newWorld(t)
	w.add(t, Client{ID: "shop"})
	_, err := Edit(t.Context(), w.db, "admin", "shop", func(c *Client) error {
		_, err := Edit(t.Context(), w.db, "admin", "shop", func(c *Client) error { c.Name = "first"; return nil })
		c.Name = "second"
		return err
	})
	if !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("error = %v", err)
	}
}

// Ensure that a client that is disabled is gone at the next look-up, and that its
// tokens live again when it is enabled.
func TestDisablingCountsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.add(t, Client{ID: "shop"})
	w.warm(t, "shop")
	disable := func(disabled bool) {
		if _, err := Edit(t.Context(), w.db, "admin", "shop", func(c *Client) error { c.Disabled = disabled; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	disable(true)
	if _, err := w.registry.Client(t.Context(), "shop"); !errors.Is(err, ErrNotFound) {
		t.Errorf("disabled: %v", err)
	}
	if c, err := Get(t.Context(), w.db, "shop"); err != nil || !c.Disabled {
		t.Errorf("for administration: %v, %v", c, err)
	}
	disable(false)
	if _, err := w.registry.Client(t.Context(), "shop"); err != nil {
		t.Errorf("enabled again: %v", err)
	}
}

// Ensure that removing a client ends its tokens for good: a new client of the
// same id does not inherit them.
func TestRemoveEndsTokensForGood(t *testing.T) {
	w := newWorld(t)
	w.add(t, Client{ID: "shop"})
	raw := w.issue(t, "shop")
	w.warm(t, "shop")
	if !w.alive(t, raw) {
		t.Fatal("not alive to begin with")
	}
	if err := Remove(t.Context(), w.db, "admin", "shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.registry.Client(t.Context(), "shop"); !errors.Is(err, ErrNotFound) {
		t.Errorf("look-up: %v", err)
	}
	if w.alive(t, raw) {
		t.Error("the token is alive")
	}
	w.add(t, Client{ID: "shop"})
	if w.alive(t, raw) {
		t.Error("the new client has inherited the token")
	}
	if !w.alive(t, w.issue(t, "shop")) {
		t.Error("the new client's own token is dead")
	}
}

// Ensure that revoking a client ends its tokens, not the client.
func TestRevokeEndsTokensOnly(t *testing.T) {
	w := newWorld(t)
	w.add(t, Client{ID: "shop"})
	raw := w.issue(t, "shop")
	if err := Revoke(t.Context(), w.db, "admin", "shop"); err != nil {
		t.Fatal(err)
	}
	if w.alive(t, raw) {
		t.Error("the token is alive")
	}
	if !w.alive(t, w.issue(t, "shop")) {
		t.Error("a token issued later is dead")
	}
}

// Ensure that administrative changes of nobody are refused, and doubles too.
func TestChangesNeedTheRightClient(t *testing.T) {
	w := newWorld(t)
	w.add(t, Client{ID: "shop"})
	if _, err := Add(t.Context(), w.db, "admin", Client{ID: "shop"}, ""); !errors.Is(err, ErrExists) {
		t.Errorf("add again: %v", err)
	}
	for _, id := range []string{"nobody", "", "not an id"} {
		_, err := Edit(t.Context(), w.db, "admin", id, func(*Client) error { return nil })
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("edit %q: %v", id, err)
		}
		if _, err := RotateSecret(t.Context(), w.db, "admin", id, Rotation{}); !errors.Is(err, ErrNotFound) {
			t.Errorf("rotate %q: %v", id, err)
		}
		if err := Remove(t.Context(), w.db, "admin", id); !errors.Is(err, ErrNotFound) {
			t.Errorf("remove %q: %v", id, err)
		}
	}
	for name, c := range map[string]Client{"bad id": {ID: "a b"}, "bad scope": {ID: "x", Scopes: scope.Set{`"`}}} {
		if _, err := Add(t.Context(), w.db, "admin", c, ""); err == nil {
			t.Errorf("added: %s", name)
		}
	}
	if _, err := Add(t.Context(), w.db, "admin", Client{ID: "x"}, "too short"); err == nil {
		t.Error("added with a short secret")
	}
	if _, err := Add(t.Context(), w.db, "admin", Client{ID: "x", AuthMethod: "none"}, strong); err == nil {
		t.Error("added a public client with a secret")
	}
}

// Ensure that after a rotation both secrets count, the old one until its time.
func TestRotateSecret(t *testing.T) {
	w := newWorld(t)
	first := w.add(t, Client{ID: "shop"})
	counts := func(secret string, want bool) {
		t.Helper()
		_, err := w.authenticator().authenticate(t.Context(), basic("shop", secret), nil, constantTime)
		if (err == nil) != want {
			t.Errorf("counts = %v: %v", err == nil, err)
		}
	}
	raw := w.issue(t, "shop")
	second, err := RotateSecret(t.Context(), w.db, "admin", "shop", Rotation{Overlap: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if kind, ok := token.Check(second); !ok || kind != token.ClientSecret {
		t.Error("the new secret is not one of ours")
	}
	counts(first, true)
	counts(second, true)
	w.ahead.Store(int64(11 * time.Minute))
	counts(first, false)
	counts(second, true)

	third, err := RotateSecret(t.Context(), w.db, "admin", "shop", Rotation{Secret: strong})
	if err != nil || third != strong {
		t.Fatal(third, err)
	}
	counts(second, false)
	counts(third, true)
	if !w.alive(t, raw) {
		t.Error("the rotation revoked a token")
	}
	if _, err := RotateSecret(t.Context(), w.db, "admin", "shop", Rotation{Overlap: -1}); err == nil {
		t.Error("a negative overlap")
	}
	w.add(t, Client{ID: "app", AuthMethod: "none"})
	if _, err := RotateSecret(t.Context(), w.db, "admin", "app", Rotation{}); err == nil {
		t.Error("a public client got a secret")
	}
}

// Ensure that every change leaves its trace, in the same batch.
func TestChangesAreAudited(t *testing.T) {
	w := newWorld(t)
	w.add(t, Client{ID: "shop"})
	if _, err := Edit(t.Context(), w.db, "ann", "shop", func(*Client) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := RotateSecret(t.Context(), w.db, "ann", "shop", Rotation{}); err != nil {
		t.Fatal(err)
	}
	if err := Revoke(t.Context(), w.db, "ann", "shop"); err != nil {
		t.Fatal(err)
	}
	if err := Remove(t.Context(), w.db, "ann", "shop"); err != nil {
		t.Fatal(err)
	}
	entries, err := w.db.AuditLog(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []authz.EventType{authz.EventClientRemoved, authz.EventClientRevoked, authz.EventClientSecretRotated, authz.EventClientEdited, authz.EventClientAdded}
	if len(entries) != len(want) {
		t.Fatalf("%d entries: %+v", len(entries), entries)
	}
	for i, e := range entries {
		if e.Type != string(want[i]) || e.Client != "shop" || e.Actor == "" || e.Routine {
			t.Errorf("entry %d: %+v", i, e)
		}
	}
}

// Ensure that listing shows every stored client, disabled ones too, in pages.
func TestList(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"a", "b", "c"} {
		w.add(t, Client{ID: id, Disabled: id == "b"})
	}
	var ids []string
	for cursor := tokenstore.Cursor(""); ; {
		page, next, err := List(t.Context(), w.db, cursor, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page {
			ids = append(ids, c.ID)
		}
		if next == "" {
			break
		}
		cursor = next
	}
	if len(ids) != 3 || ids[0] != "a" || ids[2] != "c" {
		t.Errorf("%v", ids)
	}
}

// Ensure that who still holds the registry of an older configuration, even of the
// one before that, finds the clients and secrets of the serving one only.
func TestRetiredRegistryFindsWhatItsSuccessorFinds(t *testing.T) {
	w := newWorld(t, build(t, declared(nil)), build(t, declared(func(d *Declaration) { d.ID = "gone" })))
	between, serving := newWorld(t, build(t, declared(nil))), newWorld(t, build(t, declared(func(d *Declaration) { d.Secret = []string{strong + "2"} })))
	w.registry.Retire(between.registry)
	between.registry.Retire(serving.registry)

	if _, err := w.registry.Client(t.Context(), "gone"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a client that was removed: %v", err)
	}
	if _, err := w.authenticator().authenticate(t.Context(), basic("job", strong), nil, constantTime); !errors.Is(err, authz.ErrInvalidClient) {
		t.Errorf("a secret that was replaced: %v", err)
	}
	if _, err := w.authenticator().authenticate(t.Context(), basic("job", strong+"2"), nil, constantTime); err != nil {
		t.Errorf("the new secret: %v", err)
	}
}
