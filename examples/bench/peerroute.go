// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
)

const (
	peerRouteTitle = "Peers at the route (÷ reverse_proxy of Caddy with the same requests)"
	// peerRounds is how often all tokens are used before anything is measured, so
	// that whoever keeps answers has them.
	peerRounds = 2
)

// peerSide is a way that is measured.
type peerSide struct {
	way  peerWay
	side side
}

// peersAtRoute compares everybody with the same plain proxy, all of them up at once:
// those that take opaque tokens or none, then those that take JWTs.
func (b *bench) peersAtRoute(ctx context.Context, g *gateway, facts peerFacts, opaque, signed *deck) error {
	names := b.peersThat(func(k peerKind) bool { return k.ways != nil })
	if len(names) == 0 {
		return nil
	}
	var peers []*runningPeer
	for _, name := range names {
		b.progress("starting %s", name)
		p, err := b.startPeer(ctx, name, facts)
		if err != nil {
			return err
		}
		defer p.stop()
		peers = append(peers, p)
	}
	for _, tokens := range []*deck{opaque, signed} {
		if err := b.peersWith(ctx, g, peers, tokens, tokens == signed); err != nil {
			return err
		}
	}
	return nil
}

// peersWith compares those that take tokens of a format.
func (b *bench) peersWith(ctx context.Context, g *gateway, peers []*runningPeer, tokens *deck, signed bool) error {
	var list []peerSide
	defer func() {
		for _, one := range list {
			one.side.leave()
		}
	}()
	add := func(p *process, addr string, ways []peerWay) error {
		for _, way := range ways {
			if way.signed != signed {
				continue
			}
			s, err := b.peerSide(ctx, p, addr, way, tokens)
			if err != nil {
				return fmt.Errorf("%w\n%s", err, p.lastWords())
			}
			if way.asks {
				s.with = []int{g.pid()}
			}
			list = append(list, peerSide{way, s})
		}
		return nil
	}
	if err := add(g.process, g.protected, ownWays); err != nil {
		return err
	}
	for _, p := range peers {
		if err := add(p.process, p.facts.Listen, p.kind.ways); err != nil {
			return err
		}
	}
	base, err := newSide(ctx, "reverse_proxy", g.pid(), withTokens(g.plain, readPath, tokens), b.opts.conns)
	if err != nil {
		return err
	}
	defer base.leave()
	var sides []side
	for _, one := range list {
		sides = append(sides, one.side)
	}
	all, err := b.compare(ctx, base, sides, plan{b.opts.pairs, routeSlices, b.opts.duration, foreignLimit})
	if err != nil {
		return err
	}
	for i, c := range all {
		b.add(peerRouteTitle, routeFigures(list[i].way.key, c)...)
	}
	return nil
}

// peerSide waits until a way is open, makes sure that it is what it is called, and
// lets it see all tokens.
func (b *bench) peerSide(ctx context.Context, p *process, addr string, way peerWay, tokens *deck) (side, error) {
	err := p.until(ctx, startPatience, func() error {
		return expect(ctx, way.name, addr, way.prefix+readPath, tokens.tokens[0], http.StatusOK)
	}, startPace)
	if err != nil {
		return side{}, err
	}
	if err := way.check(ctx, addr, tokens.tokens[0]); err != nil {
		return side{}, err
	}
	l := withTokens(addr, way.prefix+readPath, tokens)
	if err := useAll(ctx, l, peerRounds); err != nil {
		return side{}, fmt.Errorf("%s: %w", way.name, err)
	}
	return newSide(ctx, way.name, p.pid(), l, b.opts.conns)
}

// check makes sure that a way refuses bad requests, unless it is open.
func (w peerWay) check(ctx context.Context, addr, good string) error {
	for what, token := range map[string]string{"a corrupted token": corrupted(good), "no token": ""} {
		status, err := get(ctx, "http://"+addr+w.prefix+readPath, token)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		refused := status == http.StatusUnauthorized || status == http.StatusForbidden
		if refused == w.open {
			return fmt.Errorf("%s: %s is answered %d", w.name, what, status)
		}
	}
	return nil
}
