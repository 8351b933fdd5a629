// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
)

const (
	signInTitle = "Sign-ins (÷ argon2id alone)"
	// signInSlices is how many slices a pair has of each side. They are longer than those
	// of issuance by signInLonger: a hash takes as long as a hundred tokens.
	signInSlices, signInLonger = 2, 4
	// signInConns is how many sign in at a time, each to an account of their own: more at
	// one account would be taken for guessing.
	signInConns = 8
)

// signIns compares signing in, with its page, its form and its commit, with the hash
// that each sign-in needs. Each time it is with a browser that nobody has seen.
func (b *bench) signIns(ctx context.Context, site *website, pid int, bare *process, bareAddr string) error {
	own := inLoop("sign-ins", pid, signInConns, func(ctx context.Context, i int) error {
		someones, err := site.newBrowser()
		if err != nil {
			return err
		}
		return someones.signIn(ctx, username(i))
	})
	base := side{name: "argon2id alone", pid: bare.pid(), run: bareLoop(bareAddr, bareHash, 1)}
	all, err := b.compare(ctx, base, []side{own}, plan{b.opts.issuePairs, signInSlices, signInLonger * b.opts.issueFor, diskForeignLimit})
	if err != nil {
		return err
	}
	b.add(signInTitle, issueFigure("signin", fmt.Sprintf("%d people at a time: sign-ins/s", signInConns), all[0]))
	return nil
}
