// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// codes gives the user new recovery codes.
func (w *world) codes() (codes []string) {
	w.Helper()
	s := w.set()
	w.must(func(change *tokenstore.Change) (err error) {
		codes, err = s.NewRecoveryCodes(w.db, change, subject)
		return err
	})
	return codes
}

// recover signs in with a recovery code.
func (w *world) recover(typed string) error {
	s, err := factor.Load(w.Context(), w.db, subject)
	if err != nil {
		return err
	}
	return w.commit(func(change *tokenstore.Change) error {
		methods, err := s.UseRecoveryCode(w.db, change, typed)
		if err == nil && methods != factor.ByRecoveryCode {
			w.Errorf("proved by %b", methods)
		}
		return err
	})
}

// Ensure that each recovery code counts once, however it is typed, that new ones
// replace all, and that the store has none in the clear.
func TestRecoveryCodes(t *testing.T) {
	w := newWorld(t)
	s := w.set()
	if _, err := s.NewRecoveryCodes(w.db, w.db.NewChange(), subject); !errors.Is(err, factor.ErrNotFound) {
		t.Errorf("for somebody without a second factor: %v", err)
	}
	w.enrolled()
	codes := w.codes()
	if n, at := w.set().RecoveryLeft(); len(codes) != factor.RecoveryCodes || n != len(codes) || !at.Equal(epoch) || w.audited("factor_added", "recovery_codes") != 1 {
		t.Fatalf("%d codes, %d left, of %v", len(codes), n, at)
	}
	var file bytes.Buffer
	if err := w.db.Snapshot(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	for i, code := range codes {
		plain := strings.ReplaceAll(code, "-", "")
		if bytes.Contains(file.Bytes(), []byte(code)) || bytes.Contains(file.Bytes(), []byte(plain)) {
			t.Error("a code is in the clear in the store")
		}
		typed := []string{code, plain, strings.ToUpper(code), " " + code[:3] + " " + code[3:] + " ", strings.NewReplacer("0", "O", "1", "l").Replace(code)}[i%5]
		if err := w.recover(typed); err != nil {
			t.Errorf("%q: %v", typed, err)
		}
		if err := w.recover(code); !errors.Is(err, factor.ErrRefused) {
			t.Errorf("again: %v", err)
		}
		if n, _ := w.set().RecoveryLeft(); n != len(codes)-1-i {
			t.Errorf("%d are left", n)
		}
	}
	first, second := w.codes(), w.codes()
	if err := w.recover(first[0]); !errors.Is(err, factor.ErrRefused) {
		t.Errorf("one that was replaced: %v", err)
	}
	for _, typed := range []string{"", "-", "0000000000", strings.Repeat("-", 1<<20), second[0][:9], second[0] + "0", "uuuuu-uuuuu"} {
		if err := w.recover(typed); !errors.Is(err, factor.ErrRefused) {
			t.Errorf("%.20q: %v", typed, err)
		}
	}
	if n := w.audited("factor_removed", "recovery_code"); n != len(codes) {
		t.Errorf("%d used codes are audited", n)
	}
	if err := w.recover(second[9]); err != nil {
		t.Errorf("one of the new ones: %v", err)
	}
}

// Ensure S3: of many who come with one recovery code exactly one gets in.
func TestRecoveryCodeOnce(t *testing.T) {
	w := newWorld(t)
	w.enrolled()
	code := w.codes()[3]
	if n := w.race(func() error { return w.recover(code) }); n != 1 {
		t.Errorf("%d got in with one code", n)
	}
}

// Ensure that a code is good for nobody else, and that it goes with the last
// second factor that it stood in for.
func TestRecoveryCodesBelongToTheirUser(t *testing.T) {
	w := newWorld(t)
	w.enrolled()
	codes := w.codes()
	other, err := factor.Load(t.Context(), w.db, "somebody else")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.UseRecoveryCode(w.db, w.db.NewChange(), codes[0]); !errors.Is(err, factor.ErrRefused) {
		t.Errorf("somebody else: %v", err)
	}
	s := w.set()
	w.must(func(change *tokenstore.Change) error { return s.RemovePasskey(change, s.Passkeys()[0].ID(), subject) })
	if n, _ := w.set().RecoveryLeft(); n != 0 || w.set().Demanded() {
		t.Errorf("%d codes are left of nothing", n)
	}
	if err := w.recover(codes[0]); !errors.Is(err, factor.ErrRefused) {
		t.Errorf("without a second factor: %v", err)
	}
}
