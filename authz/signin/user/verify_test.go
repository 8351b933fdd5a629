// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// elsewhere is a source that knows one account, and counts what it is asked.
type elsewhere struct {
	name, id, password string
	trouble, gone      error
	asked              []string
	mu                 sync.Mutex
}

func (e *elsewhere) Verify(_ context.Context, name, password string) (Account, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, name)
	switch {
	case e.trouble != nil:
		return Account{}, e.trouble
	case name == e.name && password == e.password:
		return Account{ID: e.id}, nil
	}
	return Account{}, ErrRefused
}

func (e *elsewhere) Has(_ context.Context, id string, _ time.Duration) (bool, error) {
	return id == e.id && e.gone == nil, e.trouble
}

// times is how often the source was asked since the last call.
func (e *elsewhere) times() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.asked)
	e.asked = nil
	return n
}

// roll is one that guards can ask.
type roll struct{ elsewhere }

func (r *roll) Names(id string) (bool, error) { return id == r.id && r.gone == nil, r.trouble }

// Ensure that a refusal tells nobody whether the account exists: for an unknown name,
// a wrong password, a disabled user, one whose password is elsewhere, and what can be
// neither a name nor a password, it is the same error after the same hashes, of ours
// and of each source that hashes here (U13).
func TestARefusalTellsNobodyWhy(t *testing.T) {
	staff := &roll{elsewhere{name: "sue", id: "sue", password: right}}
	w := newWorld(t, NamedSource{"staff", staff})
	w.add("zoe")
	if _, err := w.Disable(t.Context(), "admin", w.add("disabled").Subject); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create(t.Context(), "admin", Addition{Username: "unset"}); err != nil {
		t.Fatal(err)
	}
	wantError(t, "at the source", w.verify("sue", right), nil)
	staff.times()
	for what, attempt := range map[string][2]string{
		"unknown": {"nobody", right}, "wrong": {"zoe", right + "?"}, "disabled": {"disabled", right}, "disabled and wrong": {"disabled", "wrong"},
		"federated": {"sue", "wrong"}, "no password set": {"unset", right}, "empty and none set": {"unset", ""}, "empty": {"zoe", ""},
		"NUL": {"zoe", right + "\x00"}, "no UTF-8": {"zoe", right + "\xff"}, "a megabyte": {"zoe", strings.Repeat("x", 1<<20)},
		"no name": {"", right}, "malformed": {"zo\u200be", right}, "null": {"zoe", "null"},
	} {
		before := w.hashing.turns.hashed.Load()
		err := w.verify(attempt[0], attempt[1])
		if err != ErrRefused {
			t.Errorf("%s: %v", what, err)
		}
		if n := w.hashing.turns.hashed.Load() - before; n != 1 {
			t.Errorf("%s: %d hashes, want 1", what, n)
		}
		if n := staff.times(); n != 1 {
			t.Errorf("%s: the source hashes %d times, want 1", what, n)
		}
	}
}

// Ensure that passwords count as they are, to the last byte, and no text is special (U19).
func TestPasswordsCountAsTheyAre(t *testing.T) {
	w := newWorld(t)
	u := w.add("zoe")
	for _, password := range []string{"null-null", "12345678", strings.Repeat("x", MaxPassword), "pass word ", "пароль№1", "undefined"} {
		if _, err := w.SetPassword(t.Context(), "admin", u.Subject, NewPassword{Password: password}); err != nil {
			t.Fatalf("%.20q: %v", password, err)
		}
		wantError(t, password[:8], w.verify("zoe", password), nil)
		wantError(t, "one byte less", w.verify("zoe", password[:len(password)-1]), ErrRefused)
		wantError(t, "one byte more", w.verify("zoe", password+"x"), ErrRefused)
	}
	for name, password := range map[string]string{"nul": "short\x00more", "none": "", "bytes": "\xff\xfe\xfd", "endless": strings.Repeat("x", MaxPassword+1)} {
		if _, err := w.Create(t.Context(), "admin", Addition{Username: name, Hash: cheap.compute(password)}); err != nil {
			t.Fatal(err)
		}
		wantError(t, "a hash from elsewhere, of what is no password: "+name, w.verify(name, password), ErrRefused)
	}
	for _, password := range []string{"", "null", "1234567", strings.Repeat("x", MaxPassword+1), "12345678\x00", "\xff12345678", strings.Repeat("x", 1<<20)} {
		_, err := w.SetPassword(t.Context(), "admin", u.Subject, NewPassword{Password: password})
		wantError(t, "set", err, ErrPassword)
		_, err = w.Create(t.Context(), "admin", Addition{Username: "eve", Password: password})
		if password != "" {
			wantError(t, "created with", err, ErrPassword)
		}
	}
}

