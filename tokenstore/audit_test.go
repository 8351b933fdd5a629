// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// note commits one audit entry.
func note(t *testing.T, db *DB, what string, routine bool) {
	t.Helper()
	c := db.NewChange()
	c.Audit(AuditEntry{Type: what, Outcome: "allowed", Client: "shop", Actor: "admin", Routine: routine})
	_, err := db.Commit(t.Context(), c)
	must(t, err, nil, "noting")
}

// Ensure that the rings keep the newest entries, that a flood of routine washes
// out no administrative change, and that both go on after a restart.
func TestAuditRings(t *testing.T) {
	const size = 20
	m, w := newMemory(), newWall()
	opts := Options{AuditEntries: size, Now: w.Now}
	db := start(t, m, opts)
	note(t, db, "client_added", false)
	for i := range 3*size + 7 { // stops in the middle of a round
		note(t, db, fmt.Sprintf("token_issued %d", i), true)
	}
	db = start(t, m.crash(), opts)
	for i := 3*size + 7; i < 4*size+5; i++ {
		note(t, db, fmt.Sprintf("token_issued %d", i), true)
	}
	entries, err := db.AuditLog(t.Context(), 0, MaxList)
	must(t, err, nil, "reading")
	if len(entries) != size+1 {
		t.Fatalf("%d entries, want %d", len(entries), size+1)
	}
	for i, e := range entries[:size] {
		if want := fmt.Sprintf("token_issued %d", 4*size+4-i); e.Type != want {
			t.Errorf("entry %d is %q, want %q", i, e.Type, want)
		}
		if i > 0 && e.Seq >= entries[i-1].Seq {
			t.Errorf("entry %d is out of order", i)
		}
	}
	last := entries[size]
	if last.Type != "client_added" || last.Actor != "admin" || last.Client != "shop" || !last.Time.Equal(w.Now()) {
		t.Errorf("the administrative change reads %+v", last)
	}
	page, err := db.AuditLog(t.Context(), entries[4].Seq, 3)
	if must(t, err, nil, "paging"); len(page) != 3 || page[0].Seq != entries[5].Seq {
		t.Errorf("a page of %d entries", len(page))
	}
}

// Ensure that an entry is kept exactly when its change is.
func TestAuditIsInTheSameBatch(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{})
	f := newFamily(t, db, time.Time{})
	c := db.NewChange()
	c.Create(f.key, token{}, time.Time{})
	c.Audit(AuditEntry{Type: "token_issued"})
	_, err := db.Commit(t.Context(), c)
	must(t, err, ErrConflict, "a change that cannot be")
	entries, err := db.AuditLog(t.Context(), 0, 10)
	if must(t, err, nil, "reading"); len(entries) != 0 {
		t.Errorf("it was noted: %+v", entries)
	}
}

// Ensure that an entry names the request that made its change, and that what no request
// made names none.
func TestAuditNamesTheRequest(t *testing.T) {
	type requestKey struct{}
	db := start(t, newMemory(), Options{RequestID: func(ctx context.Context) string {
		id, _ := ctx.Value(requestKey{}).(string)
		return id
	}})
	for _, ctx := range []context.Context{t.Context(), context.WithValue(t.Context(), requestKey{}, "r-1")} {
		c := db.NewChange()
		c.Audit(AuditEntry{Type: "token_issued"})
		_, err := db.Commit(ctx, c)
		must(t, err, nil, "an entry")
	}
	entries, err := db.AuditLog(t.Context(), 0, 10)
	if must(t, err, nil, "reading"); len(entries) != 2 || entries[0].Request != "r-1" || entries[1].Request != "" {
		t.Errorf("%+v", entries)
	}
}

// Ensure that rings made smaller lose their surplus, and rings made larger go on.
func TestAuditRingsResized(t *testing.T) {
	m := newMemory()
	db := start(t, m, Options{AuditEntries: 300})
	for i := range 290 {
		note(t, db, fmt.Sprint(i), i%2 == 0)
	}
	db = start(t, m, Options{AuditEntries: 20})
	_, err := db.Sweep(t.Context())
	must(t, err, nil, "sweeping")
	if n := m.ofKind(KindAudit); n != 40 {
		t.Errorf("%d slots in use", n)
	}
	db = start(t, m, Options{AuditEntries: 100})
	for i := range 200 {
		note(t, db, fmt.Sprint("new ", i), false)
	}
	entries, err := db.AuditLog(t.Context(), 0, 100)
	must(t, err, nil, "reading")
	for i, e := range entries {
		if want := fmt.Sprint("new ", 199-i); e.Type != want {
			t.Fatalf("entry %d is %q, want %q", i, e.Type, want)
		}
	}
}

// Ensure that a restart goes on after the last entry of rings that hold many
// more than a start decodes, wherever in a round that was.
func TestAuditRingsAfterRestart(t *testing.T) {
	const size = 3 * auditOvertakes
	for _, written := range []int{auditOvertakes / 2, size - 1, size, size + 1, size + size/2} {
		m := newMemory()
		db := start(t, m, Options{AuditEntries: size})
		note(t, db, "client_added", false)
		for i := range written {
			note(t, db, fmt.Sprint(i), true)
		}
		db = start(t, m.crash(), Options{AuditEntries: size})
		note(t, db, "after", true)
		note(t, db, "client_removed", false)
		var entries []AuditEntry
		for before := uint64(0); ; before = entries[len(entries)-1].Seq {
			page, err := db.AuditLog(t.Context(), before, MaxList)
			if must(t, err, nil, "reading"); len(page) == 0 {
				break
			}
			entries = append(entries, page...)
		}
		// The round before lost one entry, its oldest, to "after".
		if want := min(written+1, size) + 2; len(entries) != want {
			t.Errorf("%d written: %d entries, want %d", written, len(entries), want)
		}
		if entries[0].Type != "client_removed" || entries[1].Type != "after" || entries[2].Type != fmt.Sprint(written-1) {
			t.Errorf("%d written: the newest are %s, %s, %s", written, entries[0].Type, entries[1].Type, entries[2].Type)
		}
		if oldest := entries[len(entries)-2].Type; written >= size && oldest != fmt.Sprint(written+1-size) {
			t.Errorf("%d written: the oldest but one is %s", written, oldest)
		}
	}
}
