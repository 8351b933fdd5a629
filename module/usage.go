// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// usageEvery is how often it is written who was used.
	usageEvery = time.Minute
	// usageKept is for how long it is known when a client was last used.
	usageKept = 400 * 24 * time.Hour
	// maxUsed is how many uses are noted between two writes; what comes after them is
	// noted the next time. It bounds the memory and the commit.
	maxUsed = 2000
)

// usage knows, to the minute, when each client was last used, at all and for each
// user: when it, or a token of its, was accepted. It is kept in memory and written in one commit a
// minute, so that no request waits for it; a crash loses that minute. It is safe
// for concurrent use.
type usage struct {
	db *tokenstore.DB

	mu   sync.RWMutex
	seen map[use]int64 // first use since the last write, in seconds since 1970
}

// use is that of a client for a user or, without a subject, at all.
type use struct{ client, subject string }

// lastUse is what is stored of a client's usage.
type lastUse struct {
	At int64 `cbor:"1,keyasint"` // seconds since 1970
}

func newUsage(db *tokenstore.DB) *usage {
	return &usage{db: db, seen: map[use]int64{}}
}

func usageKey(of use) tokenstore.Key {
	if of.subject == "" {
		return tokenstore.NewKey("", tokenstore.KindUsage, "client/"+of.client)
	}
	return tokenstore.NewKey("", tokenstore.KindUsage, "user/"+of.subject+"\x00"+of.client)
}

// touch notes that a client is used now. It is called for every request that
// passes.
func (u *usage) touch(client, subject string) {
	u.mu.RLock()
	_, noted := u.seen[use{client, subject}]
	u.mu.RUnlock()
	if noted {
		return // the usual case
	}
	now := u.db.Now().Unix()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.note(use{client: client}, now)
	u.note(use{client, subject}, now)
}

// note adds a use, as far as there is room. The caller holds the lock.
func (u *usage) note(of use, at int64) {
	if _, noted := u.seen[of]; !noted && len(u.seen) < maxUsed {
		u.seen[of] = at
	}
}

// last returns when a client was last used, for a user or, without a subject, at
// all. It is the zero time if that is not known.
func (u *usage) last(ctx context.Context, client, subject string) (time.Time, error) {
	of := use{client, subject}
	u.mu.RLock()
	at, noted := u.seen[of]
	u.mu.RUnlock()
	if noted {
		return time.Unix(at, 0), nil
	}
	rec, err := tokenstore.Load[lastUse](ctx, u.db, usageKey(of))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(rec.Value.At, 0), nil
}

// forget is for a client that is removed: another one may get its id. What it did for
// users is older than whatever they allow that one.
func (u *usage) forget(ctx context.Context, client string) error {
	u.mu.Lock()
	maps.DeleteFunc(u.seen, func(of use, _ int64) bool { return of.client == client })
	u.mu.Unlock()
	change := u.db.NewChange()
	change.Delete(usageKey(use{client: client}))
	_, err := u.db.Commit(ctx, change)
	return err
}

// forgetUser puts into change what forgets all uses for a user who is removed.
func forgetUser(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, subject string) error {
	all := tokenstore.NewKey("", tokenstore.KindUsage, "user/"+subject+"\x00")
	records, _, err := tokenstore.ListUnder[lastUse](ctx, db, all, "", tokenstore.MaxList)
	for _, r := range records {
		change.Delete(r.Key)
	}
	return err
}

// write stores what was noted, in one commit. What cannot be stored stays noted.
func (u *usage) write(ctx context.Context) error {
	u.mu.Lock()
	seen := u.seen
	u.seen = map[use]int64{}
	u.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	change := u.db.NewChange()
	for of, at := range seen {
		change.Put(usageKey(of), lastUse{At: at}, time.Unix(at, 0).Add(usageKept))
	}
	_, err := u.db.Commit(ctx, change)
	if err != nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		for of, at := range seen {
			u.note(of, at)
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
