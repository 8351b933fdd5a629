// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// shape is what the store is asked to write for one token, or for one refresh: the
// product's own batch, noted while it did that. Its copies have the same number and sizes of
// keys and values, under keys of their own.
type shape struct {
	template tokenstore.Batch
	created  map[tokenstore.Key]bool // keys that must be absent
	count    *atomic.Uint64
}

// learnShapes mints a token and replaces a refresh token in a store of its own, and
// notes the batches.
func learnShapes(ctx context.Context, o vaultOptions) (minting, rotation shape, err error) {
	var note *notingStore
	v, err := openVault(ctx, o, func(s tokenstore.Store) tokenstore.Store {
		note = &notingStore{Store: s}
		return note
	})
	if err != nil {
		return minting, rotation, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	if _, err = v.mint(ctx, 1, liveFor); err != nil {
		return minting, rotation, err
	}
	minting = shapeOf(note.last)
	err = v.rotate(ctx)
	return minting, shapeOf(note.last), err
}

func shapeOf(template tokenstore.Batch) shape {
	s := shape{template: template, created: map[tokenstore.Key]bool{}, count: new(atomic.Uint64)}
	for _, e := range template.Expect {
		s.created[e.Key] = e.Revision == 0
	}
	return s
}

// next is a batch of the shape. What the original created gets a random key, an
// audit entry the next slot of its ring, and the expiry index, whose keys begin
// with a time, another end. What the original deleted is not there: a copy has less to
// do.
func (s *shape) next() tokenstore.Batch {
	n := s.count.Add(1)
	b := tokenstore.Batch{Put: make([]tokenstore.Put, len(s.template.Put)), Delete: s.template.Delete}
	rand.Read(b.ID[:])
	for i, put := range s.template.Put {
		key := []byte(put.Key)
		switch {
		case s.created[put.Key]:
			rand.Read(key[2:]) // after the realm's length and the kind
			b.Expect = append(b.Expect, tokenstore.Expect{Key: tokenstore.Key(key)})
		case put.Key.Kind() == tokenstore.KindAudit:
			binary.BigEndian.PutUint32(key[len(key)-4:], uint32(n%tokenstore.DefaultAuditEntries))
		default:
			rand.Read(key[len(key)-8:])
		}
		b.Put[i] = tokenstore.Put{Key: tokenstore.Key(key), Value: put.Value}
	}
	// Conditions on what is there already, such as a client's generation.
	for _, e := range s.template.Expect {
		if e.Revision != 0 {
			b.Expect = append(b.Expect, tokenstore.Expect{Key: e.Key + "\x00absent"})
		}
	}
	return b
}

// notingStore notes the last batch.
type notingStore struct {
	tokenstore.Store
	last tokenstore.Batch
}

func (s *notingStore) Apply(ctx context.Context, b tokenstore.Batch) (tokenstore.Revision, error) {
	s.last = b
	return s.Store.Apply(ctx, b)
}
