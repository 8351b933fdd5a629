// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// MaxSubject is the length in bytes of the longest subject that can have
// factors: it is the user handle of passkeys (WebAuthn §5.4.3).
const MaxSubject = 64

// Record is all that a user has, but for the seed, as it is stored. There is one
// record for a user, and whatever uses a factor up replaces it: two who use the
// same one cannot both succeed.
type Record struct {
	Passkeys []Passkey `cbor:"1,keyasint,omitempty"`
	TOTP     TOTP      `cbor:"2,keyasint,omitempty"`
	Recovery Recovery  `cbor:"3,keyasint,omitempty"`
}

// Set is the factors of one user as they were read. Each of its methods that
// takes a change writes the whole set to it, so one change takes one of them. A
// set is not safe for concurrent use, and of no use after its change was
// committed or failed to.
type Set struct {
	subject  string
	revision tokenstore.Revision
	record   Record
}

// setKey is where the set of a user is.
func setKey(subject string) tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindFactor, subject)
}

// Load reads the factors of the user with the given subject: an empty set if
// there are none. Every error is trouble of the store, and must not be taken for
// an empty set.
func Load(ctx context.Context, db *tokenstore.DB, subject string) (*Set, error) {
	s := &Set{subject: subject}
	r, err := tokenstore.Load[Record](ctx, db, setKey(subject))
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return s, nil
	case err != nil:
		return nil, err
	}
	s.revision, s.record = r.Revision, r.Value
	return s, nil
}

// Subject is whose set it is.
func (s *Set) Subject() string { return s.subject }

// Demanded reports whether the user has a second factor, without which a
// password does not sign in.
func (s *Set) Demanded() bool { return len(s.record.Passkeys) > 0 || s.HasTOTP() }

// Expect makes change depend on the set being as it was loaded. Whoever signs
// somebody in without a second factor expects that there still is none.
func (s *Set) Expect(change *tokenstore.Change) {
	change.Expect(tokenstore.Generation{Key: setKey(s.subject), Revision: s.revision})
}

// save makes change write the set, which must still be as it was loaded.
func (s *Set) save(change *tokenstore.Change) {
	if !s.Demanded() {
		// Recovery codes stand in for a second factor. Without one they are nothing but
		// another secret to lose.
		s.record.Recovery = Recovery{}
	}
	// It has no anchor: a user who is disabled and enabled again has the same factors.
	change.Replace(setKey(s.subject), s.revision, s.record, time.Time{})
}

// audit notes in change what happened to a factor of the user. actor is who
// did it, the user's own subject or "admin".
func (s *Set) audit(change *tokenstore.Change, event authz.EventType, which, actor string) {
	change.Audit(tokenstore.AuditEntry{
		Type: string(event), Outcome: string(authz.Allowed), Reason: which, Subject: s.subject, Actor: actor,
	})
}

// Names of factors in the audit ring.
const (
	auditPasskey  = "passkey"
	auditTOTP     = "totp"
	auditRecovery = "recovery_codes"
	// auditRecoveryCode is one of them, used up: sign-ins with one are rare, and a thief's
	// way in.
	auditRecoveryCode = "recovery_code"
	auditAll          = "all"
	auditCloned       = "passkey_cloned"
)

// Forget makes change remove everything that a user has who is being removed by actor.
func Forget(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, subject, actor string) error {
	s, err := Load(ctx, db, subject)
	if err != nil {
		return err
	}
	if s.Demanded() {
		Reset(change, subject, actor)
		return nil
	}
	change.Delete(setKey(subject)) // what is left when the last factor was removed
	change.Delete(seedKey(subject))
	return nil
}

// Reset makes change remove everything that the user with the given subject has,
// because all of it was lost.
func Reset(change *tokenstore.Change, subject, actor string) {
	change.Delete(setKey(subject))
	change.Delete(seedKey(subject))
	(&Set{subject: subject}).audit(change, authz.EventFactorRemoved, auditAll, actor)
}
