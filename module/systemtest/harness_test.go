// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package systemtest holds the tests of the whole: a real Caddy in a process of
// its own, real sockets before and behind it. It is the one package that runs
// Caddy for tests, because linking Caddy is slow.
//
// The test binary is Caddy too: started with beCaddy set, it runs Caddy's
// command line instead of tests. Everything else is here:
//
//   - [start] runs a gateway from a Caddyfile, [gateway] is that process;
//   - [upstream] is a legacy service that remembers every byte it was sent;
//   - [wire] sends bytes as they are, which no HTTP client would;
//   - [person] is somebody with a browser without scripts, [tab] one of Chromium's;
//   - canaries: no secret that a test planted or was given may be in any log
//     when the test ends.
package systemtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-oauth2/caddy-oauth2"
)

const (
	// beCaddy is the environment variable that makes the test binary a Caddy.
	beCaddy = "CADDY_OAUTH2_SYSTEMTEST_BE_CADDY"
	// patience is how long a condition may take to become true on a busy
	// machine. No test waits that long unless it fails.
	patience = time.Minute
)

// Tests run beside one another, because they mostly wait for processes, but for those
// that measure times, bring load, or have Chromium's only window in front.
func TestMain(m *testing.M) {
	if os.Getenv(beCaddy) != "" {
		caddycmd.Main()
		return
	}
	code := m.Run()
	closeBrowser()
	os.Exit(code)
}

// gateway is one Caddy: its folder, its ports and, while it runs, its process.
// A gateway that was stopped or killed can be started again on the same folder.
type gateway struct {
	t testing.TB
	// dir holds the Caddyfile and everything that Caddy writes.
	dir string
	// port is where sites listen, on 127.0.0.1; $PORT in the Caddyfile.
	port string
	// admin is host:port of the admin endpoint; $ADMIN in the Caddyfile.
	admin string
	// logs is what the process wrote to its standard error, over all its runs.
	logs *logBuffer
	// env is added to the process' environment.
	env []string

	client   *http.Client
	canaries canaries
	cmd      *exec.Cmd
	exited   chan error
}

// preamble is imported by every test's Caddyfile, in its global block.
const preamble = `admin %s
persist_config off
auto_https off
default_bind 127.0.0.1
grace_period 5s
log {
	level DEBUG
	output stderr
}
`

// start runs a gateway and waits until it serves. The Caddyfile's global block
// begins with "import {$HARNESS}"; its sites listen on port {$PORT}; further
// names come from env, each "NAME=value". When the test ends the gateway is
// stopped and its logs are searched for canaries, data races and panics.
func start(t testing.TB, caddyfile string, env ...string) *gateway {
	t.Helper()
	g := prepare(t, caddyfile, env...)
	g.start()
	return g
}

// prepare is start without the starting.
func prepare(t testing.TB, caddyfile string, env ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), port: freePort(t), admin: "127.0.0.1:" + freePort(t), logs: new(logBuffer)}
	g.write("preamble", fmt.Sprintf(preamble, g.admin))
	g.write("Caddyfile", caddyfile)
	g.env = append([]string{
		beCaddy + "=1",
		"HOME=" + g.dir,
		"XDG_CONFIG_HOME=" + filepath.Join(g.dir, "config"),
		"XDG_DATA_HOME=" + filepath.Join(g.dir, "data"),
		"HARNESS=" + filepath.Join(g.dir, "preamble"),
		"PORT=" + g.port,
		"ADMIN=" + g.admin,
	}, env...)
	g.client = &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			// Every host name of a test is this machine.
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				var d net.Dialer
				return d.DialContext(ctx, network, "127.0.0.1:"+port)
			},
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		g.client.CloseIdleConnections()
		g.stop()
		g.inspectLogs()
	})
	return g
}

// write puts a file into the gateway's folder and returns its path.
func (g *gateway) write(name, content string) string {
	g.t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return path
}

// path returns where in the gateway's folder name is.
func (g *gateway) path(name string) string { return filepath.Join(g.dir, name) }

// command returns a Caddy command that would run beside the gateway, with the
// same folders and names.
func (g *gateway) command(args ...string) *exec.Cmd {
	g.t.Helper()
	self, err := os.Executable()
	if err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), g.env...)
	return cmd
}

// caddy runs a Caddy command to its end and returns what it printed and its
// exit code.
func (g *gateway) caddy(stdin string, args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	cmd := g.command(args...)
	var out, err bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &err
	switch failed := cmd.Run(); {
	case failed == nil:
	case errors.As(failed, new(*exec.ExitError)):
		code = cmd.ProcessState.ExitCode()
	default:
		g.t.Fatalf("caddy %s: %v", strings.Join(args, " "), failed)
	}
	return out.String(), err.String(), code
}

