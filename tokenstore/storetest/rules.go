// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that values come back as they were put, in the order asked, empty ones
// and repeated keys included, and that an absent key has revision 0.
func testPutGet(t *testing.T, f *fixture) {
	rev := f.put("a", "1", "b", "", "c", strings.Repeat("x", 100_000))
	items, err := f.Get(t.Context(), "c", "absent", "b", "a", "a")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []tokenstore.Item{
		{Key: "c", Value: []byte(strings.Repeat("x", 100_000)), Revision: rev},
		{Key: "absent"},
		{Key: "b", Revision: rev},
		{Key: "a", Value: []byte("1"), Revision: rev},
		{Key: "a", Value: []byte("1"), Revision: rev},
	} {
		if got := items[i]; got.Key != want.Key || string(got.Value) != string(want.Value) || got.Revision != want.Revision {
			t.Errorf("item %d: %q at %d, want %q at %d", i, string(got.Key), got.Revision, string(want.Key), want.Revision)
		}
	}
	second := f.put("a", "2")
	f.want("a", "2", second)
	f.want("b", "", rev)
	f.apply(tokenstore.Batch{ID: newID(), Delete: []tokenstore.Key{"a"}})
	f.want("a", "", 0)
	if items, err := f.Get(t.Context()); err != nil || len(items) != 0 {
		t.Errorf("Get of nothing: %d items, %v", len(items), err)
	}
}

// Ensure that a key is any bytes, and that none is taken for another.
func testBinaryKeys(t *testing.T, f *fixture) {
	keys := []string{"\x00", "\x00\x00", "\x00\x01", "\xff", "\xff\xff", "a\x00b", "a", "\xc3\x28", "%s", strings.Repeat("k", 1000), strings.Repeat("k", 1001)}
	revs := make(map[string]tokenstore.Revision)
	for _, k := range keys {
		revs[k] = f.put(k, "value of "+k)
	}
	f.reopen()
	for _, k := range keys {
		f.want(k, "value of "+k, revs[k])
	}
}

// Ensure that what a caller does with slices it passed, or was given, later on
// changes nothing in the store.
func testOwnership(t *testing.T, f *fixture) {
	value := []byte("before")
	rev := f.apply(tokenstore.Batch{ID: newID(), Put: []tokenstore.Put{{Key: "k", Value: value}}})
	copy(value, "XXXXXX")
	f.want("k", "before", rev)

	copy(f.get("k").Value, "YYYYYY")
	f.want("k", "before", rev)

	items, _, err := f.Range(t.Context(), "", 10)
	if err != nil || len(items) != 1 {
		t.Fatalf("Range: %d items, %v", len(items), err)
	}
	kept := items[0].Value
	f.put("k", "after!")
	if string(kept) != "before" {
		t.Errorf("a value that was handed out changed to %q", kept)
	}
}

// Ensure that a batch with one expectation that fails does none of its parts.
func testAllOrNothing(t *testing.T, f *fixture) {
	rev := f.put("a", "1", "b", "1", "c", "1")
	_, err := f.Apply(t.Context(), tokenstore.Batch{
		ID:     newID(),
		Expect: []tokenstore.Expect{{Key: "a", Revision: rev}, {Key: "b", Revision: rev + 1}},
		Put:    puts("a", "2", "new", "2"),
		Delete: []tokenstore.Key{"c"},
	})
	wantError(t, err, tokenstore.ErrConflict)
	f.want("a", "1", rev)
	f.want("b", "1", rev)
	f.want("c", "1", rev)
	f.want("new", "", 0)

	second := f.apply(tokenstore.Batch{
		ID:     newID(),
		Expect: []tokenstore.Expect{{Key: "a", Revision: rev}},
		Put:    puts("a", "2", "new", "2"),
		Delete: []tokenstore.Key{"c"},
	})
	f.want("a", "2", second)
	f.want("new", "2", second)
	f.want("c", "", 0)
}

// Ensure that each expectation is judged by the revision alone: the same value
// put again is another revision, and what was deleted and made anew another thing.
func testExpect(t *testing.T, f *fixture) {
	first := f.put("k", "same")
	second := f.put("k", "same")
	attempt := func(key string, rev tokenstore.Revision) error {
		_, err := f.Apply(t.Context(), tokenstore.Batch{
			ID: newID(), Expect: []tokenstore.Expect{{Key: tokenstore.Key(key), Revision: rev}}, Put: puts("witness", "w"),
		})
		return err
	}
	for _, c := range []struct {
		key  string
		rev  tokenstore.Revision
		want error
	}{
		{"k", first, tokenstore.ErrConflict},
		{"k", second + 1000, tokenstore.ErrConflict},
		{"k", 0, tokenstore.ErrConflict},
		{"absent", first, tokenstore.ErrConflict},
	} {
		wantError(t, attempt(c.key, c.rev), c.want)
	}
	f.want("witness", "", 0)
	for key, rev := range map[string]tokenstore.Revision{"k": second, "absent": 0} {
		if err := attempt(key, rev); err != nil {
			t.Errorf("expecting %s at %d: %v", key, rev, err)
		}
	}
	f.apply(tokenstore.Batch{ID: newID(), Delete: []tokenstore.Key{"k"}})
	wantError(t, attempt("k", second), tokenstore.ErrConflict)
	f.put("k", "same")
	wantError(t, attempt("k", second), tokenstore.ErrConflict)
	wantError(t, attempt("k", 0), tokenstore.ErrConflict)
}

