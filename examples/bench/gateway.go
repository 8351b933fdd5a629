// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// clientID and clientSecret are the client of this folder's Caddyfile.
	clientID     = "bench"
	clientSecret = "a-secret-that-only-the-benchmark-uses"
	// scopeHeld is a scope that the bulk-loaded tokens have, and readPath what it
	// opens; writePath needs one that they have not.
	scopeHeld = "api:read"
	readPath  = "/read"
	writePath = "/write"
	// echoPath is answered by the service with the credential that reached it.
	echoPath = "/credential"
	// startPatience is how long a process may take to answer first.
	startPatience = 60 * time.Second
)

// gateway is the Caddy that is measured.
type gateway struct {
	*process
	env    []string
	config string // JSON
	vault  vaultOptions

	admin, tokens, respond, guarded, plain, protected, phantom string // host:port
}

// gatewayOptions is what differs between the gateways of a run.
type gatewayOptions struct {
	store       string // file of the store
	upstream    string // host:port of the service behind
	commitDelay time.Duration
}

// newGateway chooses the addresses of a gateway and writes its configuration; it
// does not run yet.
func (b *bench) newGateway(ctx context.Context, o gatewayOptions) (*gateway, error) {
	ports, err := freeAddresses(7)
	if err != nil {
		return nil, err
	}
	g := &gateway{
		config: o.store + ".json",
		admin:  ports[0], tokens: ports[1], respond: ports[2], plain: ports[3], protected: ports[4], guarded: ports[5],
		phantom: ports[6],
	}
	home := filepath.Join(b.dir, "home")
	g.env = []string{
		"HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_CONFIG_HOME=" + home,
		"BENCH_ADMIN=" + g.admin, "BENCH_TOKENS=" + g.tokens, "BENCH_RESPOND=" + g.respond,
		"BENCH_GUARDED=" + g.guarded, "BENCH_PLAIN=" + g.plain, "BENCH_PROTECTED=" + g.protected,
		"BENCH_PHANTOM=" + g.phantom,
		"BENCH_UPSTREAM=" + o.upstream, "BENCH_STORE=" + o.store, "BENCH_SECRET=" + clientSecret,
		"BENCH_SEAL_KEY=" + b.sealKey,
	}
	g.vault = vaultOptions{Path: o.store, SealKey: b.sealKey, Issuer: "http://" + g.tokens}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	return g, b.adapt(ctx, g, o.commitDelay)
}

// adapt turns this folder's Caddyfile into the gateway's JSON. There the engine
// is told to be slower, which no Caddyfile can.
func (b *bench) adapt(ctx context.Context, g *gateway, commitDelay time.Duration) error {
	cmd := exec.CommandContext(ctx, b.caddy, "adapt", "--config", filepath.Join(b.root, "examples", "bench", "Caddyfile"))
	cmd.Env = append(os.Environ(), g.env...)
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("adapting the Caddyfile: %w: %s", err, lastWordsOf(err))
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("the adapted Caddyfile: %w", err)
	}
	if commitDelay > 0 {
		at := any(config)
		for _, name := range []string{"apps", "oauth2", "store"} {
			object, _ := at.(map[string]any)
			at = object[name]
		}
		store, ok := at.(map[string]any)
		if !ok {
			return errors.New("the adapted Caddyfile has no store to slow down")
		}
		store["commit_delay"] = commitDelay.String()
	}
	if text, err = json.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(g.config, text, 0o600)
}

// lastWordsOf is what a command that failed had to say.
func lastWordsOf(err error) []byte {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.Stderr
	}
	return nil
}

// start runs the gateway on the server's core and waits until it is ready; it
// says how long that took, from the start of the process.
func (b *bench) start(ctx context.Context, g *gateway, ready func(context.Context) error) (time.Duration, error) {
	begin := time.Now()
	var err error
	g.process, err = start(ctx, b.dir, "caddy", b.cores.onServer, g.env, nil, b.caddy, "run", "--config", g.config)
	if err != nil {
		return 0, err
	}
	if err = g.until(ctx, startPatience, func() error { return ready(ctx) }, startPace); err != nil {
		g.stop()
		return 0, err
	}
	return time.Since(begin), nil
}

// refuses says nil when the guard is at work: a request without a token is
// refused.
func (g *gateway) refuses(ctx context.Context) error {
	return expect(ctx, "no token", g.protected, readPath, "", http.StatusUnauthorized)
}

// accepts says nil when a request with the token is answered by the service
// behind.
func (g *gateway) accepts(token string) func(context.Context) error {
	return func(ctx context.Context) error {
		return expect(ctx, "a good token", g.protected, readPath, token, http.StatusOK)
	}
}

// freeAddresses are addresses of loopback at which nobody listens.
func freeAddresses(n int) ([]string, error) {
	var list []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer l.Close()
		list = append(list, l.Addr().String())
	}
	return list, nil
}

// plainClient sends the requests that are not measured, each on its own
// connection.
var plainClient = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true},
	Timeout:   10 * time.Second,
}

// get sends a GET request, with a bearer token unless it is "", and returns the
// status.
func get(ctx context.Context, url, token string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	status, _, err := send(r)
	return status, err
}

// post sends a form as the benchmark's client.
func post(ctx context.Context, url, form string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(form))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, clientSecret)
	return send(r)
}

func send(r *http.Request) (int, []byte, error) {
	answer, err := plainClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	return answer.StatusCode, body, errors.Join(err, answer.Body.Close())
}
