// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Derived is what was found out about something that is not in the store itself
// but depends on it, such as a signed token: it costs work to find out, and counts
// only while certain records are there.
type Derived[T any] struct {
	Value T
	// Expires is the moment from which it counts as absent. Zero: never.
	Expires time.Time
	// Anchors are the generations on which it depends. With revision 0 an anchor
	// merely has to be there: that is for ids that are never used again, when the
	// revision was not known yet at signing.
	Anchors []Generation
	// Basis is the generation of the record that it was found out by; the zero
	// Generation if there is none. That it has moved says nothing yet: what there is
	// now may lead to the same.
	Basis Generation
	// Unless is the mark of [RevokedKey] that ends it, or "".
	Unless Key
}

// deriveTries is how often something is found out anew because its basis moved
// meanwhile.
const deriveTries = 5

// errMoved: the basis has moved since find read it.
var errMoved = errors.New("its basis has moved")

// kindDerived is of keys in the cache only: nothing in the store has it.
const kindDerived Kind = 'D'

// usualDerived is how long scope and text are where a hit allocates nothing.
const usualDerived = 2048

// appendDerivedKey appends the key of what is derived from text within scope,
// which has no NUL in it. It is the text itself and no digest: to compare texts is
// exact too, and on processors without instructions for it SHA-256 would take longer
// than all else that a hit does.
func appendDerivedKey(to []byte, scope, text string) []byte {
	to = append(to, 0, byte(kindDerived))
	to = append(to, scope...)
	to = append(to, 0)
	return append(to, text...)
}

// Recall returns what [Derive] has found out about a text within a scope and still
// counts, under the rule of epochs like [Cached]. It reads no disk, takes no lock
// and allocates nothing for texts of up to 2 kB. What it returns is shared: it is
// read, never written.
func Recall[T any](db *DB, scope, text string) (*Record[T], bool) {
	var room [usualDerived + 3]byte
	key := appendDerivedKey(room[:0], scope, text)
	if e := db.find(db.cacheHashBytes(key)); e != nil && string(e.key) == string(key) {
		if r, ok := e.record.(*Record[T]); ok {
			db.counts.hits.Add(1)
			return r, true
		}
	}
	return nil, false
}

// Derive finds something out about a text and remembers it. scope is what else find
// goes by, and has no NUL in it. find does the work; then all anchors and the mark are
// read at once, but for those that are known anyway. Concurrent calls for one text
// share one find, which is called again when its basis moves.
//
// The errors are find's own, ErrNotFound when an anchor is absent, expired or at
// another generation, when the mark is there, or when it has expired, and those of
// [Load]. Errors are not remembered.
func Derive[T any](ctx context.Context, db *DB, scope, text string, find func(context.Context) (Derived[T], error)) (*Record[T], error) {
	key := Key(appendDerivedKey(nil, scope, text))
	return miss[T](ctx, db, key, func(ctx context.Context, known *anchors) (*entry, error) {
		db.counts.loads.Add(1)
		for range deriveTries {
			d, err := find(ctx)
			if err != nil {
				return nil, err
			}
			k := &kept[T]{record: Record[T]{Key: key, Expires: d.Expires, Anchors: d.Anchors, Value: d.Value}}
			e := db.begin(&k.entry, key)
			e.record = &k.record
			e.limit(millis(d.Expires))
			if err = db.affirm(ctx, e, d.Anchors, d.Basis, d.Unless, known); !errors.Is(err, errMoved) {
				return e, err
			}
		}
		return nil, fmt.Errorf("%w: what it is found out by changes faster than it can be read", ErrUnavailable)
	})
}

// affirm checks what a derived entry depends on and completes its marks. Each is
// captured before the read that it vouches for.
//
// Unlike a record's, these anchors are known before the first read and do not
// change. So a generation that a read does not find is gone for good, and refuses;
// what is known from before may only confirm: see epochs. Of basis it is errMoved.
func (db *DB) affirm(ctx context.Context, e *entry, gens []Generation, basis Generation, unless Key, known *anchors) error {
	db.at(stepLoadBegun)
	keys := make([]Key, 0, 2+len(gens))
	unknown := make([]Generation, 0, 2+len(gens))
	captured := make([]mark, 0, 2+len(gens))
	ask := func(g Generation) {
		m := db.epochs.capture(g.Key)
		e.marks, captured = append(e.marks, m), append(captured, m)
		keys, unknown = append(keys, g.Key), append(unknown, g)
	}
	look := func(g Generation) {
		if a := known.get(db, g.Key); a != nil && (g.Revision == 0 || g.Revision == a.revision) {
			db.at(stepLoadKnown)
			e.marks = append(e.marks, a.marks...)
			e.limit(a.until)
			return
		}
		ask(g)
	}
	for _, g := range gens {
		look(g)
	}
	if basis.Key != "" {
		look(basis)
	}
	if unless != "" {
		ask(Generation{Key: unless})
	}
	db.at(stepLoadCaptured)
	if len(keys) > 0 {
		items, err := db.get(ctx, keys...)
		if err != nil {
			return err
		}
		for i, g := range unknown {
			if g.Key == unless {
				if items[i].Revision != 0 {
					return ErrNotFound
				}
				continue
			}
			if g.Revision != 0 && items[i].Revision != g.Revision {
				if g.Key == basis.Key {
					return errMoved
				}
				return ErrNotFound
			}
			a, err := db.decode(items[i]) // an absent one is ErrNotFound
			if err != nil {
				return err
			}
			e.limit(a.expires)
			known.put(a, captured[i])
		}
	}
	if e.until != 0 && db.clock.millis() >= e.until {
		return ErrNotFound
	}
	db.at(stepLoadVerified)
	return nil
}
