// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that where there is no store, or none that can be used, a restore holds the
// place all the same: another one, and a server, find it locked.
func TestRestoreHoldsItsPlace(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"nothing": "", "something else": "this is no store of ours"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.db")
			if content != "" {
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p, err := hold(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if p.vacant != (content == "") {
				t.Errorf("vacant: %v", p.vacant)
			}
			_, err = hold(t.Context(), path)
			wantError(t, err, tokenstore.ErrLocked)
			_, err = Open(t.Context(), path, Options{})
			wantError(t, err, tokenstore.ErrLocked)
			if err := p.release(); err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadFile(path); string(left) != content || os.IsNotExist(err) != (content == "") {
				t.Errorf("afterwards there is %q, %v", left, err)
			}
		})
	}
}

// Ensure that a restore which fails where no store was leaves nothing behind.
func TestFailedRestoreLeavesNoStore(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	backup, opts := k.backup(), k.options()
	opts.ResetClock, opts.KeepTokens = true, true // which do not go together
	path := filepath.Join(t.TempDir(), "tokens.db")
	if _, err := Restore(t.Context(), backup, path, opts); err == nil {
		t.Fatal("the clock was reset and tokens kept")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 0 {
		t.Errorf("there is %q", left)
	}
}

// Ensure that of restores and a server that start at one time where no store is,
// each gets the place for itself: what the server has open is what is there.
func TestRestoresAndAServerAtOnce(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	backup := k.backup()
	for range 3 {
		path := filepath.Join(t.TempDir(), "tokens.db")
		var group sync.WaitGroup
		for i := range 3 {
			group.Go(func() {
				opts := k.options()
				opts.Now = func() time.Time { return k.now.Add(time.Duration(i) * time.Second) } // in the names of what is kept
				if _, err := Restore(t.Context(), backup, path, opts); err != nil && !errors.Is(err, tokenstore.ErrLocked) {
					t.Errorf("restoring: %v", err)
				}
			})
		}
		s, err := Open(t.Context(), path, Options{LockWait: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		group.Wait()
		if !isAt(s.file, path) {
			t.Error("the server's store has been replaced")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
