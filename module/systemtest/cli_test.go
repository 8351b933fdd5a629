// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// cli runs `caddy oauth2 args…` against the gateway, checks the exit code, and
// returns standard output, trimmed, and standard error.
func (g *gateway) cli(code int, stdin string, args ...string) (stdout, stderr string) {
	g.t.Helper()
	out, errors, got := g.caddy(stdin, append(append([]string{"oauth2"}, args...), "--address", g.admin)...)
	if got != code {
		g.t.Fatalf("caddy oauth2 %s: exit code %d, want %d: %s", strings.Join(args, " "), got, code, errors)
	}
	return strings.TrimSpace(out), errors
}

// authenticates reports whether the token endpoint takes a client's secret.
func (g *gateway) authenticates(client, secret string) bool {
	g.t.Helper()
	resp, body := g.post("/oauth/token", client, secret, url.Values{"grant_type": {"client_credentials"}})
	switch resp.StatusCode {
	case http.StatusOK:
		return true
	case http.StatusUnauthorized:
		return false
	}
	g.t.Fatalf("token endpoint: %s: %s", resp.Status, body)
	return false
}

// Ensure that a client added on the command line works at once, that its
// secret is all there is on standard output, and that it outlives a crash right
// after the command has answered.
func TestAClientAddedOnTheCommandLineWorksAndLasts(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	secret, said := g.cli(0, "", "client", "add", "stored", "--scopes", "user read")
	g.canary(secret)
	if strings.ContainsAny(secret, " \n") || !strings.HasPrefix(secret, "co2cs_") {
		t.Fatalf("standard output is %q, not the secret alone", secret)
	}
	if strings.Contains(said, secret) {
		t.Error("the secret is on standard error too")
	}
	g.kill()
	g.start()
	if status := g.call("api.localhost", "/orders/1", g.token("stored", secret)); status != http.StatusOK {
		t.Errorf("its token gets %d", status)
	}
	shown, _ := g.cli(0, "", "client", "show", "stored", "--json")
	if strings.Contains(shown, secret) {
		t.Error("the secret is shown again")
	}
}

// Ensure that revoking on the command line is in force at the very next
// request, for one token, one grant, and all tokens of a client, whether the
// store or the Caddyfile has it.
func TestRevokingOnTheCommandLineIsInForceAtOnce(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	issue := func(client string) string {
		token, _ := g.cli(0, "", "token", "issue", client)
		if status := g.call("open.localhost", "/", g.canary(token)); status != http.StatusOK {
			t.Fatalf("a fresh token gets %d", status)
		}
		return token
	}
	refused := func(how, token string) {
		t.Helper()
		if status := g.call("open.localhost", "/", token); status != http.StatusUnauthorized {
			t.Errorf("%s: the token gets %d", how, status)
		}
	}

	one, other := issue("shop"), issue("shop")
	g.cli(0, one, "token", "revoke", "-")
	refused("revoked", one)
	if status := g.call("open.localhost", "/", other); status != http.StatusOK {
		t.Errorf("another token of the client gets %d", status)
	}

	inspected, _ := g.cli(0, other, "token", "inspect", "-")
	_, grant, _ := strings.Cut(inspected, "grant     ")
	grant, _, _ = strings.Cut(grant, "\n")
	g.cli(0, "", "grant", "revoke", grant)
	refused("grant revoked", other)
	g.cli(3, "", "grant", "revoke", grant)

	last := issue("shop")
	g.cli(0, "", "token", "revoke", "--client", "shop")
	refused("client revoked", last)
	issue("shop")

	secret, _ := g.cli(0, "", "client", "add", "stored", "--scopes", "user")
	g.canary(secret)
	stored := issue("stored")
	g.cli(0, "", "client", "remove", "stored")
	refused("client removed", stored)
	if g.authenticates("stored", secret) {
		t.Error("a removed client authenticates")
	}
}

