// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"crypto/rand"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// RecoveryCodes is how many codes a user gets at a time.
	RecoveryCodes = 10
	// recoveryLength is the number of characters of a code, of 5 bits each: with the
	// guesses that are let through in a year, 50 bits are not found.
	recoveryLength = 10
	// recoveryAlphabet is Crockford's base 32: no two letters look alike.
	recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	// maxTyped is the length in bytes of the longest code that is looked at.
	maxTyped = 64
)

// Recovery is the recovery codes that a user has left.
type Recovery struct {
	// Digests are the codes' HMACs under a key of the store, for codes are short.
	Digests [][32]byte `cbor:"1,keyasint,omitempty"`
	Created time.Time  `cbor:"2,keyasint,omitempty"`
}

// RecoveryLeft is how many recovery codes are left, and when they were made.
func (s *Set) RecoveryLeft() (int, time.Time) {
	return len(s.record.Recovery.Digests), s.record.Recovery.Created
}

// NewRecoveryCodes makes change give the user new recovery codes, in place of all
// that there were, and returns them. They are shown once and cannot be read
// again. [ErrNotFound] if there is no second factor that they could stand in for.
func (s *Set) NewRecoveryCodes(db *tokenstore.DB, change *tokenstore.Change, actor string) ([]string, error) {
	if !s.Demanded() {
		return nil, ErrNotFound
	}
	codes := make([]string, RecoveryCodes)
	s.record.Recovery = Recovery{Digests: make([][32]byte, RecoveryCodes), Created: db.Now()}
	for i := range codes {
		raw := newRecoveryCode()
		s.record.Recovery.Digests[i] = s.recoveryDigest(db, raw)
		codes[i] = raw[:recoveryLength/2] + "-" + raw[recoveryLength/2:]
	}
	s.save(change)
	s.audit(change, authz.EventFactorAdded, auditRecovery, actor)
	return codes, nil
}

func newRecoveryCode() string {
	var b [recoveryLength]byte
	_, _ = rand.Read(b[:]) // it never fails
	for i := range b {
		b[i] = recoveryAlphabet[b[i]%byte(len(recoveryAlphabet))] // 32 divides 256
	}
	return string(b[:])
}

// recoveryDigest is what is kept of a code. The same code is another one for
// another user.
func (s *Set) recoveryDigest(db *tokenstore.DB, code string) [32]byte {
	return db.Digest("recovery code", []byte(s.subject+"\x00"+code))
}

// UseRecoveryCode checks a code as somebody typed it, and makes change use it up.
// [ErrRefused] if it is none, or was used before.
func (s *Set) UseRecoveryCode(db *tokenstore.DB, change *tokenstore.Change, typed string) (Methods, error) {
	code, ok := canonicalRecovery(typed)
	if !ok {
		return 0, refused("not a recovery code")
	}
	digest, found := s.recoveryDigest(db, code), -1
	for i, d := range s.record.Recovery.Digests {
		if subtle.ConstantTimeCompare(d[:], digest[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return 0, refused("no such recovery code")
	}
	s.record.Recovery.Digests = slices.Delete(slices.Clone(s.record.Recovery.Digests), found, found+1)
	s.save(change)
	s.audit(change, authz.EventFactorRemoved, auditRecoveryCode, s.subject)
	return ByRecoveryCode, nil
}

// canonicalRecovery reads a code as people type it off paper: in any case, with
// or without separators, and with the letters that Crockford takes for digits.
func canonicalRecovery(typed string) (string, bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	code := strings.NewReplacer(" ", "", "-", "", "o", "0", "i", "1", "l", "1").Replace(strings.ToLower(typed))
	if len(code) != recoveryLength || strings.Trim(code, recoveryAlphabet) != "" {
		return "", false
	}
	return code, true
}
