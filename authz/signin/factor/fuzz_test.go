// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"errors"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor/factortest"
)

// FuzzAnswer judges whatever a browser answers, as a new passkey and as a proof:
// nothing but a refusal comes of it, since nobody guesses a challenge.
func FuzzAnswer(f *testing.F) {
	const site, challenge = "https://auth.example.com", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	a := factortest.New(site)
	created, err := a.Create([]byte(`{"publicKey":{"rp":{"id":"auth.example.com"},"user":{"id":"YWRh"},"challenge":"` + challenge + `"}}`))
	if err != nil {
		f.Fatal(err)
	}
	got, err := a.Get([]byte(`{"publicKey":{"rpId":"auth.example.com","challenge":"` + challenge + `"}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(created)
	f.Add(got)
	passkeys, err := NewPasskeys(site, "")
	if err != nil {
		f.Fatal(err)
	}
	c := Ceremony{Challenge: "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"}
	f.Fuzz(func(t *testing.T, answer []byte) {
		who := person{set: &Set{subject: "ada"}}
		if parsed, err := parseCreation(answer); err == nil {
			if made, err := passkeys.web.CreateCredential(who, c.session("ada"), parsed); err == nil {
				t.Errorf("made %+v", made)
			}
		} else if !errors.Is(err, ErrRefused) {
			t.Error(err)
		}
		if parsed, err := parseAssertion(answer); err == nil {
			who.set.record.Passkeys = []Passkey{{CredentialID: parsed.RawID}}
			if used, err := passkeys.web.ValidateLogin(who, c.session("ada"), parsed); err == nil {
				t.Errorf("proved by %+v", used)
			}
		} else if !errors.Is(err, ErrRefused) {
			t.Error(err)
		}
	})
}
