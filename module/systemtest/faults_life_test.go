// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure what a reload does that changes the store: tokens of the one are nothing
// to the other, and are what they were when it comes back. Row FR03.
func TestReloadToAnotherStore(t *testing.T) {
	g, _ := startGuarded(t)
	first := g.shopToken("user")
	revoked := g.shopToken("user")
	g.revoke(revoked)
	other := strings.Replace(guarded, "issuer ", "store bolt "+g.path("other.db")+"\n\t\tissuer ", 1)
	g.mustReload(other)
	if got := g.call("open.localhost", "/", first); got != http.StatusUnauthorized {
		t.Errorf("a token of the first store at the second: %d", got)
	}
	second := g.shopToken("user")
	g.mustReload(guarded)
	for token, want := range map[string]int{first: http.StatusOK, second: http.StatusUnauthorized, revoked: http.StatusUnauthorized} {
		if got := g.call("open.localhost", "/", token); got != want {
			t.Errorf("back at the first store: %d, want %d", got, want)
		}
	}
	if n := g.descriptors("other.db"); n != 0 {
		t.Errorf("the store that is not used any more is open %d times", n)
	}
}

// Ensure what a reload does that changes the issuer: tokens were for the sites of
// the issuer they name, which is no longer this one. Row FR03.
func TestReloadToAnotherIssuer(t *testing.T) {
	g, _ := startGuarded(t)
	before := g.shopToken("user")
	g.mustReload(strings.Replace(guarded, "issuer http://localhost:{$PORT}", "issuer http://localhost:{$PORT}/other", 1))
	if got := g.call("open.localhost", "/", before); got != http.StatusUnauthorized {
		t.Errorf("a token of the issuer before: %d", got)
	}
	g.mustReload(guarded)
	if got := g.call("open.localhost", "/", before); got != http.StatusOK {
		t.Errorf("the issuer is back: %d", got)
	}
}

// Ensure that a scope which a reload takes from a client is gone from its tokens
// at once, and comes back with it. Row FR03.
func TestReloadTakesAScope(t *testing.T) {
	g, _ := startGuarded(t)
	admin := g.shopToken("admin user")
	g.mustReload(strings.Replace(guarded, "scopes user admin read write", "scopes user read write", 1))
	if got := g.call("admin.localhost", "/admin/x", admin); got != http.StatusForbidden {
		t.Errorf("without the scope: %d", got)
	}
	if got := g.call("admin.localhost", "/x", admin); got != http.StatusOK {
		t.Errorf("with its other scope: %d", got)
	}
	g.mustReload(guarded)
	if got := g.call("admin.localhost", "/admin/x", admin); got != http.StatusOK {
		t.Errorf("with the scope again: %d", got)
	}
}

// Ensure that the sealing key is rotated under load without one request failing.
// Row FR08.
func TestSealKeyRotationUnderLoad(t *testing.T) {
	g, _ := startGuarded(t)
	g.client.Transport = persistent{g.client.Transport}
	load := g.startLoad(3)
	key := g.path("data/caddy/oauth2/tokens.key")
	with := func(keys ...string) string {
		var files []string
		for _, key := range keys {
			files = append(files, "{file."+key+"}")
		}
		return strings.Replace(guarded, "oauth2 {\n", "oauth2 {\n\t\tseal_key "+strings.Join(files, " ")+"\n", 1)
	}
	for i := range rounds(2, 40) {
		load.until(10)
		next := g.write(filepath.Base(key)+strings.Repeat("+", i+1), g.canary(tokenstore.GenerateSealKey().Text()))
		g.mustReload(with(next, key))
		g.administer("/oauth2/keys/rotate", map[string]any{"seal": true})
		g.mustReload(with(next))
		key = next
	}
	load.stop()
	load.judge()
	if n := load.count(trouble) + load.count(unknown); n > 0 {
		t.Errorf("%d requests failed", n)
	}
}

// Ensure that a service which goes away is the proxy's matter: a gateway error for
// who may pass, nothing new for who may not, and all is well once it is back.
// Row FR09.
func TestServiceRestarts(t *testing.T) {
	address := "127.0.0.1:" + freePort(t) // which nobody else gets meanwhile
	u := newUpstreamAt(t, address)
	g := start(t, guarded, u.env())
	live, dead := g.shopToken("user"), g.shopToken("user")
	g.revoke(dead)
	g.call("open.localhost", "/", live)
	u.close()
	for range 5 {
		if got := g.call("open.localhost", "/", live); got != http.StatusBadGateway {
			t.Errorf("a valid token, without the service: %d", got)
		}
		if got := g.call("open.localhost", "/", dead); got != http.StatusUnauthorized {
			t.Errorf("a revoked token, without the service: %d", got)
		}
	}
	fresh := g.shopToken("user")
	newUpstreamAt(t, address)
	for _, token := range []string{live, fresh} {
		eventually(t, "the service is back", func() bool { return g.call("open.localhost", "/", token) == http.StatusOK })
	}
	if got := g.call("open.localhost", "/", dead); got != http.StatusUnauthorized {
		t.Errorf("a revoked token, with the service back: %d", got)
	}
}

// Ensure that a process which stood still, as one does on a machine that sleeps,
// takes no token that has expired meanwhile. Row FT04.
func TestProcessThatStoodStill(t *testing.T) {
	g, _ := startGuarded(t)
	load := g.startLoad(2)
	load.until(10)
	asked := time.Now()
	brief := g.token("brief", briefSecret)
	if got := g.call("open.localhost", "/", brief); got != http.StatusOK && time.Since(asked) < 3*time.Second {
		t.Fatalf("at first: %d", got)
	}
	if err := g.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	still := time.NewTimer(time.Duration(rounds(4, 120)) * time.Second)
	<-still.C
	if err := g.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if got := g.call("open.localhost", "/", brief); got != http.StatusUnauthorized {
		t.Errorf("a token of 3 s, after %v: %d", time.Since(asked), got)
	}
	load.until(10)
	load.stop()
	load.judge()
}

// Ensure that a store which cannot be used ends the start with one line that says
// why, soon, and with an exit code: whoever starts it again and again learns so.
// Row FR10.
func TestCrashLoopSaysWhy(t *testing.T) {
	g, _ := startGuarded(t)
	g.stop()
	if err := os.Truncate(g.storeFile(), 5000); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, said, code := g.caddy("", "run", "--config", "Caddyfile", "--adapter", "caddyfile")
		last := strings.TrimSpace(said[strings.LastIndex(strings.TrimSpace(said), "\n")+1:])
		if code == 0 || !strings.Contains(last, "tokens.db") || !strings.Contains(last, "Restore a backup") {
			t.Errorf("exit code %d, the last line is %q", code, last)
		}
	}
}
