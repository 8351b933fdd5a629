// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/foreign"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// startLockWait is how long a starting process waits for the process before
	// it to let go of the store.
	startLockWait = 30 * time.Second
	// reloadLockWait is the same for a reload, which holds up every other change
	// of configuration and even the end of the process.
	reloadLockWait = 1500 * time.Millisecond
	// applyWait is how long the store may take to accept settings.
	applyWait = 5 * time.Second
)

// runtimes holds the open stores of this process by identity.
var runtimes = caddy.NewUsagePool()

// runtime is what outlives a configuration: the open store with its cache,
// epochs and clock, when clients were last used, the loops that maintain both,
// the keys of others and our own. It holds nothing of a configuration but the settings
// in force.
type runtime struct {
	db    *tokenstore.DB
	usage *usage
	fetch *fetch.Client
	keys  *jwks.Cache
	signs *keyring.Keyring
	// foreign is what is known about the tokens of other issuers.
	foreign *foreign.Memory
	// guesses slows down who guesses secrets, also across reloads.
	guesses *guess.Limits
	stop    context.CancelFunc
	loops   sync.WaitGroup

	mu    sync.Mutex
	users []*settings
}

// settings are what a configuration says about a live store.
type settings struct {
	cacheEntries int
	sealKeys     []tokenstore.SealKey
}

// openRuntime opens the store of an engine. It is called by the pool, for the
// first configuration that names the store.
func openRuntime(engine tokenstore.Engine, s *settings) (*runtime, error) {
	wait, hint := startLockWait, "stop the other process, or give this one a store of its own"
	if caddy.ActiveContext().Context != nil {
		wait, hint = reloadLockWait, "the configuration in force stays"
	}
	name, err := engine.Identity()
	if err != nil {
		return nil, err
	}
	store, err := engine.Open(context.Background(), wait, func() {
		storeLogger().Warn("another process has the token store open; waiting for it to let go",
			slog.String("store", name), slog.Duration("at_most", wait))
	})
	if errors.Is(err, tokenstore.ErrLocked) {
		return nil, fmt.Errorf("token store %s is in use by another process (%s): %w", name, hint, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening token store %s: %w", name, err)
	}
	db, err := tokenstore.Open(context.Background(), store, tokenstore.Options{
		SealKeys:     s.sealKeys,
		CacheEntries: s.cacheEntries,
		Logger:       storeLogger(),
		RequestID:    requestID,
	})
	if err != nil {
		return nil, fmt.Errorf("opening token store %s: %w", name, errors.Join(err, store.Close()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	rt := &runtime{db: db, usage: newUsage(db), fetch: fetch.New(), signs: keyring.New(db), guesses: guess.New(), stop: cancel}
	rt.keys = jwks.New(rt.fetch, db.Now, runtimeLogger("oauth2.keys"))
	rt.foreign = foreign.NewMemory(rt.fetch, rt.keys, db.Now)
	rt.loops.Go(func() { db.Maintain(ctx) })
	rt.loops.Go(func() { rt.usage.keep(ctx) })
	storeLogger().Info("token store is open", slog.String("store", name))
	return rt, nil
}

// Destruct closes the store when no configuration uses it any more. Requests
// that are still on their way get an error, not a panic.
func (rt *runtime) Destruct() error {
	rt.stop()
	rt.loops.Wait()
	rt.foreign.Close()
	rt.keys.Close()
	rt.fetch.Close()
	return rt.db.Close()
}

// enter admits a configuration that starts. It may still be given up, and
// then the one before it must find everything as it was. So its first sealing
// key, if it is a new one, does not seal yet: that would make the store demand
// it for ever.
func (rt *runtime) enter(s *settings) error {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if err := rt.apply(s, len(rt.users) > 0); err != nil {
		return err
	}
	rt.users = append(rt.users, s)
	return nil
}

// settle puts the newest configuration in force for good. The one before it
// calls it when it is stopped: then the new one serves.
func (rt *runtime) settle(stopping *settings) error {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if len(rt.users) == 0 || rt.users[len(rt.users)-1] == stopping {
		return nil // the process ends, or the new configuration does without the store
	}
	return rt.apply(rt.users[len(rt.users)-1], false)
}

// leave withdraws a configuration. When it was the newest, because it was
// given up after it had started, the one before it is in force again.
func (rt *runtime) leave(s *settings) error {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	i := slices.Index(rt.users, s)
	if i < 0 {
		return nil
	}
	newest := i == len(rt.users)-1
	rt.users = slices.Delete(rt.users, i, i+1)
	if !newest || i == 0 {
		return nil
	}
	return rt.apply(rt.users[i-1], false)
}

// apply hands settings to the store; on trial, the sealing key stays the one
// that seals now, which must be among the new ones anyway.
func (rt *runtime) apply(s *settings, trial bool) error {
	keys := slices.Clone(s.sealKeys)
	if trial {
		sealing := rt.db.Stats().SealKey
		slices.SortStableFunc(keys, func(a, b tokenstore.SealKey) int {
			return rank(a.ID() != sealing) - rank(b.ID() != sealing)
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), applyWait)
	defer cancel()
	if err := rt.db.SetSealKeys(ctx, keys); err != nil {
		return err
	}
	return rt.db.SetCacheEntries(s.cacheEntries)
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}
