// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// unscanned is an engine that counts the walks through its keys.
type unscanned struct {
	*memory
	walks atomic.Int64
}

func (u *unscanned) Range(ctx context.Context, from Key, limit int) ([]Item, Cursor, error) {
	u.walks.Add(1)
	return u.memory.Range(ctx, from, limit)
}

// Ensure S8: nothing that a request does walks through the store, whether it
// finds what it looks for or not. Lists, which do, are for administrators.
func TestNoRequestScans(t *testing.T) {
	store := &unscanned{memory: newMemory()}
	db := start(t, store, Options{})
	f := newFamily(t, db, db.Now().Add(time.Hour)) // the client's and user's anchors are new with each
	store.walks.Store(0)

	ctx := t.Context()
	other := newFamily(t, db, db.Now().Add(time.Hour))
	for range 2 { // a miss and a hit
		if _, err := CachedCredential[token](ctx, db, f.digest); err != nil {
			t.Error(err)
		}
		if _, err := CachedCredential[token](ctx, db, [32]byte{1}); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	}
	rec, err := Load[token](ctx, db, f.key)
	if err != nil {
		t.Fatal(err)
	}
	change := db.NewChange()
	change.Replace(rec.Key, rec.Revision, rec.Value, rec.Expires, rec.Anchors...)
	change.Audit(AuditEntry{Type: "token_issued", Routine: true})
	change.Audit(AuditEntry{Type: "client_edited"})
	if _, err := db.Commit(ctx, change); err != nil {
		t.Error(err)
	}
	if _, err := db.Generations(ctx, f.anchors...); err != nil {
		t.Error(err)
	}
	for _, anchor := range other.anchors[1:] {
		revoke(t, db, anchor)
	}
	if err := db.Ping(ctx); err != nil {
		t.Error(err)
	}
	_ = db.Stats()
	if n := store.walks.Load(); n != 0 {
		t.Errorf("%d walks through the store", n)
	}

	// Were walks not counted, the above would prove nothing.
	if _, _, err := List[token](ctx, db, "", KindCredential, "", 10); err != nil || store.walks.Load() == 0 {
		t.Errorf("a list made %d walks, %v", store.walks.Load(), err)
	}
}
