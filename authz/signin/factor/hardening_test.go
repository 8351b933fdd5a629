// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor_test

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor/factortest"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that no answer is taken that was made for another page, another site, or
// without the person, and that the right one is.
func TestAnswersFromElsewhere(t *testing.T) {
	w := newWorld(t)
	a := w.enrolled()
	for name, spoil := range map[string]func(a *factortest.Authenticator){
		"a look-alike":           func(a *factortest.Authenticator) { a.Origin = "https://auth.example.com.evil.example" },
		"a host below":           func(a *factortest.Authenticator) { a.Origin = "https://evil.auth.example.com" },
		"a host above":           func(a *factortest.Authenticator) { a.Origin = "https://example.com" },
		"another port":           func(a *factortest.Authenticator) { a.Origin = "https://auth.example.com:8443" },
		"plain http":             func(a *factortest.Authenticator) { a.Origin = "http://auth.example.com" },
		"no origin":              func(a *factortest.Authenticator) { a.Origin = "null" },
		"a frame":                func(a *factortest.Authenticator) { a.CrossOrigin = true },
		"the domain's id":        func(a *factortest.Authenticator) { a.RPID = "example.com" },
		"another id":             func(a *factortest.Authenticator) { a.RPID = "evil.example" },
		"nobody there":           func(a *factortest.Authenticator) { a.Flags = factortest.UserVerified },
		"no verification":        func(a *factortest.Authenticator) { a.Flags = factortest.UserPresent },
		"no user":                func(a *factortest.Authenticator) { a.Handle = nil },
		"an unknown user":        func(a *factortest.Authenticator) { a.Handle = []byte("nobody") },
		"a user of 1 kB":         func(a *factortest.Authenticator) { a.Handle = bytes.Repeat([]byte{'x'}, 1024) },
		"an unknown passkey":     func(a *factortest.Authenticator) { a.ID = []byte("another credential") },
		"suddenly synchronized":  func(a *factortest.Authenticator) { a.Flags |= factortest.BackupEligible },
		"contradictory backups":  func(a *factortest.Authenticator) { a.Flags |= factortest.BackedUp },
		"another authenticator":  func(a *factortest.Authenticator) { _ = a.Rekey() },
		"the answer to creation": func(a *factortest.Authenticator) { a.Ceremony = "webauthn.create" },
		"another challenge":      func(a *factortest.Authenticator) { a.Challenge = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
	} {
		bad := *a
		spoil(&bad)
		if proof, err := w.anybody(&bad); !errors.Is(err, factor.ErrRefused) || proof != (factor.Proof{}) {
			t.Errorf("%s: %+v, %v", name, proof, err)
		}
		if used := w.set().Passkeys()[0].Used; !used.IsZero() {
			t.Errorf("%s: the refused answer changed something", name)
		}
	}
	if _, err := w.anybody(a); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

// Ensure that a passkey is not made on another page either.
func TestEnrolmentFromElsewhere(t *testing.T) {
	w := newWorld(t)
	for name, spoil := range map[string]func(a *factortest.Authenticator){
		"another page":         func(a *factortest.Authenticator) { a.Origin = "https://evil.example" },
		"another site's id":    func(a *factortest.Authenticator) { a.RPID = "example.com" },
		"a frame":              func(a *factortest.Authenticator) { a.CrossOrigin = true },
		"nobody there":         func(a *factortest.Authenticator) { a.Flags = 0 },
		"the answer to a get":  func(a *factortest.Authenticator) { a.Ceremony = "webauthn.get" },
		"another challenge":    func(a *factortest.Authenticator) { a.Challenge = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
		"contradictory backup": func(a *factortest.Authenticator) { a.Flags |= factortest.BackedUp },
	} {
		a := factortest.New(origin)
		spoil(a)
		if err := w.enrol(a); !errors.Is(err, factor.ErrRefused) || w.set().Demanded() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ensure that an answer counts once: after another, and of many at a time. The
// authenticator has no counter, so nothing else would tell.
func TestReplayedAnswer(t *testing.T) {
	w := newWorld(t)
	a := w.enrolled()
	options, ceremony, err := w.passkeys.ChallengeAnybody(w.db)
	if err != nil {
		t.Fatal(err)
	}
	answer := w.get(a, options)
	if n := w.race(func() error { _, err := w.prove(ceremony, answer); return err }); n != 1 {
		t.Errorf("%d got in with one answer", n)
	}
	if _, err := w.prove(ceremony, answer); !errors.Is(err, factor.ErrRefused) {
		t.Errorf("after the others: %v", err)
	}
	if _, err := w.prove(ceremony, w.get(a, options)); !errors.Is(err, factor.ErrRefused) {
		t.Errorf("another answer to the same challenge: %v", err)
	}
}

// race calls do many times at once and counts how often it succeeds. The others
// must have been refused, or told that they came too late.
func (w *world) race(do func() error) int64 {
	w.Helper()
	var won atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			switch err := do(); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, factor.ErrRefused) && !errors.Is(err, tokenstore.ErrConflict):
				w.Error(err)
			}
		})
	}
	all.Wait()
	return won.Load()
}

