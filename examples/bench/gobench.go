// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// roomBenchmark is a Go benchmark that lives beside what it measures.
type roomBenchmark struct {
	key, what, room, name string
}

var roomBenchmarks = []roomBenchmark{
	{"verify", "verify a cached token", "authz/token", "BenchmarkAuthenticateHit"},
	{"guard", "the whole guard, without the proxy", "authz/protect", "BenchmarkGuard/allow"},
}

// benchmarkRuns is how often each Go benchmark runs.
const benchmarkRuns = 3

// benchLine is a result line of a Go benchmark with -benchmem.
var benchLine = regexp.MustCompile(`^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op.*?\s([0-9]+) allocs/op`)

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
		ns, allocs := parseBenchmark(out)
		if len(ns) == 0 {
			b.report.Notes = append(b.report.Notes, fmt.Sprintf("`%s` has no benchmark `%s`.", one.room, one.name))
			continue
		}
		detail := fmt.Sprintf("`%s` in `%s`", one.name, one.room)
		b.add("Go benchmarks",
			figure{Key: one.key + "-ns", What: one.what, Value: spreadOf(ns), Unit: "ns", Detail: detail},
			figure{Key: one.key + "-allocs", What: one.what, Value: spreadOf(allocs), Unit: "allocations"})
	}
	return nil
}

// parseBenchmark finds nanoseconds and allocations in what a Go benchmark
// printed.
func parseBenchmark(out string) (ns, allocs []float64) {
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		match := benchLine.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		n, errN := strconv.ParseFloat(match[2], 64)
		a, errA := strconv.ParseFloat(match[3], 64)
		if errN == nil && errA == nil {
			ns, allocs = append(ns, n), append(allocs, a)
		}
	}
	return ns, allocs
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
