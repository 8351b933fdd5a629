// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// issueSlices is how many slices a pair has of each side. They are longer than those
// of the route, for commits come in groups.
const issueSlices = 2

const (
	tokenPath = "/oauth/token"
	tokenForm = "grant_type=client_credentials&scope=" + scopeHeld
)

// issueConns is at how many connections issuance is measured.
var issueConns = []int{1, 16, 64}

// issuance compares the token endpoint with the bare write below it, on this
// machine's disk and on a slower one.
func (b *bench) issuance(ctx context.Context) error {
	if err := b.issueWith(ctx, "", "Issuance: client_credentials at 1, 16, 64 connections", 0); err != nil {
		return err
	}
	if b.opts.slow == 0 {
		return nil
	}
	title := fmt.Sprintf("The same, each commit %v slower", b.opts.slow)
	return b.issueWith(ctx, "slow-", title, b.opts.slow)
}

func (b *bench) issueWith(ctx context.Context, prefix, title string, delay time.Duration) error {
	dir := filepath.Join(b.dir, prefix+"issue")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	g, err := b.newGateway(ctx, gatewayOptions{store: filepath.Join(dir, "gateway.db"), upstream: "127.0.0.1:9", commitDelay: delay})
	if err != nil {
		return err
	}
	if _, err := b.start(ctx, g, g.refuses); err != nil {
		return err
	}
	defer g.stop()
	if _, err := g.issue(ctx); err != nil {
		return err
	}
	p, addr, err := b.startBare(ctx, dir, delay)
	if err != nil {
		return err
	}
	defer p.stop()
	for _, conns := range issueConns {
		if err := b.issueAt(ctx, prefix, title, conns, g, p.pid(), addr); err != nil {
			return errors.Join(err, errors.New(g.lastWords()), errors.New(p.lastWords()))
		}
	}
	if delay > 0 {
		return nil // a signature takes as long on any disk
	}
	if err := b.issueSigned(ctx, title, g); err != nil {
		return errors.Join(err, errors.New(g.lastWords()))
	}
	return nil
}

// issueAt measures at one number of connections.
func (b *bench) issueAt(ctx context.Context, prefix, title string, conns int, g *gateway, barePID int, bareAddr string) error {
	own, err := newSide(ctx, "client_credentials", g.pid(), formLoad(g.tokens, tokenPath, clientID), conns)
	if err != nil {
		return err
	}
	defer own.leave()
	apply, err := newSide(ctx, "bare endpoint with the same Apply", barePID, formLoad(bareAddr, bareApply, clientID), conns)
	if err != nil {
		return err
	}
	defer apply.leave()
	batch, err := newSide(ctx, "bare endpoint with db.Batch", barePID, formLoad(bareAddr, bareBatch, clientID), conns)
	if err != nil {
		return err
	}
	defer batch.leave()
	raw := side{name: "Apply without HTTP", pid: barePID, run: bareLoop(bareAddr, bareRaw, conns)}

	var issued []sample
	for _, one := range []struct {
		key  string
		base side
	}{{"issue", apply}, {"raw", raw}, {"batch", batch}} {
		all, err := b.compare(ctx, one.base, []side{own}, plan{b.opts.issuePairs, issueSlices, b.opts.issueFor, diskForeignLimit})
		if err != nil {
			return err
		}
		c := all[0]
		issued = append(issued, c.own()...)
		b.add(title, issueFigure(fmt.Sprintf("%s%s-%d", prefix, one.key, conns), fmt.Sprintf("at %d ÷ %s: tokens/s", conns, one.base.name), c))
	}
	b.add(title, figure{
		Key: fmt.Sprintf("%sissue-p99-%d", prefix, conns), Value: single(p99Of(issued)), Unit: "ms",
		What: fmt.Sprintf("at %d: p99", conns),
	})
	return nil
}

// issueFigure is a comparison of tokens per second.
func issueFigure(key, what string, c *comparison) figure {
	own, base := c.own(), c.base()
	return figure{
		Key: key, What: what, Value: c.rates(), Mark: c.mark(),
		Detail: fmt.Sprintf("%s/s ÷ %s/s; p99 %s ms ÷ %s ms; CPU %s µs ÷ %s µs",
			number(rateOf(own).Median), number(rateOf(base).Median), number(p99Of(own)), number(p99Of(base)),
			number(cpuOf(own).Median), number(cpuOf(base).Median)),
	}
}

// startBare starts what issuance is compared with.
func (b *bench) startBare(ctx context.Context, dir string, delay time.Duration) (*process, string, error) {
	addrs, err := freeAddresses(1)
	if err != nil {
		return nil, "", err
	}
	order, err := orderFor(bareOrder{
		Vault: vaultOptions{Path: dir, SealKey: b.sealKey, Issuer: "http://" + addrs[0]}, Addr: addrs[0], CommitDelay: delay,
	})
	if err != nil {
		return nil, "", err
	}
	p, err := start(ctx, b.dir, "bare", b.cores.onServer, nil, order, b.self, "bare")
	if err != nil {
		return nil, "", err
	}
	err = p.until(ctx, startPatience, func() error {
		status, _, err := post(ctx, "http://"+addrs[0]+bareApply, tokenForm)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("the bare endpoint answers %d", status)
		}
		return err
	}, startPace)
	if err != nil {
		p.stop()
		return nil, "", err
	}
	return p, addrs[0], nil
}

// formLoad is a load of token requests of a client with a secret.
func formLoad(addr, path, client string) load {
	basic := base64.StdEncoding.EncodeToString([]byte(client + ":" + clientSecret))
	return load{addr: addr, request: formRequest(addr, path, "Authorization: Basic "+basic+"\r\n", tokenForm)}
}

// formRequest is the bytes of a token request; headers are whole lines.
func formRequest(addr, path, headers, form string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		path, addr, headers, len(form), form)
}

// bareLoop lets the bare endpoint do by itself what is at a path.
func bareLoop(addr, path string, conns int) func(context.Context, time.Duration) (latencies, time.Duration, error) {
	return func(ctx context.Context, duration time.Duration) (latencies, time.Duration, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s%s?conns=%d&for=%s", addr, path, conns, duration), nil)
		if err != nil {
			return nil, 0, err
		}
		status, body, err := send(r)
		if err != nil {
			return nil, 0, err
		}
		if status != http.StatusOK {
			return nil, 0, fmt.Errorf("the bare endpoint answers %d: %s", status, body)
		}
		var seen loopResult
		err = json.Unmarshal(body, &seen)
		return seen.Latencies, seen.Took, err
	}
}
