// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// installing is how long npm may take to fetch what an application needs.
const installing = 5 * time.Minute

// relyingParty puts the example application where a reader has it, on other ports,
// and returns the address of its page.
func (g *gateway) relyingParty(ports *strings.Replacer) string {
	g.t.Helper()
	const folder = "examples/relying-party"
	if err := os.MkdirAll(g.path(folder), 0o700); err != nil {
		g.t.Fatal(err)
	}
	for _, name := range []string{"app.ts", "package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(root, folder, name))
		if err != nil {
			g.t.Fatal(err)
		}
		g.write(filepath.Join(folder, name), ports.Replace(string(text)))
	}
	return ports.Replace("http://127.0.0.1:3000")
}

// background runs a snippet that does not end, in a shell as a reader would, until the test
// does, and waits for what it starts to listen at address.
func (g *gateway) background(snippet, address string) {
	t := g.t
	t.Helper()
	cmd := exec.Command("sh", "-c", "set -eu\n"+snippet)
	cmd.Dir = g.dir
	output := new(logBuffer)
	cmd.Stdout = io.MultiWriter(output, g.logs)
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(installing)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !accepts(address) {
		select {
		case err := <-ended:
			t.Fatalf("%s ended before it served: %v\n%s", snippet, err, output)
		case <-deadline:
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			t.Fatalf("%s does not serve after %v\n%s", snippet, installing, output)
		case <-tick.C:
		}
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
}

// Ensure that the example application signs people in as its README says, refreshes
// its tokens, and learns at its next request that its access was ended; and that what
// it had is worth nothing after the sign-out.
func TestWebApplicationSignsPeopleIn(t *testing.T) {
	t.Parallel()
	g, ports := example(t, "relying-party")
	g.canary("correct horse battery")
	g.canary("relying-party-secret-do-not-use-elsewhere")
	blocks := snippets(t, "examples/relying-party/README.md", "sh")
	g.tour(blocks[:1])
	page := g.relyingParty(ports)
	g.background(blocks[1], strings.TrimPrefix(page, "http://"))

	// A token that lasts as long as the application wants one to is refreshed at once.
	config, err := os.ReadFile(g.path("Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	brief := strings.Replace(string(config), "lifetime 5m", "lifetime 30s", 1)
	if brief == string(config) {
		t.Fatal("the example has another lifetime")
	}
	g.mustReload(brief)

	ann := newPerson(g)
	ann.beyond = []string{page[strings.LastIndexByte(page, ':')+1:]}
	const orders = "the orders of ann: 7 and 8"
	reads := func(s *screen, want string) {
		t.Helper()
		if s.status != http.StatusOK || s.title() != "Orders" || !strings.Contains(s.text(), want) {
			t.Fatalf("%s, %d, want %q: %s", s.url, s.status, want, s.text())
		}
	}
	asked := ann.open(page).follow("Sign in").is(http.StatusOK, "Sign in").signIn("ann", "correct horse battery")
	denied := asked.is(http.StatusOK, "Orders asks for access to your account").submit("deny")
	if denied.status != http.StatusForbidden || !strings.Contains(denied.text(), "You did not allow it") {
		t.Errorf("%s, %d: %s", denied.url, denied.status, denied.text())
	}
	reads(denied.follow("Try again").submit("allow"), orders)
	reads(ann.open(page), orders)
	if n := g.refreshes(); n < 2 {
		t.Errorf("refreshed %d times", n)
	}

	ann.at("/oauth/account").submit("revoke")
	ended := ann.open(page)
	reads(ended, "Your access has ended")
	reads(ended.follow("Sign in again").submit("allow"), orders)

	reads(ann.post(page+"/logout"), "You are not signed in")
	if grants, _ := g.cli(0, "", "grant", "list", "--json"); strings.Contains(grants, "orders-app") {
		t.Errorf("after the sign-out there is %s", grants)
	}
}

// refreshes returns how many access tokens refresh tokens have given.
func (g *gateway) refreshes() int {
	g.t.Helper()
	out, _ := g.cli(0, "", "audit", "--json")
	return strings.Count(out, "refresh_token")
}

// post sends an empty form, as a page of the same site does.
func (p *person) post(address string) *screen {
	p.g.t.Helper()
	req, err := http.NewRequest(http.MethodPost, address, nil)
	if err != nil {
		p.g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.navigate(req)
}
