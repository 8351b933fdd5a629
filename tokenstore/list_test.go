// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// Ensure that what belongs to one user is listed without what belongs to others.
func TestListUnder(t *testing.T) {
	db := start(t, newMemory(), Options{})
	under := func(subject string) Key { return NewKey("", KindSession, subject+"\x00") }
	c := db.NewChange()
	for i, subject := range []string{"an", "ann", "anna"} {
		for n := range 3 {
			c.Create(under(subject)+Key(fmt.Sprint(n)), 10*i+n, time.Time{})
		}
	}
	_, err := db.Commit(t.Context(), c)
	must(t, err, nil, "saving")
	var got []int
	for cursor := Cursor(""); ; {
		page, next, err := ListUnder[int](t.Context(), db, under("ann"), cursor, 2)
		must(t, err, nil, "a page")
		for _, r := range page {
			got = append(got, r.Value)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if fmt.Sprint(got) != "[10 11 12]" {
		t.Errorf("under ann are %v", got)
	}
	if _, _, err := ListUnder[int](t.Context(), db, "", "", 2); err == nil {
		t.Error("everything can be listed")
	}
}

// Ensure that what was sealed for a journey opens with its label only, and that a
// text which somebody made up is no damage to the store.
func TestSealedDetached(t *testing.T) {
	db := start(t, newMemory(), Options{})
	sealed := db.SealDetached("a form", []byte("intent"))
	if got, err := db.OpenDetached("a form", sealed); err != nil || string(got) != "intent" {
		t.Fatalf("%q, %v", got, err)
	}
	before := db.Stats().Damaged
	for name, try := range map[string]struct {
		label  string
		sealed []byte
	}{"another label": {"form", sealed}, "made up": {"a form", []byte("intent")}, "cut": {"a form", sealed[:len(sealed)-1]}} {
		if _, err := db.OpenDetached(try.label, try.sealed); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := db.Unseal(ClientKey("a form"), sealed); err == nil {
		t.Error("it opens as a record")
	}
	if after := db.Stats().Damaged; after != before+1 {
		t.Errorf("damage went from %d to %d, want that of the record alone", before, after)
	}
}
