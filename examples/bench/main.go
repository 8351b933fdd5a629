// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures what protecting an API costs, and what issuing tokens
// and signing people in cost, as ratios: the same Caddy with and without the guard,
// the token endpoint and the bare commit below it, a sign-in and the hash of its
// password. See the README.
//
//	go run . [-quick] [-json out.json] [-min protect=0.95,…] [-max restart=0.5,…]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// The parts of the benchmark, in the order in which they run.
const (
	partRoute  = "route"
	partIssue  = "issue"
	partPeople = "people"
	partGo     = "go"
	partScale  = "scale"
	partPeers  = "peers" // only where there are such
)

var allParts = []string{partRoute, partIssue, partPeople, partGo, partScale, partPeers}

// module is the product's module, whose Caddy is measured.
const module = "github.com/caddy-oauth2/caddy-oauth2"

// bench is one run of the command.
type bench struct {
	opts    options
	cores   cores
	dir     string // temporary, removed at the end
	root    string // the product's folder
	self    string // this program, for helpers
	caddy   string // the binary that is measured
	sealKey string // of all stores of this run
	report  report

	repeatUntil time.Time // until then, disturbed samples are taken again
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the command, or one of the helper processes that it starts.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if helper, ok := helpers[args[0]]; ok {
			return helper(ctx)
		}
	}
	opts, err := parse(args)
	if err != nil {
		return err
	}
	where, err := settle()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{
		opts: opts, cores: where, self: self,
		sealKey:     tokenstore.GenerateSealKey().Text(),
		repeatUntil: time.Now().Add(opts.repeatFor),
	}
	if b.dir, err = os.MkdirTemp("", "caddy-oauth2-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.measureAll(ctx); err != nil {
		if ctx.Err() != nil { // whatever it broke
			return errors.New("interrupted")
		}
		return err
	}
	return b.conclude()
}

// measureAll runs the parts that were asked for.
func (b *bench) measureAll(ctx context.Context) error {
	if err := b.build(ctx); err != nil {
		return err
	}
	b.progress("%s", b.report.Machine.Layout)
	parts := map[string]func(context.Context) error{
		partRoute:  b.protectedRoute,
		partIssue:  b.issuance,
		partPeople: b.people,
		partGo:     b.goBenchmarks,
		partScale:  b.scale,
		partPeers:  b.comparePeers,
	}
	for _, part := range allParts {
		if !slices.Contains(b.opts.parts, part) {
			continue
		}
		if err := parts[part](ctx); err != nil {
			return err
		}
	}
	return nil
}

// build finds the product and builds its Caddy, once.
func (b *bench) build(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return fmt.Errorf("finding %s (run this in its folder examples/bench): %w", module, err)
	}
	b.root = strings.TrimSpace(string(out))
	b.report.Machine = describeMachine(b.cores, b.root)
	b.progress("building %s/examples/caddy", module)
	b.caddy = filepath.Join(b.dir, "caddy")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.caddy, "./examples/caddy")
	cmd.Dir = b.root
	if out, err := b.output(cmd, b.cores.onAll); err != nil {
		return fmt.Errorf("building examples/caddy: %w\n%s", err, out)
	}
	return b.report.Machine.addVersions(b.caddy)
}

// conclude prints the table and says whether the gates held.
func (b *bench) conclude() error {
	if b.opts.json != "" {
		if err := b.report.save(b.opts.json); err != nil {
			return err
		}
	}
	if err := b.report.markdown(os.Stdout); err != nil {
		return err
	}
	failed := append(b.report.failures(), b.report.missing(b.opts.gates)...)
	if len(failed) > 0 {
		return fmt.Errorf("gates: %s", strings.Join(failed, "; "))
	}
	return nil
}

// add puts figures of one part into the report.
func (b *bench) add(part string, figures ...figure) {
	for _, f := range figures {
		f.Part = part
		b.report.add(b.opts.gates, f)
	}
}

// progress tells a waiting person what is going on.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
