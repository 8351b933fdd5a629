// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// usageEvery is how often it is written who was used.
	usageEvery = time.Minute
	// usageKept is for how long it is known when a client was last used.
	usageKept = 400 * 24 * time.Hour
	// maxUsed is how many clients are noted between two writes; who comes after
	// them is noted the next time. It bounds the memory and the commit.
	maxUsed = 2000
)

// usage knows, to the minute, when each client was last used: when it, or a
// token of its, was accepted. It is kept in memory and written in one commit a
// minute, so that no request waits for it; a crash loses that minute. It is safe
// for concurrent use.
type usage struct {
	db *tokenstore.DB

	mu   sync.RWMutex
	seen map[string]int64 // first use since the last write, in seconds since 1970
}

// lastUse is what is stored of a client's usage.
type lastUse struct {
	At int64 `cbor:"1,keyasint"` // seconds since 1970
}

func newUsage(db *tokenstore.DB) *usage {
	return &usage{db: db, seen: map[string]int64{}}
}

func usageKey(client string) tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindUsage, "client/"+client)
}

// touch notes that a client is used now. It is called for every request that
// passes.
func (u *usage) touch(client string) {
	u.mu.RLock()
	_, noted := u.seen[client]
	u.mu.RUnlock()
	if noted {
		return // the usual case
	}
	now := u.db.Now().Unix()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.note(client, now)
}

// note adds a client, as far as there is room. The caller holds the lock.
func (u *usage) note(client string, at int64) {
	if _, noted := u.seen[client]; !noted && len(u.seen) < maxUsed {
		u.seen[client] = at
	}
}

// last returns when a client was last used, the zero time if that is not known.
func (u *usage) last(ctx context.Context, client string) (time.Time, error) {
	u.mu.RLock()
	at, noted := u.seen[client]
	u.mu.RUnlock()
	if noted {
		return time.Unix(at, 0), nil
	}
	rec, err := tokenstore.Load[lastUse](ctx, u.db, usageKey(client))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(rec.Value.At, 0), nil
}

// forget is for a client that is removed: another one may get its id.
func (u *usage) forget(ctx context.Context, client string) error {
	u.mu.Lock()
	delete(u.seen, client)
	u.mu.Unlock()
	change := u.db.NewChange()
	change.Delete(usageKey(client))
	_, err := u.db.Commit(ctx, change)
	return err
}

// write stores what was noted, in one commit. What cannot be stored stays noted.
func (u *usage) write(ctx context.Context) error {
	u.mu.Lock()
	seen := u.seen
	u.seen = map[string]int64{}
	u.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	change := u.db.NewChange()
	for client, at := range seen {
		change.Put(usageKey(client), lastUse{At: at}, time.Unix(at, 0).Add(usageKept))
	}
	_, err := u.db.Commit(ctx, change)
	if err != nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		for client, at := range seen {
			u.note(client, at)
		}
	}
	return err
}

// keep writes every minute until ctx ends, and then once more.
func (u *usage) keep(ctx context.Context) {
	tick := time.NewTicker(usageEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		bounded, cancel := context.WithTimeout(context.Background(), applyWait)
		err := u.write(bounded)
		cancel()
		if err != nil {
			storeLogger().Warn("when clients were last used could not be stored", slog.Any("error", err))
		}
	}
}
