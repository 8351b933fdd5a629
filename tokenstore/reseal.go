// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ResealBatch is how many values are sealed anew in one transaction.
const ResealBatch = 100

// resealIdle is how many passes in a row may find work and get none of it done.
const resealIdle = 5

// Reseal seals everything anew with the first of the sealing keys, in small
// transactions, while others read and write. progress, which may be nil, hears
// after each of them how many values are done. n is how many were sealed anew.
//
// The store's own secret comes last, and with it the note of the keys without
// which the store does not open. So Reseal may be interrupted anywhere, and be
// repeated: until it has succeeded once, the older keys stay necessary, and the
// store says so at Open. What is sealed with the first key already is left alone.
//
// Errors: ErrDamaged when a value does not open; the others are done, the older
// keys stay necessary, and the log names the record. ErrSealKey when
// another rotation overtakes this one. ErrConflict when values change faster than
// they can be sealed anew. ErrUnavailable, ErrUnknown and so on as for Commit.
func (db *DB) Reseal(ctx context.Context, progress func(done int)) (n int, err error) {
	if progress == nil {
		progress = func(int) {}
	}
	r := resealing{db: db, keys: *db.sealKeys.Load(), progress: progress}
	// Others seal meanwhile: only a pass that found nothing to do has seen
	// everything under the first key.
	for again, idle := true, 0; again; {
		before := r.done
		if again, err = r.pass(ctx); err != nil {
			return r.done, err
		}
		if idle++; r.done > before {
			idle = 0
		}
		if again && idle == resealIdle {
			return r.done, fmt.Errorf("%w: sealed values change faster than they can be sealed anew", ErrConflict)
		}
	}
	if r.damaged > 0 {
		return r.done, fmt.Errorf("%w: %d sealed values do not open; delete them or restore a backup, "+
			"and keep the older sealing keys until then", ErrDamaged, r.damaged)
	}
	return r.done, r.identity(ctx)
}

// resealing is one run of Reseal.
type resealing struct {
	db       *DB
	keys     []SealKey
	progress func(done int)
	done     int
	damaged  int // in the last pass
}

// pass walks all sealed records once, and says whether it found any to seal.
func (r *resealing) pass(ctx context.Context) (found bool, err error) {
	r.damaged = 0
	for from := nextSealed("\x00"); from != ""; {
		items, next, err := r.db.scan(ctx, from, ResealBatch)
		if err != nil {
			return false, err
		}
		some, err := r.chunk(ctx, items)
		if err != nil {
			return false, err
		}
		found = found || some
		from = nextSealed(next)
	}
	return found, nil
}

// nextSealed is where a walk that has come to cursor goes on: the keys of a realm
// lie together, ordered by kind, and all but the sealed ones are jumped over.
func nextSealed(cursor Cursor) Cursor {
	if !cursor.valid() && cursor != "\x00" {
		return cursor
	}
	realm := cursor.Realm()
	first, after, end := NewKey(realm, KindSealed, ""), NewKey(realm, KindSealed+1, ""), NewKey(realm, 0xff, "")
	switch {
	case cursor < first:
		return first
	case cursor >= after && cursor < end:
		return end
	}
	return cursor
}

// chunk seals those of items anew that need it, in one transaction, and says
// whether there were any.
func (r *resealing) chunk(ctx context.Context, items []Item) (found bool, err error) {
	c := r.db.NewChange()
	c.takeover = true
	for _, item := range items {
		if item.Key.Kind() != KindSealed {
			continue
		}
		record, plaintext, err := r.open(item)
		switch {
		case errors.Is(err, ErrDamaged):
			r.db.reportDamage(item.Key, err)
			r.damaged++
			continue
		case err != nil:
			return false, err
		case record == nil:
			continue
		}
		c.Replace(item.Key, item.Revision, r.keys[0].seal(item.Key, plaintext), record.Expires, record.Anchors...)
	}
	if len(c.ops) == 0 {
		return false, nil
	}
	_, err = r.db.Commit(ctx, c)
	if errors.Is(err, ErrConflict) {
		return true, nil // the next pass sees what became of them
	}
	if err != nil {
		return false, err
	}
	r.done += len(c.ops)
	r.progress(r.done)
	r.db.at(stepResealed)
	return true, nil
}

// open opens a sealed record; nil if it is sealed with the first key already.
func (r *resealing) open(item Item) (*Record[Sealed], []byte, error) {
	f, err := r.db.auth.decodeRecord(item)
	if err != nil {
		return nil, nil, err
	}
	record, err := typed[Sealed](f)
	if err != nil {
		return nil, nil, err
	}
	id, err := record.Value.keyID()
	if err != nil || id == r.keys[0].id {
		return nil, nil, err
	}
	plaintext, err := unseal(r.keys, item.Key, record.Value)
	return record, plaintext, err
}

// identity seals the store's secret anew and lets the older keys go.
func (r *resealing) identity(ctx context.Context) error {
	first := r.keys[0]
	return r.db.changeIdentity(ctx, r.keys, func(ident *identity, secret []byte) bool {
		i := slices.IndexFunc(ident.Keys, func(u sealUse) bool { return u.ID == first.id })
		if i < 0 || len(ident.Keys) == 1 {
			return false
		}
		ident.Keys = []sealUse{ident.Keys[i]}
		ident.Secret = first.seal(identityKey(), secret)
		return true
	})
}
