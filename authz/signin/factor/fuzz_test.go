// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor_test

import (
	"errors"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor/factortest"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// FuzzAnswer judges whatever a browser answers, as a new passkey and as a proof:
// nothing but a refusal comes of it, since nobody guesses a challenge.
func FuzzAnswer(f *testing.F) {
	w := newWorld(f)
	a := w.enrolled()
	other, err := factor.Load(f.Context(), w.db, "another")
	if err != nil {
		f.Fatal(err)
	}
	options, _, err := w.passkeys.Enrol(w.db, other, "ada", "")
	if err != nil {
		f.Fatal(err)
	}
	created, err := factortest.New(origin).Create(options)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(created)
	if options, _, err = w.passkeys.ChallengeAnybody(w.db); err != nil {
		f.Fatal(err)
	}
	f.Add(w.get(a, options))
	_, enrols, err := w.passkeys.Enrol(w.db, other, "ada", "")
	if err != nil {
		f.Fatal(err)
	}
	_, proves, err := w.passkeys.ChallengeAnybody(w.db)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var change *tokenstore.Change // must not be needed
		if _, err := w.passkeys.Enrolled(t.Context(), w.db, change, other, enrols, answer, "", subject); !errors.Is(err, factor.ErrRefused) {
			t.Errorf("a new passkey: %v", err)
		}
		if _, err := w.passkeys.Prove(t.Context(), w.db, change, proves, answer); !errors.Is(err, factor.ErrRefused) {
			t.Errorf("a proof: %v", err)
		}
	})
}
