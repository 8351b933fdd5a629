// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// kept is a store of tokens in a file, with a clock to turn.
type kept struct {
	*tokenstore.DB
	t    *testing.T
	path string
	key  tokenstore.SealKey
	now  time.Time
}

func newKept(t *testing.T) *kept {
	t.Helper()
	k := &kept{t: t, path: filepath.Join(t.TempDir(), "tokens.db"), key: tokenstore.GenerateSealKey(),
		now: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)}
	k.open()
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func (k *kept) clock() time.Time { return k.now }

func (k *kept) open() {
	k.t.Helper()
	store, err := Open(k.t.Context(), k.path, Options{})
	if err != nil {
		k.t.Fatal(err)
	}
	if k.DB, err = tokenstore.Open(k.t.Context(), store, tokenstore.Options{SealKeys: []tokenstore.SealKey{k.key}, CacheEntries: -1, Now: k.clock}); err != nil {
		k.t.Fatal(err)
	}
}

// issue saves a token below the store's and a client's anchor.
func (k *kept) issue(name string, life time.Duration) tokenstore.Key {
	k.t.Helper()
	client := tokenstore.ClientAnchorKey("client of " + name)
	if _, err := k.EnsureAnchor(k.t.Context(), client); err != nil {
		k.t.Fatal(err)
	}
	anchors, err := k.Generations(k.t.Context(), k.StoreAnchor(), client)
	if err != nil {
		k.t.Fatal(err)
	}
	key := tokenstore.CredentialKey(sha256.Sum256([]byte(name)))
	c := k.NewChange()
	c.Create(key, name, k.Now().Add(life), anchors...)
	if _, err := k.Commit(k.t.Context(), c); err != nil {
		k.t.Fatal(err)
	}
	return key
}

func (k *kept) revokeClientOf(name string) tokenstore.Revision {
	k.t.Helper()
	c := k.NewChange()
	c.Revoke(tokenstore.ClientAnchorKey("client of " + name))
	rev, err := k.Commit(k.t.Context(), c)
	if err != nil {
		k.t.Fatal(err)
	}
	return rev
}

func (k *kept) valid(key tokenstore.Key) bool {
	k.t.Helper()
	_, err := tokenstore.Load[string](k.t.Context(), k.DB, key)
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		k.t.Errorf("loading: %v", err)
	}
	return err == nil
}