// launch starts the process without waiting until it serves.
func (g *gateway) launch() {
	g.t.Helper()
	g.cmd = g.command("run", "--config", "Caddyfile", "--adapter", "caddyfile")
	g.cmd.Stderr, g.cmd.Stdout = g.logs, g.logs
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	exited := make(chan error, 1)
	g.exited = exited
	go func(cmd *exec.Cmd) { exited <- cmd.Wait() }(g.cmd)
}

// start starts the process and waits until its configuration serves.
func (g *gateway) start() {
	g.t.Helper()
	g.launch()
	eventually(g.t, "the gateway serves", func() bool {
		select {
		case err := <-g.exited:
			g.cmd = nil
			g.t.Fatalf("caddy ended before it served: %v\n%s", err, g.logs)
		default:
		}
		return g.loaded() && accepts("127.0.0.1:"+g.port)
	})
}

// loaded reports whether the admin endpoint answers for a loaded configuration.
func (g *gateway) loaded() bool {
	resp, err := g.client.Get("http://" + g.admin + "/config/apps")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) != "null"
}

// stop ends the process as an operator would and returns its exit code.
func (g *gateway) stop() int { return g.end(syscall.SIGTERM) }

// kill ends the process as a crash would: nothing in it gets to run.
func (g *gateway) kill() { g.end(syscall.SIGKILL) }

func (g *gateway) end(signal syscall.Signal) int {
	g.t.Helper()
	if g.cmd == nil {
		return 0
	}
	cmd := g.cmd
	g.cmd = nil
	if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		g.t.Errorf("signal %v: %v", signal, err)
	}
	select {
	case <-g.exited:
		g.client.CloseIdleConnections() // they lead nowhere any more
	case <-time.After(patience):
		g.t.Errorf("caddy ignored %v for %v", signal, patience)
		_ = cmd.Process.Kill()
		<-g.exited
	}
	return cmd.ProcessState.ExitCode()
}

// reload makes the running gateway serve another Caddyfile and returns the
// admin endpoint's refusal, or nil.
func (g *gateway) reload(caddyfile string) error {
	g.t.Helper()
	g.write("Caddyfile", caddyfile)
	req, err := http.NewRequest(http.MethodPost, "http://"+g.admin+"/load", strings.NewReader(caddyfile))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	req.Header.Set("Cache-Control", "must-revalidate")
	resp, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	defer g.settle()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("load: %s: %s", resp.Status, body)
	}
	return nil
}

// settle waits until a configuration that was replaced, or refused, has let go of the
// ports. Each has listening sockets of its own, and what waits at one when that is
// closed is cut; what was connected to it is closed at some moment after its last
// answer, perhaps the one in which the next request is sent.
func (g *gateway) settle() {
	g.t.Helper()
	eventually(g.t, "one configuration listens", func() bool {
		return listeners(g.t, g.port) <= 1 && listeners(g.t, port(g.admin)) <= 1
	})
	g.client.CloseIdleConnections()
}

// listeners returns how many sockets listen at a port, by IPv4.
func listeners(t testing.TB, port string) (n int) {
	t.Helper()
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	const listening = "0A"
	for line := range strings.Lines(string(table)) {
		// Number, local address, remote address, state.
		if f := strings.Fields(line); len(f) > 3 && f[3] == listening && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", number)) {
			n++
		}
	}
	return n
}

// mustReload is [gateway.reload] for a configuration that must be taken.
func (g *gateway) mustReload(caddyfile string) {
	g.t.Helper()
	if err := g.reload(caddyfile); err != nil {
		g.t.Fatal(err)
	}
}

// url returns the address of path at a site of the gateway.
func (g *gateway) url(host, path string) string { return "http://" + host + ":" + g.port + path }

// eventually waits until ok holds, and fails the test when it does not in time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !waited(ok) {
		t.Fatalf("waited %v in vain until %s", patience, what)
	}
}

// waited waits until ok holds and reports whether it came to.
func waited(ok func() bool) bool {
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			return false
		case <-tick.C:
		}
	}
	return true
}

// accepts reports whether something listens at address.
func accepts(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// nextPort counts the ports that were handed out. It begins where another test
// process is unlikely to.
var nextPort = func() *atomic.Uint32 {
	n := new(atomic.Uint32)
	n.Store(uint32(os.Getpid()) * 97)
	return n
}()

// freePort returns a port of 127.0.0.1 at which nothing listens, another one at
// each call. It is below those that the system hands out by itself: Caddy shares
// ports (SO_REUSEPORT), so that of two listeners that were given the same one
// each would get half of the requests.
func freePort(t testing.TB) string {
	t.Helper()
	const lowest, count = 12000, 20000
	for range count {
		port := strconv.Itoa(lowest + int(nextPort.Add(1)%count))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("every port is taken")
	return ""
}

// logBuffer keeps everything written to it. It is safe for concurrent use.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns all that was written so far.
func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
