// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// staged is what a transaction, once it is durable, will have changed in memory.
type staged struct {
	snapshot  int
	revision  tokenstore.Revision
	keys      uint64
	group     remembered   // the batches done
	forgotten []remembered // groups too old to be remembered
}

// unchanged is what a transaction starts from.
func (s *Store) unchanged() *staged {
	return &staged{revision: s.revision, keys: s.keys}
}

// has says whether the batch is one of those staged.
func (w *staged) has(id tokenstore.BatchID) bool {
	_, ok := w.find(id)
	return ok
}

func (w *staged) find(id tokenstore.BatchID) (tokenstore.Revision, bool) {
	return w.group.find(id)
}

// stage writes a group into the transaction, and returns nil when that changes
// nothing. Each batch is judged by what those
// before it have written; one that conflicts, or that was done before, has its
// answer and leaves no trace.
func (s *Store) stage(tx *bbolt.Tx, group []*request) (*staged, error) {
	work := s.unchanged()
	work.group.first = s.revision + 1
	records := tx.Bucket(bucketRecords)
	look := records.Cursor()
	for _, r := range group {
		r.rev, r.err = 0, nil
		if rev, done := s.repeated(r, work); done {
			r.rev = rev
			continue
		}
		if s.scarce && !r.urgent {
			r.err = errFull
			continue
		}
		holds, err := expected(look, r.expect)
		if err != nil {
			return nil, err
		}
		if !holds {
			r.err = tokenstore.ErrConflict
			continue
		}
		if err := s.write(records, look, r, work); err != nil {
			return nil, err
		}
	}
	if len(work.group.ids) == 0 {
		return nil, nil
	}
	return work, s.writeState(tx, work)
}

// repeated finds a batch that was done already. One without an ID never was.
func (s *Store) repeated(r *request, work *staged) (tokenstore.Revision, bool) {
	if r.id == (tokenstore.BatchID{}) {
		return 0, false
	}
	if rev, ok := s.memory.find(r.id); ok {
		return rev, true
	}
	return work.find(r.id)
}

// find is Get of the cursor's bucket, which would make a cursor each time. It is as
// good after a change: it begins at the root.
func find(look *bbolt.Cursor, key []byte) []byte {
	found, raw := look.Seek(key)
	if !bytes.Equal(found, key) {
		return nil
	}
	return raw
}

// expected says whether all expectations hold.
func expected(look *bbolt.Cursor, expect []tokenstore.Expect) (bool, error) {
	for _, e := range expect {
		key := []byte(e.Key)
		var present tokenstore.Revision
		if raw := find(look, key); raw != nil {
			rev, _, err := unseal(key, raw)
			if err != nil {
				return false, err
			}
			present = rev
		}
		if present != e.Revision {
			return false, nil
		}
	}
	return true, nil
}

// write writes one batch. look is a cursor of records.
func (s *Store) write(records *bbolt.Bucket, look *bbolt.Cursor, r *request, work *staged) error {
	rev := work.revision + 1
	for _, p := range r.put {
		if find(look, p.key) == nil {
			work.keys++
		}
		seal(p.key, p.raw, rev)
		if err := records.Put(p.key, p.raw); err != nil {
			return fmt.Errorf("tokenstore/bolt: %w", err)
		}
	}
	for _, key := range r.remove {
		k := []byte(key)
		if find(look, k) == nil {
			continue
		}
		work.keys--
		if err := records.Delete(k); err != nil {
			return fmt.Errorf("tokenstore/bolt: %w", err)
		}
	}
	work.revision = rev
	work.group.ids = append(work.group.ids, r.id)
	r.rev = rev
	return nil
}

var (
	keyFormat = []byte("format")
	keyLayout = []byte("layout")
	keyState  = []byte("state")
)

// writeState writes what goes with every commit: the counters, and the IDs of
// the batches in it.
func (s *Store) writeState(tx *bbolt.Tx, work *staged) error {
	if err := tx.Bucket(bucketAbout).Put(keyState, sealedState(work.revision, work.keys)); err != nil {
		return fmt.Errorf("tokenstore/bolt: %w", err)
	}
	batches := tx.Bucket(bucketBatches)
	key, raw := work.group.encode()
	if err := batches.Put(key, raw); err != nil {
		return fmt.Errorf("tokenstore/bolt: %w", err)
	}
	work.forgotten = s.memory.surplus()
	for _, old := range work.forgotten {
		if err := batches.Delete(old.key()); err != nil {
			return fmt.Errorf("tokenstore/bolt: %w", err)
		}
	}
	return nil
}

// sealedState is the value of the key "state".
func sealedState(rev tokenstore.Revision, keys uint64) []byte {
	state := unsealed(nil)
	state = binary.BigEndian.AppendUint64(state, uint64(rev))
	state = binary.BigEndian.AppendUint64(state, keys)
	seal(keyState, state, rev)
	return state
}

// readState is the counterpart of sealedState.
func readState(tx *bbolt.Tx) (rev tokenstore.Revision, keys uint64, err error) {
	_, state, err := unseal(keyState, tx.Bucket(bucketAbout).Get(keyState))
	if err != nil {
		return 0, 0, err
	}
	if len(state) != 16 {
		return 0, 0, fmt.Errorf("%w: the state has %d bytes", tokenstore.ErrDamaged, len(state))
	}
	return tokenstore.Revision(binary.BigEndian.Uint64(state)), binary.BigEndian.Uint64(state[8:]), nil
}
