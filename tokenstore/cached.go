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
	return miss[T](ctx, db, key)
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
	return miss[T](ctx, db, NewKey(realm, kind, id))
}

// CachedCredential is Cached for the key that [CredentialKey] would build: a hit
// does not even allocate the key.
func CachedCredential[T any](ctx context.Context, db *DB, digest [32]byte) (*Record[T], error) {
	var key [credentialKeySize]byte
	key[1] = byte(KindCredential)
	copy(key[2:], digest[:])
	if e := db.find(db.cacheHashBytes(key[:])); e != nil && string(e.key) == string(key[:]) {
		if r, ok := e.record.(*Record[T]); ok {
			db.counts.hits.Add(1)
			return r, nil
		}
	}
	return miss[T](ctx, db, CredentialKey(digest))
}

// miss loads a record together with whoever else wants it now.
//
// A load that began before this request arrived may tell of a time before a
// revocation, or a minting, that was acknowledged before this request arrived.
// Its answer therefore counts only if it is positive and its epochs still are the
// present ones. Otherwise the next load does: it begins after this request
// arrived, whoever begins it, so its answer counts whatever it is.
func miss[T any](ctx context.Context, db *DB, key Key) (*Record[T], error) {
	db.counts.misses.Add(1)
	var before *flight
	for {
		f, own := db.flights.join(key, before)
		late := before == nil
		before = f
		if own {
			fly[T](ctx, db, key, f)
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
		return Load[T](ctx, db, key)
	}
}

// fly loads a record, offers it to the cache, and ends the flight.
func fly[T any](outer context.Context, db *DB, key Key, f *flight) {
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
	_, f.entry, f.err = load[T](ctx, db, key, db.known())
	switch {
	case f.err == nil && c != nil:
		c.set(db.cacheHash(key), f.entry)
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
