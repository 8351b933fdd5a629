// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// gate is the bound of one figure.
type gate struct {
	limit    float64
	most     bool // the figure must be at most the limit, else at least
	enforced bool // a figure beyond it fails the command
}

// gates are the bounds by the figure's key.
type gates map[string]gate

func least(limit float64) gate { return gate{limit: limit} }
func most(limit float64) gate  { return gate{limit: limit, most: true} }

// ungated are the figures without a promise. They may be given a gate.
var ungated = []string{
	"protect-allocs", "first-allocs", "noise", "noise-cpu", "noise-allocs", "bare", "bare-cpu", "bare-allocs",
	"respond", "respond-cpu", "respond-allocs", "guarded", "guarded-cpu", "guarded-allocs",
	"jwt-allocs", "jwt-first", "jwt-first-cpu", "jwt-first-allocs", "phantom-cpu", "phantom-allocs",
	"issue-jwt-16", "issue-assertion-16",
	"raw-1", "raw-16", "raw-64", "batch-16", "issue-p99-1", "issue-p99-16",
	"slow-raw-1", "slow-raw-16", "slow-raw-64", "slow-batch-1", "slow-batch-16", "slow-issue-p99-1", "slow-issue-p99-16",
	"code-16", "code-64", "code-p99-16", "refresh-p99-16", "bytes", "heap", "miss", "miss-p99",
}

// promised are the project's own bounds. Without flags they are shown and do
// not decide how the command ends.
func promised() gates {
	return gates{
		"protect":       least(0.95),
		"protect-cpu":   most(1.05),
		"first":         least(0.95),
		"first-cpu":     most(1.05),
		"jwt":           least(0.95),
		"jwt-cpu":       most(1.05),
		"phantom":       least(0.93),
		"verify-ns":     most(600),
		"verify-allocs": most(0),
		"guard-ns":      most(1500),
		"guard-allocs":  most(4),
		"rows-ns":       most(500),
		"rows-allocs":   most(0),
		"jwt-cold":      least(0.6),

		"issue-1":      least(0.7),
		"issue-16":     least(0.7),
		"issue-64":     least(0.7),
		"batch-1":      least(10),
		"batch-64":     least(0.9),
		"issue-p99-64": most(50),

		"slow-issue-1":      least(0.7),
		"slow-issue-16":     least(0.7),
		"slow-issue-64":     least(0.7),
		"slow-batch-64":     least(0.9),
		"slow-issue-p99-64": most(50),

		"signin":           least(0.8),
		"refresh-16":       least(0.6),
		"refresh-64":       least(0.6),
		"refresh-p99-64":   most(60),
		"code-p99-64":      most(60),
		"page-signin-p99":  most(5),
		"page-consent-p99": most(5),

		"restart":  most(0.5),
		"sweep-1":  most(3),
		"sweep-16": most(3),
	}
}

// enforce reads "name=bound,name=bound": these gates decide how the command
// ends.
func (g gates) enforce(list string, most bool) error {
	for _, part := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		name, text, ok := strings.Cut(part, "=")
		limit, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil {
			return fmt.Errorf("a gate is name=number, not %q", part)
		}
		if known := slices.Concat(slices.Collect(maps.Keys(g)), ungated, peerKeys()); !slices.Contains(known, name) {
			return fmt.Errorf("no figure is called %q; there are %s", name, strings.Join(slices.Sorted(slices.Values(known)), ", "))
		}
		g[name] = gate{limit: limit, most: most, enforced: true}
	}
	return nil
}

// enforceAll makes every gate decide.
func (g gates) enforceAll() {
	for name, one := range g {
		one.enforced = true
		g[name] = one
	}
}

// passes says whether a value is within the bound.
func (g gate) passes(value float64) bool {
	if g.most {
		return value <= g.limit
	}
	return value >= g.limit
}

func (g gate) String() string {
	sign := "≥"
	if g.most {
		sign = "≤"
	}
	return sign + " " + strconv.FormatFloat(g.limit, 'g', -1, 64)
}
