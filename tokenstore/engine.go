// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"time"
)

// Engine says where a store is and opens it. It is the contract for modules of
// Caddy's namespace oauth2.stores. Nothing of it but Open touches the store.
type Engine interface {
	// Identity names the data, whatever way the configuration spells it: two
	// engines of one identity would open the same store.
	Identity() (string, error)
	// Open opens the store, and makes it where there is none. When another
	// process has it, Open calls waiting once (it may be nil) and waits up to
	// lockWait before it answers [ErrLocked].
	Open(ctx context.Context, lockWait time.Duration, waiting func()) (Store, error)
}

// KeyKeeper is what an engine implements that has a place for a sealing key
// when the configuration names none.
type KeyKeeper interface {
	// DefaultSealKey returns the default key as text. It makes one together
	// with a new store only: without its key, an existing store stays shut.
	DefaultSealKey() (string, error)
}
