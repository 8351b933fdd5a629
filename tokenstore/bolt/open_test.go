// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that a new store is a private file, alone in its directory, and that no
// directory is made for it.
func TestNewStoreIsOnePrivateFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("the directory holds %v, %v", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	_, err = Open(t.Context(), filepath.Join(dir, "no", "such", "tokens.db"), Options{})
	wantError(t, err, fs.ErrNotExist)
	wantError(t, err, tokenstore.ErrUnavailable)
	if _, err := os.Stat(filepath.Join(dir, "no")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory was made: %v", err)
	}
}

// Ensure that of several who make the same new store at once all get the one
// store that is left, one after the other.
func TestNewStoreIsMadeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			s, err := Open(t.Context(), path, Options{LockWait: time.Minute})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.Apply(t.Context(), batch(fmt.Sprint("k", i), "v")); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if stats := s.Stats(); stats.Keys != 4 {
		t.Errorf("%d of 4 keys are there", stats.Keys)
	}
}

// Ensure that a path may be a symbolic link.
func TestSymbolicLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := create(filepath.Join(dir, "real.db"), reserveItems); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.db")
	if err := os.Symlink("real.db", link); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), link, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Ensure that a file that others may read is pointed out.
func TestLooseModeIsPointedOut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	if err := create(path, 1); err != nil {
		t.Fatal(err)
	}
	for mode, warned := range map[fs.FileMode]bool{0o600: false, 0o640: true, 0o604: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s, err := Open(t.Context(), path, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(log.String(), "level=WARN"); got != warned {
			t.Errorf("mode %o: logged %q", mode, log.String())
		}
	}
}

// Ensure S7: what is not a store of this version is refused with a message that
// says what to do, and not touched.
func TestWrongFilesAreRefused(t *testing.T) {
	t.Parallel()
	foreign := func(buckets int, opts *bbolt.Options) func(path string) error {
		return func(path string) error {
			db, err := bbolt.Open(path, 0o600, opts)
			if err != nil {
				return err
			}
			return errors.Join(db.Update(func(tx *bbolt.Tx) error {
				for i := range buckets {
					if _, err := tx.CreateBucket(fmt.Appendf(nil, "somebody else's bucket number %d", i)); err != nil {
						return err
					}
				}
				return nil
			}), db.Close())
		}
	}
	with := func(key, value []byte) func(path string) error {
		return func(path string) error {
			if err := create(path, 1); err != nil {
				return err
			}
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				return err
			}
			return errors.Join(db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketAbout).Put(key, value) }), db.Close())
		}
	}
	content := func(b []byte) func(path string) error {
		return func(path string) error { return os.WriteFile(path, b, 0o600) }
	}
	for name, c := range map[string]struct {
		make func(path string) error
		want error
		says string
	}{
		"empty":             {content(nil), tokenstore.ErrFormat, "the file is empty"},
		"text":              {content([]byte(strings.Repeat("not a database\n", 1000))), tokenstore.ErrFormat, "not a token store"},
		"zeros":             {content(make([]byte, 1<<16)), tokenstore.ErrFormat, "not a token store"},
		"one byte":          {content([]byte{1}), tokenstore.ErrFormat, "not a token store"},
		"directory":         {func(path string) error { return os.Mkdir(path, 0o700) }, tokenstore.ErrFormat, "not a regular file"},
		"pipe":              {func(path string) error { return syscall.Mkfifo(path, 0o600) }, tokenstore.ErrFormat, "not a regular file"},
		"foreign":           {foreign(1, nil), tokenstore.ErrFormat, "not a token store"},
		"foreign and large": {foreign(1000, nil), tokenstore.ErrFormat, "not a token store"},
		"foreign, unsynced": {foreign(1, &bbolt.Options{NoFreelistSync: true}), tokenstore.ErrFormat, "not a token store"},
		"foreign and new":   {foreign(0, nil), tokenstore.ErrFormat, "not a token store"},
		"other format":      {with(keyFormat, []byte("another program")), tokenstore.ErrFormat, "not a token store"},
		"newer layout":      {with(keyLayout, binary.BigEndian.AppendUint32(nil, layouts.present+1)), tokenstore.ErrFormat, "newer version"},
		"no state":          {with(keyState, nil), tokenstore.ErrDamaged, "0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.db")
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			before, info := contentOf(t, path)
			_, err := Open(t.Context(), path, Options{})
			wantError(t, err, c.want)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("the message is: %v", err)
			}
			after, info2 := contentOf(t, path)
			if before != after || !info.ModTime().Equal(info2.ModTime()) {
				t.Error("the file was changed")
			}
		})
	}
}

// contentOf reads a file, if it is one.
func contentOf(t *testing.T, path string) (string, fs.FileInfo) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !info.Mode().IsRegular() {
		return "", info
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content), info
}

// Ensure that a store that is open elsewhere is waited for as long as asked, that
// the waiting is announced, and that it ends with the context.
func TestLockedStore(t *testing.T) {
	t.Parallel()
	holder := newStore(t, Options{})
	path := holder.file.Name()

	_, err := Open(t.Context(), path, Options{OnWaiting: func() { t.Error("it waits, though nobody asked for that") }})
	wantError(t, err, tokenstore.ErrLocked)
	if err == nil || !strings.Contains(err.Error(), "stop that process") {
		t.Errorf("the message is: %v", err)
	}

	waiting := 0
	_, err = Open(t.Context(), path, Options{LockWait: 2 * lockRetry, OnWaiting: func() { waiting++ }})
	wantError(t, err, tokenstore.ErrLocked)
	if waiting != 1 {
		t.Errorf("the waiting was announced %d times", waiting)
	}

	ctx, cancel := context.WithCancel(t.Context())
	_, err = Open(ctx, path, Options{LockWait: time.Hour, OnWaiting: cancel})
	wantError(t, err, context.Canceled)

	s, err := Open(t.Context(), path, Options{LockWait: time.Hour, OnWaiting: func() {
		if err := holder.Close(); err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Ensure that a store which vanishes while it is waited for is not made anew: that
// would be a store without clients and tokens in its place.
func TestVanishedStoreIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	if err := create(path, 1); err != nil {
		t.Fatal(err)
	}
	reader, err := OpenReadOnly(t.Context(), path) // lets others look, but not open
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	_, err = Open(t.Context(), path, Options{LockWait: time.Hour, OnWaiting: func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}})
	wantError(t, err, fs.ErrNotExist)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made in its place: %v", err)
	}
}

// Ensure that the lock of a file which was replaced after it was opened does not
// pass for that of the file in its place.
func TestLockOfAReplacedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	for _, name := range []string{path, path + ".new"} {
		if err := create(name, 1); err != nil {
			t.Fatal(err)
		}
	}
	opened := openFile(t, path)
	if !isAt(opened, path) {
		t.Error("a file is not at its own path")
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if isAt(opened, path) {
		t.Error("a replaced file passes for the one in its place")
	}
}
