// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"time"
)

// RestoreOptions say what [Restore] makes of a backup.
type RestoreOptions struct {
	// SealKeys are those that the backup is sealed with.
	SealKeys []SealKey
	// KeepTokens leaves the tokens of the backup valid, those too that were
	// revoked after it was made. Otherwise the store's own anchor is raised, and
	// every token from before the restoring is dead.
	KeepTokens bool
	// Forget are the keys of records that die with the tokens: what those were made
	// with may have been withdrawn since. It takes tokens not kept.
	Forget []Key
	// Seen is the latest time that the replaced store is known to have seen. The
	// restored one goes on from there, or from its own if that is later: what had
	// expired stays so.
	Seen time.Time
	// ResetClock makes the store believe the machine's clock, though it has seen a
	// later time: the way back after a clock that was wrongly ahead. It takes
	// tokens not kept, because those that had expired would be valid again.
	ResetClock bool
	// Now is the machine's clock. Default: time.Now.
	Now func() time.Time
}

// Restore makes a store of the copy of a backup: what is in it is no longer what
// was last acknowledged, and this is where that is accounted for. It takes over
// the engine and closes it. The engine's next revision must be one that the
// replaced store never used.
func Restore(ctx context.Context, store Store, opts RestoreOptions) error {
	if opts.ResetClock && opts.KeepTokens {
		return errors.Join(errors.New("tokenstore: with the clock reset, tokens cannot be kept: those that had expired would be valid again"), store.Close())
	}
	db, err := Open(ctx, store, Options{
		SealKeys: opts.SealKeys, CacheEntries: -1, Now: opts.Now,
		clockSeen: millis(opts.Seen), clockReset: opts.ResetClock,
	})
	if err != nil {
		return err
	}
	c := db.NewChange()
	c.Put(clockKey(), db.clock.millis(), time.Time{})
	if !opts.KeepTokens {
		c.Revoke(db.StoreAnchor())
		for _, key := range opts.Forget {
			c.Delete(key)
		}
	}
	c.Audit(AuditEntry{Type: "store_restored", Outcome: "allowed", Actor: "admin"})
	_, err = db.Commit(ctx, c)
	return errors.Join(err, db.Close())
}
