// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// code is what the application shows at the world's time, moved by d.
func (w *world) code(e factor.Enrolment, d time.Duration) string {
	w.Helper()
	code, err := totp.GenerateCode(strings.ReplaceAll(e.Secret(), " ", ""), w.db.Now().Add(d))
	if err != nil {
		w.Fatal(err)
	}
	return code
}

// application gives the user an application for one-time codes, with the code of
// the period before.
func (w *world) application() factor.Enrolment {
	w.Helper()
	s := w.set()
	e := s.BeginTOTP()
	w.must(func(change *tokenstore.Change) error {
		return s.ConfirmTOTP(w.db, change, e, w.code(e, -30*time.Second), subject)
	})
	return e
}

// totp signs in with a code.
func (w *world) totp(code string) error {
	s, err := factor.Load(w.Context(), w.db, subject)
	if err != nil {
		return err
	}
	return w.commit(func(change *tokenstore.Change) error {
		methods, err := s.UseTOTP(w.Context(), w.db, change, code)
		if err == nil && methods != factor.ByTOTP {
			w.Errorf("proved by %b", methods)
		}
		return err
	})
}

// Ensure that an application counts only after a code of its own was seen, and
// that the seed is nowhere in the clear.
func TestTOTPEnrolment(t *testing.T) {
	w := newWorld(t)
	s := w.set()
	e := s.BeginTOTP()
	if err := w.commit(func(change *tokenstore.Change) error {
		return s.ConfirmTOTP(w.db, change, e, "000000", subject)
	}); !errors.Is(err, factor.ErrRefused) || w.set().Demanded() {
		t.Errorf("a wrong code confirms: %v", err)
	}
	other := e
	other.Subject = "somebody else"
	if err := w.commit(func(change *tokenstore.Change) error {
		return s.ConfirmTOTP(w.db, change, other, w.code(e, 0), subject)
	}); !errors.Is(err, factor.ErrRefused) {
		t.Errorf("somebody else's enrolment: %v", err)
	}
	e = w.application()
	if !w.set().Demanded() || !w.set().HasTOTP() || !w.set().TOTP().Confirmed.Equal(epoch) || w.audited("factor_added", "totp") != 1 {
		t.Error("the application is not there")
	}
	if err := w.totp(w.code(e, 0)); err != nil {
		t.Errorf("its first code: %v", err)
	}
	var file bytes.Buffer
	if err := w.db.Snapshot(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	if secret := strings.ReplaceAll(e.Secret(), " ", ""); bytes.Contains(file.Bytes(), e.Seed) || bytes.Contains(file.Bytes(), []byte(secret)) {
		t.Error("the seed is in the clear in the store")
	}
	if printed := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(printed, fmt.Sprint(e.Seed[0], " ", e.Seed[1])) || strings.Contains(printed, "0x") {
		t.Errorf("printed: %s", printed)
	}
	s = w.set()
	w.must(func(change *tokenstore.Change) error { return s.RemoveTOTP(change, subject) })
	w.pass(time.Minute)
	if err := w.totp(w.code(e, 0)); !errors.Is(err, factor.ErrRefused) || w.set().Demanded() || w.audited("factor_removed", "totp") != 1 {
		t.Errorf("after removal: %v", err)
	}
}

// Ensure that codes count in their period and the ones beside it, each once, and
// never one that is older than one that was seen.
func TestTOTPPeriods(t *testing.T) {
	w := newWorld(t)
	e := w.application()
	if err := w.totp(w.code(e, -30*time.Second)); !errors.Is(err, factor.ErrRefused) {
		t.Errorf("the code that confirmed: %v", err)
	}
	w.pass(time.Hour)
	for _, step := range []struct {
		name   string
		ahead  time.Duration
		passes bool
	}{
		{"two periods ago", -60 * time.Second, false},
		{"two periods ahead", 60 * time.Second, false},
		{"the period before", -30 * time.Second, true},
		{"the same again", -30 * time.Second, false},
		{"the period after", 30 * time.Second, true},
		{"the present one, which is older", 0, false},
	} {
		if err := w.totp(w.code(e, step.ahead)); (err == nil) != step.passes || err != nil && !errors.Is(err, factor.ErrRefused) {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	w.pass(time.Minute)
	code := w.code(e, 0)
	for _, typed := range []string{"", "12345", code + "0", "-" + code[1:], "+" + code[1:], "０" + code[1:], strings.Repeat("0", 1<<20), "abcdef", code[:5] + "\x00"} {
		if err := w.totp(typed); !errors.Is(err, factor.ErrRefused) {
			t.Errorf("%.20q: %v", typed, err)
		}
	}
	if err := w.totp(" " + code[:3] + " " + code[3:] + " "); err != nil {
		t.Errorf("with spaces: %v", err)
	}
}

// Ensure S3: of many who come with one code exactly one gets in.
func TestTOTPOnce(t *testing.T) {
	w := newWorld(t)
	e := w.application()
	code := w.code(e, 0)
	if n := w.race(func() error { return w.totp(code) }); n != 1 {
		t.Errorf("%d got in with one code", n)
	}
}

// Ensure that applications are told what they need, whatever the names are.
func TestTOTPAddress(t *testing.T) {
	e := newWorld(t).set().BeginTOTP()
	text := e.URI("Shop: Ä&B+C", "ada?secret=x@example.com")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Shop  Ä&B+C:ada?secret=x@example.com" {
		t.Fatalf("%s, %v", text, err)
	}
	q := u.Query()
	if q.Get("secret") != strings.ReplaceAll(e.Secret(), " ", "") || q.Get("issuer") != "Shop  Ä&B+C" || q.Get("period") != "30" || q.Get("digits") != "6" || q.Get("algorithm") != "SHA1" || strings.Contains(text, " ") || strings.Contains(u.RawQuery, "+") {
		t.Errorf("%s", text)
	}
}
