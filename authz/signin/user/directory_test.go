// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that a user is found by user name and e-mail address in every spelling, and
// signs in with the right password only (U14: one account, whatever alias names it).
func TestAUserIsFoundInEverySpelling(t *testing.T) {
	w := newWorld(t)
	rec, err := w.Create(t.Context(), "admin", Addition{Username: "Zoë", Email: "Zoe@Example.com", Password: right})
	if err != nil {
		t.Fatal(err)
	}
	subject := rec.Value.Subject
	for _, name := range []string{"zoë", "ZOË", " zoe\u0308 ", "ｚｏë", "zoe@example.com", "ZOE@EXAMPLE.COM"} {
		found, err := w.Verify(t.Context(), name, right)
		if err != nil || found.Value.Subject != subject {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"zoe", "zo\u200bë", "zoë\x00", "", "z oë"} {
		wantError(t, name, w.verify(name, right), ErrRefused)
	}
	wantError(t, "a wrong password", w.verify("zoë", right+"r"), ErrRefused)
	if subject == "zoë" || len(subject) < 22 {
		t.Errorf("the subject %q is not random", subject)
	}
	if !w.events.has(authz.EventUserAdded, subject) {
		t.Error("nobody was told of the new user")
	}
}

// Ensure that neither a user name nor an e-mail address has two owners, whichever of
// the two it is to each.
func TestNamesHaveOneOwner(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Create(t.Context(), "admin", Addition{Username: "zoe", Email: "zoe@example.com"}); err != nil {
		t.Fatal(err)
	}
	for _, a := range []Addition{
		{Username: "ZOE"}, {Username: "zoe@example.com"}, {Username: "other", Email: "Zoe@example.com"}, {Email: "zoe@example.com"},
	} {
		_, err := w.Create(t.Context(), "admin", a)
		wantError(t, a.Username+" "+a.Email, err, ErrExists)
	}
	other := w.add("other")
	_, err := w.Edit(t.Context(), "admin", other.Subject, func(u *User) error { u.Email = "ZOE@example.com"; return nil })
	wantError(t, "an edit to a taken address", err, ErrExists)
	if _, err := w.Edit(t.Context(), "admin", other.Subject, func(u *User) error { u.Username = "renamed"; return nil }); err != nil {
		t.Fatal(err)
	}
	wantError(t, "the old name", w.verify("other", right), ErrRefused)
	wantError(t, "the new name", w.verify("renamed", right), nil)
	w.add("other") // is free again
}

// Ensure that a user who is disabled or removed is so at the next question, that what
// depends on them has ended, and that a name does not bring the old account back.
func TestDisabledAndRemovedUsersAreGoneAtOnce(t *testing.T) {
	w := newWorld(t)
	u := w.add("zoe")
	_, generation, err := w.Present(t.Context(), u.Subject)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Disable(t.Context(), "admin", u.Subject); err != nil {
		t.Fatal(err)
	}
	gone := func(when string) {
		t.Helper()
		wantError(t, when+": sign-in", w.verify("zoe", right), ErrRefused)
		_, _, err := w.Present(t.Context(), u.Subject)
		wantError(t, when+": present", err, ErrNotFound)
		_, err = w.Person(t.Context(), u.Subject)
		wantError(t, when+": guards", err, authz.ErrInvalidToken)
	}
	gone("disabled")
	if _, err := w.Enable(t.Context(), "admin", u.Subject); err != nil {
		t.Fatal(err)
	}
	wantError(t, "enabled again", w.verify("zoe", right), nil)
	now, err := w.db.Generations(t.Context(), generation.Key)
	if err != nil || now[0] == generation {
		t.Errorf("what was signed in before has not ended: %v", err)
	}
	if err := w.Remove(t.Context(), "admin", u.Subject); err != nil {
		t.Fatal(err)
	}
	gone("removed")
	if _, err := w.db.Generations(t.Context(), generation.Key); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("the anchor of a removed user: %v", err)
	}
	if again := w.add("zoe"); again.Subject == u.Subject {
		t.Error("a subject was used twice")
	}
	for _, event := range []authz.EventType{authz.EventUserDisabled, authz.EventUserEdited, authz.EventUserRemoved} {
		if !w.events.has(event, u.Subject) {
			t.Errorf("nobody was told: %s", event)
		}
	}
	audit, err := w.db.AuditLog(t.Context(), 0, 10)
	if err != nil || len(audit) != 5 || audit[1].Type != string(authz.EventUserRemoved) || audit[1].Actor != "admin" {
		t.Errorf("the audit ring has %v, %v", audit, err)
	}
}

