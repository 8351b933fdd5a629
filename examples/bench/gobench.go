// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// roomBenchmark is a Go benchmark that lives beside what it measures. With parts of
// its own, the slowest of them counts.
type roomBenchmark struct {
	key, what, room, name string
	metric                string // its own unit, where that is the figure; else time and allocations are
}

var roomBenchmarks = []roomBenchmark{
	{key: "verify", what: "verify a cached token", room: "authz/token", name: "BenchmarkAuthenticateHit"},
	{key: "guard", what: "the whole guard, without the proxy", room: "authz/protect", name: "BenchmarkGuard/allow"},
	{key: "rows", what: "find a path among 10,000 rows", room: "authz/protect", name: "BenchmarkTableOf10000Rows"},
	{key: "jwt-cold", what: "JWT, first use ÷ its bare ES256 signature: tokens/s", room: "authz/token", name: "BenchmarkAuthenticateColdJWT", metric: "of-raw"},
}

// benchmarkRuns is how often each Go benchmark runs.
const benchmarkRuns = 3

// Units of a result line of a Go benchmark with -benchmem.
const (
	unitTime        = "ns/op"
	unitAllocations = "allocs/op"
)

// goBenchmarks runs the rooms' own benchmarks, built on all cores and run on
// the server's.
func (b *bench) goBenchmarks(ctx context.Context) error {
	for _, one := range roomBenchmarks {
		b.progress("go test -bench %s ./%s", one.name, one.room)
		test := filepath.Join(b.dir, one.key+".test")
		build := exec.CommandContext(ctx, "go", "test", "-c", "-o", test, "./"+one.room)
		build.Dir = b.root
		if out, err := b.output(build, b.cores.onAll); err != nil {
			return fmt.Errorf("building the benchmarks of %s: %w\n%s", one.room, err, out)
		}
		run := exec.CommandContext(ctx, test, "-test.run=^$", "-test.bench=^"+strings.ReplaceAll(one.name, "/", "$/^")+"$", "-test.benchmem",
			"-test.count="+strconv.Itoa(benchmarkRuns), "-test.benchtime="+b.opts.benchTime)
		run.Dir = filepath.Join(b.root, filepath.FromSlash(one.room))
		out, err := b.output(run, b.cores.onServer)
		if err != nil {
			return fmt.Errorf("%s in %s: %w\n%s", one.name, one.room, err, out)
		}
		found := one.figures(parseBenchmark(out))
		if len(found) == 0 {
			b.report.Notes = append(b.report.Notes, fmt.Sprintf("`%s` has no benchmark `%s`.", one.room, one.name))
		}
		b.add("Go benchmarks", found...)
	}
	return nil
}

// figures are the rows of a benchmark.
func (r roomBenchmark) figures(results []benchmarkResult) []figure {
	detail := fmt.Sprintf("`%s` in `%s`", r.name, r.room)
	if r.metric != "" {
		if one, ok := worst(results, r.metric); ok {
			return []figure{{Key: r.key, What: r.what, Value: one, Detail: detail}}
		}
		return nil
	}
	var list []figure
	if ns, ok := worst(results, unitTime); ok {
		list = append(list, figure{Key: r.key + "-ns", What: r.what, Value: ns, Unit: "ns", Detail: detail})
	}
	if allocations, ok := worst(results, unitAllocations); ok {
		list = append(list, figure{Key: r.key + "-allocs", What: r.what, Value: allocations, Unit: "allocations"})
	}
	return list
}

// benchmarkResult is what one line of a benchmark's output says, by unit.
type benchmarkResult struct {
	name   string
	values map[string]float64
}

// parseBenchmark reads what Go benchmarks printed.
func parseBenchmark(out string) []benchmarkResult {
	var list []benchmarkResult
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		one := benchmarkResult{name: fields[0], values: map[string]float64{}}
		for i := 2; i+1 < len(fields); i += 2 { // after the name and the number of rounds
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				one.values[fields[i+1]] = value
			}
		}
		list = append(list, one)
	}
	return list
}

// worst is the spread of a unit over the runs of that part of a benchmark whose
// median is the largest; false when nothing was measured in it.
func worst(results []benchmarkResult, unit string) (spread, bool) {
	runs := map[string][]float64{}
	for _, one := range results {
		if value, ok := one.values[unit]; ok {
			runs[one.name] = append(runs[one.name], value)
		}
	}
	var largest spread
	for _, values := range runs {
		if s := spreadOf(values); s.Median >= largest.Median {
			largest = s
		}
	}
	return largest, len(runs) > 0
}

// output runs a command to its end, on the cores that begin chooses.
func (b *bench) output(cmd *exec.Cmd, begin func(*exec.Cmd) error) (string, error) {
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := begin(cmd); err != nil {
		return "", err
	}
	err := cmd.Wait()
	return out.String(), err
}
