// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
)

// memory is an engine of the simplest kind, with faults to order. Its own
// conformance is not at stake: it is small enough to be seen to be right.
type memory struct {
	mu     sync.Mutex
	items  map[Key]Item
	done   map[BatchID]Revision
	rev    Revision
	closed bool

	// beforeApply and afterGet, where set, are called without the lock: before a
	// batch is looked at, and between the snapshot of a Get and its answer.
	beforeApply func(Batch) fault
	beforeGet   func([]Key) error
	afterGet    func([]Key)
}

// fault is what goes wrong with an Apply.
type fault int

const (
	faultNone           fault = iota
	faultUnknownDone          // it happens, but the caller is not told
	faultUnknownNotDone       // it does not happen, and the caller is not told
	faultUnavailable          // it does not happen, and the caller is told
	faultFull
	faultOdd // it happens, and the engine answers with an error nobody knows
)

var errOdd = errors.New("input/output error")

func newMemory() *memory {
	return &memory{items: make(map[Key]Item), done: make(map[BatchID]Revision)}
}

func (m *memory) Get(ctx context.Context, keys ...Key) ([]Item, error) {
	if m.beforeGet != nil {
		if err := m.beforeGet(keys); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, ErrUnavailable
	}
	out := make([]Item, len(keys))
	for i, key := range keys {
		item := m.items[key]
		out[i] = Item{Key: key, Value: bytes.Clone(item.Value), Revision: item.Revision}
	}
	m.mu.Unlock()
	if m.afterGet != nil {
		m.afterGet(keys)
	}
	return out, nil
}

func (m *memory) Apply(ctx context.Context, b Batch) (Revision, error) {
	what := faultNone
	if m.beforeApply != nil {
		what = m.beforeApply(b)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed || what == faultUnavailable:
		return 0, ErrUnavailable
	case what == faultFull:
		return 0, ErrFull
	case what == faultUnknownNotDone:
		return 0, ErrUnknown
	}
	if rev, ok := m.done[b.ID]; ok {
		return rev, nil
	}
	for _, e := range b.Expect {
		if m.items[e.Key].Revision != e.Revision {
			return 0, ErrConflict
		}
	}
	m.rev++
	for _, p := range b.Put {
		m.items[p.Key] = Item{Key: p.Key, Value: bytes.Clone(p.Value), Revision: m.rev}
	}
	for _, key := range b.Delete {
		delete(m.items, key)
	}
	m.done[b.ID] = m.rev
	switch what {
	case faultUnknownDone:
		return 0, ErrUnknown
	case faultOdd:
		return 0, errOdd
	}
	return m.rev, nil
}

func (m *memory) Range(ctx context.Context, from Key, limit int) ([]Item, Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, "", ErrUnavailable
	}
	var keys []Key
	for key := range m.items {
		if key >= from {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var out []Item
	for _, key := range keys[:min(limit, len(keys))] {
		item := m.items[key]
		item.Value = bytes.Clone(item.Value)
		out = append(out, item)
	}
	if len(keys) > limit {
		return out, keys[limit], nil
	}
	return out, "", nil
}

func (m *memory) Snapshot(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, "a snapshot")
	return err
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// crash is what a restart finds: the same data, nothing remembered.
func (m *memory) crash() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := newMemory()
	n.rev = m.rev
	for key, item := range m.items {
		item.Value = bytes.Clone(item.Value)
		n.items[key] = item
	}
	return n
}

// tamper lets change have the raw value under key.
func (m *memory) tamper(t testing.TB, key Key, change func([]byte) []byte) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	item, ok := m.items[key]
	if !ok {
		t.Fatalf("nothing under a key of kind %s", key.Kind())
	}
	item.Value = change(bytes.Clone(item.Value))
	m.items[key] = item
}

// revision is that of what is under key, or 0.
func (m *memory) revision(key Key) Revision {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.items[key].Revision
}

// has says whether there is something under key.
func (m *memory) has(key Key) bool { return m.revision(key) != 0 }

// ofKind counts keys of a kind.
func (m *memory) ofKind(kind Kind) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.items {
		if key.Kind() == kind {
			n++
		}
	}
	return n
}
