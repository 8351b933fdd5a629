// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// build makes a table of rows, each written as in a Caddyfile.
func build(t testing.TB, fold bool, rows ...string) (*table, error) {
	t.Helper()
	var entries []*entry
	for _, text := range rows {
		words := strings.Fields(text)
		row, err := ParseRow(words[0], words[1:])
		if err != nil {
			t.Fatal(err)
		}
		p, err := parsePattern(row.Path)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, &entry{Row: row, pattern: p})
	}
	return newTable(entries, fold)
}

// Ensure that the most specific path decides, then the method, whatever the
// order of rows.
func TestTheMostSpecificRowDecides(t *testing.T) {
	rows := []string{
		"public /*",
		"allow /orders/* below",
		"allow GET /orders/* read",
		"allow /orders/new exact",
		"allow POST /orders/new write",
		"allow /users/*/orders star",
		"allow /users/*/* deep",
		"allow /users/me/orders own",
		"allow GET /docs/* get",
		"allow HEAD /docs/* head",
		"allow PROPFIND /dav/* dav",
		"allow DELETE /dav/x gone",
		"deny /internal/*",
	}
	want := map[string]string{
		"GET /":                       "public /*",
		"POST /anything/at/all":       "public /*",
		"GET /orders":                 "allow GET /orders/* read",
		"GET /orders/":                "allow GET /orders/* read",
		"HEAD /orders/7":              "allow GET /orders/* read",
		"PUT /orders/7/items":         "allow /orders/* below",
		"GET /ordersX":                "public /*",
		"GET /orders/new":             "allow /orders/new exact",
		"GET /orders/new/":            "allow /orders/new exact",
		"POST /orders/new":            "allow POST /orders/new write",
		"POST /orders/new/x":          "allow /orders/* below",
		"GET /ORDERS/New":             "allow /orders/new exact",
		"GET /users/7/orders":         "allow /users/*/orders star",
		"GET /users/me/orders":        "allow /users/me/orders own",
		"GET /users/7/x":              "allow /users/*/* deep",
		"GET /users/7/orders/8":       "allow /users/*/* deep",
		"GET /users//orders":          "public /*",
		"HEAD /docs/a":                "allow HEAD /docs/* head",
		"POST /docs/a":                "public /*",
		"PROPFIND /dav/x":             "allow PROPFIND /dav/* dav",
		"DELETE /dav/x":               "allow DELETE /dav/x gone",
		"GET /dav/x":                  "public /*",
		"PROPFIND /orders":            "",
		"propfind /dav/x":             "",
		"get /":                       "",
		"OPTIONS /internal":           "deny /internal/*",
		"GET /internal/a/b":           "deny /internal/*",
		"GET /users/" + long(300)[1:]: "allow /users/*/* deep",
		"GET /" + long(300)[1:]:       "public /*",
	}
	for range 20 {
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		table, err := build(t, true, rows...)
		if err != nil {
			t.Fatal(err)
		}
		for request, row := range want {
			method, path, _ := strings.Cut(request, " ")
			got := ""
			if e := table.find(method, path); e != nil {
				got = e.String()
			}
			if got != row {
				t.Errorf("%.40s meets %q, not %q", request, got, row)
			}
		}
	}
}

// Ensure that case counts where it is told to.
func TestCaseCountsWhereConfigured(t *testing.T) {
	table, err := build(t, false, "deny /A", "public /a")
	if err != nil {
		t.Fatal(err)
	}
	if e := table.find("GET", "/A"); e == nil || e.Verb != Deny {
		t.Errorf("/A meets %v", e)
	}
	if _, err := build(t, true, "deny /A", "public /a"); err == nil {
		t.Error("rows that differ in case only are no conflict")
	}
}

// Ensure that rows of which neither is the more specific one are refused,
// naming both.
func TestConflictingRowsAreRefused(t *testing.T) {
	for _, c := range []struct {
		rows     []string
		conflict bool
	}{
		{[]string{"allow /a x", "public /a"}, true},
		{[]string{"allow /a/* x", "public /a"}, false},
		{[]string{"allow GET /a x", "public GET POST /a"}, true},
		{[]string{"allow GET /a x", "public /a"}, false},
		{[]string{"allow GET /a x", "public HEAD /a"}, false},
		{[]string{"allow /a/*/c x", "public /*/b/c"}, true},
		{[]string{"allow GET /a/*/c x", "public POST /*/b/c"}, false},
		{[]string{"allow GET /a/*/c x", "public HEAD /*/b/c"}, true},
		{[]string{"allow GET /a/*/c x", "public /*/b/c"}, true},
		{[]string{"allow PROPFIND /a/*/c x", "public /*/b/c"}, true},
		{[]string{"deny /*/b/c", "allow PROPFIND /a/*/c x"}, true},
		{[]string{"allow PROPFIND /a/*/c x", "public PROPFIND /*/b/c"}, true},
		{[]string{"allow /a/*/c x", "public /a/b/*"}, true},
		{[]string{"allow /a/*/c/* x", "public /a/b/*"}, true},
		{[]string{"allow /a/*/c/* x", "public /a/b/c"}, false},
		{[]string{"allow /a/*/c x", "public /a/*"}, false},
		{[]string{"allow /*/b x", "public /a/*/c"}, false},
		{[]string{"allow /a/*/c x", "public /d/b/c"}, false},
		{[]string{"allow /A/*/c x", "public /a/B/*"}, true},
	} {
		_, err := build(t, true, c.rows...)
		if (err != nil) != c.conflict {
			t.Errorf("%q: %v", c.rows, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.rows[0]) || !strings.Contains(err.Error(), c.rows[1])) {
			t.Errorf("%q: %v does not name both", c.rows, err)
		}
	}
}

