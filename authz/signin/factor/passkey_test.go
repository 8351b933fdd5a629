// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor/factortest"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that a passkey signs its user in without a name and as a second factor,
// and that what is recorded of it is what happened.
func TestPasskey(t *testing.T) {
	w := newWorld(t)
	if w.set().Demanded() {
		t.Error("a user without anything must bring a second factor")
	}
	a := w.enrolled()
	if all := w.set().Passkeys(); !w.set().Demanded() || len(all) != 1 || all[0].Name != "laptop" || !all[0].Created.Equal(epoch) || !all[0].Used.IsZero() {
		t.Errorf("after enrolment: %+v", all)
	}
	w.pass(1e9)
	proof, err := w.anybody(a)
	if err != nil || proof.Subject != subject || proof.Methods != factor.ByPasskey|factor.UserVerified || proof.Passkey != w.set().Passkeys()[0].ID() {
		t.Errorf("without a name: %+v, %v", proof, err)
	}
	if used := w.set().Passkeys()[0].Used; !used.Equal(w.db.Now()) {
		t.Errorf("last used %v", used)
	}
	a.Flags = factortest.UserPresent
	if proof, err := w.second(a, false); err != nil || proof.Methods != factor.ByPasskey {
		t.Errorf("as second factor: %+v, %v", proof, err)
	}
	if w.audited("factor_added", "passkey") != 1 {
		t.Error("the enrolment is not in the audit ring")
	}
	if _, _, err := w.passkeys.Challenge(w.db, &factor.Set{}, false); !errors.Is(err, factor.ErrNotFound) {
		t.Errorf("a challenge for somebody without passkeys: %v", err)
	}
}

// Ensure that passkeys are named and removed one by one, and that
// there is an end to their number.
func TestPasskeysOfAUser(t *testing.T) {
	w := newWorld(t)
	a := w.enrolled()
	if s := w.set(); !refusesSecond(w, s, a) {
		t.Error("an authenticator was asked for a second passkey")
	}
	for range factor.MaxPasskeys - 1 {
		w.enrolled()
	}
	if err := w.enrol(factortest.New(origin)); !errors.Is(err, factor.ErrTooMany) {
		t.Errorf("one more than there is room for: %v", err)
	}
	id := w.set().Passkeys()[0].ID()
	for name, want := range map[string]bool{"Key ring": true, "": true, "Größe 1": true, "a\nb": false, "\u202egpj": false, "\xff": false, strings.Repeat("x", factor.MaxPasskeyName+1): false} {
		if err := factor.ValidatePasskeyName(name); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
	s := w.set()
	w.must(func(change *tokenstore.Change) error { return s.RemovePasskey(change, id, "admin") })
	if n := len(w.set().Passkeys()); n != factor.MaxPasskeys-1 || w.audited("factor_removed", "passkey") != 1 {
		t.Errorf("%d are left", n)
	}
	if _, err := w.anybody(a); !errors.Is(err, factor.ErrRefused) {
		t.Errorf("the removed one: %v", err)
	}
	s = w.set()
	if err := s.RemovePasskey(w.db.NewChange(), id, subject); !errors.Is(err, factor.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	w.must(func(change *tokenstore.Change) error { factor.Reset(change, subject, "admin"); return nil })
	if w.set().Demanded() || w.audited("factor_removed", "all") != 1 {
		t.Error("something is left after a reset")
	}
	forget := func(change *tokenstore.Change) error {
		return factor.Forget(t.Context(), w.db, change, subject, "root")
	}
	if w.must(forget); w.audited("factor_removed", "all") != 1 {
		t.Error("the audit ring has something removed that nobody had")
	}
}

// refusesSecond reports whether a has been told that it has a passkey of the user.
func refusesSecond(w *world, s *factor.Set, a *factortest.Authenticator) bool {
	w.Helper()
	options, _, err := w.passkeys.Enrol(w.db, s, "ada", "")
	if err != nil {
		w.Fatal(err)
	}
	_, err = a.Create(options)
	return err != nil
}

// Ensure that a change of the user's factors in between wins over a sign-in.
func TestFactorsChangeInBetween(t *testing.T) {
	w := newWorld(t)
	a := w.enrolled()
	options, ceremony, err := w.passkeys.ChallengeAnybody(w.db)
	if err != nil {
		t.Fatal(err)
	}
	change := w.db.NewChange()
	if _, err := w.passkeys.Prove(t.Context(), w.db, change, ceremony, w.get(a, options)); err != nil {
		t.Fatal(err)
	}
	w.must(func(other *tokenstore.Change) error { factor.Reset(other, subject, "admin"); return nil })
	if _, err := w.db.Commit(t.Context(), change); !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("signed in by a passkey that was removed: %v", err)
	}
}

// Ensure that passkeys are offered where browsers have them, and there only.
func TestWherePasskeysAre(t *testing.T) {
	for issuer, want := range map[string]bool{
		"https://auth.example.com": true, "https://auth.example.com:8443/sso": true, "http://localhost:8080": true,
		"http://auth.example.com": false, "https://192.0.2.1": false, "https://[2001:db8::1]:8443": false, "http://127.0.0.1": false, "https://": false,
	} {
		if _, err := factor.NewPasskeys(issuer, ""); (err == nil) != want || err != nil && !errors.Is(err, factor.ErrNoPasskeys) {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}
