// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// A child's engine goes by the name of its directory.
func TestMain(m *testing.M) { Main(m, openByName) }

func openByName(ctx context.Context, dir string) (tokenstore.Store, error) {
	store, err := openSound(ctx, dir)
	if err != nil {
		return nil, err
	}
	return faulty[filepath.Base(dir)](store), nil
}

func openSound(ctx context.Context, dir string) (tokenstore.Store, error) {
	return bolt.Open(ctx, filepath.Join(dir, "tokens.db"), bolt.Options{})
}

// faulty are engines that break a promise each.
var faulty = map[string]func(tokenstore.Store) tokenstore.Store{
	"sound":     func(s tokenstore.Store) tokenstore.Store { return s },
	"early":     func(s tokenstore.Store) tokenstore.Store { return &early{Store: s} },
	"blind":     func(s tokenstore.Store) tokenstore.Store { return blind{s} },
	"halving":   func(s tokenstore.Store) tokenstore.Store { return halving{s} },
	"forgetful": func(s tokenstore.Store) tokenstore.Store { return forgetful{s} },
	"undead":    func(s tokenstore.Store) tokenstore.Store { return undead{s} },
}

// early acknowledges first and does afterwards.
type early struct {
	tokenstore.Store
}

func (e *early) Apply(ctx context.Context, b tokenstore.Batch) (tokenstore.Revision, error) {
	rev, err := e.Store.Apply(ctx, tokenstore.Batch{ID: newID(), Expect: b.Expect})
	if err == nil {
		go func() { _, _ = e.Store.Apply(context.WithoutCancel(ctx), b) }()
	}
	return rev, err
}

// blind does not look at expectations.
type blind struct{ tokenstore.Store }

func (b blind) Apply(ctx context.Context, batch tokenstore.Batch) (tokenstore.Revision, error) {
	batch.Expect = nil
	return b.Store.Apply(ctx, batch)
}

// halving does the first part of a batch, then the others.
type halving struct{ tokenstore.Store }

func (h halving) Apply(ctx context.Context, b tokenstore.Batch) (tokenstore.Revision, error) {
	if len(b.Put) < 2 {
		return h.Store.Apply(ctx, b)
	}
	first := tokenstore.Batch{ID: newID(), Expect: b.Expect, Put: b.Put[1:]}
	if _, err := h.Store.Apply(ctx, first); err != nil {
		return 0, err
	}
	return h.Store.Apply(ctx, tokenstore.Batch{ID: b.ID, Put: b.Put, Delete: b.Delete})
}

// forgetful does not know what it did.
type forgetful struct{ tokenstore.Store }

func (f forgetful) Apply(ctx context.Context, b tokenstore.Batch) (tokenstore.Revision, error) {
	b.ID = newID()
	return f.Store.Apply(ctx, b)
}

// undead deletes nothing.
type undead struct{ tokenstore.Store }

func (u undead) Apply(ctx context.Context, b tokenstore.Batch) (tokenstore.Revision, error) {
	b.Delete = nil
	return u.Store.Apply(ctx, b)
}

func nothing() error { return nil }

// Ensure that the crash suite finds each broken promise, and none in an engine
// that keeps them.
func TestCrashSuiteHasTeeth(t *testing.T) {
	for name, findings := range map[string][]string{
		"sound":     nil,
		"early":     {"is lost", "is in the store at", "repeating"},
		"blind":     {"succeeded at"},
		"halving":   {"is in the store", "is as", "repeating it", "is lost", "succeeded at"},
		"forgetful": {"repeating"},
		"undead":    {"is back", "trying it once more"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if len(findings) == 0 {
				if err := crash(t.Context(), Disk{Dir: dir, Cut: nothing, Mend: nothing}, openByName, 3); err != nil {
					t.Error(err)
				}
				return
			}
			err := crash(t.Context(), Disk{Dir: dir, Cut: nothing, Mend: nothing}, openSound, 20)
			if err == nil {
				t.Fatal("20 kills, and nothing was found")
			}
			for _, finding := range findings {
				if strings.Contains(err.Error(), finding) {
					return
				}
			}
			t.Errorf("found: %v; want one of %q", err, findings)
		})
	}
}
