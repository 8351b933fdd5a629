// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Ensure that a check finds nothing wrong with a sound store, changes nothing,
// and tells what the store is; without its key as far as that goes.
func TestCheckOfASoundStore(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	f := newFamily(t, db, db.Now().Add(time.Hour))
	secret := NewKey("", KindSealed, "secret")
	sealed, err := db.Seal(secret, []byte("plaintext"))
	must(t, err, nil, "sealing")
	c := db.NewChange()
	c.Create(secret, sealed, db.Now().Add(1500*time.Millisecond))
	c.Audit(AuditEntry{Type: "t"})
	_, err = db.Commit(t.Context(), c)
	must(t, err, nil, "saving")
	must(t, db.saveClock(t.Context()), nil, "saving the clock")
	before, rev := maps.Clone(m.items), m.rev

	told := int64(0)
	found, err := Check(t.Context(), m, []SealKey{testKey}, func(n int64) { told = n })
	must(t, err, nil, "checking")
	if found.Faults != 0 || !found.Authentic || found.ID != db.Stats().StoreID || found.Clock.IsZero() {
		t.Errorf("found %+v", found)
	}
	if found.Records[KindCredential] != 1 || found.Records[KindSealed] != 1 || told != int64(len(m.items)) {
		t.Errorf("%d records, by kind %v, of %d", told, found.Records, len(m.items))
	}
	bare, err := Check(t.Context(), m, nil, nil)
	must(t, err, nil, "checking without the key")
	if bare.Authentic || !bare.Clock.IsZero() || bare.ID != found.ID || !maps.Equal(bare.Records, found.Records) ||
		!slices.Equal(bare.SealKeys, []SealKeyID{testKey.ID()}) {
		t.Errorf("without the key: %+v", bare)
	}
	_, err = Check(t.Context(), m, []SealKey{GenerateSealKey()}, nil)
	must(t, err, ErrSealKey, "checking with another key")
	if m.rev != rev || !maps.EqualFunc(before, m.items, func(a, b Item) bool { return bytes.Equal(a.Value, b.Value) }) {
		t.Error("the store was changed")
	}
	must(t, cached(t, db, f.key), nil, "the token")
}

// Ensure that a check finds each thing that can be wrong with a record, and says
// which kind of record, but nothing of it.
func TestCheckFindsFaults(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, m *memory, db *DB, f family)
		says  string
	}{
		"a changed record": {func(t *testing.T, m *memory, _ *DB, f family) {
			m.tamper(t, f.key, func(v []byte) []byte { v[2] ^= 1; return v })
		}, "a record of kind credential is damaged"},
		"a record in another's place": {func(t *testing.T, m *memory, _ *DB, f family) {
			m.tamper(t, f.anchors[1], func([]byte) []byte { return bytes.Clone(m.items[f.key].Value) })
		}, "a record of kind client_anchor is damaged"},
		"no entry in the index": {func(_ *testing.T, m *memory, _ *DB, _ family) {
			maps.DeleteFunc(m.items, func(key Key, _ Item) bool { return key.Kind() == KindExpiry })
		}, "a record of kind credential expires but is not in the expiry index"},
		"a sealed value under a key that is gone": {func(t *testing.T, m *memory, db *DB, _ family) {
			key := NewKey("", KindSealed, "secret")
			value, err := db.auth.encodeRecord(key, Sealed(GenerateSealKey().seal(key, []byte("p"))), time.Time{}, nil)
			must(t, err, nil, "encoding")
			m.items[key] = Item{Key: key, Value: value, Revision: 1}
		}, "a sealed record does not open"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			db := start(t, m, Options{})
			f := newFamily(t, db, db.Now().Add(time.Hour))
			c.spoil(t, m, db, f)
			found, err := Check(t.Context(), m, []SealKey{testKey}, nil)
			must(t, err, nil, "checking")
			if found.Faults != 1 || len(found.Findings) != 1 || !strings.Contains(found.Findings[0], c.says) {
				t.Errorf("%d faults: %q", found.Faults, found.Findings)
			}
		})
	}
}