// Ensure that at most as many passwords are hashed at once as there are turns, that a
// bounded number waits, and that one more is trouble and no refusal (U20).
func TestHashingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const atOnce, waiting = 2, 3
		turns := newTurns(atOnce, waiting)
		var mu sync.Mutex
		var running, most int
		release := make(chan struct{})
		results := make(chan error, atOnce+waiting)
		for range atOnce + waiting {
			go func() {
				results <- turns.do(t.Context(), func() {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					<-release
					mu.Lock()
					running--
					mu.Unlock()
				})
			}()
		}
		synctest.Wait()
		if running != atOnce {
			t.Errorf("%d hash at once, want %d", running, atOnce)
		}
		err := turns.do(t.Context(), func() { t.Error("one too many had a turn") })
		wantError(t, "one too many", err, authz.ErrTemporarilyUnavailable)
		close(release)
		for range atOnce + waiting {
			wantError(t, "one that waited", <-results, nil)
		}
		if most > atOnce {
			t.Errorf("%d hashed at once", most)
		}
		// Who leaves does not keep the place.
		gone, leave := context.WithCancel(t.Context())
		leave()
		wantError(t, "a free turn", turns.do(gone, func() {}), nil)
		if n := turns.waiting.Load(); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

// Ensure that a hash is made anew at a sign-in when the configuration has grown, or
// when it came from elsewhere, and stays as it is otherwise.
func TestHashesGrowWithTheConfiguration(t *testing.T) {
	w := newWorld(t)
	zoe := w.add("zoe")
	imported, err := bcrypt.GenerateFromPassword([]byte("short"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create(t.Context(), "admin", Addition{Username: "bob", Hash: Hash(imported)}); err != nil {
		t.Fatal(err)
	}
	grown := w.directory(Params{Memory: 128, Time: 2, Threads: 1})
	sign := func(d *Directory, name, password string) Hash {
		t.Helper()
		rec, err := d.Verify(t.Context(), name, password)
		if err != nil {
			t.Fatal(err)
		}
		return rec.Value.Password
	}
	wantError(t, "a wrong password", func() error { _, err := grown.Verify(t.Context(), "zoe", "wrong"); return err }(), ErrRefused)
	if rec, err := w.Find(t.Context(), "zoe"); err != nil || rec.Value.Password != zoe.Password {
		t.Error("a wrong password changed the hash")
	}
	raised := sign(grown, "zoe", right)
	if !strings.Contains(string(raised), "$m=128,t=2,p=1$") {
		t.Errorf("the hash is still %s", string(raised))
	}
	if again := sign(w.Directory, "zoe", right); again != raised {
		t.Error("a hash was made cheaper")
	}
	if made := sign(w.Directory, "bob", "short"); made.isBcrypt() {
		t.Error("a bcrypt hash was left as it is")
	}
	sign(w.Directory, "bob", "short")
}

// Ensure that the account of a source becomes one user, found again by its id there,
// and that what the source or the configuration no longer has is refused at once.
func TestAccountsOfASource(t *testing.T) {
	staff := &roll{elsewhere{name: "sue", id: "4711", password: "short"}}
	w := newWorld(t, NamedSource{"staff", staff})
	rec, err := w.Verify(t.Context(), "Sue", "short")
	if err != nil {
		t.Fatal(err)
	}
	u := rec.Value
	if u.Source != "staff" || u.SourceID != "4711" || u.Username != "sue" || u.Password != "" || u.Subject == "sue" {
		t.Errorf("the account is %+v", u)
	}
	w.ahead.Add(int64(time.Hour))
	again, err := w.Verify(t.Context(), "sue", "short")
	if err != nil || again.Value.Subject != u.Subject || !again.Value.SourceAt.After(u.SourceAt) {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	if _, err := w.Edit(t.Context(), "admin", u.Subject, func(u *User) error { u.Username = "susan"; return nil }); err != nil {
		t.Fatal(err)
	}
	if renamed, err := w.Verify(t.Context(), "sue", "short"); err != nil || renamed.Value.Subject != u.Subject {
		t.Errorf("under the name at the source, of a user renamed here: %v", err)
	}
	if _, err := w.SetPassword(t.Context(), "admin", u.Subject, NewPassword{Password: right}); !errors.Is(err, ErrElsewhere) {
		t.Errorf("a password here: %v", err)
	}
	staff.id = "4712"
	wantError(t, "another account there, of the name that one had", w.verify("sue", "short"), nil)
	staff.id, staff.name = "4713", "susan"
	wantError(t, "and of the name that one has here", w.verify("susan", "short"), ErrRefused)
	staff.id, staff.name = "4711", "sue"
	present := func(what string, want, guards error) {
		t.Helper()
		_, _, err := w.Present(t.Context(), u.Subject)
		wantError(t, what, err, want)
		_, err = w.Person(t.Context(), u.Subject)
		wantError(t, what+", to guards", err, guards)
	}
	present("there", nil, nil)
	staff.gone = errors.New("gone")
	present("gone from the source", ErrNotFound, authz.ErrInvalidToken)
	staff.gone, staff.trouble = nil, errors.New("down")
	present("the source is down", authz.ErrTemporarilyUnavailable, authz.ErrTemporarilyUnavailable)
	wantError(t, "sign-in while the source is down", w.verify("susan", "short"), authz.ErrTemporarilyUnavailable)
	staff.trouble = nil
	if _, err := w.Disable(t.Context(), "admin", u.Subject); err != nil {
		t.Fatal(err)
	}
	staff.name = "susan"
	wantError(t, "disabled", w.verify("susan", "short"), ErrRefused)
	if _, err := w.Enable(t.Context(), "admin", u.Subject); err != nil {
		t.Fatal(err)
	}
	wantError(t, "enabled", w.verify("susan", "short"), nil)
	// Another configuration serves, without the source, while requests of this one go on.
	w.Retire(w.directory(cheap))
	present("no longer configured", ErrNotFound, authz.ErrInvalidToken)
	wantError(t, "sign-in", w.verify("susan", "short"), ErrRefused)
}

// Ensure that an account of a source is never taken for one of the same name here,
// whoever came first, and that passwords go only to the source that has the account.
func TestAccountsAreNotTakenForEachOther(t *testing.T) {
	first, second := &elsewhere{name: "zoe", id: "1", password: "at the first"}, &elsewhere{name: "sue", id: "2", password: "at the second"}
	w := newWorld(t, NamedSource{"first", first}, NamedSource{"second", second})
	w.add("zoe")
	wantError(t, "the source's password for the local account", w.verify("zoe", "at the first"), ErrRefused)
	wantError(t, "the local one", w.verify("zoe", right), nil)
	if first.times()+second.times() > 0 {
		t.Error("a source was shown the password of an account that is not its own")
	}
	wantError(t, "an account of the second", w.verify("sue", "at the second"), nil)
	if first.times() != 1 || second.times() != 1 {
		t.Error("for a name that nobody knew both were to be asked")
	}
	first.name, first.password = "sue", "stolen"
	wantError(t, "the first claims the name", w.verify("sue", "stolen"), ErrRefused)
	if first.times() != 0 || second.times() != 1 {
		t.Error("the first was asked for an account of the second")
	}
	wantError(t, "no password", w.verify("sue", ""), ErrRefused)
	if second.times() != 0 {
		t.Error("a source was asked about an empty password")
	}
}

// Ensure that of many who sign in for the first time at once, all are the same user.
func TestTheFirstSignInsAtOnceMakeOneUser(t *testing.T) {
	w := newWorld(t, NamedSource{"staff", &elsewhere{name: "sue", id: "sue", password: right}})
	const many = 8
	subjects := make(chan string, many)
	for range many {
		go func() {
			rec, err := w.Verify(context.Background(), "sue", right)
			if err != nil {
				t.Error(err)
				subjects <- ""
				return
			}
			subjects <- rec.Value.Subject
		}()
	}
	one := <-subjects
	for range many - 1 {
		if other := <-subjects; other != one {
			t.Errorf("%s and %s", one, other)
		}
	}
	users, _, err := w.List(t.Context(), "", tokenstore.MaxList)
	if err != nil || len(users) != 1 {
		t.Errorf("there are %d users, %v", len(users), err)
	}
}
