// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

func openUsage(t *testing.T) *usage {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db, err := tokenstore.Open(t.Context(), store, tokenstore.Options{SealKeys: []tokenstore.SealKey{tokenstore.GenerateSealKey()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return newUsage(db)
}

// known reports whether it is known that a client was used just now.
func (u *usage) known(t *testing.T, client string) bool {
	t.Helper()
	at, err := u.last(t.Context(), client, "")
	if err != nil {
		t.Error(err)
	}
	return !at.IsZero() && u.db.Now().Sub(at) < time.Minute
}

// Ensure that uses are known at once and after they were written, that all of
// them are one commit, and that none is one for those that nobody uses.
func TestUsageIsWrittenInOneCommit(t *testing.T) {
	u := openUsage(t)
	if err := u.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := u.db.Stats().Commits
	for range 3 {
		for i := range 100 {
			u.touch(fmt.Sprint("client", i), "")
		}
	}
	if !u.known(t, "client99") || u.known(t, "client100") {
		t.Error("before it is written, usage is not what it was")
	}
	if err := u.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := u.db.Stats().Commits - before; n != 1 {
		t.Errorf("%d commits", n)
	}
	if len(u.seen) != 0 || !u.known(t, "client0") || !u.known(t, "client99") || u.known(t, "client100") {
		t.Error("after it was written, usage is not what it was")
	}
	if err := u.write(t.Context()); err != nil || u.db.Stats().Commits-before != 1 {
		t.Errorf("nothing was used, and %d commits were made, %v", u.db.Stats().Commits-before-1, err)
	}
}

// Ensure that the memory and the commit are bounded, and that there is room
// again when it was written.
func TestUsageIsBounded(t *testing.T) {
	u := openUsage(t)
	for i := range maxUsed + 10 {
		u.touch(fmt.Sprint("client", i), "")
	}
	late := fmt.Sprint("client", maxUsed+9)
	if len(u.seen) != maxUsed || u.known(t, late) {
		t.Errorf("%d clients are noted", len(u.seen))
	}
	if err := u.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u.touch(late, ""); !u.known(t, late) {
		t.Error("there is no room after a write")
	}
}

// Ensure that what could not be stored is stored later.
func TestUsageOutlivesTrouble(t *testing.T) {
	u := openUsage(t)
	u.touch("shop", "")
	ended, end := context.WithCancel(t.Context())
	end()
	if err := u.write(ended); err == nil {
		t.Fatal("it was written after the end of its context")
	}
	u.touch("other", "")
	if err := u.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(u.seen) != 0 || !u.known(t, "shop") || !u.known(t, "other") {
		t.Error("a use is lost")
	}
}

// Ensure that a client that gets the id of a removed one begins anew.
func TestUsageIsForgottenWithItsClient(t *testing.T) {
	u := openUsage(t)
	for _, written := range []bool{false, true} {
		u.touch("shop", "")
		if written {
			if err := u.write(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := u.forget(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		if u.known(t, "shop") {
			t.Errorf("written %v: it is known still", written)
		}
	}
}

// Ensure that each user's use is known by itself, and forgotten with the user.
func TestUsageIsKnownByUser(t *testing.T) {
	u := openUsage(t)
	u.touch("shop", "alice")
	u.touch("shop", "bob")
	u.touch("reports", "")
	is := func(client, subject string) bool {
		t.Helper()
		at, err := u.last(t.Context(), client, subject)
		if err != nil {
			t.Error(err)
		}
		return !at.IsZero()
	}
	for _, written := range []bool{false, true} {
		if written {
			if err := u.write(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !is("shop", "alice") || !is("shop", "bob") || !is("shop", "") || is("reports", "alice") || !is("reports", "") {
			t.Errorf("written %v: not what was used", written)
		}
	}
	change := u.db.NewChange()
	if err := forgetUser(t.Context(), u.db, change, "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := u.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if is("shop", "alice") || !is("shop", "bob") || !is("shop", "") {
		t.Error("not exactly what alice did is forgotten")
	}
}

// Ensure that noting a use costs no allocation, and that many can at once
// while it is written.
func TestUsageIsCheapAndConcurrent(t *testing.T) {
	u := openUsage(t)
	u.touch("shop", "")
	if n := testing.AllocsPerRun(100, func() { u.touch("shop", "") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for i := range 10_000 {
				u.touch(fmt.Sprint("client", i%50), "")
			}
		})
	}
	for range 5 {
		if err := u.write(t.Context()); err != nil {
			t.Error(err)
		}
	}
	users.Wait()
	for i := range 50 {
		if client := fmt.Sprint("client", i); !u.known(t, client) {
			t.Errorf("the use of %s is lost", client)
		}
	}
}

// Ensure that commands show when a client was last used, by its own doing and
// not by an administrator's, and that this outlives the process.
func TestCommandsShowTheLastUse(t *testing.T) {
	dir := t.TempDir()
	if err := caddy.Load([]byte(adminConfig(dir)), true); err != nil {
		t.Fatal(err)
	}
	o := operator{t, adminEndpoint(t)}
	shown := func() (view clientView) {
		t.Helper()
		if err := json.Unmarshal([]byte(o.does("", "client", "show", "written", "--json")), &view); err != nil {
			t.Fatal(err)
		}
		return view
	}
	record := func(outcome authz.Outcome) {
		t.Helper()
		app, err := servingApp()
		if err != nil {
			t.Fatal(err)
		}
		app.recorder.Record(t.Context(), authz.Event{Type: authz.EventDecision, Outcome: outcome, Client: "written"})
	}
	o.does("", "token", "issue", "written")
	record(authz.Denied)
	if at := shown().LastUsed; at != nil {
		t.Errorf("not used yet, but at %v", at)
	}
	record(authz.Allowed)
	used := shown().LastUsed
	if used == nil || time.Since(*used) > time.Minute {
		t.Fatalf("used just now, but at %v", used)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	runCaddy(t, adminConfig(dir))
	if at := shown().LastUsed; at == nil || !at.Equal(*used) {
		t.Errorf("after a restart it was used at %v, not %v", at, used)
	}
	if list := o.does("", "client", "list"); !strings.Contains(list, "LAST USED") || !strings.Contains(list, instantOf(used)) {
		t.Errorf("%v is not in\n%s", used, list)
	}
}
