// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// line is one of a file of htpasswd.
func line(t testing.TB, name, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return name + ":" + strings.Replace(string(hash), "$2a$", "$2y$", 1) + "\n"
}

// file is one of htpasswd, with a clock of its own.
type file struct {
	Htpasswd
	t     testing.TB
	ahead atomic.Int64
}

func newFile(t testing.TB, content string) *file {
	t.Helper()
	f := &file{t: t, Htpasswd: Htpasswd{Path: filepath.Join(t.TempDir(), "users"), Log: slog.New(slog.DiscardHandler)}}
	f.now = func() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) }
	f.write(content)
	return f
}

// write changes the file, and lets time pass until that is noticed.
func (f *file) write(content string) {
	f.t.Helper()
	if err := os.WriteFile(f.Path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	// No two states of it have one time, however quick the test is.
	if err := os.Chtimes(f.Path, time.Time{}, f.now()); err != nil {
		f.t.Fatal(err)
	}
	f.ahead.Add(int64(lookPause + settleTime))
}

// Ensure that the users of a file sign in, and that an entry that is changed or removed
// is so within a second, for sign-ins, refreshes and guards, while a file that cannot be
// read is trouble and refuses nobody for good.
func TestUsersOfAFile(t *testing.T) {
	sue, bob := line(t, "Sue", "short"), line(t, "bob", right)
	f := newFile(t, "# staff\n\n"+sue+bob)
	w := newWorld(t, NamedSource{"staff", f})
	rec, err := w.Verify(t.Context(), "SUE", "short")
	if err != nil || rec.Value.Username != "sue" {
		t.Fatal(rec, err)
	}
	subject := rec.Value.Subject
	state := func(what string, signIn, present, guards error) {
		t.Helper()
		wantError(t, what+": sign-in", w.verify("sue", "short"), signIn)
		_, _, err := w.Present(t.Context(), subject)
		wantError(t, what+": present", err, present)
		_, err = w.Person(t.Context(), subject)
		wantError(t, what+": guards", err, guards)
	}
	state("there", nil, nil, nil)
	f.write(bob)
	state("removed", ErrRefused, ErrNotFound, authz.ErrInvalidToken)
	f.write(bob + sue)
	state("back", nil, nil, nil)
	f.write(bob + line(t, "sue", "another password"))
	state("another password", ErrRefused, nil, nil)
	if err := os.Remove(f.Path); err != nil {
		t.Fatal(err)
	}
	f.ahead.Add(int64(lookPause))
	trouble := authz.ErrTemporarilyUnavailable
	state("no file", trouble, trouble, trouble)
	f.write(sue)
	state("mended", nil, nil, nil)
}

// Ensure that a file that is being written is not taken for what it will be, and that
// it is not looked at for each question.
func TestAFileIsReadWhenItStandsStill(t *testing.T) {
	f := newFile(t, line(t, "sue", right))
	there := func(name string) bool {
		t.Helper()
		yes, err := f.Names(name)
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	if !there("sue") {
		t.Fatal("she is in the file")
	}
	write := func(content string) time.Time {
		if err := os.WriteFile(f.Path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	changed := write("")
	at := changed
	f.now = func() time.Time { return at }
	f.next.Store(changed.Add(settleTime).UnixNano())
	if !there("sue") {
		t.Error("the file was looked at before it was time to")
	}
	f.next.Store(0)
	at = changed.Add(settleTime / 2)
	if !there("sue") {
		t.Error("a file was read while it was being written")
	}
	at = at.Add(lookPause)
	if there("sue") {
		t.Error("a file that has changed was not read")
	}
}

// Ensure that lines which do not count are named when the file is loaded, without what
// is in them, and never count.
func TestLinesThatDoNotCount(t *testing.T) {
	good := line(t, "good", right)
	for what, bad := range map[string]string{
		"no hash": "sue", "empty": "sue:", "plain": "sue:secret-text", "SHA": "sue:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
		"apr1": "sue:$apr1$salt$hashhashhash", "no name": ":" + strings.SplitN(good, ":", 2)[1], "cost": "sue:$2y$31$" + strings.Repeat("a", 53),
		"hidden character": "s\u200bue:$2y$05$" + strings.Repeat("a", 53), "long": "sue:" + strings.Repeat("x", MaxHtpasswdLine),
		"twice": "sue:$2y$05$" + strings.Repeat("a", 53) + "\nSUE:$2y$05$" + strings.Repeat("b", 53),
	} {
		f := newFile(t, good+"# comment\n"+bad+"\n")
		err := f.Load()
		if err == nil || !strings.Contains(err.Error(), f.Path+":3: ") {
			t.Errorf("%s: %v", what, err)
		} else if strings.Contains(err.Error(), "secret-text") || strings.Contains(err.Error(), "hashhash") || strings.Contains(err.Error(), "aaaa") {
			t.Errorf("%s: the error shows it: %v", what, err)
		}
		if _, err := f.Verify(t.Context(), "sue", "secret-text"); err != ErrRefused {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := f.Verify(t.Context(), "good", right); err != nil {
			t.Errorf("%s: the line before it does not count: %v", what, err)
		}
	}
	missing := Htpasswd{Path: filepath.Join(t.TempDir(), "none")}
	if err := missing.Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Ensure that a name that is not in the file costs what most names in it do (U13).
func TestANameThatIsNotInTheFileCostsAHash(t *testing.T) {
	f := newFile(t, line(t, "sue", right)+"bob:$2y$06$"+strings.Repeat("a", 53)+"\n"+line(t, "zoe", right))
	r, err := f.roster()
	if err != nil || !strings.HasPrefix(string(r.decoy), "$2y$04$") {
		t.Errorf("it costs %s, %v", r.decoy.costs(), err)
	}
	if empty, err := newFile(t, "").roster(); err != nil || empty.decoy.matches(right, cheap) {
		t.Error("an empty file takes a password")
	}
}

// FuzzReadHtpasswd: whatever a file holds, what counts of it has one owner for each
// name, in canonical form, and a hash of a kind that is supported.
func FuzzReadHtpasswd(f *testing.F) {
	f.Add("sue:$2y$05$" + strings.Repeat("a", 53) + "\n#c\nbob:x\r\nsue:$2y$05$" + strings.Repeat("b", 53))
	f.Add("a:$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc:more")
	f.Add(":::\n\x00:\n\xff")
	f.Fuzz(func(t *testing.T, content string) {
		lines := strings.Count(content, "\n") + 1
		entries, err := ReadHtpasswd(strings.NewReader(content), func(line int, err error) {
			if line < 1 || line > lines || err == nil {
				t.Errorf("line %d of %d: %v", line, lines, err)
			}
		})
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, e := range entries {
			if name, err := Canonical(e.Name); err != nil || name != e.Name || seen[name] {
				t.Errorf("%q: %v", e.Name, err)
			}
			seen[e.Name] = true
			if _, err := ParseHash(string(e.Hash)); err != nil || e.Line < 1 || e.Line > lines {
				t.Errorf("%q, line %d: %v", e.Name, e.Line, err)
			}
		}
	})
}
