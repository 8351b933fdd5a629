// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor/factortest"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

const (
	origin  = "https://auth.example.com"
	subject = "5f2c7d0e9b1a4c83"
)

// world is a store whose clock stands still unless it is moved.
type world struct {
	testing.TB
	db       *tokenstore.DB
	engine   *engine
	ahead    atomic.Int64
	passkeys *factor.Passkeys
}

// engine is a store that can be made to fail.
type engine struct {
	tokenstore.Store
	failing atomic.Bool
}

func (e *engine) Get(ctx context.Context, keys ...tokenstore.Key) ([]tokenstore.Item, error) {
	if e.failing.Load() {
		return nil, errors.New("disk on fire")
	}
	return e.Store.Get(ctx, keys...)
}

// epoch is in the middle of a period of 30 s.
var epoch = time.Unix(1_900_000_005, 0)

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, engine: &engine{Store: store}}
	w.db, err = tokenstore.Open(t.Context(), w.engine, tokenstore.Options{
		SealKeys:     []tokenstore.SealKey{tokenstore.GenerateSealKey()},
		CacheEntries: -1,
		Now:          func() time.Time { return epoch.Add(time.Duration(w.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	if w.passkeys, err = factor.NewPasskeys(origin+"/sso", "Example"); err != nil {
		t.Fatal(err)
	}
	return w
}

// pass moves the clock.
func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

// set loads the user's factors.
func (w *world) set() *factor.Set {
	w.Helper()
	s, err := factor.Load(w.Context(), w.db, subject)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// commit commits what do has put into a change, unless do fails.
func (w *world) commit(do func(change *tokenstore.Change) error) error {
	change := w.db.NewChange()
	if err := do(change); err != nil {
		return err
	}
	_, err := w.db.Commit(w.Context(), change)
	return err
}

// must fails the test with the error of commit.
func (w *world) must(do func(change *tokenstore.Change) error) {
	w.Helper()
	if err := w.commit(do); err != nil {
		w.Fatal(err)
	}
}

// enrol gives the user a passkey on a.
func (w *world) enrol(a *factortest.Authenticator) error {
	w.Helper()
	s := w.set()
	options, ceremony, err := w.passkeys.Enrol(w.db, s, "ada", "Ada Lovelace")
	if err != nil {
		return err
	}
	answer, err := a.Create(options)
	if err != nil {
		w.Fatal(err)
	}
	return w.commit(func(change *tokenstore.Change) error {
		_, err := w.passkeys.Enrolled(w.Context(), w.db, change, s, ceremony, answer, "laptop", subject)
		return err
	})
}

// enrolled is an authenticator with a passkey of the user.
func (w *world) enrolled() *factortest.Authenticator {
	w.Helper()
	a := factortest.New(origin)
	if err := w.enrol(a); err != nil {
		w.Fatal(err)
	}
	return a
}

// prove judges an answer and commits what it changes.
func (w *world) prove(c factor.Ceremony, answer []byte) (proof factor.Proof, err error) {
	err = w.commit(func(change *tokenstore.Change) (err error) {
		proof, err = w.passkeys.Prove(w.Context(), w.db, change, c, answer)
		return err
	})
	return proof, err
}

// anybody signs in with a alone.
func (w *world) anybody(a *factortest.Authenticator) (factor.Proof, error) {
	w.Helper()
	options, ceremony, err := w.passkeys.ChallengeAnybody(w.db)
	if err != nil {
		w.Fatal(err)
	}
	return w.prove(ceremony, w.get(a, options))
}

// second signs in with a after a password.
func (w *world) second(a *factortest.Authenticator, verify bool) (factor.Proof, error) {
	w.Helper()
	options, ceremony, err := w.passkeys.Challenge(w.db, w.set(), verify)
	if err != nil {
		w.Fatal(err)
	}
	return w.prove(ceremony, w.get(a, options))
}

// get is what a answers.
func (w *world) get(a *factortest.Authenticator, options []byte) []byte {
	w.Helper()
	answer, err := a.Get(options)
	if err != nil {
		w.Fatal(err)
	}
	return answer
}

// audited reports how many entries of the audit ring are of this type and reason.
func (w *world) audited(event, reason string) int {
	w.Helper()
	entries, err := w.db.AuditLog(w.Context(), 0, 100)
	if err != nil {
		w.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if e.Type == event && e.Reason == reason && e.Subject == subject {
			n++
		}
	}
	return n
}
