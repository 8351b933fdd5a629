// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Ensure that a record with any one bit changed, or cut at any length, is refused
// as damaged, counted and logged, through the cache and past it.
func TestTamperedRecordIsRefused(t *testing.T) {
	m, log := newMemory(), &logs{}
	db := start(t, m, Options{Logger: log.logger()})
	f := newFamily(t, db, db.Now().Add(time.Hour))
	good := m.items[f.key].Value
	refused := func(what string) {
		t.Helper()
		_, err := Load[token](t.Context(), db, f.key)
		must(t, err, ErrDamaged, what)
		must(t, cached(t, db, f.key), ErrDamaged, what+", through the cache")
	}
	for i := range good {
		m.tamper(t, f.key, func([]byte) []byte {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			return bad
		})
		refused(fmt.Sprintf("a bit of byte %d", i))
	}
	for n := range good {
		m.tamper(t, f.key, func([]byte) []byte { return good[:n] })
		refused(fmt.Sprintf("the first %d bytes", n))
	}
	if n := db.Stats().Damaged; n != uint64(4*len(good)) {
		t.Errorf("%d damaged records counted, want %d", n, 4*len(good))
	}
	if lines := strings.Count(log.String(), "damaged"); lines == 0 || lines > 100 {
		t.Errorf("%d mentions in the log; it must say so, but not each time", lines)
	}
	m.tamper(t, f.key, func([]byte) []byte { return good })
	must(t, cached(t, db, f.key), nil, "the record itself")
}

// Ensure that a damaged anchor refuses what depends on it.
func TestTamperedAnchorIsRefused(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	f := newFamily(t, db, time.Time{})
	m.tamper(t, f.anchors[5], func(v []byte) []byte { v[0] ^= 1; return v })
	must(t, cached(t, db, f.key), ErrDamaged, "below a damaged grant")
	_, err := db.Generations(t.Context(), f.anchors[5])
	must(t, err, ErrDamaged, "its generation")
}

// Ensure that a record copied over another's key, of whatever kind or realm, is
// refused.
func TestSwappedRecordIsRefused(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	alice := newFamily(t, db, time.Time{})
	id := alice.key.ID()
	places := map[string]Key{
		"another credential":    CredentialKey([32]byte(rand32())),
		"another kind":          NewKey("", KindGrant, id),
		"another realm":         NewKey("other", KindCredential, id),
		"a realm that takes in": NewKey(string(KindCredential)+id[:1], KindCredential, id[1:]),
	}
	for name, key := range places {
		t.Run(name, func(t *testing.T) {
			c := db.NewChange()
			c.Put(key, token{Scope: "orders:read"}, time.Time{})
			_, err := db.Commit(t.Context(), c)
			must(t, err, nil, "saving")
			stolen := m.items[alice.key].Value
			m.tamper(t, key, func([]byte) []byte { return stolen })
			_, err = Load[token](t.Context(), db, key)
			must(t, err, ErrDamaged, "the copy")
		})
	}
}

// Ensure that the same id means different records in different realms and kinds.
func TestRealmsAreSeparate(t *testing.T) {
	db := start(t, newMemory(), Options{})
	keys := []Key{
		NewKey("", KindClient, "shop"), NewKey("a", KindClient, "shop"), NewKey("b", KindClient, "shop"),
		NewKey("", KindUsage, "shop"), NewKey("ac", KindClient, "shop"), NewKey("a", KindClient, "cshop"),
	}
	for i, key := range keys {
		c := db.NewChange()
		c.Create(key, i, time.Time{})
		_, err := db.Commit(t.Context(), c)
		must(t, err, nil, "saving")
	}
	for i, key := range keys {
		for range 2 {
			r, err := Cached[int](t.Context(), db, key)
			must(t, err, nil, "loading")
			if r.Value != i {
				t.Errorf("%q holds %d, want %d", string(key), r.Value, i)
			}
			settle(db)
		}
	}
	page, next, err := List[int](t.Context(), db, "a", KindClient, "", 10)
	must(t, err, nil, "listing")
	if len(page) != 2 || next != "" || page[0].Value != 5 || page[1].Value != 1 {
		t.Errorf("realm a lists %d records", len(page))
	}
}

// Ensure that a key says what it was made of.
func TestKeyParts(t *testing.T) {
	for _, realm := range []string{"", "a", strings.Repeat("r", MaxRealm)} {
		k := NewKey(realm, KindGrant, "\x00id\xff")
		if k.Realm() != realm || k.Kind() != KindGrant || k.ID() != "\x00id\xff" {
			t.Errorf("%q: %q %v %q", string(k), k.Realm(), k.Kind(), k.ID())
		}
	}
	for _, k := range []Key{"", "\x00", "\x05ab", "\xff"} {
		if k.Realm() != "" || k.Kind() != 0 || k.ID() != "" {
			t.Errorf("%q passes for a key", string(k))
		}
	}
	if CredentialKey([32]byte{1}) != NewKey("", KindCredential, "\x01"+strings.Repeat("\x00", 31)) {
		t.Error("CredentialKey builds another key than NewKey")
	}
}

// Ensure that neither keys nor values show in what is printed of them.
func TestNothingSecretIsPrinted(t *testing.T) {
	canary := "canary-5e1f"
	key := GenerateSealKey()
	for _, v := range []any{
		NewKey("", KindCredential, canary), Generation{Key: NewKey("", KindSealed, canary)},
		key, &key, []SealKey{key}, struct{ K SealKey }{key}, Sealed(canary),
	} {
		for _, verb := range []string{"%v", "%+v", "%s"} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, canary) || strings.Contains(out, key.Text()) || strings.Contains(out, fmt.Sprint(key.key[:4])) {
				t.Errorf("%T prints as %s", v, out)
			}
		}
	}
	if out := fmt.Sprintf("%#v", key); strings.Contains(out, fmt.Sprintf("%#x", key.key[0])) && strings.Contains(out, "key:") {
		t.Errorf("%%#v prints %s", out)
	}
}

// Ensure that digests depend on purpose, data and store, and on nothing else.
func TestDigest(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	one := db.Digest("user code", []byte("WDJB-MJHT"))
	if one != db.Digest("user code", []byte("WDJB-MJHT")) {
		t.Error("not the same twice")
	}
	if one != start(t, m.crash(), Options{}).Digest("user code", []byte("WDJB-MJHT")) {
		t.Error("not the same after a restart")
	}
	others := [][32]byte{
		db.Digest("recovery code", []byte("WDJB-MJHT")),
		db.Digest("user codeW", []byte("DJB-MJHT")),
		db.Digest("user code", []byte("WDJB-MJHU")),
		start(t, newMemory(), Options{}).Digest("user code", []byte("WDJB-MJHT")),
	}
	for i, other := range others {
		if other == one {
			t.Errorf("digest %d is the same", i)
		}
	}
}
