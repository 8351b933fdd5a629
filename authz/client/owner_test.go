// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// ownedIDs returns the ids of a user's clients.
func (w *world) ownedIDs(t *testing.T, owner string) string {
	t.Helper()
	clients, err := Owned(t.Context(), w.db, owner)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range clients {
		ids = append(ids, c.ID)
	}
	return strings.Join(ids, " ")
}

// Ensure that a user's clients are his, until they are removed, whatever is edited.
func TestOwnedClients(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"b", "a", "c"} {
		raw, err := AddOwned(t.Context(), w.db, "alice", 3, Client{ID: id}, nil)
		if err != nil || raw == "" {
			t.Fatal(err)
		}
	}
	if _, err := AddOwned(t.Context(), w.db, "alice", 3, Client{ID: "d"}, nil); !errors.Is(err, ErrLimit) {
		t.Errorf("a fourth of three: %v", err)
	}
	if _, err := AddOwned(t.Context(), w.db, "bob", 3, Client{ID: "a"}, nil); !errors.Is(err, ErrExists) {
		t.Errorf("another's id: %v", err)
	}
	if _, err := Add(t.Context(), w.db, "admin", Client{ID: "e", About: About{Owner: "alice"}}, ""); err != nil {
		t.Fatal(err)
	}
	c, err := Edit(t.Context(), w.db, "bob", "c", func(c *Client) error {
		c.Owner, c.Name = "bob", "C"
		return nil
	})
	if err != nil || c.Owner != "alice" || c.Created.IsZero() {
		t.Errorf("after an edit: %+v, %v", c, err)
	}
	if err := Remove(t.Context(), w.db, "alice", "a"); err != nil {
		t.Fatal(err)
	}
	if alice, bob := w.ownedIDs(t, "alice"), w.ownedIDs(t, "bob"); alice != "b c" || bob != "" {
		t.Errorf("alice has %q, bob %q", alice, bob)
	}
	for _, id := range []string{"b", "c"} {
		if err := Remove(t.Context(), w.db, "alice", id); err != nil {
			t.Fatal(err)
		}
	}
	if _, at, err := loadOwned(t.Context(), w.db, "alice"); at != 0 || err != nil {
		t.Errorf("an empty list is kept: %v", err)
	}
}

// Ensure that the limit holds for those who add at the same time.
func TestLimitOfOwnedClientsHoldsInARace(t *testing.T) {
	w := newWorld(t)
	errs := make(chan error)
	for i := range 10 {
		go func() {
			_, err := AddOwned(t.Context(), w.db, "alice", 2, Client{ID: fmt.Sprint("c", i)}, nil)
			errs <- err
		}()
	}
	added := 0
	for range 10 {
		switch err := <-errs; {
		case err == nil:
			added++
		case !errors.Is(err, ErrLimit) && !errors.Is(err, tokenstore.ErrConflict):
			t.Error(err)
		}
	}
	if n := len(strings.Fields(w.ownedIDs(t, "alice"))); n != added || n < 1 || n > 2 {
		t.Errorf("%d were added, %d are listed, of 2", added, n)
	}
}

// Ensure that what a client says of itself is what people may be shown.
func TestAboutIsValidated(t *testing.T) {
	for text, about := range map[string]About{
		"client_uri":       {URI: "javascript:alert(1)"},
		"logo_uri":         {LogoURI: "data:image/png;base64,AAAA"},
		"policy_uri":       {PolicyURI: "http://example.com/privacy"},
		"tos_uri":          {TermsURI: "https://"},
		"contacts":         {Contacts: []string{"a@example.com", "a@example.com"}},
		"contacts: more":   {Contacts: strings.Fields("1 2 3 4 5 6 7 8 9 10 11")},
		"software_id":      {SoftwareID: "\u202eevil"},
		"software_version": {SoftwareVersion: strings.Repeat("1", MaxAbout+1)},
	} {
		c := Client{ID: "c", AuthMethod: authz.AuthNone, About: about}
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
	c := Client{ID: "c", AuthMethod: authz.AuthNone, About: About{
		URI: "https://example.com", LogoURI: "https://example.com/logo.png", Contacts: []string{"Bücher <b@example.com>"}, SoftwareID: "x", SoftwareVersion: "1",
	}}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

// Ensure that the clients of a user who is removed go too, and nobody else's.
func TestClientsGoWithTheirOwner(t *testing.T) {
	w := newWorld(t)
	for id, owner := range map[string]string{"a": "alice", "b": "alice", "c": "bob"} {
		if _, err := AddOwned(t.Context(), w.db, owner, 3, Client{ID: id}, nil); err != nil {
			t.Fatal(err)
		}
	}
	raw := w.issue(t, "a")
	if !w.alive(t, raw) {
		t.Fatal("the token is dead from the start")
	}
	change := w.db.NewChange()
	if err := RemoveOwned(t.Context(), w.db, change, "alice", "root"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if audit, err := w.db.AuditLog(t.Context(), 0, 1); err != nil || audit[0].Type != string(authz.EventClientRemoved) || audit[0].Actor != "root" {
		t.Errorf("noted as %+v, %v", audit, err)
	}
	if alice, bob := w.ownedIDs(t, "alice"), w.ownedIDs(t, "bob"); alice != "" || bob != "c" || w.alive(t, raw) {
		t.Errorf("alice has %q, bob %q", alice, bob)
	}
	if _, err := Get(t.Context(), w.db, "b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("b: %v", err)
	}
}
