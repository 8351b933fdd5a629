// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
)

const peerIssueTitle = "Peers at issuance (÷ ours): client_credentials"

// peersAtIssuance compares token endpoints with ours, one peer at a time.
func (b *bench) peersAtIssuance(ctx context.Context, g *gateway, facts peerFacts) error {
	for _, name := range b.peersThat(func(k peerKind) bool { return k.tokenPath != "" }) {
		if err := b.peerAtIssuance(ctx, g, name, facts); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) peerAtIssuance(ctx context.Context, g *gateway, name string, facts peerFacts) error {
	b.progress("starting %s", name)
	p, err := b.startPeer(ctx, name, facts)
	if err != nil {
		return err
	}
	defer p.stop()
	err = p.until(ctx, startPatience, func() error {
		return expect(ctx, name, p.facts.Listen, p.kind.readyPath, "", http.StatusOK)
	}, startPace)
	if err == nil {
		err = p.register(ctx)
	}
	for _, conns := range issueConns {
		if err == nil {
			err = b.peerIssuesAt(ctx, g, p, conns)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, p.lastWords())
	}
	return nil
}

func (b *bench) peerIssuesAt(ctx context.Context, g *gateway, p *runningPeer, conns int) error {
	base, err := newSide(ctx, "ours", g.pid(), formLoad(g.tokens, tokenPath, clientID), conns)
	if err != nil {
		return err
	}
	defer base.leave()
	own, err := newSide(ctx, p.name, p.pid(), formLoad(p.facts.Listen, p.kind.tokenPath, clientID), conns)
	if err != nil {
		return err
	}
	defer own.leave()
	all, err := b.compare(ctx, base, []side{own}, plan{b.opts.issuePairs, issueSlices, b.opts.issueFor, diskForeignLimit})
	if err != nil {
		return err
	}
	b.add(peerIssueTitle, issueFigure(peerIssueKey(p.name, conns), fmt.Sprintf("%s at %d: tokens/s", p.name, conns), all[0]))
	return nil
}
