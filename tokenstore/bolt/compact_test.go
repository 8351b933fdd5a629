// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that compacting gives unused space back and changes nothing else: every
// record with its revision, the next revision, and the memory of batches.
func TestCompact(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	path := s.file.Name()
	var last tokenstore.Batch
	for round := range 20 {
		b := batch(fmt.Sprint("round ", round), "v")
		for i := range 500 {
			b.Put = append(b.Put, tokenstore.Put{Key: tokenstore.Key(fmt.Sprint("key ", round, " ", i)), Value: []byte(strings.Repeat("v", 1000))})
		}
		mustApply(t, s, b)
		last = b
	}
	for round := range 19 {
		b := batch(fmt.Sprint("removal ", round), "v")
		for i := range 500 {
			b.Delete = append(b.Delete, tokenstore.Key(fmt.Sprint("key ", round, " ", i)))
		}
		mustApply(t, s, b)
	}
	again := mustApply(t, s, last)
	want, _, err := s.Range(t.Context(), "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Compact(t.Context(), path, CompactOptions{}); !errors.Is(err, tokenstore.ErrLocked) {
		t.Errorf("while it is open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	var told int64
	before, after, err := Compact(t.Context(), path, CompactOptions{Progress: func(done, total int64) {
		if told = done; done > total {
			t.Errorf("%d of %d", done, total)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != after || info.Mode().Perm() != 0o600 || after > before/3 {
		t.Errorf("from %d to %d bytes: %v %v", before, after, info, err)
	}
	if told != int64(len(want)) {
		t.Errorf("%d of %d records were announced", told, len(want))
	}
	s, err = Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, item := range want {
		wantItem(t, s, string(item.Key), string(item.Value), item.Revision)
	}
	if got := mustApply(t, s, last); got != again {
		t.Errorf("a repeated batch has revision %d, before %d", got, again)
	}
	if next := mustApply(t, s, batch("next", "v")); next <= s.opened {
		t.Errorf("revision %d after %d", next, s.opened)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

// Ensure that compacting makes no store where there is none, and leaves a damaged
// one alone.
func TestCompactRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	if _, _, err := Compact(t.Context(), path, CompactOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no store: %v", err)
	}
	file, _ := sample(t)
	at := strings.Index(string(file), strings.Repeat("v", 100)) // in some record's value
	file[at] ^= 1
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := Compact(t.Context(), path, CompactOptions{})
	wantError(t, err, tokenstore.ErrDamaged)
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

// Ensure that a store which is open for reading is not changed and takes no
// change, and that several may read it.
func TestReadingChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	path := s.file.Name()
	rev := mustApply(t, s, batch("k", "v"))
	if _, err := OpenReadOnly(t.Context(), path); !errors.Is(err, tokenstore.ErrLocked) {
		t.Errorf("while it is open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, info := contentOf(t, path)
	for range 2 {
		r, err := OpenReadOnly(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}()
		wantItem(t, r, "k", "v", rev)
		_, err = r.Apply(t.Context(), batch("k", "w"))
		wantError(t, err, tokenstore.ErrUnavailable)
		if stats := r.Stats(); stats.Keys != 1 || stats.FileBytes != info.Size() || r.Revision() != rev {
			t.Errorf("%+v, revision %d", stats, r.Revision())
		}
	}
	after, info2 := contentOf(t, path)
	if before != after || !info.ModTime().Equal(info2.ModTime()) {
		t.Error("the file was changed")
	}
}
