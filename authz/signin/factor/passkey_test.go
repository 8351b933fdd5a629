// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor_test

import (
	"errors"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor/factortest"
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
