// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// elsewhere is a gateway on another machine, so to say: it has the first one's
// sealing key and configuration, is the same issuer, and has no store yet.
func (g *gateway) elsewhere(u *upstream) *gateway {
	g.t.Helper()
	other := prepare(g.t, strings.ReplaceAll(guarded, "issuer http://localhost:{$PORT}", "issuer http://localhost:"+g.port), u.env())
	for _, secret := range []string{shopSecret, reporterSecret, briefSecret} {
		other.canary(secret)
	}
	if err := os.MkdirAll(filepath.Dir(other.storeFile()), 0o700); err != nil {
		g.t.Fatal(err)
	}
	key, err := os.ReadFile(g.path("data/caddy/oauth2/tokens.key"))
	if err != nil {
		g.t.Fatal(err)
	}
	other.write("data/caddy/oauth2/tokens.key", string(key))
	return other
}

// takeOver restores a backup with its tokens, as `caddy oauth2 restore` does.
func (g *gateway) takeOver(backup string) {
	g.t.Helper()
	text, err := os.ReadFile(g.path("data/caddy/oauth2/tokens.key"))
	if err != nil {
		g.t.Fatal(err)
	}
	keys, err := tokenstore.ParseSealKeys(string(text))
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := bolt.Restore(g.t.Context(), backup, g.storeFile(), bolt.RestoreOptions{
		RestoreOptions: tokenstore.RestoreOptions{SealKeys: keys, KeepTokens: true},
	}); err != nil {
		g.t.Fatal(err)
	}
}

// Ensure that a backup made under load is the store at one moment: restored
// elsewhere, with its tokens, what was acknowledged before it holds, and nothing
// is known of what came after. Row FK16.
func TestBackupUnderLoad(t *testing.T) {
	g, u := startGuarded(t)
	stored := g.addClient("stored")
	load := g.startLoad(4)
	for i := range rounds(1, 30) {
		load.until(40)
		began := time.Now()
		file := g.path("backup.db")
		g.cli(0, "", "backup", "--output", file, "--force")
		ended := time.Now()
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("the backup: %v %v", info, err)
		}
		seen := load.entries()

		other := g.elsewhere(u)
		other.takeOver(file)
		other.start()
		for _, l := range seen {
			status := other.call("open.localhost", "/", l.token)
			switch {
			case !l.issued.After(began) && (l.revoking.IsZero() || l.revoking.After(ended)) && status != http.StatusOK:
				t.Errorf("backup %d: a token acknowledged before it gets %d", i, status)
			case !l.revoked.IsZero() && l.revoked.Before(began) && status != http.StatusUnauthorized:
				t.Errorf("backup %d: a token revoked before it gets %d", i, status)
			case l.asked.After(ended) && status != http.StatusUnauthorized:
				t.Errorf("backup %d: a token issued after it gets %d", i, status)
			}
		}
		if !other.authenticates("stored", stored) {
			t.Errorf("backup %d: the client of the store is not in it", i)
		}
		other.stop()
	}
	load.stop()
	load.judge()
}

