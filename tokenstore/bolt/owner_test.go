// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package bolt

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Ensure that the user that runs the server can open what root has restored or
// compacted, and nobody else can: the new file is whose the old one was, or the
// directory where there was none. For others than root that is themselves.
func TestRootLeavesTheStoreToItsOwner(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	k.issue("one", time.Hour)
	backup := k.backup()
	user := os.Geteuid()
	if user == 0 {
		user = 4711
	}
	dir := filepath.Dir(k.path)
	for _, path := range []string{k.path, dir} {
		if err := os.Chown(path, user, -1); err != nil {
			t.Fatal(err)
		}
	}
	check := func(after, path string) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != user || info.Mode().Perm() != 0o600 {
			t.Errorf("%s %s is of user %d, mode %v; want user %d, and 0600", after, filepath.Base(path), owner, info.Mode(), user)
		}
	}
	done := k.restore(backup, k.options())
	check("after restoring", k.path)
	check("after restoring", done.Kept)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Compact(t.Context(), k.path, CompactOptions{}); err != nil {
		t.Fatal(err)
	}
	check("after compacting", k.path)
	fresh := filepath.Join(dir, "fresh.db")
	if _, err := Restore(t.Context(), backup, fresh, k.options()); err != nil {
		t.Fatal(err)
	}
	check("restored where there was none:", fresh)
	k.open()
}