// Ensure that a rotated secret still holds for the overlap, and not a moment
// longer when there is none.
func TestARotatedSecretOverlaps(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	rotate := func(flags ...string) string {
		secret, _ := g.cli(0, "", append([]string{"client", "rotate-secret", "stored"}, flags...)...)
		return g.canary(secret)
	}
	first, _ := g.cli(0, "", "client", "add", "stored", "--scopes", "user")
	second := rotate()
	if !g.authenticates("stored", g.canary(first)) || !g.authenticates("stored", second) {
		t.Error("within the overlap one of the two secrets is refused")
	}
	third := rotate("--overlap", "0s")
	if g.authenticates("stored", first) || g.authenticates("stored", second) {
		t.Error("without an overlap an old secret is taken")
	}
	if !g.authenticates("stored", third) {
		t.Error("the new secret is refused")
	}
}

// Ensure that the exit code tells a script whether it asked for something
// wrong, for something that is not there, or nobody at all.
func TestExitCodesOfARealCaddy(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	if _, said := g.cli(1, "", "client", "edit", "shop", "--disabled"); !strings.Contains(said, "edit it there and reload") {
		t.Errorf("a client of the Caddyfile: %s", said)
	}
	g.cli(1, "", "client", "show")
	g.cli(1, "", "clients")
	g.cli(3, "", "client", "show", "nobody")
	if out, _ := g.cli(0, "", "explain", "GET", g.url("api.localhost", "/orders/7")); !strings.Contains(out, "allow GET /orders/* read") {
		t.Errorf("explained as\n%s", out)
	}

	// As Caddy's own commands, these find the endpoint in a configuration file.
	if out, said, code := g.caddy("", "oauth2", "client", "list", "--config", "Caddyfile", "--adapter", "caddyfile"); code != 0 || !strings.Contains(out, "shop") {
		t.Errorf("by --config: exit code %d, %s %s", code, out, said)
	}
	off := g.write("off", "{\n\tadmin off\n}\n")
	if _, said, code := g.caddy("", "oauth2", "stats", "--config", off, "--adapter", "caddyfile"); code != 4 || !strings.Contains(said, "turns the admin endpoint off") {
		t.Errorf("admin off: exit code %d, %s", code, said)
	}
	g.stop()
	if _, said := g.cli(4, "", "stats"); !strings.Contains(said, "Is Caddy running?") {
		t.Errorf("nobody there: %s", said)
	}
}

// Ensure that the sealing key can be rotated while Caddy serves: the new key
// first, both for a while, then the new one alone; and that before the rotation
// the old one cannot be left out.
func TestTheSealingKeyIsRotated(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	token := g.shopToken("user")
	newKey := g.write("new.key", g.canary(tokenstore.GenerateSealKey().Text()))
	oldKey := g.path("data/caddy/oauth2/tokens.key")
	with := func(keys ...string) string {
		var files []string
		for _, key := range keys {
			files = append(files, "{file."+key+"}")
		}
		return strings.Replace(guarded, "oauth2 {\n", "oauth2 {\n\t\tseal_key "+strings.Join(files, " ")+"\n", 1)
	}

	if err := g.reload(with(newKey)); err == nil || !strings.Contains(err.Error(), "sealed with") {
		t.Errorf("the old key left out: %v", err)
	}
	g.mustReload(with(newKey, oldKey))
	if list, _ := g.cli(0, "", "key", "list"); strings.Count(list, "active") != 1 || strings.Count(list, "opens") != 1 {
		t.Errorf("before the rotation the keys are\n%s", list)
	}
	g.cli(0, "", "key", "rotate", "--seal")
	if list, _ := g.cli(0, "", "key", "list"); strings.Count(list, "unused") != 1 {
		t.Errorf("after the rotation the keys are\n%s", list)
	}
	g.mustReload(with(newKey))
	g.kill()
	g.start()
	if status := g.call("open.localhost", "/", token); status != http.StatusOK {
		t.Errorf("a token from before gets %d", status)
	}
}
