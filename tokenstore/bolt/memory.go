// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Numbers of the memory for batch IDs.
const (
	// rememberBatches is how many IDs are remembered at least: the contract of
	// [tokenstore.Store].
	rememberBatches = 4096
	// forgetBatches is how many more may gather before they are forgotten
	// together, so that not every commit has to touch the oldest page.
	forgetBatches = 512
)

// memory answers whether a batch was done. It mirrors the bucket "batches".
type memory struct {
	groups []remembered // oldest first
	byID   map[tokenstore.BatchID]tokenstore.Revision
	count  int // batches in groups
}

// remembered are the batches of one commit. Their revisions follow one another.
type remembered struct {
	first tokenstore.Revision
	ids   []tokenstore.BatchID
}

func (g remembered) find(id tokenstore.BatchID) (tokenstore.Revision, bool) {
	i := slices.Index(g.ids, id)
	return g.first + tokenstore.Revision(max(i, 0)), i >= 0
}

func (g remembered) key() []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(g.first))
}

func (g remembered) encode() (key, raw []byte) {
	key, raw = g.key(), unsealed(nil)
	for _, id := range g.ids {
		raw = append(raw, id[:]...)
	}
	seal(key, raw, g.first)
	return key, raw
}

func (m *memory) find(id tokenstore.BatchID) (tokenstore.Revision, bool) {
	rev, ok := m.byID[id]
	return rev, ok
}

func (m *memory) add(g remembered) {
	if len(g.ids) == 0 {
		return
	}
	m.groups = append(m.groups, g)
	m.count += len(g.ids)
	for i, id := range g.ids {
		if id != (tokenstore.BatchID{}) {
			m.byID[id] = g.first + tokenstore.Revision(i)
		}
	}
}

// surplus are the oldest groups that need not be remembered, once they are many.
func (m *memory) surplus() []remembered {
	if m.count < rememberBatches+forgetBatches {
		return nil
	}
	n, left := 0, m.count
	for left-len(m.groups[n].ids) >= rememberBatches {
		left -= len(m.groups[n].ids)
		n++
	}
	return m.groups[:n]
}

// forget drops the oldest groups, as surplus named them.
func (m *memory) forget(old []remembered) {
	if len(old) == 0 {
		return
	}
	for _, g := range old {
		m.count -= len(g.ids)
		for _, id := range g.ids {
			delete(m.byID, id)
		}
	}
	m.groups = slices.Delete(m.groups, 0, len(old))
}

// load reads the bucket.
func (m *memory) load(batches *bbolt.Bucket) error {
	*m = memory{byID: make(map[tokenstore.BatchID]tokenstore.Revision, rememberBatches+forgetBatches)}
	return batches.ForEach(func(key, raw []byte) error {
		first, ids, err := unseal(key, raw)
		if err != nil {
			return err
		}
		if len(ids)%len(tokenstore.BatchID{}) != 0 {
			return fmt.Errorf("%w: batch IDs of %d bytes", tokenstore.ErrDamaged, len(ids))
		}
		g := remembered{first: first}
		for id := range slices.Chunk(ids, len(tokenstore.BatchID{})) {
			g.ids = append(g.ids, tokenstore.BatchID(id))
		}
		m.add(g)
		return nil
	})
}