// matches is the meaning of a pattern, written as plainly as possible.
func (p pattern) matches(segments []string) bool {
	if len(segments) < len(p.segments) || len(segments) > len(p.segments) && !p.below {
		return false
	}
	for i, s := range p.segments {
		if s != star && s != segments[i] {
			return false
		}
	}
	return true
}

// meant finds the row by trying all.
func meant(entries []*entry, method, path string) *entry {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if path == "/" {
		segments = nil
	}
	var best *entry
	rank := func(e *entry) int {
		switch {
		case slices.Contains(e.Methods, method):
			return 3
		case method == "HEAD" && slices.Contains(e.Methods, "GET"):
			return 2
		case len(e.Methods) == 0:
			return 1
		}
		return 0
	}
	for _, e := range entries {
		if rank(e) == 0 || !e.pattern.matches(segments) {
			continue
		}
		same := best != nil && slices.Equal(best.pattern.segments, e.pattern.segments) && best.pattern.below == e.pattern.below
		if best == nil || same && rank(e) > rank(best) || !same && best.pattern.contains(e.pattern) {
			best = e
		}
	}
	if best != nil && best.Verb != Deny && rank(best) == 1 && !slices.Contains(standardMethods, method) {
		return nil // the row decides, and does not take the method
	}
	return best
}

// Ensure that the trie and a plain search over all rows agree, on random
// tables and requests, and that no table is accepted in which two rows tie.
func TestTableAgreesWithPlainSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	words := []string{"a", "b", "c", star}
	methods := []string{"", "GET", "HEAD", "POST", "PURGE"}
	tables := 0
	for range 10000 {
		var rows []string
		for range 1 + random.IntN(5) {
			path := ""
			for range random.IntN(4) {
				path += "/" + words[random.IntN(4)]
			}
			if path == "" {
				path = "/"
			}
			rows = append(rows, fmt.Sprintf("%s %s %s", []string{"public", "deny"}[random.IntN(2)], methods[random.IntN(5)], path))
		}
		table, err := build(t, true, rows...)
		if err != nil {
			continue
		}
		tables++
		var entries []*entry
		table.root.each(func(c *cell) { entries = append(entries, c.rows...) })
		for range 10 {
			path := ""
			for range random.IntN(5) {
				path += "/" + words[random.IntN(3)]
			}
			if path == "" {
				path = "/"
			}
			method := methods[1+random.IntN(4)]
			if got, want := table.find(method, path), meant(entries, method, path); got != want {
				t.Fatalf("%q: %s %s meets %v, not %v", rows, method, path, got, want)
			}
		}
	}
	if tables < 2000 {
		t.Fatalf("only %d tables were tried", tables)
	}
}

// Ensure that a table of 10^4 rows is built quickly enough to reload and
// looked up without allocation.
func TestLargeTables(t *testing.T) {
	table := largeTable(t)
	if n := testing.AllocsPerRun(100, func() {
		if table.find("GET", "/Service-7/resource-77/42/details") == nil {
			t.Error("no row")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func largeTable(t testing.TB) *table {
	var rows []string
	for i := range 100 {
		for j := range 50 {
			rows = append(rows, fmt.Sprintf("allow GET /service-%d/resource-%d/*/details a", i, j), fmt.Sprintf("allow /service-%d/resource-%d/* a", i, 50+j))
		}
	}
	table, err := build(t, true, rows...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// BenchmarkTableOf10000Rows is to stay below 500 ns and without allocations,
// whatever is looked up.
func BenchmarkTableOf10000Rows(b *testing.B) {
	table := largeTable(b)
	for name, path := range map[string]string{
		"a star":       "/service-7/resource-7/42/details",
		"below":        "/service-7/resource-77/42/details",
		"in capitals":  "/SERVICE-7/RESOURCE-7/42/DETAILS",
		"almost a row": "/service-7/resource-7/42/detail",
		"no row":       "/service-101/resource-7",
		"a long path":  "/service-7/resource-77" + strings.Repeat("/segment", 50),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.find("GET", path)
			}
		})
	}
}
