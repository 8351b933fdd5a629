// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package storetest is the suite that every engine below package tokenstore
// passes. Rules that hold for any [tokenstore.Store] are tested by [Run]; what
// must survive a process that is killed, by [Crash]. An engine's own tests add
// what only it can suffer: its file formats, its disks.
//
//	func TestMain(m *testing.M) { storetest.Main(m, open) }
//
//	func TestStore(t *testing.T) { storetest.Run(t, open) }
//	func TestCrash(t *testing.T) { storetest.Crash(t, open) }
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Open opens the store that lives in a directory, or makes one when the
// directory is empty. The same directory is opened again after a close and
// after a crash.
type Open func(ctx context.Context, dir string) (tokenstore.Store, error)

// Run runs the suite. Each subtest has a store of its own.
func Run(t *testing.T, open Open) {
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			rule.test(t, newFixture(t, open))
		})
	}
}

var rules = []struct {
	name string
	test func(*testing.T, *fixture)
}{
	{"WhatWasPutIsThere", testPutGet},
	{"KeysAreBytes", testBinaryKeys},
	{"ValuesBelongToTheCaller", testOwnership},
	{"ABatchIsAllOrNothing", testAllOrNothing},
	{"ExpectationsHoldOrNothingHappens", testExpect},
	{"DeletingWhatIsAbsentIsNoError", testDeleteAbsent},
	{"RevisionsGrowAndSurviveReopening", testRevisions},
	{"OneOfManyRedeemersWins", testSingleUse},
	{"RevocationBeatsMinting", testMintVersusRevoke},
	{"ARepeatedBatchIsDoneOnce", testRepeat},
	{"ARepeatedBatchIsRememberedAcrossReopening", testRepeatReopened},
	{"ABatchIsRememberedForFourThousandOthers", testRepeatLater},
	{"ReadsAreOneSnapshot", testConsistentReads},
	{"RangeIsOrderedAndGoesOn", testRange},
	{"SnapshotWhileWriting", testSnapshot},
	{"CloseWhileBusy", testCloseBusy},
	{"ClosedIsUnavailable", testClosed},
	{"EndedContexts", testContexts},
	{"RefusedBatchesLeaveTheStoreUsable", testRefused},
	{"ExpiredIsNeverReturned", testExpired},
	{"ExpiryIsExact", testBoundaries},
	{"ClockJumps", testJumps},
	{"SteadyLoadStopsGrowing", testSteadyLoad},
	{"RevokedStaysRevoked", testRevokedStaysRevoked},
}

// fixture is a store with its directory, and shorthands that fail the test.
type fixture struct {
	tokenstore.Store
	t    *testing.T
	open Open
	dir  string
}

func newFixture(t *testing.T, open Open) *fixture {
	t.Helper()
	f := &fixture{t: t, open: open, dir: t.TempDir()}
	f.Store = f.openDir(f.dir)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return f
}

func (f *fixture) openDir(dir string) tokenstore.Store {
	f.t.Helper()
	store, err := f.open(f.t.Context(), dir)
	if err != nil {
		f.t.Fatalf("Open: %v", err)
	}
	return store
}

// reopen closes the store and opens it again.
func (f *fixture) reopen() {
	f.t.Helper()
	if err := f.Close(); err != nil {
		f.t.Fatalf("Close: %v", err)
	}
	f.Store = f.openDir(f.dir)
}

// newID is a fresh batch ID.
func newID() (id tokenstore.BatchID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// puts makes the Put of a batch: key, value, key, value, …
func puts(kv ...string) []tokenstore.Put {
	var list []tokenstore.Put
	for i := 0; i < len(kv); i += 2 {
		list = append(list, tokenstore.Put{Key: tokenstore.Key(kv[i]), Value: []byte(kv[i+1])})
	}
	return list
}

// put applies a batch that must succeed. Like apply and want it may be called from
// any goroutine.
func (f *fixture) put(kv ...string) tokenstore.Revision {
	f.t.Helper()
	return f.apply(tokenstore.Batch{ID: newID(), Put: puts(kv...)})
}

func (f *fixture) apply(b tokenstore.Batch) tokenstore.Revision {
	f.t.Helper()
	rev, err := f.Apply(f.t.Context(), b)
	if err != nil {
		f.t.Errorf("Apply: %v", err)
	}
	return rev
}

// get reads one key.
func (f *fixture) get(key string) tokenstore.Item {
	f.t.Helper()
	items, err := f.Get(f.t.Context(), tokenstore.Key(key))
	if err != nil || len(items) != 1 {
		f.t.Errorf("Get: %d items, %v", len(items), err)
		return tokenstore.Item{}
	}
	return items[0]
}

// want checks value and revision of a key; revision 0 is absent.
func (f *fixture) want(key, value string, rev tokenstore.Revision) {
	f.t.Helper()
	item := f.get(key)
	if item.Key != tokenstore.Key(key) || string(item.Value) != value || item.Revision != rev {
		f.t.Errorf("key %q holds %q at revision %d, want %q at %d", string(item.Key), item.Value, item.Revision, value, rev)
	}
}

// wantError checks an error against the sentinel it must be.
func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}