// Ensure that deleting an absent key is as good as deleting a present one.
func testDeleteAbsent(t *testing.T, f *fixture) {
	rev := f.apply(tokenstore.Batch{ID: newID(), Put: puts("other", "1"), Delete: []tokenstore.Key{"absent"}})
	f.want("other", "1", rev)
	f.want("absent", "", 0)
}

// Ensure that every Apply has a higher revision than all before it, that all
// keys of a batch carry it, that a conflict does not disturb that, and that the
// count goes on after the store was opened again, deletions included.
func testRevisions(t *testing.T, f *fixture) {
	var last tokenstore.Revision
	grown := func(rev tokenstore.Revision) {
		t.Helper()
		if rev <= last {
			t.Fatalf("revision %d came after %d", rev, last)
		}
		last = rev
	}
	for round := range 5 {
		a, b := fmt.Sprint("a", round), fmt.Sprint("b", round)
		rev := f.put(a, "v", b, "v")
		grown(rev)
		f.want(a, "v", rev)
		f.want(b, "v", rev)
		_, err := f.Apply(t.Context(), tokenstore.Batch{ID: newID(), Expect: []tokenstore.Expect{{Key: tokenstore.Key(a)}}, Put: puts(a, "w")})
		wantError(t, err, tokenstore.ErrConflict)
		grown(f.apply(tokenstore.Batch{ID: newID(), Delete: []tokenstore.Key{tokenstore.Key(a)}}))
		f.reopen()
		f.want(b, "v", rev)
		f.want(a, "", 0)
	}
}

// Ensure that a walk in pages of any size meets every key once, in order, from
// where it was told to begin.
func testRange(t *testing.T, f *fixture) {
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("k%03d", i))
	}
	keys = append(keys, "\x00first", "\xfflast", "l")
	for _, k := range keys {
		f.put(k, "value of "+k)
	}
	slices.Sort(keys)
	for _, limit := range []int{1, 7, 103, 1000} {
		var met []string
		for from := tokenstore.Cursor(""); ; {
			items, next, err := f.Range(t.Context(), from, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(items) > limit {
				t.Fatalf("%d items, at most %d were asked for", len(items), limit)
			}
			for _, item := range items {
				if string(item.Value) != "value of "+string(item.Key) || item.Revision == 0 {
					t.Errorf("item %q has value %q and revision %d", string(item.Key), item.Value, item.Revision)
				}
				met = append(met, string(item.Key))
			}
			if next == "" {
				break
			}
			if next <= from {
				t.Fatalf("the cursor went from %q to %q", string(from), string(next))
			}
			from = next
		}
		if !slices.Equal(met, keys) {
			t.Errorf("limit %d: met %d keys %q, want %d", limit, len(met), met, len(keys))
		}
	}
	for from, want := range map[tokenstore.Key]tokenstore.Key{"k050": "k050", "k050\x00": "k051", "k9": "l"} {
		items, _, err := f.Range(t.Context(), from, 1)
		if err != nil || len(items) != 1 || items[0].Key != want {
			t.Errorf("from %q: %v, %v; want %q", string(from), items, err, string(want))
		}
	}
	if items, next, err := f.Range(t.Context(), "\xff\xff", 10); err != nil || len(items) != 0 || next != "" {
		t.Errorf("beyond the end: %v, %q, %v", items, next, err)
	}
}

// Ensure that batches the engine cannot store are refused with an error, and
// harm nothing.
func testRefused(t *testing.T, f *fixture) {
	rev := f.put("k", "v")
	for name, b := range map[string]tokenstore.Batch{
		"empty key put":     {ID: newID(), Put: puts("k", "w", "", "w")},
		"empty key deleted": {ID: newID(), Put: puts("k", "w"), Delete: []tokenstore.Key{""}},
		"huge key":          {ID: newID(), Put: puts("k", "w", strings.Repeat("k", 1<<20), "w")},
		"huge value":        {ID: newID(), Put: puts("k", "w", "l", strings.Repeat("v", 64<<20))},
	} {
		if _, err := f.Apply(t.Context(), b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f.want("k", "v", rev)
	f.put("k", "w")
}
