// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// long makes the tests of faults go on for as long as a release deserves.
var long = flag.Bool("long", false, "run the tests of faults in their long form")

// rounds is how often something is tried: seldom, or in the long form often.
func rounds(short, inLongForm int) int {
	if *long {
		return inLongForm
	}
	return short
}

// film keeps the file as it was before and after each commit.
type film struct {
	path          string
	before, after []byte
}

func (f *film) commit(tx *bbolt.Tx) (err error) {
	if f.before, err = f.shot(); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	f.after, err = f.shot()
	return err
}

// shot is the file as far as it was ever used: bbolt makes room ahead.
func (f *film) shot() ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	head, err := readHeader(file)
	if err != nil {
		return nil, err
	}
	used := make([]byte, head.end*uint64(head.pageSize))
	_, err = file.ReadAt(used, 0)
	return used, err
}

// pages are those that the commit wrote, in the order in which bbolt writes them,
// without the two headers.
func (f *film) pages() (written []int) {
	size := os.Getpagesize()
	for at := 2 * size; at < len(f.after); at += size {
		if at+size > len(f.before) || !bytes.Equal(f.before[at:at+size], f.after[at:at+size]) {
			written = append(written, at)
		}
	}
	return written
}

// with is the file with some of the pages written, the last of them perhaps torn,
// and the headers as they were.
func (f *film) with(pages []int, torn bool) []byte {
	size := os.Getpagesize()
	file := make([]byte, len(f.after)) // it grows before anything is written
	copy(file, f.before)
	for i, at := range pages {
		n := size
		if torn && i == len(pages)-1 {
			n = 512 * rand.IntN(size/512)
		}
		copy(file[at:at+n], f.after[at:at+n])
	}
	return file
}

// content is what a store holds.
type content map[tokenstore.Key]string

// wantFile opens a file as the next start would, and compares what it holds.
func wantFile(t *testing.T, what string, file []byte, want content, last tokenstore.Revision) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	unsynced := faults{sync: func(*bbolt.DB) error { return nil }} // hundreds of these files are opened
	s, err := Open(context.Background(), path, Options{Logger: slog.New(slog.DiscardHandler), faults: unsynced})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	s.db.NoSync = true
	items, _, err := s.Range(context.Background(), "", 10_000)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	found := content{}
	for _, item := range items {
		found[item.Key] = string(item.Value)
	}
	if !maps.Equal(found, want) {
		t.Errorf("%s: %d keys, want %d, or other values", what, len(found), len(want))
	}
	if rev, err := s.Apply(context.Background(), batch("next", "v")); err != nil || rev != last+1 {
		t.Errorf("%s: the next revision is %d after %d: %v", what, rev, last, err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// Ensure that a crash at any write of a commit leaves the store as it was before:
// after each of the writes, in the middle of one, and when the power went and only
// some of them, whichever, got to the disk; and that once the header is written it
// is the store after the commit. Rows FK02, FK04 and FK14, without the disk.
func TestCommitInterruptedAtEveryWrite(t *testing.T) {
	t.Parallel()
	f := &film{path: filepath.Join(t.TempDir(), "tokens.db")}
	if err := create(f.path, 8); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), f.path, Options{faults: faults{commit: f.commit}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	held := content{}
	states := 0
	for round := range rounds(6, 120) {
		b := batch(fmt.Sprint("single ", round), "v")
		for range 1 + 15*(round%3) {
			b.Put = append(b.Put, tokenstore.Put{Key: tokenstore.Key(fmt.Sprint("key ", rand.IntN(200), " ", round%2)), Value: []byte(strings.Repeat("v", rand.IntN(2000)))})
		}
		b.Put = distinct(b.Put)
		for key := range held {
			if len(b.Delete) < round%4 && !puts(b, key) {
				b.Delete = append(b.Delete, key)
			}
		}
		before, last := maps.Clone(held), s.revision
		rev := mustApply(t, s, b)
		for _, p := range b.Put {
			held[p.Key] = string(p.Value)
		}
		for _, key := range b.Delete {
			delete(held, key)
		}

		pages := f.pages()
		if len(pages) == 0 {
			t.Fatal("a commit wrote no page")
		}
		for n := range len(pages) + 1 {
			wantFile(t, fmt.Sprintf("commit %d, after %d of %d writes", round, n, len(pages)), f.with(pages[:n], false), before, last)
			wantFile(t, fmt.Sprintf("commit %d, in the middle of write %d", round, n), f.with(pages[:n], true), before, last)
			states += 2
		}
		for range 4 {
			var some []int
			for _, at := range pages {
				if rand.IntN(2) == 0 {
					some = append(some, at)
				}
			}
			wantFile(t, fmt.Sprintf("commit %d, with the pages at %v", round, some), f.with(some, false), before, last)
			states++
		}
		wantFile(t, fmt.Sprintf("commit %d, complete", round), f.after, held, rev)
	}
	if states < 60 {
		t.Errorf("only %d states were seen", states)
	}
}

// distinct leaves the first put of each key.
func distinct(list []tokenstore.Put) (unique []tokenstore.Put) {
	seen := map[tokenstore.Key]bool{}
	for _, p := range list {
		if !seen[p.Key] {
			seen[p.Key] = true
			unique = append(unique, p)
		}
	}
	return unique
}

// puts says whether a batch puts a key.
func puts(b tokenstore.Batch, key tokenstore.Key) bool {
	for _, p := range b.Put {
		if p.Key == key {
			return true
		}
	}
	return false
}