// Ensure that a challenge is good for what it was made for, for whom, and for its
// time only.
func TestChallengeForSomethingElse(t *testing.T) {
	w := newWorld(t)
	a := w.enrolled()
	options, ceremony, err := w.passkeys.Challenge(w.db, w.set(), true)
	if err != nil {
		t.Fatal(err)
	}
	answer := w.get(a, options)
	other, enrols := ceremony, ceremony
	other.Subject, enrols.Enrols = "somebody else", true
	for name, c := range map[string]factor.Ceremony{"another user's": other, "an enrolment's": enrols, "none": {}} {
		if _, err := w.prove(c, answer); !errors.Is(err, factor.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.pass(factor.CeremonyLifetime)
	if _, err := w.prove(ceremony, answer); !errors.Is(err, factor.ErrRefused) {
		t.Errorf("too late: %v", err)
	}

	s := w.set()
	options, ceremony, err = w.passkeys.Enrol(w.db, s, "ada", "")
	if err != nil {
		t.Fatal(err)
	}
	answer, err = factortest.New(origin).Create(options)
	if err != nil {
		t.Fatal(err)
	}
	other, proves := ceremony, ceremony
	other.Subject, proves.Enrols = "somebody else", false
	for name, c := range map[string]factor.Ceremony{"another user's": other, "a sign-in's": proves, "none": {}} {
		err := w.commit(func(change *tokenstore.Change) error {
			_, err := w.passkeys.Enrolled(t.Context(), w.db, change, s, c, answer, "", subject)
			return err
		})
		if !errors.Is(err, factor.ErrRefused) {
			t.Errorf("%s enrolment: %v", name, err)
		}
	}
}

// Ensure that a counter that stands still or goes back refuses the sign-in, that
// it is noted for administrators and for the user, and that the one ahead goes on.
func TestClonedPasskey(t *testing.T) {
	w := newWorld(t)
	a := factortest.New(origin)
	a.Count, a.Step = 10, 1
	if err := w.enrol(a); err != nil {
		t.Fatal(err)
	}
	clone := *a
	for range 3 {
		if _, err := w.anybody(a); err != nil {
			t.Fatal(err)
		}
	}
	w.pass(time.Minute)
	if _, err := w.second(&clone, false); !errors.Is(err, factor.ErrCloned) || !errors.Is(err, factor.ErrRefused) {
		t.Errorf("the clone: %v", err)
	}
	if p := w.set().Passkeys()[0]; !p.Suspected.Equal(w.db.Now()) || p.SignCount != a.Count {
		t.Errorf("noted: %+v", p)
	}
	if w.audited("sign_in_refused", "passkey_cloned") != 1 {
		t.Error("not in the audit ring")
	}
	still := *a
	still.Step = 0
	if _, err := w.anybody(&still); !errors.Is(err, factor.ErrCloned) {
		t.Errorf("a counter that stands still: %v", err)
	}
	if _, err := w.anybody(a); err != nil {
		t.Errorf("the one ahead: %v", err)
	}
}

// Ensure that trouble with the store is neither a refusal nor a user without
// factors.
func TestTroubleIsNoAnswer(t *testing.T) {
	w := newWorld(t)
	a := w.enrolled()
	options, ceremony, err := w.passkeys.ChallengeAnybody(w.db)
	if err != nil {
		t.Fatal(err)
	}
	answer := w.get(a, options)
	w.engine.failing.Store(true)
	if s, err := factor.Load(t.Context(), w.db, subject); err == nil || s != nil {
		t.Errorf("load: %v, %v", s, err)
	}
	if _, err := w.prove(ceremony, answer); err == nil || errors.Is(err, factor.ErrRefused) {
		t.Errorf("prove: %v", err)
	}
	w.engine.failing.Store(false)
	if _, err := w.prove(ceremony, answer); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
