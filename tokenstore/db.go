// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the settings of a DB. The zero value lacks only SealKeys.
type Options struct {
	// SealKeys are the sealing keys: the first seals, all open. A new store is
	// bound to them; an old one refuses to open without those it was sealed with.
	// At least one, at most MaxSealKeys.
	SealKeys []SealKey
	// CacheEntries is how many records the cache holds. 0 is
	// DefaultCacheEntries, a negative number turns the cache off.
	CacheEntries int
	// Now is the machine's clock. Default: time.Now.
	Now func() time.Time
	// Logger hears of damage, clock trouble and failed maintenance. No line holds
	// a secret. Default: none.
	Logger *slog.Logger
	// AuditEntries is how many entries each of the two audit rings keeps. 0 is
	// DefaultAuditEntries; at most MaxAuditEntries.
	AuditEntries int
	// RequestID returns the id of the request that a context is of, or "". It is kept
	// with audit entries. Default: none is.
	RequestID func(context.Context) string

	// For [Restore]: a time that counts as seen, and whether what the store itself
	// has seen does not.
	clockSeen  int64
	clockReset bool
}

// DB is a token store: records, revocation, cache, clock, sealing and audit, on
// top of an engine. It is safe for concurrent use, outlives configurations, and
// holds nothing of one but the tunables of SetCacheEntries and SetSealKeys.
type DB struct {
	store Store
	log   *slog.Logger
	auth  *authenticator
	clock *clock

	identMu  sync.Mutex // serialises changes of the identity
	ident    atomic.Pointer[identity]
	sealKeys atomic.Pointer[[]SealKey]

	epochs  *epochs
	cacheMu sync.Mutex // serialises changes of the pointer; readers need none
	cache   atomic.Pointer[cache]
	anchors anchors
	flights flights

	audit auditHeads
	// requestID is [Options.RequestID], or nil.
	requestID func(context.Context) string
	counts    counters
	closed    atomic.Bool
	closing   chan struct{}

	// step, where set, is called between the steps of revoking, loading, hitting
	// and minting, so that tests can interleave them. It is set before use.
	step func(step)
}

// step names a point between two things whose order matters.
type step string

// The points at which tests pause.
const (
	stepLoadBegun       step = "load: own epoch captured, record not yet read"
	stepLoadRead        step = "load: anchors learnt, their epochs not yet captured"
	stepLoadKnown       step = "load: an anchor known, its epoch not yet taken over"
	stepLoadCaptured    step = "load: their epochs captured, anchors not yet read"
	stepLoadCapturedAll step = "load: all epochs captured, not yet read in one snapshot"
	stepLoadVerified    step = "load: verified, not yet offered to the cache"
	stepLoadCached      step = "load: offered to the cache"
	stepHitFound        step = "hit: found, not yet judged"
	stepCommitReady     step = "commit: encoded, not yet applied"
	stepCommitDone      step = "commit: applied, epochs not yet raised"
	stepCommitRaised    step = "commit: epochs raised, not yet answered"
	stepResealed        step = "reseal: a transaction done"
)

// at is called at each such point.
func (db *DB) at(s step) {
	if db.step != nil {
		db.step(s)
	}
}

// Open takes an engine into use: it checks that the store is one of ours and
// that the sealing keys are those it was sealed with, or, when the engine is
// empty, makes it a store. It takes over the engine, and closes it on an error.
//
// Errors: ErrFormat and ErrSealKey, with a message that says what to do;
// ErrDamaged; ErrUnavailable.
func Open(ctx context.Context, store Store, opts Options) (*DB, error) {
	db, err := open(ctx, store, opts)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return db, nil
}

func open(ctx context.Context, store Store, opts Options) (*DB, error) {
	keys, err := checkSealKeys(opts.SealKeys)
	if err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.AuditEntries == 0 {
		opts.AuditEntries = DefaultAuditEntries
	}
	if opts.AuditEntries < 0 || opts.AuditEntries > MaxAuditEntries {
		return nil, fmt.Errorf("tokenstore: %d audit entries, 1 to %d are possible", opts.AuditEntries, MaxAuditEntries)
	}
	db := &DB{
		store:   store,
		log:     opts.Logger,
		epochs:  newEpochs(),
		closing: make(chan struct{}),

		requestID: opts.RequestID,
	}
	db.sealKeys.Store(&keys)
	if err := db.identify(ctx, opts.Now()); err != nil {
		return nil, err
	}
	mark, err := db.readClock(ctx)
	if err != nil {
		return nil, err
	}
	if opts.clockReset {
		mark = 0
	}
	db.clock = newClock(opts.Now, max(mark, opts.clockSeen))
	db.checkClock()
	if err := db.audit.restore(ctx, db, opts.AuditEntries); err != nil {
		return nil, err
	}
	if _, err := db.EnsureAnchor(ctx, db.StoreAnchor()); err != nil {
		return nil, err
	}
	if err := db.noteSealKeys(ctx, keys); err != nil {
		return nil, err
	}
	if err := db.SetCacheEntries(opts.CacheEntries); err != nil {
		return nil, err
	}
	return db, nil
}

// Close closes the engine. Calls in flight and later ones answer ErrUnavailable.
// The cache's goroutines end with the next garbage collection. Closing twice is
// no error.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	close(db.closing)
	db.cacheMu.Lock()
	db.cache.Store(nil)
	db.cacheMu.Unlock()
	return db.store.Close()
}

// StoreAnchor is the anchor of the store itself. Every credential depends on it;
// revoking it ends them all.
func (db *DB) StoreAnchor() Key { return NewKey("", KindStore, "") }

// Snapshot writes a consistent copy of the store in the engine's format. It holds
// no secret in clear, but names and digests: keep it as private as the store.
func (db *DB) Snapshot(ctx context.Context, w io.Writer) error {
	if db.closed.Load() {
		return ErrUnavailable
	}
	return classify(ctx, db.store.Snapshot(ctx, w))
}

// get reads from the engine.
func (db *DB) get(ctx context.Context, keys ...Key) ([]Item, error) {
	if db.closed.Load() {
		return nil, ErrUnavailable
	}
	items, err := db.store.Get(ctx, keys...)
	if err != nil {
		return nil, classify(ctx, err)
	}
	if len(items) != len(keys) {
		return nil, fmt.Errorf("%w: the engine answered %d keys with %d items", ErrUnavailable, len(keys), len(items))
	}
	return items, nil
}

// scan reads a range from the engine.
func (db *DB) scan(ctx context.Context, from Key, limit int) ([]Item, Cursor, error) {
	if db.closed.Load() {
		return nil, "", ErrUnavailable
	}
	items, next, err := db.store.Range(ctx, from, limit)
	if err != nil {
		return nil, "", classify(ctx, err)
	}
	return items, next, nil
}

// classify makes an engine's error one of ours: whoever asks for ErrUnavailable
// means all trouble, whatever the engine calls it. The caller's own context stays
// what it is.
func classify(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	for _, known := range []error{ErrConflict, ErrUnknown, ErrUnavailable, ErrFull, ErrDamaged, ErrFormat, ErrSealKey, ErrLocked} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
