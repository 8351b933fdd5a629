// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// descriptors is how many files the process has open whose name ends so.
func (g *gateway) descriptors(suffix string) (n int) {
	g.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", g.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && strings.HasSuffix(target, suffix) {
			n++
		}
	}
	return n
}

// Ensure that with a full disk no token is issued, while live ones are taken and
// revocations go on, and that everything does as soon as there is room. Rows FK08
// and FK19.
func TestFullDiskUnderLoad(t *testing.T) {
	g, _ := startGuarded(t)
	load := g.startLoad(4)
	load.until(40)
	for range rounds(1, 20) {
		g.limitFiles(fileSize(t, g.storeFile()))
		before := load.count(trouble)
		eventually(t, "token requests are refused for want of room", func() bool { return load.count(trouble) > before+10 })
		l := g.ledger()
		revoked := 0
		for _, e := range load.entries() {
			if e.revoking.IsZero() && revoked < 10 {
				revoked++
				load.leave(e.token)
				if !l.revoke(&e) {
					t.Error("a revocation was not taken")
				}
				l.use(&e)
			}
		}
		if revoked == 0 {
			t.Error("there was nothing to revoke")
		}
		g.limitFiles(1 << 30)
		eventually(t, "tokens are issued again", func() bool { return load.issue() != nil })
		load.until(20)
	}
	load.stop()
	load.judge()
	g.stop()
	g.offline(0, "store", "check")
}

// leave leaves the judgement on a token to somebody else.
func (l *ledger) leave(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tokens {
		if t.token == token {
			t.revoking = time.Now()
		}
	}
}

// Ensure that a disk which takes half a second for every commit slows down those
// who write, and nobody who shows a token. Row FK10.
func TestSlowDisk(t *testing.T) {
	g, _ := startGuarded(t)
	token := g.shopToken("user")
	adapted, _ := g.caddyOK("adapt", "--config", "Caddyfile", "--adapter", "caddyfile")
	slow := strings.Replace(adapted, `"oauth2":{`, `"oauth2":{"store":{"module":"bolt","commit_delay":"500ms"},`, 1)
	// The delay is the engine's, which reloads leave open while they need it.
	g.mustReload("{\n\timport {$HARNESS}\n}\n\nhttp://localhost:{$PORT} {\n\trespond ok\n}\n")
	if resp, body := g.adminRequest(http.MethodPost, "/load", json.RawMessage(slow)); resp.StatusCode != http.StatusOK {
		t.Fatalf("the slow store: %s: %s", resp.Status, body)
	}
	if got := g.call("open.localhost", "/", token); got != http.StatusOK {
		t.Fatalf("a token from before: %d", got)
	}
	load := g.startLoad(3)
	const requests = 60
	began := time.Now()
	for range requests {
		if got := g.call("open.localhost", "/", token); got != http.StatusOK {
			t.Errorf("while the disk is slow: %d", got)
		}
	}
	// A commit is always under way: whoever waits for it waits for half of one.
	if took := time.Since(began); took >= requests*200*time.Millisecond {
		t.Errorf("%d requests with a known token took %v: they waited for the disk", requests, took)
	}
	began = time.Now()
	g.shopToken("user")
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("a token was issued after %v: the disk is not slow", took)
	}
	load.stop()
	load.judge()
}

// Ensure that running out of file descriptors does no lasting harm. Row FK18.
func TestOutOfFileDescriptors(t *testing.T) {
	g, _ := startGuarded(t)
	load := g.startLoad(4)
	load.until(20)
	var before unix.Rlimit
	limit := func(rlimit *unix.Rlimit, old *unix.Rlimit) {
		t.Helper()
		if err := unix.Prlimit(g.cmd.Process.Pid, unix.RLIMIT_NOFILE, rlimit, old); err != nil {
			t.Fatal(err)
		}
	}
	limit(nil, &before)
	limit(&unix.Rlimit{Cur: uint64(g.descriptors("")) + 2, Max: before.Max}, nil)
	var held []*stream
	for range 20 { // more connections than it can take
		held = append(held, g.dial())
	}
	eventually(t, "the gateway runs out of descriptors", func() bool { return strings.Contains(g.logs.String(), "too many open files") })
	limit(&before, nil)
	for _, s := range held {
		_ = s.Close()
	}
	load.until(20)
	load.stop()
	load.judge()
}

// Ensure that a disk which confirms nothing any more, or has become read-only, stops
// all that writes, revocations too, with 503, and nothing that reads; and that all is
// well once it does again. Rows FK06, FK07 and FK09.
func TestSickDisk(t *testing.T) {
	if !*long {
		t.Skip("it takes strace and the right to trace: go test ./module/systemtest -run SickDisk -long")
	}
	for fault, injected := range map[string]string{
		"confirms nothing": "fdatasync,fsync:error=EIO",
		"read-only":        "pwrite64,ftruncate:error=EROFS",
	} {
		t.Run(fault, func(t *testing.T) {
			g, _ := startGuarded(t)
			known, doomed := g.shopToken("user"), g.shopToken("user")
			g.call("open.localhost", "/", known)
			load := g.startLoad(4)
			load.until(40)
			calls, _, _ := strings.Cut(injected, ":")
			strace := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-p", strconv.Itoa(g.cmd.Process.Pid), "-e", "trace="+calls, "-e", "inject="+injected)
			if err := strace.Start(); err != nil {
				t.Fatal(err)
			}
			before := load.count(trouble)
			eventually(t, "what writes is refused", func() bool { return load.count(trouble) > before+20 })
			for range 100 {
				if got := g.call("open.localhost", "/", known); got != http.StatusOK {
					t.Errorf("a known token, while the disk is sick: %d", got)
				}
			}
			if resp, _ := g.post("/oauth/revoke", "shop", shopSecret, url.Values{"token": {doomed}}); resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("a revocation, while the disk is sick: %s", resp.Status)
			}
			if err := strace.Process.Signal(syscall.SIGTERM); err != nil { // which lets go first
				t.Error(err)
			}
			_ = strace.Wait() // says that it was told to end
			eventually(t, "tokens are issued again", func() bool { return load.issue() != nil })
			g.revoke(doomed)
			load.until(20)
			load.stop()
			load.judge()
			g.stop()
			g.offline(0, "store", "check")
		})
	}
}
