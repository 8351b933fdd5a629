// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// oldFile is a file of the present layout, which the tests below call an old one.
func oldFile(t *testing.T) (path string, rev tokenstore.Revision) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tokens.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rev = mustApply(t, s, batch("k", "v"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path, rev
}

// note is a step that leaves a trace.
func note(word string) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		about := tx.Bucket(bucketAbout)
		return about.Put([]byte("trace"), append(about.Get([]byte("trace")), word...))
	}
}

// trace is what the steps left.
func trace(t *testing.T, s *Store) string {
	t.Helper()
	var found string
	if _, err := s.view(t.Context(), func(tx *bbolt.Tx) error {
		found = string(tx.Bucket(bucketAbout).Get([]byte("trace")))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// Ensure S7: an older file goes step by step to the present layout, each step
// behind a backup that the older program opens, and only once.
func TestOlderLayoutIsMigrated(t *testing.T) {
	t.Parallel()
	path, rev := oldFile(t)
	newer := migrations{present: layouts.present + 2, steps: map[uint32]func(*bbolt.Tx) error{
		layouts.present: note("one "), layouts.present + 1: note("two "),
	}}
	for range 2 {
		s, err := Open(t.Context(), path, Options{layouts: &newer, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		wantItem(t, s, "k", "v", rev)
		if got := trace(t, s); got != "one two " {
			t.Errorf("the steps done are %q", got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}

	// The older program refuses the file, and takes the backup.
	_, err := Open(t.Context(), path, Options{})
	wantError(t, err, tokenstore.ErrFormat)
	old, err := Open(t.Context(), backupBefore(path, layouts.present), Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantItem(t, old, "k", "v", rev)
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(backupBefore(path, layouts.present+1))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup before the second step: %v %v", info, err)
	}
}

// Ensure that a migration which was interrupted in any step leaves a file of the
// layout before it, and goes on from there.
func TestMigrationIsInterrupted(t *testing.T) {
	t.Parallel()
	crash := errors.New("the machine stops here")
	path, rev := oldFile(t)
	steps := map[uint32]func(*bbolt.Tx) error{
		layouts.present: note("one "),
		layouts.present + 1: func(tx *bbolt.Tx) error {
			return errors.Join(note("half ")(tx), crash)
		},
	}
	newer := migrations{present: layouts.present + 2, steps: steps}
	_, err := Open(t.Context(), path, Options{layouts: &newer, Logger: slog.New(slog.DiscardHandler)})
	wantError(t, err, crash)
	steps[layouts.present] = func(*bbolt.Tx) error { return errors.New("the first step is done already") }
	steps[layouts.present+1] = note("two ")
	s, err := Open(t.Context(), path, Options{layouts: &newer, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	wantItem(t, s, "k", "v", rev)
	if got := trace(t, s); got != "one two " {
		t.Errorf("the steps done are %q", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Ensure that nothing is changed where the backup cannot be written, and where no
// step leads on.
func TestNoMigrationWithoutBackup(t *testing.T) {
	t.Parallel()
	path, _ := oldFile(t)
	newer := migrations{present: layouts.present + 1, steps: map[uint32]func(*bbolt.Tx) error{layouts.present: note("one ")}}
	inTheWay := backupBefore(path, layouts.present)
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path, Options{layouts: &newer, Logger: slog.New(slog.DiscardHandler)})
	wantError(t, err, tokenstore.ErrUnavailable)
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), path, Options{layouts: &migrations{present: layouts.present + 1}})
	wantError(t, err, tokenstore.ErrFormat)
	if err == nil || !strings.Contains(err.Error(), "Run an older version first") {
		t.Errorf("the message is: %v", err)
	}
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
