// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"errors"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

// reset makes a link for a user.
func (w *world) reset(subject string) string {
	w.t.Helper()
	ticket, _, err := w.NewReset(w.t.Context(), "admin", subject, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return ticket
}

// Ensure that a link changes the password once, ends what was signed in before, and is
// spent neither by being looked at nor by a password that is not acceptable.
func TestALinkChangesThePasswordOnce(t *testing.T) {
	w := newWorld(t)
	u := w.add("zoe")
	_, before, err := w.Present(t.Context(), u.Subject)
	if err != nil {
		t.Fatal(err)
	}
	ticket := w.reset(u.Subject)
	for range 2 {
		if seen, err := w.ResetUser(t.Context(), ticket); err != nil || seen.Subject != u.Subject {
			t.Errorf("looked at: %v", err)
		}
	}
	_, err = w.Redeem(t.Context(), ticket, "short")
	wantError(t, "a short password", err, ErrPassword)
	if _, err := w.Redeem(t.Context(), ticket, "another password"); err != nil {
		t.Fatal(err)
	}
	wantError(t, "the new password", w.verify("zoe", "another password"), nil)
	wantError(t, "the old password", w.verify("zoe", right), ErrRefused)
	if _, now, _ := w.Present(t.Context(), u.Subject); now == before {
		t.Error("sessions from before go on")
	}
	_, err = w.Redeem(t.Context(), ticket, "yet another password")
	wantError(t, "a second time", err, ErrTicket)
	if !w.events.has(authz.EventResetLinkMade, u.Subject) || !w.events.has(authz.EventPasswordChanged, u.Subject) {
		t.Error("nobody was told")
	}
}

// Ensure that a link ends by time, by another link's use, and with the account, and
// that nothing else is one.
func TestLinksEnd(t *testing.T) {
	w := newWorld(t)
	u := w.add("zoe")
	dead := func(what, ticket string) {
		t.Helper()
		_, err := w.ResetUser(t.Context(), ticket)
		wantError(t, what+", looked at", err, ErrTicket)
		_, err = w.Redeem(t.Context(), ticket, "another password")
		wantError(t, what, err, ErrTicket)
	}
	old := w.reset(u.Subject)
	w.ahead.Add(int64(DefaultResetLifetime))
	dead("an hour later", old)
	first, second := w.reset(u.Subject), w.reset(u.Subject)
	if _, err := w.Redeem(t.Context(), second, "another password"); err != nil {
		t.Fatal(err)
	}
	dead("after another one was used", first)
	own := w.reset(u.Subject)
	if _, err := w.SetPassword(t.Context(), u.Subject, u.Subject, NewPassword{Password: "a password of my own", KeepSessions: true}); err != nil {
		t.Fatal(err)
	}
	dead("after the user has chosen another password without it", own)
	shut := w.reset(u.Subject)
	if _, err := w.Disable(t.Context(), "admin", u.Subject); err != nil {
		t.Fatal(err)
	}
	dead("of a disabled user", shut)
	for _, text := range []string{"", "x", token.New(token.Ticket), token.New(token.Access)} {
		dead("no link", text)
	}
	if _, _, err := w.NewReset(t.Context(), "admin", u.Subject, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("for a disabled user: %v", err)
	}
	other := w.add("other")
	for _, lifetime := range []time.Duration{-1, time.Second, MaxResetLifetime + 1} {
		if _, _, err := w.NewReset(t.Context(), "admin", other.Subject, lifetime); err == nil {
			t.Errorf("a link may count for %v", lifetime)
		}
	}
}

// Ensure that of many who use a link at once, one does (S3).
func TestALinkIsUsedByOne(t *testing.T) {
	w := newWorld(t)
	ticket := w.reset(w.add("zoe").Subject)
	const many = 8
	results := make(chan error, many)
	for range many {
		go func() {
			_, err := w.Redeem(t.Context(), ticket, "another password")
			results <- err
		}()
	}
	used := 0
	for range many {
		switch err := <-results; {
		case err == nil:
			used++
		case !errors.Is(err, ErrTicket):
			t.Errorf("one of the others: %v", err)
		}
	}
	if used != 1 {
		t.Errorf("%d have used it", used)
	}
}
