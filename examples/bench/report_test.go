// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

// Ensure that only gates that were asked for decide, that they decide in the
// right direction, and that what was not measured has not passed.
func TestGatesDecide(t *testing.T) {
	g := promised()
	if err := g.enforce("protect=0.9,batch-1=10", false); err != nil {
		t.Fatal(err)
	}
	if err := g.enforce("restart=0.5,noise=2", true); err != nil {
		t.Fatal(err)
	}
	var r report
	r.add(g,
		figure{Key: "protect", Value: single(0.91)},
		figure{Key: "protect-cpu", Value: single(7)}, // promised, not asked for
		figure{Key: "restart", Value: single(0.6)},
		figure{Key: "noise", Value: single(1)},
	)
	if got := r.failures(); len(got) != 1 || !strings.HasPrefix(got[0], "restart") {
		t.Errorf("failures: %v", got)
	}
	if got := r.missing(g); len(got) != 1 || !strings.HasPrefix(got[0], "batch-1") {
		t.Errorf("missing: %v", got)
	}
	if f := r.Figures[1]; f.Passed == nil || *f.Passed {
		t.Error("a promise that was not met is not shown as such")
	}
}

// Ensure that a gate that nothing can meet, because no figure has its name, is
// refused.
func TestGatesHaveKnownNames(t *testing.T) {
	for _, bad := range []string{"protekt=0.95", "protect", "protect=much"} {
		if err := promised().enforce(bad, false); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// Ensure that the table shows value, extremes, unit and verdict, and nothing
// where there is no gate.
func TestMarkdown(t *testing.T) {
	var r report
	r.add(promised(),
		figure{Key: "restart", Part: "Scale", What: "restart", Value: spread{0.25, 0.2, 0.31}, Unit: "s"},
		figure{Key: "heap", Part: "Scale", What: "heap", Value: single(123.4), Unit: "MB", Mark: "disturbed"})
	var b strings.Builder
	if err := r.markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"| **Scale** | | | | | |\n| `restart` | restart | 0.25 (0.20–0.31) s |  | ≤ 0.5 | pass |\n",
		"| `heap` | heap | 123 MB | ⚠ disturbed |  |  |\n",
	} {
		if !strings.Contains(b.String(), row) {
			t.Errorf("no row %q in\n%s", row, b.String())
		}
	}
}

// Ensure that results of Go benchmarks are found, with and without a number of
// cores and further columns, and that of several parts the slowest counts.
func TestParseBenchmark(t *testing.T) {
	results := parseBenchmark("goos: linux\n" +
		"BenchmarkTable/a_star-2   \t 2000000\t       412.5 ns/op\t       0 B/op\t       0 allocs/op\n" +
		"BenchmarkTable/a_star-2   \t 2000000\t       480 ns/op\t       0 B/op\t       0 allocs/op\n" +
		"BenchmarkTable/below-2    \t 2000000\t       470 ns/op\t       0 B/op\t       1 allocs/op\n" +
		"BenchmarkTable/below-2    \t 2000000\t       450 ns/op\t       0 B/op\t       1 allocs/op\n" +
		"BenchmarkCold \t 1000000\t      1310 ns/op\t  0.64 of-raw\n" +
		"PASS\n")
	table := roomBenchmark{key: "rows"}.figures(results[:4])
	if len(table) != 2 || table[0].Key != "rows-ns" || table[0].Value != (spread{460, 450, 470}) || table[1].Key != "rows-allocs" || table[1].Value != single(1) {
		t.Errorf("table: %+v", table)
	}
	cold := roomBenchmark{key: "cold", metric: "of-raw"}.figures(results[4:])
	if len(cold) != 1 || cold[0].Key != "cold" || cold[0].Value != single(0.64) {
		t.Errorf("cold: %+v", cold)
	}
	if none := (roomBenchmark{key: "gone"}).figures(nil); none != nil {
		t.Errorf("figures of no benchmark: %+v", none)
	}
}
