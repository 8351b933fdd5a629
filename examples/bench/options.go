// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options is what the flags say.
type options struct {
	pairs      int
	duration   time.Duration // of a slice at the route
	issueFor   time.Duration // of a slice of issuance
	issuePairs int
	conns      int
	live       int // tokens that cache hits go round
	fresh      int // tokens for first-seen requests
	scale      int // live tokens of the large store
	slow       time.Duration
	parts      []string
	json       string
	benchTime  string
	repeatFor  time.Duration
	peers      map[string]string // path by name
	gates      gates
}

// quickly is what -quick means for the other flags, where they are not given.
var quickly = map[string]string{
	"pairs": "2", "issue-pairs": "1", "issue-dur": "150ms", "live": "20000", "fresh": "30000", "scale": "100000",
}

// parse reads the flags and checks them.
func parse(args []string) (options, error) {
	var (
		o           options
		quick       bool
		strict      bool
		parts       string
		leastGates  string
		mostGates   string
		flags       = flag.NewFlagSet("bench", flag.ContinueOnError)
		explanation = "of a slice of "
	)
	o.peers = map[string]string{}
	flags.SetOutput(os.Stderr)
	flags.BoolVar(&quick, "quick", false, "see that everything works, within two minutes; the numbers mean little")
	flags.IntVar(&o.pairs, "pairs", 12, "pairs of side and base for each ratio")
	flags.DurationVar(&o.duration, "dur", 50*time.Millisecond, "length "+explanation+"the protected route")
	flags.IntVar(&o.issuePairs, "issue-pairs", 5, "pairs for each ratio of issuance")
	flags.DurationVar(&o.issueFor, "issue-dur", 300*time.Millisecond, "length "+explanation+"issuance")
	flags.IntVar(&o.conns, "conns", 32, "keep-alive connections at the protected route")
	flags.IntVar(&o.live, "live", 100_000, "live tokens that the cache-hit requests go round")
	flags.IntVar(&o.fresh, "fresh", 200_000, "live tokens for first-seen requests, each used once")
	flags.IntVar(&o.scale, "scale", 1_000_000, "live tokens of the large store")
	flags.DurationVar(&o.slow, "slow-fsync", 2*time.Millisecond, "issuance once more, with each commit this much longer; 0 leaves it out")
	flags.StringVar(&parts, "parts", strings.Join(allParts, ","), "what to measure")
	flags.Func("peer", "also compare with a peer, `name=path`, of "+strings.Join(slices.Sorted(maps.Keys(peerKinds)), ", ")+"; may be repeated", o.peerFlag)
	flags.StringVar(&o.json, "json", "", "also write the report to this file, as JSON")
	flags.StringVar(&leastGates, "min", "", "gates name=bound,…: fail when a figure is below")
	flags.StringVar(&mostGates, "max", "", "gates name=bound,…: fail when a figure is above")
	flags.BoolVar(&strict, "strict", false, "fail when any promised number is not met or not measured")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("what is %q? See -help", flags.Arg(0))
	}
	o.benchTime, o.repeatFor = "1s", time.Minute
	if quick {
		o.benchTime, o.repeatFor = "100ms", 0
		if err := setUnlessGiven(flags, quickly); err != nil {
			return o, err
		}
	}
	o.parts = strings.Split(parts, ",")
	for _, part := range o.parts {
		if !slices.Contains(allParts, part) {
			return o, fmt.Errorf("-parts: %q is none of %s", part, strings.Join(allParts, ", "))
		}
	}
	if len(o.peers) == 0 && slices.Equal(o.parts, []string{partPeers}) {
		return o, errors.New("-parts peers needs a -peer")
	}
	for name, n := range map[string]int{"pairs": o.pairs, "issue-pairs": o.issuePairs, "conns": o.conns, "live": o.live, "fresh": o.fresh, "scale": o.scale} {
		if n < 1 {
			return o, fmt.Errorf("-%s must be positive", name)
		}
	}
	if o.scale < 20*scaleWarm {
		return o, fmt.Errorf("-scale must be at least %d", 20*scaleWarm)
	}
	for name, d := range map[string]time.Duration{"dur": o.duration, "issue-dur": o.issueFor} {
		if d < 50*time.Millisecond {
			return o, fmt.Errorf("-%s must be at least 50ms: shorter slices mean nothing", name)
		}
	}
	o.gates = promised()
	if strict {
		o.gates.enforceAll()
	}
	if err := o.gates.enforce(leastGates, false); err != nil {
		return o, fmt.Errorf("-min: %w", err)
	}
	if err := o.gates.enforce(mostGates, true); err != nil {
		return o, fmt.Errorf("-max: %w", err)
	}
	return o, nil
}

// setUnlessGiven sets the flags that the command line does not.
func setUnlessGiven(flags *flag.FlagSet, values map[string]string) error {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range values {
		if given[name] {
			continue
		}
		if err := flags.Set(name, value); err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
	}
	return nil
}

// peerFlag reads one name=path.
func (o *options) peerFlag(text string) error {
	name, path, ok := strings.Cut(text, "=")
	if _, known := peerKinds[name]; !ok || !known || path == "" {
		return errors.New("a peer is name=path, with one of the names")
	}
	path, err := filepath.Abs(path) // it is run in another folder
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	o.peers[name] = path
	return nil
}
