// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// How often Maintain does what.
const (
	sweepEvery = 10 * time.Second
	clockEvery = time.Minute
	countEvery = time.Hour
)

// Counting reads countPage records, then pauses.
const (
	countPage  = 1000
	countPause = 20 * time.Millisecond
)

// pingFresh is for how long a commit proves that the store can write.
const pingFresh = 5 * time.Second

// Maintain keeps the store in order until ctx ends or the DB is closed: it sweeps
// every ten seconds, saves the clock's high-water mark every minute, and counts
// records by kind at first and then every hour. Trouble is logged and tried again.
// It is to run once for each DB.
func (db *DB) Maintain(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-db.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		db.every(ctx, countEvery, "counting records", db.countRecords)
	}()
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		db.every(ctx, sweepEvery, "sweeping expired records", func(ctx context.Context) error {
			_, err := db.Sweep(ctx)
			return err
		})
	}()
	db.every(ctx, clockEvery, "saving the clock", func(ctx context.Context) error {
		db.checkClock()
		return db.saveClock(ctx)
	})
	<-counted
	<-swept
}

// every does a task at once and then at that pace until ctx ends.
func (db *DB) every(ctx context.Context, pace time.Duration, what string, task func(context.Context) error) {
	for {
		if err := task(ctx); err != nil && ctx.Err() == nil {
			db.log.Warn("maintenance of the store failed and will be tried again",
				slog.String("task", what), slog.Any("error", err))
		}
		if !sleep(ctx, pace) {
			return
		}
	}
}

// countRecords counts the records by kind, in a walk slow enough to disturb
// nobody.
func (db *DB) countRecords(ctx context.Context) error {
	var found [256]int64
	for from := Key("\x00"); from != ""; {
		items, next, err := db.scan(ctx, from, countPage)
		if err != nil {
			return err
		}
		for _, item := range items {
			found[item.Key.Kind()]++
		}
		if from = next; from != "" && !sleep(ctx, countPause) {
			return ctx.Err()
		}
	}
	for kind := range found {
		db.counts.records[kind].Store(found[kind])
	}
	db.counts.countedAt.Store(db.clock.millis())
	return nil
}

// Ping says whether the store can read and write: nil, or the error that a
// request would meet. It reads; and it writes too, unless something was committed
// within the last five seconds, so that asking often costs nothing.
func (db *DB) Ping(ctx context.Context) error {
	items, err := db.get(ctx, identityKey())
	if err != nil {
		return err
	}
	if items[0].Revision == 0 {
		return errors.Join(ErrDamaged, errors.New("tokenstore: the store's identity is gone"))
	}
	last := db.counts.lastCommit.Load()
	now := time.Now().UnixMilli()
	if now-last < pingFresh.Milliseconds() && now >= last {
		return nil
	}
	return db.saveClock(ctx)
}
