// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// storeFile is where a gateway keeps its tokens unless told otherwise.
func (g *gateway) storeFile() string { return g.path("data/caddy/oauth2/tokens.db") }

// inStore opens the store of a gateway that does not run, below everything that
// checks records, and calls change with it.
func (g *gateway) inStore(change func(s tokenstore.Store)) {
	g.t.Helper()
	s, err := bolt.Open(context.Background(), g.storeFile(), bolt.Options{})
	if err != nil {
		g.t.Fatal(err)
	}
	change(s)
	if err := s.Close(); err != nil {
		g.t.Fatal(err)
	}
}

// value returns what the store has under key.
func value(t *testing.T, s tokenstore.Store, key tokenstore.Key) []byte {
	t.Helper()
	items, err := s.Get(context.Background(), key)
	if err != nil || items[0].Revision == 0 {
		t.Fatalf("the store does not have it: %v", err)
	}
	return items[0].Value
}

// put writes a value past all that protects records.
func put(t *testing.T, s tokenstore.Store, key tokenstore.Key, value []byte) {
	t.Helper()
	var batch tokenstore.Batch
	sum := sha256.Sum256(append([]byte(key), value...))
	copy(batch.ID[:], sum[:])
	batch.Put = []tokenstore.Put{{Key: key, Value: value}}
	if _, err := s.Apply(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
}

// keyOf is where a token's record is.
func keyOf(token string) tokenstore.Key {
	return tokenstore.CredentialKey(sha256.Sum256([]byte(token)))
}

// Ensure that nothing on disk is of use to somebody who reads it: no token, no
// secret, and no file that others may open. Rows X02 and X03.
func TestFilesHoldNoSecretInTheClear(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	secrets := []string{g.shopToken("user"), g.shopToken("admin"), g.addClient("stored")}
	g.call("api.localhost", "/x", secrets[0])
	g.stop()
	err := filepath.WalkDir(g.path("data"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if strings.Contains(path, "oauth2") && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", entry.Name(), info.Mode())
		}
		if entry.IsDir() {
			return nil
		}
		content, err := os.ReadFile(path)
		for i, secret := range secrets {
			for _, form := range forms(secret) {
				if bytes.Contains(content, []byte(form)) {
					t.Errorf("%s holds secret %d", entry.Name(), i)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(g.storeFile()); err != nil {
		t.Fatal(err)
	}
}

// Ensure that a crash loses nothing that was acknowledged: tokens live,
// revocations hold. The crash suite of the store does it many times over.
func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	g, u := startGuarded(t)
	live, dead := g.shopToken("user"), g.shopToken("user")
	secret := g.addClient("stored")
	g.revoke(dead)
	g.kill()
	g.start()
	if got := g.call("api.localhost", "/x", live); got != http.StatusOK {
		t.Errorf("a token from before: %d", got)
	}
	untouched(t, u, func() {
		if got := g.call("api.localhost", "/x", dead); got != http.StatusUnauthorized {
			t.Errorf("a revoked token from before: %d", got)
		}
	})
	g.token("stored", secret)
}

// Ensure that a record which was changed on disk is never accepted, whichever
// bit it is: that is trouble of ours, with an alarm, and no fault of the client's; and
// that other records go on. Row X08.
func TestTamperedRecordIsNeverAccepted(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	var victims []string
	for range 24 {
		victims = append(victims, g.shopToken("user"))
	}
	good := g.shopToken("user")
	g.stop()
	g.inStore(func(s tokenstore.Store) {
		for i, token := range victims {
			v := bytes.Clone(value(t, s, keyOf(token)))
			v[len(v)*i/len(victims)] ^= 1 << (i % 8)
			put(t, s, keyOf(token), v)
		}
	})
	g.start()
	untouched(t, u, func() {
		for i, token := range victims {
			a := g.get("api.localhost", "/x", "Authorization: Bearer "+token)
			if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
				t.Errorf("record %d with a flipped bit: %d, Retry-After %q", i, a.status, a.header.Get("Retry-After"))
			}
		}
	})
	if n := sum(g.metrics(), "caddy_oauth2_store_damaged_total"); n < float64(len(victims)) {
		t.Errorf("%v refusals of %d damaged records are counted", n, len(victims))
	}
	if got := g.call("api.localhost", "/x", good); got != http.StatusOK {
		t.Errorf("an untouched record: %d", got)
	}
	eventually(t, "an error is logged", func() bool { return strings.Contains(g.logs.String(), `"level":"error"`) })
}

// Ensure that one token's record is a damaged one under another's key, and that a
// revoked token's old record does nothing when it is put back. Row X09.
func TestSwappedRecordIsNeverAccepted(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	weak, strong := g.token("reporter", reporterSecret), g.shopToken("admin user")
	revoked := g.shopToken("user")
	var kept []byte
	g.stop()
	g.inStore(func(s tokenstore.Store) { kept = bytes.Clone(value(t, s, keyOf(revoked))) })
	g.start()
	g.revoke(revoked)
	g.stop()
	g.inStore(func(s tokenstore.Store) {
		put(t, s, keyOf(weak), value(t, s, keyOf(strong)))
		put(t, s, keyOf(revoked), kept)
	})
	g.start()
	untouched(t, u, func() {
		if a := g.get("admin.localhost", "/admin", "Authorization: Bearer "+weak); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("one that has another's record: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
		}
		if got := g.call("api.localhost", "/x", revoked); got != http.StatusUnauthorized {
			t.Errorf("a revoked one that was put back: %d", got)
		}
	})
	if n := sum(g.metrics(), "caddy_oauth2_store_damaged_total"); n < 1 {
		t.Error("no refusal of a damaged record is counted")
	}
	if got := g.call("admin.localhost", "/admin", strong); got != http.StatusOK {
		t.Errorf("the token whose record was copied: %d", got)
	}
}

// Ensure that a store without its sealing key, or with another, does not start,
// and says what to do; and that the key brings it back.
func TestStoreWithoutItsSealingKeyIsRefused(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	token := g.shopToken("user")
	g.stop()
	keys, err := filepath.Glob(g.storeFile() + "*.key")
	if err != nil || len(keys) != 1 {
		keys, _ = filepath.Glob(g.path("data/caddy/oauth2/*.key"))
	}
	if len(keys) != 1 {
		t.Fatalf("sealing keys: %v", keys)
	}
	content, err := os.ReadFile(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func() error{
		"missing": func() error { return os.Remove(keys[0]) },
		"empty":   func() error { return os.WriteFile(keys[0], nil, 0o600) },
		"another": func() error {
			return os.WriteFile(keys[0], []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"), 0o600)
		},
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if message := g.refusesToStart(); !strings.Contains(message, "seal") && !strings.Contains(message, "key") {
			t.Errorf("%s: %s", name, message)
		}
	}
	if err := os.WriteFile(keys[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	g.start()
	if got := g.call("api.localhost", "/x", token); got != http.StatusOK {
		t.Errorf("with its key again: %d", got)
	}
}

// Ensure that a file which is no store, or is one no more, is refused with a
// message and left as it is: never a panic, never a new empty store in its place.
func TestDamagedFileIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	g.shopToken("user")
	g.stop()
	whole, err := os.ReadFile(g.storeFile())
	if err != nil {
		t.Fatal(err)
	}
	zeroed := bytes.Clone(whole)
	clear(zeroed[:min(len(zeroed), 8192)])
	for name, content := range map[string][]byte{
		"empty": {}, "text": []byte(strings.Repeat("not a store\n", 1000)), "cut": whole[:len(whole)/2], "short": whole[:100], "without its head": zeroed,
	} {
		if err := os.WriteFile(g.storeFile(), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if message := g.refusesToStart(); !strings.Contains(message, "tokens.db") {
			t.Errorf("%s: the message does not name the file: %s", name, message)
		}
		if left, err := os.ReadFile(g.storeFile()); err != nil || !bytes.Equal(left, content) {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

// refusesToStart starts the gateway, which must end by itself with an error, and
// returns what it logged.
func (g *gateway) refusesToStart() string {
	g.t.Helper()
	before := len(g.logs.String())
	g.launch()
	cmd := g.cmd
	eventually(g.t, "the gateway refuses to start", func() bool {
		select {
		case <-g.exited:
			return true
		default:
			return false
		}
	})
	g.cmd = nil
	if cmd.ProcessState.ExitCode() != 1 {
		g.t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
	return g.logs.String()[before:]
}

// Ensure that a second process does not touch a store that is open: a start
// says that it waits and goes on when the first ends, a reload fails at once and
// changes nothing. Row X07.
func TestSecondProcessOnOneStoreIsRefused(t *testing.T) {
	t.Parallel()
	first, u := startGuarded(t)
	token := first.shopToken("user")
	shared := strings.Replace(guarded, "\toauth2 {\n", "\toauth2 {\n\t\tstore bolt "+first.storeFile()+"\n", 1)

	second := start(t, guarded, u.env())
	if err := second.reload(shared); err == nil {
		t.Error("a reload took a store that another process has open")
	}
	if got := second.call("api.localhost", "/x", second.shopToken("user")); got != http.StatusOK {
		t.Errorf("after the refused reload: %d", got)
	}

	// A process that takes over a store goes on as the same issuer.
	third := prepare(t, strings.Replace(shared, "issuer http://localhost:{$PORT}", "issuer http://localhost:"+first.port, 1), u.env())
	third.launch()
	eventually(t, "the third says that it waits", func() bool { return strings.Contains(third.logs.String(), "waiting") })
	if got := first.call("api.localhost", "/x", token); got != http.StatusOK {
		t.Errorf("the first, while another waits: %d", got)
	}
	first.stop()
	eventually(t, "the third serves", third.loaded)
	if got := third.call("api.localhost", "/x", token); got != http.StatusOK {
		t.Errorf("the store's token at the next process: %d", got)
	}
}

// Ensure that copies of the files, taken while nothing runs, are a backup. Row
// X05 for this engine.
func TestCopyOfTheStoppedStoreIsABackup(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	token := g.shopToken("user")
	g.stop()
	other := prepare(t, guarded, u.env())
	if err := os.CopyFS(other.path("data"), os.DirFS(g.path("data"))); err != nil {
		t.Fatal(err)
	}
	// CopyFS gives files the modes of a new file.
	if err := os.Chmod(other.path("data/caddy/oauth2"), 0o700); err != nil {
		t.Fatal(err)
	}
	other.write("Caddyfile", strings.ReplaceAll(guarded, "issuer http://localhost:{$PORT}", "issuer http://localhost:"+g.port))
	other.start()
	if got := other.call("api.localhost", "/x", token); got != http.StatusOK {
		t.Errorf("a token from the backup: %d", got)
	}
}

// Ensure that a full disk makes the token endpoint answer 503 and nothing is issued,
// while what needs no room goes on. Row V09, from the side of what is written.
func TestStoreThatCannotBeWrittenFailsClosed(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := prepare(t, guarded, u.env())
	g.start()
	token := g.shopToken("user")
	g.call("api.localhost", "/x", token)
	// The store's file may not grow any further: every write that needs room fails.
	g.limitFiles(fileSize(t, g.storeFile()))
	failed := false
	for range 3000 {
		a := g.request("POST", "localhost", "/oauth/token", "grant_type=client_credentials&scope=user", formType, "Authorization: Basic "+basic("shop", shopSecret))
		if a.status == http.StatusOK {
			g.remember(a)
			continue
		}
		if failed = true; a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("a token request without room: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
		}
		break
	}
	if !failed {
		t.Fatal("the store never ran out of room")
	}
	if got := g.call("api.localhost", "/x", token); got != http.StatusOK {
		t.Errorf("a token from before: %d", got)
	}
	g.limitFiles(1 << 30)
	eventually(t, "tokens are issued again", func() bool {
		a := g.request("POST", "localhost", "/oauth/token", "grant_type=client_credentials&scope=user", formType, "Authorization: Basic "+basic("shop", shopSecret))
		if a.status == http.StatusOK {
			g.remember(a)
		}
		return a.status == http.StatusOK
	})
}

func fileSize(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(info.Size())
}
