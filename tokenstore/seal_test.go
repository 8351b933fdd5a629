// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// sealSome saves n sealed values, in two realms.
func sealSome(t *testing.T, db *DB, n int) map[Key]string {
	t.Helper()
	values := make(map[Key]string)
	for i := range n {
		key := NewKey([]string{"", "other"}[i%2], KindSealed, fmt.Sprintf("secret %d", i))
		values[key] = fmt.Sprintf("value %d", i)
		sealOne(t, db, key, values[key])
	}
	return values
}

func sealOne(t *testing.T, db *DB, key Key, value string) {
	t.Helper()
	s, err := db.Seal(key, []byte(value))
	must(t, err, nil, "sealing")
	c := db.NewChange()
	c.Put(key, s, db.Now().Add(time.Hour))
	_, err = db.Commit(t.Context(), c)
	must(t, err, nil, "saving")
}

// checkSealed makes sure that all values open.
func checkSealed(t *testing.T, db *DB, values map[Key]string) {
	t.Helper()
	for key, want := range values {
		r, err := Load[Sealed](t.Context(), db, key)
		must(t, err, nil, "loading")
		got, err := db.Unseal(key, r.Value)
		must(t, err, nil, "unsealing")
		if string(got) != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// Ensure that a sealed value opens for its own record only, and not changed.
func TestSealedOpensOnlyWhereItBelongs(t *testing.T) {
	db := start(t, newMemory(), Options{})
	key := NewKey("", KindSealed, "signing key")
	s, err := db.Seal(key, []byte("secret"))
	must(t, err, nil, "sealing")
	if strings.Contains(string(s), "secret") {
		t.Fatal("it is not sealed")
	}
	plain, err := db.Unseal(key, s)
	if must(t, err, nil, "unsealing"); string(plain) != "secret" {
		t.Fatalf("got %q", plain)
	}
	for _, other := range []Key{NewKey("", KindSealed, "signing kez"), NewKey("r", KindSealed, "signing key"), NewKey("", KindClient, "signing key")} {
		_, err := db.Unseal(other, s)
		must(t, err, ErrDamaged, "for another record")
	}
	for i := range s {
		bad := append(Sealed(nil), s...)
		bad[i] ^= 1
		if _, err := db.Unseal(key, bad); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrSealKey) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		_, err := db.Unseal(key, s[:i])
		must(t, err, ErrDamaged, "cut")
	}
	again, _ := db.Seal(key, []byte("secret"))
	if string(again) == string(s) {
		t.Error("sealing twice gives the same")
	}
}

// Ensure that a record for sealed values takes nothing else.
func TestSealedRecordHoldsSealedOnly(t *testing.T) {
	db := start(t, newMemory(), Options{})
	c := db.NewChange()
	c.Put(NewKey("", KindSealed, "k"), "in clear", time.Time{})
	if _, err := db.Commit(t.Context(), c); err == nil {
		t.Fatal("a value in clear was saved as sealed")
	}
}

// Ensure that a store opens with its own sealing key only, and says which.
func TestWrongSealKeyIsRefused(t *testing.T) {
	m := newMemory()
	key := GenerateSealKey()
	start(t, m, Options{SealKeys: []SealKey{key}})
	other := GenerateSealKey()
	for name, keys := range map[string][]SealKey{"none": {}, "another": {other}, "an empty one": {{}}, "one twice": {key, key}} {
		_, err := Open(t.Context(), m.crash(), Options{SealKeys: keys})
		must(t, err, ErrSealKey, name)
		if name == "another" && !strings.Contains(err.Error(), key.ID().String()) {
			t.Errorf("the error does not name the key that is missing: %v", err)
		}
	}
	start(t, m.crash(), Options{SealKeys: []SealKey{other, key}})
}

// Ensure that a rotation, interrupted at each of its commits in each way, loses
// nothing: afterwards the store opens with both keys, never with a key too few,
// and a repetition completes it.
func TestRotationInterruptedAtEachStep(t *testing.T) {
	const values = 130 // two realms, so more than one transaction, and the identity
	old, fresh := GenerateSealKey(), GenerateSealKey()
	m := newMemory()
	db := start(t, m, Options{SealKeys: []SealKey{old}})
	want := sealSome(t, db, values)
	steps := 0
	for stop := 0; stop <= steps; stop++ {
		for _, what := range []fault{faultUnavailable, faultUnknownDone, faultUnknownNotDone} {
			m := m.crash()
			broken := false
			m.beforeApply = func(Batch) fault {
				if steps = max(steps, len(m.done)); len(m.done) >= stop || broken {
					broken = true
					return what
				}
				return faultNone
			}
			db, err := Open(t.Context(), m, Options{SealKeys: []SealKey{fresh, old}})
			if err == nil {
				_, err = db.Reseal(t.Context(), nil)
				checkSealed(t, db, want)
			}
			if what == faultUnavailable && stop < steps {
				must(t, err, ErrUnavailable, "the interrupted rotation")
			}
			m.beforeApply = nil

			// With either key alone: refused, or everything opens.
			for _, key := range []SealKey{old, fresh} {
				if db, err := Open(t.Context(), m.crash(), Options{SealKeys: []SealKey{key}}); err == nil {
					checkSealed(t, db, want)
					must(t, db.Close(), nil, "closing")
				} else {
					must(t, err, ErrSealKey, "one key")
				}
			}
			after := start(t, m.crash(), Options{SealKeys: []SealKey{fresh, old}})
			checkSealed(t, after, want)
			_, err = after.Reseal(t.Context(), nil)
			must(t, err, nil, "completing")
			if after.Stats().SealKeysNeeded != 1 {
				t.Fatal("the old key is still needed")
			}
			alone := start(t, after.store.(*memory).crash(), Options{SealKeys: []SealKey{fresh}})
			checkSealed(t, alone, want)
			_, err = Open(t.Context(), after.store.(*memory).crash(), Options{SealKeys: []SealKey{old}})
			must(t, err, ErrSealKey, "the old key alone")
			if db != nil {
				must(t, db.Close(), nil, "closing")
			}
		}
	}
	if steps < 4 {
		t.Errorf("only %d steps were interrupted", steps)
	}
}

// Ensure that a rotation tells how far it is, goes in small transactions, and has
// nothing to do the second time.
func TestRotationIsGradualAndRepeatable(t *testing.T) {
	old, fresh := GenerateSealKey(), GenerateSealKey()
	m := newMemory()
	db := start(t, m, Options{SealKeys: []SealKey{old}})
	want := sealSome(t, db, 250)
	inCache := NewKey("", KindSealed, "secret 0")
	for range 10 {
		must(t, errorOf(Cached[Sealed](t.Context(), db, inCache)), nil, "loading")
		settle(db)
	}
	must(t, db.SetSealKeys(t.Context(), []SealKey{fresh}), ErrSealKey, "dropping the key in use")
	must(t, db.SetSealKeys(t.Context(), []SealKey{fresh, old}), nil, "adding a key")
	m.beforeApply = func(b Batch) fault {
		if n := len(b.Put) + len(b.Delete); n > 3*ResealBatch {
			t.Errorf("a transaction of %d keys", n)
		}
		return faultNone
	}
	var heard []int
	n, err := db.Reseal(t.Context(), func(done int) { heard = append(heard, done) })
	must(t, err, nil, "rotating")
	if n != 250 || len(heard) < 3 || heard[len(heard)-1] != 250 {
		t.Errorf("%d values, progress %v", n, heard)
	}
	n, err = db.Reseal(t.Context(), nil)
	if must(t, err, nil, "again"); n != 0 {
		t.Errorf("%d values were sealed a second time", n)
	}
	must(t, db.SetSealKeys(t.Context(), []SealKey{fresh}), nil, "dropping the old key")
	checkSealed(t, db, want)
	r, err := Cached[Sealed](t.Context(), db, inCache)
	must(t, err, nil, "loading what was cached under the old key")
	_, err = db.Unseal(inCache, r.Value)
	must(t, err, nil, "unsealing it")
}

// Ensure that what was sealed with a key before a rotation cannot be saved once
// the rotation has let that key go.
func TestValueSealedBeforeRotationIsNotLeftBehind(t *testing.T) {
	old, fresh := GenerateSealKey(), GenerateSealKey()
	db := start(t, newMemory(), Options{SealKeys: []SealKey{old}})
	key := NewKey("", KindSealed, "late")
	s, err := db.Seal(key, []byte("value"))
	must(t, err, nil, "sealing")
	rotate := func() {
		must(t, db.SetSealKeys(t.Context(), []SealKey{fresh, old}), nil, "adding a key")
		_, err = db.Reseal(t.Context(), nil)
		must(t, err, nil, "rotating")
	}
	c := db.NewChange()
	c.Create(key, s, time.Time{})
	once(db, stepCommitReady, rotate)
	_, err = db.Commit(t.Context(), c)
	must(t, err, ErrConflict, "saving while the key goes")
	db.step = nil
	c = db.NewChange()
	c.Create(key, s, time.Time{})
	_, err = db.Commit(t.Context(), c)
	must(t, err, ErrConflict, "saving after the key is gone")
}

// Ensure that a rotation that another one overtakes ends, and loses nothing.
func TestRotationOvertaken(t *testing.T) {
	first, second, third := GenerateSealKey(), GenerateSealKey(), GenerateSealKey()
	db := start(t, newMemory(), Options{SealKeys: []SealKey{first}})
	want := sealSome(t, db, 130)
	must(t, db.SetSealKeys(t.Context(), []SealKey{second, first}), nil, "adding a key")
	once(db, stepResealed, func() {
		must(t, db.SetSealKeys(t.Context(), []SealKey{third, second, first}), nil, "adding another")
		_, err := db.Reseal(t.Context(), nil)
		must(t, err, nil, "the rotation that overtakes")
	})
	_, err := db.Reseal(t.Context(), nil)
	must(t, err, ErrSealKey, "the rotation that is overtaken")
	must(t, db.SetSealKeys(t.Context(), []SealKey{third}), nil, "dropping the others")
	checkSealed(t, db, want)
}

// Ensure that a rotation ends though somebody else is always faster.
func TestRotationThatNeverGetsThere(t *testing.T) {
	old, fresh := GenerateSealKey(), GenerateSealKey()
	m := newMemory()
	db := start(t, m, Options{SealKeys: []SealKey{old}})
	want := sealSome(t, db, 3)
	must(t, db.SetSealKeys(t.Context(), []SealKey{fresh, old}), nil, "adding a key")
	m.beforeApply = func(b Batch) fault {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.rev++
		item := m.items[b.Put[0].Key]
		item.Revision = m.rev
		m.items[item.Key] = item
		return faultNone
	}
	n, err := db.Reseal(t.Context(), nil)
	if must(t, err, ErrConflict, "the rotation"); n != 0 || db.Stats().SealKeysNeeded != 2 {
		t.Errorf("%d sealed anew, %d keys needed", n, db.Stats().SealKeysNeeded)
	}
	m.beforeApply = nil
	checkSealed(t, db, want)
}

// Ensure that one value that does not open neither stops the others nor lets the
// old key go.
func TestRotationWithDamage(t *testing.T) {
	old, fresh := GenerateSealKey(), GenerateSealKey()
	m := newMemory()
	db := start(t, m, Options{SealKeys: []SealKey{old}})
	want := sealSome(t, db, 20)
	bad := NewKey("", KindSealed, "secret 4")
	m.tamper(t, bad, func(v []byte) []byte { v[9] ^= 1; return v })
	delete(want, bad)
	must(t, db.SetSealKeys(t.Context(), []SealKey{fresh, old}), nil, "adding a key")
	n, err := db.Reseal(t.Context(), nil)
	must(t, err, ErrDamaged, "rotating")
	if n != 19 || db.Stats().SealKeysNeeded != 2 {
		t.Errorf("%d sealed anew, %d keys needed", n, db.Stats().SealKeysNeeded)
	}
	checkSealed(t, db, want)
}

// Ensure that key files read as people write them, and that errors do not show them.
func TestParseSealKeys(t *testing.T) {
	a, b := GenerateSealKey(), GenerateSealKey()
	url := strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(b.Text()), "=")
	keys, err := ParseSealKeys("# made yesterday\n" + a.Text() + "\r\n\n  " + url + "\n")
	must(t, err, nil, "a good file")
	if len(keys) != 2 || keys[0].ID() != a.ID() || keys[1].ID() != b.ID() {
		t.Errorf("got %v", keys)
	}
	for _, bad := range []string{"", "#", "short", a.Text() + a.Text(), a.Text()[:40], "\x00"} {
		_, err := ParseSealKeys(bad)
		must(t, err, ErrSealKey, "a bad file")
		if len(bad) > 4 && strings.Contains(err.Error(), bad) {
			t.Errorf("the error shows the text: %v", err)
		}
	}
}
