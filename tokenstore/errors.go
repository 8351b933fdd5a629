// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import "errors"

// Errors of engines and of [DB], to be asked for with errors.Is. None of them,
// nor anything that wraps them here, holds a key or a value of a record.
var (
	// ErrNotFound: there is no such record, or it has expired, or one of its
	// anchors was revoked. Which of these is not told.
	ErrNotFound = errors.New("tokenstore: no such record")
	// ErrConflict: an expectation of the batch did not hold. Nothing was done.
	ErrConflict = errors.New("tokenstore: the record was changed by somebody else")
	// ErrUnknown: whether the batch was done is not known. A retry with the same
	// Batch.ID is safe. Whoever gets it must neither hand something out nor
	// accept something on the strength of the batch.
	ErrUnknown = errors.New("tokenstore: the outcome of the commit is unknown")
	// ErrUnavailable: the store cannot answer: closed, overloaded, or trouble
	// with its disk. Nothing was done.
	ErrUnavailable = errors.New("tokenstore: the store is unavailable")
	// ErrFull: there is no room on the disk. Nothing was done; reads still work.
	ErrFull = errors.New("tokenstore: no space left for the store")
	// ErrDamaged: a record's MAC or structure is wrong. It is never accepted.
	ErrDamaged = errors.New("tokenstore: the record is damaged")
	// ErrSealKey: the sealing key is missing or not the one of this store.
	ErrSealKey = errors.New("tokenstore: wrong or missing sealing key")
	// ErrFormat: the file is empty, foreign, or of another version.
	ErrFormat = errors.New("tokenstore: not a store of this version")
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("tokenstore: another process has the store open")
)
