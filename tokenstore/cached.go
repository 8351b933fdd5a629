// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Cached answers like [Load], through the cache: exact, not eventual (see
// epochs). A hit reads no disk, takes no lock and allocates nothing. Concurrent
// misses of one key share one load; absence and errors are not cached. The record
// is shared: it is read, never written.
//
// A key is to be read as one type T only; as another it works, but slowly.
func Cached[T any](ctx context.Context, db *DB, key Key) (*Record[T], error) {
	if e := db.find(db.cacheHash(key)); e != nil && e.key == key {
		if r, ok := e.record.(*Record[T]); ok {
			db.counts.hits.Add(1)
			return r, nil
		}
	}
	return miss[T](ctx, db, key, loader[T](db, key))
}

// CachedID is Cached for the key that [NewKey] would build: a hit does not even
// allocate the key.
func CachedID[T any](ctx context.Context, db *DB, realm string, kind Kind, id string) (*Record[T], error) {
	var room [128]byte
	key := append(room[:0], byte(len(realm)))
	key = append(key, realm...)
	key = append(key, byte(kind))
	key = append(key, id...)
	if len(realm) <= MaxRealm {
		if e := db.find(db.cacheHashBytes(key)); e != nil && string(e.key) == string(key) {
			if r, ok := e.record.(*Record[T]); ok {
				db.counts.hits.Add(1)
				return r, nil
			}
		}
	}
	full := NewKey(realm, kind, id)
	return miss[T](ctx, db, full, loader[T](db, full))
}

// CachedCredential is Cached for the key that [CredentialKey] would build: a hit
// does not even allocate the key.
func CachedCredential[T any](ctx context.Context, db *DB, digest [32]byte) (*Record[T], error) {
	if e := db.findCredential(&digest); e != nil {
		if r, ok := e.record.(*Record[T]); ok {
			db.counts.hits.Add(1)
			return r, nil
		}
	}
	full := CredentialKey(digest)
	return miss[T](ctx, db, full, loader[T](db, full))
}

// load finds out what a cache entry is to say, past the cache; known, which may be
// nil, is what is known of anchors.
type load func(ctx context.Context, known *anchors) (*entry, error)

// loader is the load of a record in the store.
func loader[T any](db *DB, key Key) load {
	return func(ctx context.Context, known *anchors) (*entry, error) {
		_, e, err := loadRecord[T](ctx, db, key, known)
		return e, err
	}
}

// miss loads a record together with whoever else wants it now.
//
// A load that began before this request arrived may tell of a time before a
// revocation, or a minting, that was acknowledged before this request arrived.
// Its answer therefore counts only if it is positive and its epochs still are the
// present ones. Otherwise the next load does: it begins after this request
// arrived, whoever begins it, so its answer counts whatever it is.
func miss[T any](ctx context.Context, db *DB, key Key, load load) (*Record[T], error) {
	db.counts.misses.Add(1)
	var before *flight
	for {
		f, own := db.flights.join(key, before)
		late := before == nil
		before = f
		if own {
			fly(ctx, db, key, f, load)
		} else {
			select {
			case <-f.landed:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			if f.abandoned || late && (f.err != nil || !db.valid(f.entry)) {
				continue
			}
		}
		if f.err != nil {
			return nil, f.err
		}
		if r, ok := f.entry.record.(*Record[T]); ok {
			return r, nil
		}
		e, err := load(ctx, nil) // somebody reads the key as another type
		if err != nil {
			return nil, err
		}
		return e.record.(*Record[T]), nil
	}
}

// fly loads a record, offers it to the cache, and ends the flight.
func fly(outer context.Context, db *DB, key Key, f *flight, load load) {
	defer db.flights.land(key, f)
	// A panic here would not be one request's: others wait.
	defer func() {
		if p := recover(); p != nil {
			db.log.Error("loading a record panicked", slog.Any("panic", p))
			f.entry, f.err = nil, fmt.Errorf("%w: loading a record panicked", ErrUnavailable)
		}
	}()
	ctx, cancel := context.WithTimeout(outer, flightTimeout)
	defer cancel()
	c := db.cache.Load()
	f.entry, f.err = load(ctx, db.known())
	switch {
	case f.err == nil && c != nil:
		c.set(f.entry)
		db.at(stepLoadCached)
	case errors.Is(f.err, ErrNotFound) && c != nil:
		if hash := db.cacheHash(key); holds(c, hash, key) {
			c.drop(hash)
		}
	case outer.Err() != nil && errors.Is(f.err, outer.Err()):
		f.abandoned = true
	case ctx.Err() != nil && errors.Is(f.err, ctx.Err()):
		// The flight's deadline is not the caller's.
		f.err = fmt.Errorf("%w: no answer within %s", ErrUnavailable, flightTimeout)
	}
}

// holds says whether the entry under hash is that of key.
func holds(c *cache, hash uint64, key Key) bool {
	e := c.get(hash)
	return e != nil && e.key == key
}
