// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// totpPeriod is how long one code lasts (RFC 6238 §5.2).
	totpPeriod = 30 * time.Second
	// totpSkew is by how many periods the user's clock may differ.
	totpSkew = 1
	// totpSeed is the length of a seed in bytes (RFC 4226 §4, R6: 160 bits).
	totpSeed = 20
	// totpDigits is the length of a code: what all applications can do.
	totpDigits = otp.DigitsSix
)

// TOTP is what is known of a user's application for one-time codes. The seed is
// apart, sealed.
type TOTP struct {
	// Confirmed is when the first code proved that the application has the seed;
	// zero if there is none.
	Confirmed time.Time `cbor:"1,keyasint,omitempty"`
	// Step is the last period of which a code was accepted: neither that nor an
	// earlier one counts again (RFC 6238 §5.2).
	Step uint64 `cbor:"2,keyasint,omitempty"`
	// Used is when that was.
	Used time.Time `cbor:"3,keyasint,omitempty"`
}

// seedKey is where the sealed seed of a user is.
func seedKey(subject string) tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindSealed, "totp/"+subject)
}

// HasTOTP reports whether the user has an application for one-time codes.
func (s *Set) HasTOTP() bool { return !s.record.TOTP.Confirmed.IsZero() }

// TOTP is what is known of the application.
func (s *Set) TOTP() TOTP { return s.record.TOTP }

// Enrolment is a seed on its way to the user's application. It counts only after
// [Set.ConfirmTOTP]. The caller seals it, into a handle that travels through the
// page, and so nothing is stored of people who turn back.
type Enrolment struct {
	Subject string `cbor:"1,keyasint"`
	Seed    []byte `cbor:"2,keyasint"`
}

// String hides the seed.
func (e Enrolment) String() string { return "enrolment of an application for one-time codes" }

// GoString hides it too.
func (e Enrolment) GoString() string { return e.String() }

// BeginTOTP makes a seed for the user.
func (s *Set) BeginTOTP() Enrolment {
	seed := make([]byte, totpSeed)
	_, _ = rand.Read(seed) // it never fails
	return Enrolment{Subject: s.subject, Seed: seed}
}

// base32Text is how seeds are written: people type it when they cannot scan.
var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// Secret is the seed for people who type it in, in groups of four characters.
func (e Enrolment) Secret() string {
	text := base32Text.EncodeToString(e.Seed)
	var groups []string
	for ; len(text) > 4; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(append(groups, text), " ")
}

// URI is the seed for applications, in the form that all of them read. issuer and
// account are what the application shows.
func (e Enrolment) URI(issuer, account string) string {
	// In the label a colon stands between the two.
	plain := strings.NewReplacer(":", " ")
	issuer, account = plain.Replace(issuer), plain.Replace(account)
	query := url.Values{
		"secret": {base32Text.EncodeToString(e.Seed)}, "issuer": {issuer}, "algorithm": {"SHA1"},
		"digits": {totpDigits.String()}, "period": {strconv.Itoa(int(totpPeriod / time.Second))},
	}
	// Some applications show the plus of a form as it is.
	text := strings.ReplaceAll(query.Encode(), "+", "%20")
	return (&url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + account, RawQuery: text}).String()
}

// ConfirmTOTP makes change give the user the application that got e, in place of
// one that there was: code, as typed, shows that it has the seed. [ErrRefused]
// if it does not.
func (s *Set) ConfirmTOTP(db *tokenstore.DB, change *tokenstore.Change, e Enrolment, code, actor string) error {
	if e.Subject != s.subject {
		return refused("the enrolment is somebody else's")
	}
	step, err := matchTOTP(e.Seed, code, db.Now(), 0)
	if err != nil {
		return err
	}
	sealed, err := db.Seal(seedKey(s.subject), e.Seed)
	if err != nil {
		return err
	}
	s.record.TOTP = TOTP{Confirmed: db.Now(), Step: step}
	change.Put(seedKey(s.subject), sealed, time.Time{})
	s.save(change)
	s.audit(change, authz.EventFactorAdded, auditTOTP, actor)
	return nil
}

// UseTOTP checks a code as somebody typed it, and makes change use it up.
// [ErrRefused] if it is wrong or was used before; all else is trouble.
func (s *Set) UseTOTP(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, code string) (Methods, error) {
	if !s.HasTOTP() {
		return 0, refused("no application for one-time codes")
	}
	sealed, err := tokenstore.Load[tokenstore.Sealed](ctx, db, seedKey(s.subject))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return 0, refused("the seed was removed") // in this moment
	}
	if err != nil {
		return 0, err
	}
	seed, err := db.Unseal(seedKey(s.subject), sealed.Value)
	if err != nil {
		return 0, err
	}
	now := db.Now()
	step, err := matchTOTP(seed, code, now, s.record.TOTP.Step)
	if err != nil {
		return 0, err
	}
	s.record.TOTP.Step, s.record.TOTP.Used = step, now
	s.save(change)
	return ByTOTP, nil
}

// RemoveTOTP makes change take the application from the user. [ErrNotFound] if
// there is none.
func (s *Set) RemoveTOTP(change *tokenstore.Change, actor string) error {
	if !s.HasTOTP() {
		return ErrNotFound
	}
	s.record.TOTP = TOTP{}
	change.Delete(seedKey(s.subject))
	s.save(change)
	s.audit(change, authz.EventFactorRemoved, auditTOTP, actor)
	return nil
}

// matchTOTP returns the period that code is of: the present one or one beside it,
// and later than last. It always does the same work.
func matchTOTP(seed []byte, typed string, now time.Time, last uint64) (uint64, error) {
	if len(typed) > maxTyped {
		return 0, refused("not a one-time code")
	}
	code := strings.ReplaceAll(typed, " ", "")
	if len(code) != totpDigits.Length() || strings.Trim(code, "0123456789") != "" {
		return 0, refused("not a one-time code")
	}
	secret := base32Text.EncodeToString(seed)
	present := uint64(now.Unix()) / uint64(totpPeriod/time.Second)
	matched := uint64(0)
	for step := present - totpSkew; step <= present+totpSkew; step++ {
		same, err := hotp.ValidateCustom(code, step, secret, hotp.ValidateOpts{Digits: totpDigits, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, fmt.Errorf("factor: %w", err)
		}
		if same && step > last {
			matched = step
		}
	}
	if matched == 0 {
		return 0, refused("no such one-time code, or used before")
	}
	return matched, nil
}