// Ensure that people who make their own account choose no reserved name, in whatever
// spelling, and no rights.
func TestPeopleRegisterThemselves(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"admin", "ADMIN", "Ad.min", "ｒｏｏｔ", "support@example.com", "web-master"} {
		_, err := w.Register(t.Context(), Addition{Username: name, Password: right})
		wantError(t, name, err, ErrReserved)
	}
	_, err := w.Register(t.Context(), Addition{Username: "zoe"})
	wantError(t, "without a password", err, ErrPassword)
	rec, err := w.Register(t.Context(), Addition{Username: "zoe", Password: right, Groups: []string{"wheel"}, Claims: map[string]any{"a": "b"}})
	if err != nil || len(rec.Value.Groups) > 0 || len(rec.Value.Claims) > 0 {
		t.Errorf("registered as %+v, %v", rec, err)
	}
	w.Directory.config.SignUp = false
	_, err = w.Register(t.Context(), Addition{Username: "eve", Password: right})
	wantError(t, "switched off", err, ErrSignUp)
}

// Ensure that a password that is changed ends the old one and, unless its owner asks
// otherwise, everything that was done with it.
func TestAChangedPasswordEndsTheOldOne(t *testing.T) {
	w := newWorld(t)
	u := w.add("zoe")
	const other = "another password"
	_, before, err := w.Present(t.Context(), u.Subject)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.SetPassword(t.Context(), u.Subject, u.Subject, NewPassword{Password: other, KeepSessions: true}); err != nil {
		t.Fatal(err)
	}
	wantError(t, "the old one", w.verify("zoe", right), ErrRefused)
	wantError(t, "the new one", w.verify("zoe", other), nil)
	if _, now, _ := w.Present(t.Context(), u.Subject); now != before {
		t.Error("sessions have ended that were to be kept")
	}
	if _, err := w.SetPassword(t.Context(), "admin", u.Subject, NewPassword{Password: right, MustChange: true}); err != nil {
		t.Fatal(err)
	}
	if _, now, _ := w.Present(t.Context(), u.Subject); now == before {
		t.Error("sessions go on that came from the old password")
	}
	if rec, err := w.Verify(t.Context(), "zoe", right); err != nil || !rec.Value.MustChange {
		t.Errorf("a password that must be changed: %v", err)
	}
}

// Ensure that guards learn of a user's name, groups and claims as they are now, and that
// a user who is in the cache costs them nothing.
func TestGuardsLearnWhoAUserIsNow(t *testing.T) {
	w := newWorld(t)
	rec, err := w.Create(t.Context(), "admin", Addition{Username: "zoe", Groups: []string{"staff"}, Claims: map[string]any{"level": 3.0, "gone": nil}})
	if err != nil {
		t.Fatal(err)
	}
	subject := rec.Value.Subject
	is := func(want token.Person) {
		t.Helper()
		if got, err := w.Person(t.Context(), subject); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	is(token.Person{Username: "zoe", Claims: map[string]any{"groups": []string{"staff"}, "level": uint64(3)}})
	_, err = w.Edit(t.Context(), "admin", subject, func(u *User) error {
		u.Username, u.Groups, u.Claims = "zoe.smith", nil, map[string]any{"shoes": []any{"left"}, "half": 0.5, "yes": true}
		u.Subject, u.Source, u.Password, u.Disabled = "another", "a source", "", true // which is nothing to edit
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	is(token.Person{Username: "zoe.smith", Claims: map[string]any{"groups": []string(nil), "shoes": []any{"left"}, "half": 0.5, "yes": true}})
	if n := testing.AllocsPerRun(100, func() { _, _ = w.Person(t.Context(), subject) }); n != 0 {
		t.Errorf("it costs %v allocations", n)
	}
}

// Ensure that an account has bounds, and states nothing that the server itself does.
func TestAccountsHaveBounds(t *testing.T) {
	w := newWorld(t)
	many := make([]string, MaxGroups+1)
	claims := map[string]any{}
	for i := range many {
		many[i] = strconv.Itoa(i)
		claims[many[i]] = i
	}
	for what, a := range map[string]Addition{
		"a long name":       {Name: strings.Repeat("x", MaxFullName+1)},
		"a hidden name":     {Name: "a\u202eb"},
		"many groups":       {Groups: many},
		"a long group":      {Groups: []string{strings.Repeat("x", MaxGroup+1)}},
		"an empty group":    {Groups: []string{""}},
		"many claims":       {Claims: claims},
		"our own claim":     {Claims: map[string]any{"sub": "eve"}},
		"scopes":            {Claims: map[string]any{"scope": "all"}},
		"groups as claim":   {Claims: map[string]any{"groups": "wheel"}},
		"a nested claim":    {Claims: map[string]any{"a": map[string]any{"b": 1}}},
		"a list of lists":   {Claims: map[string]any{"a": []any{[]any{}}}},
		"a long text":       {Claims: map[string]any{"a": strings.Repeat("x", MaxClaimText+1)}},
		"a hidden text":     {Claims: map[string]any{"a": "x\x1b[2J"}},
		"password and hash": {Password: right, Hash: cheap.compute(right)},
	} {
		a.Username = "zoe"
		if _, err := w.Create(t.Context(), "admin", a); err == nil {
			t.Errorf("%s is accepted", what)
			w = newWorld(t)
		}
	}
}
