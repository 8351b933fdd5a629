// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// sample is a store with a tree of some depth, as bytes, and what is in it.
func sample(t testing.TB) (file []byte, records map[tokenstore.Key]tokenstore.Item) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	if err := create(path, 8); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	records = make(map[tokenstore.Key]tokenstore.Item)
	for range 3 {
		var b tokenstore.Batch
		for i := range 60 {
			b.Put = append(b.Put, tokenstore.Put{Key: tokenstore.Key(fmt.Sprintf("%03d", i) + strings.Repeat("k", 100)), Value: []byte(strings.Repeat("v", 100+i))})
		}
		rev, err := s.Apply(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range b.Put {
			records[p.Key] = tokenstore.Item{Key: p.Key, Value: p.Value, Revision: rev}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	head, err := readHeader(openFile(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return file[:head.end*uint64(head.pageSize)], records
}

// openFile opens a file until the test ends.
func openFile(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// survives opens a file that may be damaged and uses it. It fails the test when
// something wrong passes for right; that something is missing or refused is fine.
func survives(t testing.TB, file []byte, records map[tokenstore.Key]tokenstore.Item) (opened bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), path, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		if !errors.Is(err, tokenstore.ErrDamaged) && !errors.Is(err, tokenstore.ErrFormat) {
			t.Errorf("Open: %v", err)
		}
		return false
	}
	s.db.NoSync = true // thousands of these files are opened
	read := func(items []tokenstore.Item, err error) {
		t.Helper()
		if err != nil && !errors.Is(err, tokenstore.ErrDamaged) {
			t.Errorf("reading: %v", err)
		}
		for _, item := range items {
			if want := records[item.Key]; item.Revision != 0 && (string(item.Value) != string(want.Value) || item.Revision != want.Revision) {
				t.Errorf("%q at %d was read as %q at %d", want.Value, want.Revision, item.Value, item.Revision)
			}
		}
	}
	for key := range records {
		read(s.Get(context.Background(), key))
	}
	items, _, err := s.Range(context.Background(), "", 1000)
	read(items, err)
	for i := range 3 {
		b := batch(fmt.Sprintf("%03d new", 20*i), "v")
		if i == 2 {
			for key := range records {
				b.Delete = append(b.Delete, key)
			}
		}
		switch rev, err := s.Apply(context.Background(), b); {
		case err == nil:
			records[b.Put[0].Key] = tokenstore.Item{Key: b.Put[0].Key, Value: b.Put[0].Value, Revision: rev}
		case !errors.Is(err, tokenstore.ErrDamaged):
			t.Errorf("Apply: %v", err)
		}
		items, _, err := s.Range(context.Background(), "", 1000)
		read(items, err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	return true
}

// clone copies the records, which survives adds to.
func clone(records map[tokenstore.Key]tokenstore.Item) map[tokenstore.Key]tokenstore.Item {
	c := make(map[tokenstore.Key]tokenstore.Item, len(records))
	for k, v := range records {
		c[k] = v
	}
	return c
}

// Ensure that a file that was cut short is refused, whatever its length.
func TestTruncatedFileIsRefused(t *testing.T) {
	t.Parallel()
	file, records := sample(t)
	if !survives(t, file, clone(records)) {
		t.Fatal("the whole file was refused")
	}
	lengths := []int{0, 1, 15, 16, 79, 80, 4095, len(file) - 1}
	for n := 512; n < len(file); n += 512 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		if survives(t, file[:n], clone(records)) {
			t.Errorf("%d of %d bytes were taken for a store", n, len(file))
		}
	}
}

// Ensure that flipped bits are found or harmless, wherever they are, and that
// bbolt's structure does not make bbolt lose its way.
func TestFlippedBitsAreFound(t *testing.T) {
	t.Parallel()
	file, records := sample(t)
	for range rounds(120, 2000) {
		bad := append([]byte(nil), file...)
		for range 1 + rand.IntN(3) {
			bad[rand.IntN(len(bad))] ^= 1 << rand.IntN(8)
		}
		survives(t, bad, clone(records))
	}

	// Every byte of a header counts, and in the other pages those at the front.
	page := os.Getpagesize()
	for _, at := range []int{16, 16 + 20, 16 + 40, page + 16 + 50, page + 16 + 63} {
		bad := append([]byte(nil), file...)
		bad[at] ^= 0x10
		if survives(t, bad, clone(records)) {
			t.Errorf("a flipped bit at %d, in a header, was not noticed", at)
		}
	}
	refused, variants := 0, 0
	for at := 2 * page; at < len(file); at += page {
		for i := range 24 {
			bad := append([]byte(nil), file...)
			bad[at+i] ^= 1 << (i % 8)
			variants++
			if !survives(t, bad, clone(records)) {
				refused++
			}
		}
	}
	if refused == 0 || refused == variants {
		t.Errorf("%d of %d were refused: this proves nothing", refused, variants)
	}
}

// Ensure that a branch page that leads back to itself is refused: to follow it
// would never end.
func TestCycleIsRefused(t *testing.T) {
	t.Parallel()
	file, records := sample(t)
	page := os.Getpagesize()
	cycles := 0
	for at := 2 * page; at < len(file); at += page {
		if file[at+8] != flagBranch {
			continue
		}
		bad := append([]byte(nil), file...)
		copy(bad[at+pageHeader+8:at+pageHeader+16], bad[at:at+8]) // its first child is itself
		if survives(t, bad, clone(records)) {
			// A page that is free may hold anything.
			continue
		}
		cycles++
	}
	if cycles == 0 {
		t.Error("no branch page was found")
	}
}

// Ensure that the file may vanish below an open store without taking the process
// along, and that the store can still be closed.
func TestFileCutBelowAnOpenStore(t *testing.T) {
	t.Parallel()
	for _, left := range []int64{0, 1 << 13} {
		path := filepath.Join(t.TempDir(), "tokens.db")
		s, err := Open(t.Context(), path, Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		mustApply(t, s, batch("k", "v"))
		if err := os.Truncate(path, left); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err := s.Get(t.Context(), "k")
			wantError(t, err, tokenstore.ErrDamaged)
			_, err = s.Apply(t.Context(), batch("k", "w"))
			wantError(t, err, tokenstore.ErrDamaged)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// FuzzOpenMutatedFile changes bytes of a store's file: it must be refused, or
// give right answers, and in any case leave the process alive.
func FuzzOpenMutatedFile(f *testing.F) {
	file, records := sample(f)
	f.Add(uint32(0), []byte{0xFF})
	f.Add(uint32(4096+16+48), []byte{1})
	for at := 2 * os.Getpagesize(); at < len(file); at += os.Getpagesize() {
		f.Add(uint32(at+8), []byte{1, 0, 0xFF, 0xFF, 0, 0, 0, 0})
		f.Add(uint32(at+10), []byte{1}) // how many elements there are
		for element := range 4 {        // whether it is a bucket
			f.Add(uint32(at+pageHeader+16*element), []byte{1})
		}
	}
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		bad := append([]byte(nil), file...)
		for i, b := range change {
			bad[(int(at%uint32(len(bad)))+i)%len(bad)] ^= b
		}
		survives(t, bad, clone(records))
	})
}
