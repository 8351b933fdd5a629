// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"io"
)

// Store is what an engine is: an ordered map of bytes to bytes in which every
// value carries the revision that wrote it, and which changes by whole batches
// only. It knows nothing of records, anchors or expiry; [DB] adds those, once,
// above all engines. Package storetest holds the suite that every engine passes.
//
// All methods are safe for concurrent use. After Close each returns
// [ErrUnavailable]; none of them panics.
type Store interface {
	// Get reads keys in one consistent snapshot and answers in the order asked,
	// one item a key; an absent key is an Item with Revision 0. It never answers
	// with data that a crash could still take back: what a commit in flight
	// wrote is shown once it is durable. Errors: ErrUnavailable, ErrDamaged, or
	// the context's.
	Get(ctx context.Context, keys ...Key) ([]Item, error)

	// Apply does the whole batch or nothing of it, and returns when it is
	// durable. Revisions grow with every Apply that did something and are never
	// used twice, not even after a crash. All keys put by one batch carry the
	// revision returned.
	//
	// Applying a batch again under the ID of one that was done answers with the
	// revision of that one and does nothing. Engines remember IDs for at least
	// the last 4096 batches and across a restart.
	//
	// An unknown outcome is settled before the next Get answers: what the batch
	// put is there, or it will never be unless the batch is applied again.
	//
	// Errors: ErrConflict (an expectation does not hold; nothing was done),
	// ErrUnknown (it may or may not have been done), ErrFull (the disk is full;
	// nothing was done), ErrUnavailable (nothing was done). A context that ends
	// while the batch waits its turn gives the context's error and nothing was
	// done; once the batch is on its way, Apply waits for the outcome or answers
	// ErrUnknown.
	Apply(ctx context.Context, b Batch) (Revision, error)

	// Range reads at most limit items, in the order of their keys, starting at
	// from inclusively. The cursor is where to go on, and empty at the end.
	Range(ctx context.Context, from Key, limit int) ([]Item, Cursor, error)

	// Snapshot writes a consistent copy of the whole store, in the engine's own
	// format, while others read and write.
	Snapshot(ctx context.Context, w io.Writer) error

	// Close ends the engine. Calls in flight finish or answer ErrUnavailable.
	Close() error
}

// Revision is a point in a store's history. It grows with every Apply and is
// never reused. Zero means absent.
type Revision uint64

// Cursor is the key at which a Range goes on; empty at the end.
type Cursor = Key

// Item is one key as a store has it.
type Item struct {
	Key Key
	// Value belongs to the caller, who may keep and change it.
	Value []byte
	// Revision is that of the batch that wrote Value. Zero: there is no such key.
	Revision Revision
}

// Expect is a condition of a batch: Key still has Revision, or, with revision
// zero, is absent.
type Expect struct {
	Key      Key
	Revision Revision
}

// Put is a key and what it shall hold.
type Put struct {
	Key   Key
	Value []byte
}

// BatchID tells one batch from all others; it is random. The same ID on a
// retry after ErrUnknown makes the retry safe.
type BatchID [8]byte

// Batch is one atomic change. A key appears at most once in Put and Delete
// together. Deleting an absent key is no error.
type Batch struct {
	ID     BatchID
	Expect []Expect
	Put    []Put
	Delete []Key
	// Urgent lets the batch use the room that an engine may keep back for the day
	// its disk is full. It is for what must not fail then: revocations.
	Urgent bool
}

// StatsReporter is what an engine implements that has figures to show.
type StatsReporter interface {
	// Stats is cheap: it reads memory, never the disk.
	Stats() StoreStats
}

// StoreStats are an engine's figures. Those it does not know are zero.
type StoreStats struct {
	// FileBytes is the size of the file; FreeBytes is what of it is unused and
	// will be reused.
	FileBytes, FreeBytes int64
	// Keys is the number of keys.
	Keys int64
	// Commits counts groups made durable, Batches the batches in them: their
	// ratio is the mean group size.
	Commits, Batches uint64
	// CommitSeconds is the time spent in commits, summed.
	CommitSeconds float64
}
