// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// Ensure that what is not a store of this version is refused with a message that
// says what to do, is not changed, and is closed.
func TestForeignStoresAreRefused(t *testing.T) {
	raw := func(fields ...any) func([]byte) []byte {
		return func(old []byte) []byte {
			out, err := cbor.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			return append(out, old[len(old)-tagSize:]...)
		}
	}
	for name, made := range map[string]struct {
		change func([]byte) []byte // nil: the identity is deleted
		want   error
		says   string
	}{
		"no identity, but data": {nil, ErrFormat, "restore a backup"},
		"an empty identity":     {func([]byte) []byte { return nil }, ErrFormat, "restore a backup"},
		"a newer format":        {raw(magic, 2, "whatever", map[string]int{"comes": 3}), ErrFormat, "newer program"},
		"another program":       {raw("another", 1, 2, 3), ErrFormat, "Name another file"},
		"no format":             {raw(magic), ErrFormat, "Name another file"},
		"an older format":       {raw(magic, 0), ErrFormat, "restore a backup"},
		"an identity cut short": {raw(magic, 1, []byte("id")), ErrFormat, "restore a backup"},
		"noise":                 {func([]byte) []byte { return bytes.Repeat([]byte{0xa5}, 99) }, ErrFormat, "Name another file"},
		"an identity tampered with": {func(v []byte) []byte {
			i := bytes.Index(v, []byte(magic)) + len(magic) + 5 // in the store's id
			v[i] ^= 1
			return v
		}, ErrDamaged, "restore a backup"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			start(t, m, Options{})
			m = m.crash()
			if made.change == nil {
				delete(m.items, identityKey())
			} else {
				m.tamper(t, identityKey(), made.change)
			}
			before := m.rev
			_, err := Open(t.Context(), m, Options{SealKeys: []SealKey{testKey}})
			must(t, err, made.want, "opening")
			if !strings.Contains(err.Error(), made.says) {
				t.Errorf("the message does not say %q: %v", made.says, err)
			}
			if m.rev != before || !m.closed {
				t.Errorf("changed: %v, closed: %v", m.rev != before, m.closed)
			}
		})
	}
}

// Ensure that founding a store is safe against a crash and against trouble at
// each of its commits: the next start completes it.
func TestFoundingInterrupted(t *testing.T) {
	for stop := range 4 {
		for _, what := range []fault{faultUnavailable, faultUnknownDone, faultUnknownNotDone} {
			m := newMemory()
			n := 0
			m.beforeApply = func(Batch) fault {
				if n++; n > stop {
					return what
				}
				return faultNone
			}
			if db, err := Open(t.Context(), m, Options{SealKeys: []SealKey{testKey}}); err == nil {
				must(t, db.Close(), nil, "closing")
			}
			m.beforeApply = nil
			db := start(t, m.crash(), Options{})
			newFamily(t, db, db.Now())
		}
	}
}

// Ensure that a store keeps its identity, its secret and its own anchor, and that
// each has its own.
func TestIdentityIsKept(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	anchor, err := db.EnsureAnchor(t.Context(), db.StoreAnchor())
	must(t, err, nil, "the anchor")
	again := start(t, m.crash(), Options{})
	same, err := again.EnsureAnchor(t.Context(), db.StoreAnchor())
	must(t, err, nil, "the anchor")
	a, b := db.Stats(), again.Stats()
	if a.StoreID != b.StoreID || a.StoreID == [16]byte{} || !a.Created.Equal(b.Created) || anchor != same {
		t.Errorf("%v %v, then %v %v", a.StoreID, anchor, b.StoreID, same)
	}
	if a.StoreID == start(t, newMemory(), Options{}).Stats().StoreID {
		t.Error("two stores have one id")
	}
	if a.SealKey != testKey.ID() || a.SealKeySince.IsZero() || a.SealKeysNeeded != 1 {
		t.Errorf("seal key %v since %v, %d needed", a.SealKey, a.SealKeySince, a.SealKeysNeeded)
	}
	for _, item := range m.items {
		if bytes.Contains(item.Value, testKey.key[:]) {
			t.Error("the sealing key is in the store")
		}
	}
}
