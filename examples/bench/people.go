// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	users "github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// population is how many people have an account: one for each connection at most.
	population = 64
	// password is everybody's.
	password = "a password that only the benchmark uses"
)

func username(i int) string { return fmt.Sprintf("person-%d", i) }

// people measures what people do: they sign in, an application gets tokens of theirs
// and replaces them, and they look at pages.
func (b *bench) people(ctx context.Context) error {
	dir := filepath.Join(b.dir, "people")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	g, err := b.newGateway(ctx, gatewayOptions{store: filepath.Join(dir, "gateway.db"), upstream: "127.0.0.1:9"})
	if err != nil {
		return err
	}
	b.progress("adding %d people", population)
	if err := addPeople(ctx, g.vault); err != nil {
		return err
	}
	if _, err := b.start(ctx, g, g.refuses); err != nil {
		return err
	}
	defer g.stop()
	p, addr, err := b.startBare(ctx, dir, 0)
	if err != nil {
		return err
	}
	defer p.stop()
	site := newWebsite(g.tokens)
	defer site.leave()
	for _, part := range []func(context.Context, *website, int, *process, string) error{b.signIns, b.flows} {
		if err := part(ctx, site, g.pid(), p, addr); err != nil {
			return errors.Join(err, errors.New(g.lastWords()), errors.New(p.lastWords()))
		}
	}
	return nil
}

// addPeople puts the accounts into a store that is to be served.
func addPeople(ctx context.Context, o vaultOptions) (err error) {
	v, err := openVault(ctx, o, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	directory, err := users.New(users.Config{
		Store:    func(context.Context) (*tokenstore.DB, error) { return v.db, nil },
		Recorder: authz.Discard,
	})
	if err != nil {
		return err
	}
	for i := range population {
		if _, err := directory.Create(ctx, "bench", users.Addition{Username: username(i), Password: password}); err != nil {
			return fmt.Errorf("adding people: %w", err)
		}
	}
	return nil
}

// inLoop is a side of n callers who do something again and again.
func inLoop(name string, pid, n int, do func(context.Context, int) error) side {
	return side{name: name, pid: pid, run: func(ctx context.Context, duration time.Duration) (latencies, time.Duration, error) {
		ctx, cancel := context.WithTimeout(ctx, duration+patience)
		defer cancel()
		seen, err := closedLoop(n, duration, func(i int) error { return do(ctx, i) })
		return seen.Latencies, seen.Took, err
	}}
}
