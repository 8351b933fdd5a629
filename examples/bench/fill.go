// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// writers is how many changes are on their way at a time in a bulk load. The
// engine commits them in groups.
const writers = 512

// liveFor is the lifetime of tokens that shall not expire during a run.
const liveFor = 24 * time.Hour

// fillOrder is what the fill helper is told.
type fillOrder struct {
	Vault  vaultOptions
	Signed bool   // JWTs instead of opaque tokens
	Tokens int    // how many to mint
	Each   int    // how many in one change: with 1 the file grows as it does by use
	Keep   int    // how many of them, chosen at random, to write down
	Out    string // where to: one token a line
}

// filled is what it answers.
type filled struct {
	Seconds   float64
	FileBytes int64 // the file's size
	FreeBytes int64 // of it unused
}

// used is how much of the file is in use.
func (f filled) used() int64 { return f.FileBytes - f.FreeBytes }

// fillHelper mints live tokens into a store.
func fillHelper(ctx context.Context, o fillOrder) (_ filled, err error) {
	v, err := openVault(ctx, o.Vault, nil)
	if err != nil {
		return filled{}, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	if o.Signed {
		v.sign()
	}
	begin := time.Now()
	kept, err := v.mintMany(ctx, o.Tokens, o.Each, o.Keep, liveFor)
	if err != nil {
		return filled{}, err
	}
	stats := v.engine.Stats()
	done := filled{time.Since(begin).Seconds(), stats.FileBytes, stats.FreeBytes}
	return done, os.WriteFile(o.Out, []byte(strings.Join(kept, "\n")+"\n"), 0o600)
}

// mintMany mints n tokens, each at a time in one change and many changes at a
// time, and returns keep of them, chosen at random among all.
func (v *vault) mintMany(ctx context.Context, n, each, keep int, lifetime time.Duration) ([]string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		begun   atomic.Int64
		workers sync.WaitGroup
		mu      sync.Mutex
		kept    []string
		seen    int
	)
	for range min(n, writers) {
		workers.Go(func() {
			for ctx.Err() == nil {
				some := min(each, n-int(begun.Add(int64(each)))+each)
				if some <= 0 {
					return
				}
				texts, err := v.mint(ctx, some, lifetime)
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				for _, text := range texts {
					// Reservoir sampling: each token stays with the same chance.
					if seen++; len(kept) < keep {
						kept = append(kept, text)
					} else if i := rand.IntN(seen); i < keep {
						kept[i] = text
					}
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	rand.Shuffle(len(kept), func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
	return kept, nil
}

// fill runs the fill helper on all cores and reads the tokens that it kept.
func (b *bench) fill(ctx context.Context, o fillOrder) ([]string, filled, error) {
	b.progress("minting %d tokens", o.Tokens)
	var done filled
	if err := b.help(ctx, "fill", b.cores.onAll, o, &done); err != nil {
		return nil, done, err
	}
	b.progress("%d tokens in %.1f s: %.0f/s", o.Tokens, done.Seconds, float64(o.Tokens)/done.Seconds)
	file, err := os.Open(o.Out)
	if err != nil {
		return nil, done, err
	}
	defer file.Close()
	var kept []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		kept = append(kept, lines.Text())
	}
	if err := lines.Err(); err != nil {
		return nil, done, err
	}
	if len(kept) != o.Keep {
		return nil, done, fmt.Errorf("the bulk load kept %d tokens, not %d", len(kept), o.Keep)
	}
	return kept, done, nil
}
