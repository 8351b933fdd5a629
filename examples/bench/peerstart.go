// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

// peerFacts is what the configurations of peers are filled with. Addresses are
// host:port.
type peerFacts struct {
	Dir                  string // a folder of its own
	Listen, Admin, Spare string // where it listens, for callers and operators
	Upstream             string // the service behind
	Guarded              string // the gateway's guard without a proxy
	Issuer               string
	JWKS, Introspection  string // URLs of the gateway
	KeyFile              string // the issuer's public key, PEM
	Scope                string // that it must require
	ClientID             string // a client of the gateway, and its own
	ClientSecret         string
	Basic                string // the Authorization header of that client
}

// runningPeer is a peer that has been started.
type runningPeer struct {
	*process
	name  string
	kind  peerKind
	facts peerFacts
}

// factsFor gathers what peers must know of a gateway.
func factsFor(g *gateway, upstream, keyFile string) peerFacts {
	return peerFacts{
		Upstream: upstream, Guarded: g.guarded, Issuer: g.vault.Issuer, KeyFile: keyFile, Scope: scopeHeld,
		JWKS: g.vault.Issuer + jwksPath, Introspection: g.vault.Issuer + introspectionPath,
		ClientID: clientID, ClientSecret: clientSecret,
		Basic: "Basic " + base64.StdEncoding.EncodeToString([]byte(clientID+":"+clientSecret)),
	}
}

// saveKey writes the key that verifies the gateway's JWTs to a file, as PEM.
func (g *gateway) saveKey(ctx context.Context, file string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.tokens+jwksPath, nil)
	if err != nil {
		return err
	}
	_, document, err := send(r)
	if err != nil {
		return err
	}
	set, err := jose.ParseKeySet(document)
	if err != nil {
		return err
	}
	if len(set) != 1 {
		return fmt.Errorf("the gateway publishes %d keys: %s", len(set), document)
	}
	der, err := x509.MarshalPKIXPublicKey(set[0].Public)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600)
}

// startPeer starts a peer on the server's core.
func (b *bench) startPeer(ctx context.Context, name string, facts peerFacts) (*runningPeer, error) {
	path, p := b.opts.peers[name], &runningPeer{name: name, kind: peerKinds[name], facts: facts}
	addrs, err := freeAddresses(3)
	if err != nil {
		return nil, err
	}
	p.facts.Listen, p.facts.Admin, p.facts.Spare = addrs[0], addrs[1], addrs[2]
	p.facts.Dir = filepath.Join(b.dir, "peers", name)
	if err := os.MkdirAll(p.facts.Dir, 0o700); err != nil {
		return nil, err
	}
	for _, file := range p.kind.files {
		if err := b.fillIn(name, file, p.facts); err != nil {
			return nil, err
		}
	}
	env := []string{"HOME=" + p.facts.Dir, "XDG_DATA_HOME=" + p.facts.Dir, "XDG_CONFIG_HOME=" + p.facts.Dir}
	if p.kind.env != nil {
		env = append(env, p.kind.env(path, p.facts)...)
	}
	if p.kind.setUp != nil {
		cmd := exec.CommandContext(ctx, path, p.kind.setUp...)
		cmd.Dir, cmd.Env = p.facts.Dir, append(os.Environ(), env...)
		if out, err := b.output(cmd, b.cores.onAll); err != nil {
			return nil, fmt.Errorf("setting up %s: %w\n%s", name, err, out)
		}
	}
	p.process, err = start(ctx, p.facts.Dir, name, b.cores.onServer, env, nil, p.kind.run(path, p.facts)...)
	return p, err
}

// fillIn writes a file of a peer's folder with its facts.
func (b *bench) fillIn(name, file string, facts peerFacts) error {
	text, err := os.ReadFile(filepath.Join(b.root, "examples", "bench", "peers", name, file))
	if err != nil {
		return err
	}
	if text, err = filledIn(file, text, facts); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(facts.Dir, file), text, 0o600)
}

// filledIn is a configuration in which {{.Name}} stands for a fact, and {{port .Name}}
// for the port of an address.
func filledIn(file string, text []byte, facts peerFacts) ([]byte, error) {
	port := func(addr string) (string, error) {
		_, port, err := net.SplitHostPort(addr)
		return port, err
	}
	parsed, err := template.New(file).Funcs(template.FuncMap{"port": port}).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, facts)
	return out.Bytes(), err
}

// register makes the client known to a peer that issues.
func (p *runningPeer) register(ctx context.Context) error {
	if p.kind.addClient == "" {
		return nil
	}
	body, err := json.Marshal(map[string]any{
		"client_id": p.facts.ClientID, "client_secret": p.facts.ClientSecret, "scope": p.facts.Scope,
		"grant_types": []string{"client_credentials"}, "token_endpoint_auth_method": "client_secret_basic",
	})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.facts.Admin+p.kind.addClient, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	status, answer, err := send(r)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("registering a client: status %d: %s", status, answer)
	}
	return err
}

// peerVersion says which version of a peer is at a path; "" when that cannot be told.
func peerVersion(ctx context.Context, name, path string) string {
	switch name {
	case "nginx":
		out, _ := exec.CommandContext(ctx, path, "-v").CombinedOutput()
		_, version, _ := strings.Cut(strings.TrimSpace(string(out)), "/")
		return version
	case "oidc-provider":
		var about struct{ Version string }
		text, err := os.ReadFile(filepath.Join(path, "node_modules", name, "package.json"))
		if errors.Join(err, json.Unmarshal(text, &about)) != nil {
			return ""
		}
		return about.Version
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	for _, dep := range append(info.Deps, &info.Main) {
		if dep.Path != peerKinds[name].module {
			continue
		}
		if dep.Replace != nil {
			return dep.Version + " (replaced)"
		}
		return dep.Version
	}
	return ""
}
