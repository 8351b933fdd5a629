// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// peerKind is a program that people would use instead of this one: how it is run, and
// what of it is compared. Its configuration is in the folder peers/NAME.
type peerKind struct {
	module string   // its Go module, whose version is in the binary
	files  []string // of its folder, put into a folder of the run, with the facts where they name them
	setUp  []string // arguments with which it is run once, before it is started
	run    func(path string, f peerFacts) []string
	env    func(path string, f peerFacts) []string

	ways      []peerWay // that lead to the service
	tokenPath string    // of its token endpoint, where issuing is compared
	readyPath string    // answered with 200 when it is up; for those that issue
	addClient string    // where its client is registered, at its address for operators
}

// peerWay is one way to the service.
type peerWay struct {
	key, name string
	prefix    string // of the path
	signed    bool   // takes JWTs, else opaque tokens
	open      bool   // lets everything pass
	asks      bool   // asks the gateway, whose time counts too
}

// peerKinds are the peers by name.
var peerKinds = map[string]peerKind{
	"nginx": {
		files: []string{"nginx.conf"},
		run: func(path string, f peerFacts) []string {
			return []string{path, "-p", f.Dir, "-c", filepath.Join(f.Dir, "nginx.conf"), "-e", "stderr"}
		},
		ways: []peerWay{
			{key: "peer-nginx", name: "nginx, unprotected", prefix: "/plain", open: true},
			{key: "peer-nginx-auth", name: "nginx, auth_request to our guard", prefix: "/auth", asks: true},
		},
	},
	"oauth2-proxy": {
		module: "github.com/oauth2-proxy/oauth2-proxy/v7",
		files:  []string{"oauth2-proxy.cfg"},
		run: func(path string, f peerFacts) []string {
			return []string{path, "--config", filepath.Join(f.Dir, "oauth2-proxy.cfg")}
		},
		ways: []peerWay{{key: "peer-oauth2-proxy", name: "oauth2-proxy, JWT", signed: true}},
	},
	"oathkeeper": {
		module: "github.com/ory/oathkeeper",
		files:  []string{"oathkeeper.yml", "rules.json"},
		run: func(path string, f peerFacts) []string {
			return []string{path, "serve", "--config", filepath.Join(f.Dir, "oathkeeper.yml")}
		},
		ways: []peerWay{
			{key: "peer-oathkeeper-jwt", name: "oathkeeper, JWT", prefix: "/jwt", signed: true},
			{key: "peer-oathkeeper-introspection", name: "oathkeeper, cached introspection", prefix: "/introspection"},
		},
	},
	"caddy-security": {
		module: "github.com/greenpau/caddy-security",
		files:  []string{"Caddyfile"},
		run:    runCaddy,
		env:    caddyEnv,
		ways:   []peerWay{{key: "peer-caddy-security", name: "caddy-security, JWT", signed: true}},
	},
	"caddy-jwt": {
		module: "github.com/ggicci/caddy-jwt",
		files:  []string{"Caddyfile"},
		run:    runCaddy,
		env:    caddyEnv,
		ways:   []peerWay{{key: "peer-caddy-jwt", name: "caddy-jwt, JWT", signed: true}},
	},
	"hydra": {
		module: "github.com/ory/hydra/v2",
		files:  []string{"hydra.yml"},
		setUp:  []string{"migrate", "sql", "up", "--yes", "--read-from-env", "--config", "hydra.yml"},
		run: func(path string, f peerFacts) []string {
			return []string{path, "serve", "all", "--dev", "--config", filepath.Join(f.Dir, "hydra.yml")}
		},
		tokenPath: "/oauth2/token",
		readyPath: "/health/ready",
		addClient: "/admin/clients",
	},
	"oidc-provider": {
		files: []string{"server.mjs"},
		run: func(path string, f peerFacts) []string {
			return []string{"node", filepath.Join(f.Dir, "server.mjs")}
		},
		env: func(path string, f peerFacts) []string {
			return []string{
				"NODE_ENV=production", "BENCH_FOLDER=" + path, "BENCH_LISTEN=" + f.Listen, "BENCH_DATABASE=" + filepath.Join(f.Dir, "tokens.db"),
				"BENCH_CLIENT=" + f.ClientID, "BENCH_SECRET=" + f.ClientSecret, "BENCH_SCOPE=" + f.Scope,
			}
		},
		tokenPath: "/token",
		readyPath: "/.well-known/openid-configuration",
	},
}

func runCaddy(path string, f peerFacts) []string {
	return []string{path, "run", "--config", filepath.Join(f.Dir, "Caddyfile")}
}

// caddyEnv are the facts as Caddyfiles have them.
func caddyEnv(_ string, f peerFacts) []string {
	return []string{
		"BENCH_LISTEN=" + f.Listen, "BENCH_UPSTREAM=" + f.Upstream, "BENCH_ISSUER=" + f.Issuer, "BENCH_JWKS=" + f.JWKS,
		"BENCH_KEY_FILE=" + f.KeyFile, "BENCH_SCOPE=" + f.Scope,
	}
}

// ownWays are ours, measured with the peers.
var ownWays = []peerWay{
	{key: "own-opaque", name: "caddy-oauth2, opaque tokens"},
	{key: "own-jwt", name: "caddy-oauth2, JWT", signed: true},
}

// peerKeys are the keys of all figures that a run with all peers has.
func peerKeys() []string {
	var keys []string
	ways := slices.Clone(ownWays)
	for _, name := range slices.Sorted(maps.Keys(peerKinds)) {
		kind := peerKinds[name]
		ways = append(ways, kind.ways...)
		if kind.tokenPath != "" {
			for _, conns := range issueConns {
				keys = append(keys, peerIssueKey(name, conns))
			}
		}
	}
	for _, way := range ways {
		keys = append(keys, way.key, way.key+"-cpu")
	}
	return keys
}

func peerIssueKey(name string, conns int) string { return fmt.Sprintf("peer-%s-%d", name, conns) }
