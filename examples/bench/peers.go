// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// peerTokens is how many tokens of each format go round.
	peerTokens = 1000

	jwksPath          = "/oauth/jwks"
	introspectionPath = "/oauth/introspect"
)

// comparePeers measures the peers that were given, and ours with them.
func (b *bench) comparePeers(ctx context.Context) error {
	if len(b.opts.peers) == 0 {
		return nil
	}
	service, err := startUpstream()
	if err != nil {
		return err
	}
	defer service.close()
	if err := os.Mkdir(filepath.Join(b.dir, "peers"), 0o700); err != nil {
		return err
	}
	g, err := b.newGateway(ctx, gatewayOptions{store: filepath.Join(b.dir, "peers", "gateway.db"), upstream: service.addr()})
	if err != nil {
		return err
	}
	opaque, err := b.fillPeers(ctx, g, false)
	if err != nil {
		return err
	}
	signed, err := b.fillPeers(ctx, g, true)
	if err != nil {
		return err
	}
	if _, err := b.start(ctx, g, g.refuses); err != nil {
		return err
	}
	defer g.stop()
	if err := g.check(ctx, opaque.tokens[0], signed.tokens[0]); err != nil {
		return fmt.Errorf("%w\n%s", err, g.lastWords())
	}
	if err := g.awaitCount(ctx); err != nil {
		return err
	}
	keyFile := filepath.Join(b.dir, "peers", "issuer.pem")
	if err := g.saveKey(ctx, keyFile); err != nil {
		return err
	}
	facts := factsFor(g, service.addr(), keyFile)
	if err := b.peersAtRoute(ctx, g, facts, opaque, signed); err != nil {
		return fmt.Errorf("%w\n%s", err, g.lastWords())
	}
	if err := b.peersAtIssuance(ctx, g, facts); err != nil {
		return fmt.Errorf("%w\n%s", err, g.lastWords())
	}
	b.notePeers(ctx)
	return nil
}

// fillPeers mints the tokens of one format that go round.
func (b *bench) fillPeers(ctx context.Context, g *gateway, signed bool) (*deck, error) {
	tokens, _, err := b.fill(ctx, fillOrder{
		Vault: g.vault, Signed: signed, Tokens: peerTokens, Each: 1, Keep: peerTokens, Out: filepath.Join(b.dir, "peers", "tokens"),
	})
	return &deck{tokens: tokens}, err
}

// peersThat are the names of the peers given that have something, in order.
func (b *bench) peersThat(has func(peerKind) bool) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b.opts.peers)) {
		if has(peerKinds[name]) {
			names = append(names, name)
		}
	}
	return names
}

// notePeers notes who was compared.
func (b *bench) notePeers(ctx context.Context) {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(b.opts.peers)) {
		list = append(list, strings.TrimSpace(name+" "+peerVersion(ctx, name, b.opts.peers[name])))
	}
	b.report.Notes = append(b.report.Notes, "Peers: "+strings.Join(list, ", ")+".")
}