// Ensure that after a restore no token from before is taken, least of all one that
// was revoked after the backup; that clients are there; and that the old store is
// kept. Rule S5.
func TestRestoreEndsEarlierTokens(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	stored := g.addClient("stored")
	live, revoked := g.shopToken("user"), g.shopToken("user")
	g.cli(0, "", "backup", "--output", g.path("backup.db"))
	g.revoke(revoked)
	later := g.addClient("later")

	if _, said := g.offline(1, "restore", g.path("backup.db")); !strings.Contains(said, "Stop Caddy first") {
		t.Errorf("while Caddy runs: %s", said)
	}
	if got := g.call("open.localhost", "/", live); got != http.StatusOK {
		t.Errorf("after the refused restore: %d", got)
	}
	g.stop()
	out, said := g.offline(0, "restore", g.path("backup.db"), "--json")
	var done struct {
		File, Kept string
		TokensKept bool `json:"tokens_kept"`
	}
	if err := json.Unmarshal([]byte(out), &done); err != nil || done.File != g.storeFile() || done.TokensKept {
		t.Errorf("restored: %v %s", err, out)
	}
	if !strings.Contains(said, "All tokens from before are dead") {
		t.Errorf("it says %s", said)
	}
	if _, err := os.Stat(done.Kept); err != nil {
		t.Errorf("the old store: %v", err)
	}
	g.start()
	for name, token := range map[string]string{"live": live, "revoked after the backup": revoked} {
		if got := g.call("open.localhost", "/", token); got != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := g.call("open.localhost", "/", g.shopToken("user")); got != http.StatusOK {
		t.Errorf("a token issued after the restore: %d", got)
	}
	if !g.authenticates("stored", stored) || g.authenticates("later", later) {
		t.Error("the clients are not those of the backup")
	}
	if log, _ := g.cli(0, "", "audit"); !strings.Contains(log, "store_restored") || !strings.Contains(log, "store_backed_up") {
		t.Errorf("the audit log:\n%s", log)
	}

	// The other way round: what was revoked after the backup is back, as told.
	g.stop()
	if _, said := g.offline(0, "restore", done.Kept, "--keep-tokens"); !strings.Contains(said, "is valid again") {
		t.Errorf("it says %s", said)
	}
	g.start()
	if got := g.call("open.localhost", "/", live); got != http.StatusOK {
		t.Errorf("with its tokens kept: %d", got)
	}
	if got := g.call("open.localhost", "/", revoked); got != http.StatusUnauthorized {
		t.Errorf("revoked before the old store was kept: %d", got)
	}
}

// Ensure X06 for signing keys: one that was withdrawn after the backup, because
// somebody else may have it, does not come back with that backup.
func TestRestoreBringsBackNoWithdrawnKey(t *testing.T) {
	t.Parallel()
	g, _ := startSigned(t)
	signed := g.shopToken("user")
	leaked := g.kids()
	g.cli(0, "", "backup", "--output", g.path("backup.db"))
	g.cli(0, "", "key", "rotate", "--signing", "--revoke")
	g.stop()
	g.offline(0, "restore", g.path("backup.db"))
	g.start()
	if now := g.kids(); len(leaked) != 1 || len(now) != 1 || now[0] == leaked[0] {
		t.Errorf("published before %v, after the restore %v", leaked, now)
	}
	if status := g.call("api.localhost", "/", signed); status != http.StatusUnauthorized {
		t.Errorf("a token of the withdrawn key: %d", status)
	}
	if status := g.call("api.localhost", "/", g.shopToken("user")); status != http.StatusOK {
		t.Errorf("a new token: %d", status)
	}
}

// offline runs a command that works on the store's file, by the gateway's
// configuration, and wants an exit code.
func (g *gateway) offline(code int, args ...string) (stdout, stderr string) {
	g.t.Helper()
	args = append([]string{"oauth2"}, args...)
	stdout, stderr, got := g.caddy("", append(args, "--config", "Caddyfile", "--adapter", "caddyfile")...)
	if got != code {
		g.t.Errorf("%s: exit code %d, want %d: %s", strings.Join(args, " "), got, code, stderr)
	}
	return strings.TrimSpace(stdout), stderr
}

// Ensure that a backup never replaces a file unasked, is the same on standard
// output, and leaves nothing behind when it cannot be made.
func TestBackupFiles(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	g.shopToken("user")
	file := g.write("backup.db", "precious")
	if _, said := g.cli(1, "", "backup", "--output", file); !strings.Contains(said, "--force replaces it") {
		t.Errorf("over a file: %s", said)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file was changed: %v", err)
	}
	out, _ := g.cli(0, "", "backup", "--output", file, "--force", "--json")
	var made struct {
		File, SHA256, Store string
		SealKeys            []string `json:"seal_keys"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.File != file || len(made.SHA256) != 64 || len(made.SealKeys) != 1 {
		t.Errorf("made: %v %s", err, out)
	}

	streamed := g.command("oauth2", "backup", "--output", "-", "--address", g.admin)
	var copied bytes.Buffer
	streamed.Stdout = &copied
	if err := streamed.Run(); err != nil {
		t.Fatal(err)
	}
	g.write("streamed.db", copied.String())
	for _, backup := range []string{file, g.path("streamed.db")} {
		if out, said := g.offline(0, "store", "check", backup); !strings.Contains(out, made.Store) || !strings.Contains(said, "The store is sound") {
			t.Errorf("%s: %s %s", backup, out, said)
		}
	}
	if left, err := filepath.Glob(g.path(".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Ensure that the store can be checked, measured and compacted while no Caddy has
// it open, and only then; and that damage has an exit code of its own.
func TestLookingAfterTheStoppedStore(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	token := g.shopToken("user")
	if _, said := g.offline(1, "store", "compact"); !strings.Contains(said, "Stop Caddy first") {
		t.Errorf("while Caddy runs: %s", said)
	}
	if out, _ := g.cli(0, "", "store", "stats"); !strings.Contains(out, "hits:") {
		t.Errorf("of a running Caddy:\n%s", out)
	}
	g.stop()
	out, said := g.offline(0, "store", "check", "--json")
	var found struct {
		File      string
		Records   map[string]int64
		Authentic bool
		Faults    int64
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || !found.Authentic || found.Faults != 0 || found.Records["credential"] != 1 || found.File != g.storeFile() {
		t.Errorf("checked: %v %s %s", err, out, said)
	}
	if out, said := g.caddyOK("oauth2", "store", "stats", "--address", g.admin); !strings.Contains(out, "records: credential") || !strings.Contains(said, "reading the file") {
		t.Errorf("of the file:\n%s %s", out, said)
	}
	if out, _ := g.offline(0, "store", "compact", "--json"); !strings.Contains(out, `"bytes_saved"`) {
		t.Errorf("compacted: %s", out)
	}
	if _, said := g.caddyCode(1, "oauth2", "store", "check", "--file", g.storeFile(), "--seal-key", g.write("other.key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")); !strings.Contains(said, "sealing key") {
		t.Errorf("with another key: %s", said)
	}
	g.start()
	if got := g.call("open.localhost", "/", token); got != http.StatusOK {
		t.Errorf("after all that the token gets %d", got)
	}
	g.stop()

	whole, err := os.ReadFile(g.storeFile())
	if err != nil {
		t.Fatal(err)
	}
	g.write("cut.db", string(whole[:len(whole)/2]))
	g.offline(6, "restore", g.path("cut.db"))
}

// caddyOK runs a Caddy command that must succeed.
func (g *gateway) caddyOK(args ...string) (stdout, stderr string) {
	g.t.Helper()
	return g.caddyCode(0, args...)
}

// caddyCode runs a Caddy command and wants an exit code.
func (g *gateway) caddyCode(code int, args ...string) (stdout, stderr string) {
	g.t.Helper()
	stdout, stderr, got := g.caddy("", args...)
	if got != code {
		g.t.Errorf("%s: exit code %d, want %d: %s", strings.Join(args, " "), got, code, stderr)
	}
	return stdout, stderr
}
