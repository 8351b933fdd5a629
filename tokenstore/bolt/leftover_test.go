// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// stop compacts the store, and stands still in the middle of it.
func stop(path string) error {
	s, err := bolt.Open(context.Background(), path, bolt.Options{})
	if err != nil {
		return err
	}
	b := tokenstore.Batch{ID: tokenstore.BatchID{1}, Put: []tokenstore.Put{{Key: "k", Value: []byte("v")}}}
	if _, err := s.Apply(context.Background(), b); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	_, _, err = bolt.Compact(context.Background(), path, bolt.CompactOptions{Progress: func(int64, int64) {
		fmt.Println("copying")
		select {}
	}})
	return err
}

// names lists a directory.
func names(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// Ensure that what a killed command had begun to write is gone after the next
// opening, not while somebody is still writing it, and that nothing else is touched.
func TestLeftoversOfAKilledCommand(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "tokens.db")
	cmd := child(t, "compact and stand still", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "copying\n" {
		t.Fatalf("the process says %q, %v", line, err)
	}
	begun := names(t, directory)
	if len(begun) != 2 || !strings.HasPrefix(begun[0], ".tokens.db.new-") {
		t.Fatalf("while compacting there are %q", begun)
	}
	if _, err := bolt.Open(t.Context(), path, bolt.Options{}); !errors.Is(err, tokenstore.ErrLocked) {
		t.Errorf("opening the store meanwhile: %v", err)
	}
	if left := names(t, directory); !slices.Equal(left, begun) {
		t.Errorf("while compacting there are %q, and then %q", begun, left)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed

	mine := []string{
		".tokens.db.before-layout-2.new-71", ".tokens.db.before-restore-20310506T070809.000Z.new-72",
		"..tokens.db.new-73.new-74", ".tokens.db.new-75.before-layout-2",
	}
	others := []string{
		".other.db.new-1", ".tokens.db.new-x", ".tokens.db.swp", ".tokens.db2.new-1", ".tokensXdb.new-1", ".xtokens.db.new-1",
		"tokens.db.before-layout-2", "tokens.db.before-restore-20310506T070809.000Z", "tokens.db.new-1", "tokens.key",
	}
	for _, name := range append(mine, others...) {
		if err := os.WriteFile(filepath.Join(directory, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := bolt.Open(t.Context(), path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	want := append(others, "tokens.db")
	slices.Sort(want)
	if left := names(t, directory); !slices.Equal(left, want) {
		t.Errorf("after the opening there are %q, want %q", left, want)
	}
}
