// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// root is the repository, seen from this package.
const root = "../.."

// snippets returns the fenced blocks of a Markdown file that are marked with
// language, in order.
func snippets(t testing.TB, file, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s has no %s snippet", file, language)
	}
	return found
}

// example starts an example as it is in the repository, with folders of its own,
// and returns what maps the ports of its Caddyfile, and others that its README
// names, to free ones.
func example(t *testing.T, name string, others ...string) (*gateway, *strings.Replacer) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "examples", name, "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	g := prepare(t, "")
	pairs := []string{"localhost:2019", g.admin}
	free := map[string]string{"8080": g.port}
	for _, match := range regexp.MustCompile(`:(\d{4,5})\b`).FindAllStringSubmatch(string(text), -1) {
		others = append(others, match[1])
	}
	for _, port := range append(others, "8080") {
		if free[port] == "" {
			free[port] = freePort(t)
		}
		pairs = append(pairs, ":"+port, ":"+free[port])
	}
	ports := strings.NewReplacer(pairs...)
	g.write("Caddyfile", ports.Replace(string(text)))
	g.env = append(g.env, "CADDY_ADMIN="+g.admin) // Caddy's own way to say where the admin endpoint is
	g.start()
	return g, ports
}

// quickstart starts the example that the main README tells of.
func quickstart(t *testing.T) (*gateway, *strings.Replacer) {
	t.Helper()
	return example(t, "quickstart")
}

// tour runs shell snippets, in one shell as a reader would, and checks that the
// output of each has the text of all its "# → text" lines. What they leave
// running ends with the test.
func (g *gateway) tour(blocks []string) {
	t := g.t
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// What the reader has built is this test's own binary.
	bin := g.path("examples/caddy")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "caddy"), []byte(fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\"\n", self)), 0o700); err != nil {
		t.Fatal(err)
	}
	const mark = "=== end of snippet"
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "set -eu\n"+strings.Join(blocks, "\necho; echo '"+mark+"'\n"))
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), g.env...)
	cmd.WaitDelay = patience
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var errors strings.Builder
	cmd.Stderr = io.MultiWriter(&errors, g.logs)
	output, err := cmd.Output()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if err != nil {
		t.Errorf("the tour failed: %v\n%s\n%s", err, output, errors.String())
	}
	parts := strings.Split(string(output), mark)
	for i, block := range blocks {
		for line := range strings.SplitSeq(block, "\n") {
			expected, found := strings.CutPrefix(line, "# → ")
			if found && (i >= len(parts) || !strings.Contains(parts[i], expected)) {
				t.Errorf("snippet %d\n%slacks %q; it printed:\n%s", i+1, block, expected, append(parts, "nothing")[min(i, len(parts))])
			}
		}
	}
	for _, secret := range regexp.MustCompile(`co2[a-z]{2}_\w+`).FindAllString(string(output), -1) {
		g.canary(secret)
	}
}

// follow is the tour of all shell snippets of a file.
func (g *gateway) follow(file string, ports *strings.Replacer) {
	g.t.Helper()
	var blocks []string
	for _, block := range snippets(g.t, file, "sh") {
		blocks = append(blocks, ports.Replace(block))
	}
	g.tour(blocks)
}

// Ensure that the README's tour works when it is pasted, line by line.
func TestReadmeTourWorksWhenPasted(t *testing.T) {
	t.Parallel()
	g, ports := quickstart(t)
	blocks := snippets(t, "README.md", "sh")
	if !strings.Contains(blocks[0], "\n./xcaddy.sh run\n") {
		t.Errorf("the first snippet is not how to begin: %s", blocks[0])
	}
	// What does not end, and what a person does between, has a test of its own.
	blocks = slices.DeleteFunc(blocks[1:], func(block string) bool { return strings.Contains(block, startsApplication) })
	for i := range blocks {
		blocks[i] = ports.Replace(blocks[i])
	}
	g.tour(blocks)
}

// Ensure that what the quickstart says to try works.
func TestQuickstartSnippetsWork(t *testing.T) {
	t.Parallel()
	g, ports := quickstart(t)
	g.follow("examples/quickstart/README.md", ports)
}

// Ensure that every Caddyfile that is shown adapts, and is formatted as caddy
// fmt would format it; and so for the examples.
func TestCaddyfilesThatAreShownAreValid(t *testing.T) {
	t.Parallel()
	shown := map[string]string{}
	for _, file := range []string{"README.md", "docs/operations.md", "docs/reference.md", "docs/security.md"} {
		for i, text := range snippets(t, file, "caddyfile") {
			shown[fmt.Sprintf("%s, Caddyfile %d", file, i+1)] = text
		}
	}
	examples, err := filepath.Glob(filepath.Join(root, "examples/*/*Caddyfile"))
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range examples {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		shown[file] = string(text)
	}
	for name, text := range shown {
		if _, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil); err != nil || len(warnings) != 0 {
			t.Errorf("%s: %v %v", name, err, warnings)
		}
		if formatted := caddyfile.Format([]byte(text)); string(formatted) != text {
			t.Errorf("%s is not formatted: %s", name, formatted)
		}
	}
}