// backup writes a snapshot beside the store.
func (k *kept) backup() string {
	k.t.Helper()
	var copied bytes.Buffer
	if err := k.Snapshot(k.t.Context(), &copied); err != nil {
		k.t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(k.path), "backup.db")
	if err := os.WriteFile(path, copied.Bytes(), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

func (k *kept) options() RestoreOptions {
	return RestoreOptions{RestoreOptions: tokenstore.RestoreOptions{SealKeys: []tokenstore.SealKey{k.key}, Now: k.clock}}
}

// restore restores a backup of the closed store and opens it.
func (k *kept) restore(backup string, opts RestoreOptions) Restored {
	k.t.Helper()
	if err := k.Close(); err != nil {
		k.t.Fatal(err)
	}
	done, err := Restore(k.t.Context(), backup, k.path, opts)
	if err != nil {
		k.t.Fatal(err)
	}
	k.open()
	return done
}

// Ensure S5 across a restore: tokens from before it are dead, the revoked ones
// above all; what is no token is there; and the replaced file is kept.
func TestRestoreEndsEarlierTokens(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	live, revoked := k.issue("live", time.Hour), k.issue("revoked", time.Hour)
	record := tokenstore.ClientKey("registered")
	c := k.NewChange()
	c.Put(record, "a client", time.Time{})
	if _, err := k.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	backup := k.backup()
	k.revokeClientOf("revoked")
	k.issue("later", time.Hour)

	done := k.restore(backup, k.options())
	if k.valid(live) || k.valid(revoked) {
		t.Errorf("live from the backup: %v, revoked after it: %v", k.valid(live), k.valid(revoked))
	}
	if !k.valid(record) {
		t.Error("the client is gone")
	}
	if !k.valid(k.issue("anew", time.Hour)) {
		t.Error("a token issued after the restore is not valid")
	}
	entries, err := k.AuditLog(t.Context(), 0, 1)
	if err != nil || len(entries) != 1 || entries[0].Type != "store_restored" {
		t.Errorf("the audit log says %v, %v", entries, err)
	}

	// The replaced file still is the store that it was.
	old, err := OpenReadOnly(t.Context(), done.Kept)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	items, err := old.Get(t.Context(), tokenstore.CredentialKey(sha256.Sum256([]byte("later"))))
	if err != nil || items[0].Revision == 0 {
		t.Errorf("what was issued after the backup is not in %s: %v", done.Kept, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(k.path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Ensure that tokens live on when asked, those revoked after the backup too, and
// that what expired meanwhile stays expired, whatever the machine's clock says.
func TestRestoreKeepsTokensWhenTold(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	live, revoked, short := k.issue("live", 48*time.Hour), k.issue("revoked", 48*time.Hour), k.issue("short", time.Hour)
	backup := k.backup()
	k.revokeClientOf("revoked")
	k.now = k.now.Add(24 * time.Hour)
	if k.valid(short) {
		t.Fatal("it has not expired")
	}
	saveClock(k)
	k.now = k.now.Add(-24 * time.Hour)

	opts := k.options()
	opts.KeepTokens = true
	k.restore(backup, opts)
	if !k.valid(live) || !k.valid(revoked) {
		t.Errorf("live: %v, revoked after the backup: %v", k.valid(live), k.valid(revoked))
	}
	if k.valid(short) {
		t.Error("what had expired is valid again")
	}
}

// saveClock makes the store's present time durable, as its maintenance does.
func saveClock(k *kept) {
	k.t.Helper()
	ctx, cancel := context.WithCancel(k.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.Maintain(ctx)
	}()
	eventually(k.t, func() bool {
		saved, err := tokenstore.Load[int64](k.t.Context(), k.DB, tokenstore.NewKey("", tokenstore.KindMeta, "clock"))
		return err == nil && saved.Value >= k.Now().UnixMilli()
	})
	cancel()
	<-done
}

// Ensure that no revision is ever used twice, also when those that the store used
// after the backup are nowhere to be found.
func TestRestoreNeverReusesARevision(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		k := newKept(t)
		backup := k.backup()
		var last tokenstore.Revision
		for range 50 {
			last = k.revokeClientOf("somebody")
		}
		if lost {
			if err := os.Truncate(k.path, 100); err != nil {
				t.Fatal(err)
			}
		}
		k.restore(backup, k.options())
		if next := k.revokeClientOf("somebody"); next <= last {
			t.Errorf("the old store lost: %v: revision %d after %d", lost, next, last)
		}
	}
}

// Ensure that a clock that was wrongly ahead can be left behind, without any
// token from before.
func TestRestoreResetsTheClockWhenTold(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	token := k.issue("token", time.Hour)
	right := k.now
	k.now = right.AddDate(10, 0, 0)
	k.issue("in ten years", time.Hour)
	saveClock(k)
	backup := k.backup()
	k.now = right

	opts := k.options()
	opts.ResetClock, opts.KeepTokens = true, true
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), backup, k.path, opts); err == nil {
		t.Error("the clock was reset and tokens kept")
	}
	opts.KeepTokens = false
	k.restore(backup, opts)
	if !k.Now().Equal(right) {
		t.Errorf("the store's time is %v, the machine's %v", k.Now(), right)
	}
	if k.valid(token) {
		t.Error("a token from before is valid again")
	}
}

// Ensure that what is not a sound backup of this store, with its key, is refused,
// and that nothing has changed then.
func TestRestoreRefusals(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	k.issue("token", time.Hour)
	backup := k.backup()
	whole, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	opts := k.options()
	if _, err := Restore(t.Context(), backup, k.path, opts); !errors.Is(err, tokenstore.ErrLocked) {
		t.Errorf("while the store is open: %v", err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(k.path)
	if err != nil {
		t.Fatal(err)
	}

	tampered := filepath.Join(t.TempDir(), "tampered.db")
	if err := os.WriteFile(tampered, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), tampered, Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := tokenstore.CredentialKey(sha256.Sum256([]byte("token")))
	items, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	items[0].Value[3] ^= 1
	mustApply(t, s, batch(string(key), string(items[0].Value)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.db")
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	other := newKept(t)
	otherBackup := other.backup()

	wrong := opts
	wrong.SealKeys = []tokenstore.SealKey{tokenstore.GenerateSealKey()}
	both := opts
	both.SealKeys = []tokenstore.SealKey{other.key, k.key}
	for name, c := range map[string]struct {
		backup string
		opts   RestoreOptions
		want   error
		says   string
	}{
		"the wrong key":         {backup, wrong, tokenstore.ErrSealKey, k.key.ID().String()},
		"a record changed":      {tampered, opts, tokenstore.ErrDamaged, "MAC"},
		"cut short":             {cut, opts, tokenstore.ErrDamaged, "cut.db"},
		"no file":               {filepath.Join(t.TempDir(), "none"), opts, os.ErrNotExist, "none"},
		"another store":         {otherBackup, both, ErrOtherStore, "another store"},
		"no store":              {os.DevNull, opts, tokenstore.ErrFormat, "not a regular file"},
		"the store as a backup": {k.path, opts, nil, "the store itself"},
	} {
		_, err := Restore(t.Context(), c.backup, k.path, c.opts)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, err := os.ReadFile(k.path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the store was changed by a refused restore: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(k.path), "*")); len(left) != 2 {
		t.Errorf("the directory holds %v", left)
	}

	// With leave, another store's backup is taken, and where there is none too.
	both.Other = true
	k.path = filepath.Join(t.TempDir(), "tokens.db")
	if done, err := Restore(t.Context(), otherBackup, k.path, both); err != nil || done.Kept != "" {
		t.Errorf("where no store was: %v, kept %q", err, done.Kept)
	}
	if done, err := Restore(t.Context(), backup, k.path, both); err != nil || done.Kept == "" {
		t.Errorf("another store, with leave: %v, kept %q", err, done.Kept)
	}
}
