// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// withOpenIDClient returns a folder with the script, and npm's openid-client in the
// version of the example application.
func withOpenIDClient(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"examples/relying-party/package.json", "examples/relying-party/package-lock.json", "module/systemtest/testdata/openid_client.mjs"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), installing)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--omit=dev", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
	npm.Dir = dir
	npm.WaitDelay = patience
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// Ensure that a client which others have written completes the code flow with PKCE,
// also by a pushed request, refreshes, introspects and revokes, and that what it has
// revoked opens nothing any more.
func TestOpenIDClientCompletesEverything(t *testing.T) {
	t.Parallel()
	dir := withOpenIDClient(t)
	// Node.js does not know every name below localhost.
	g := start(t, strings.Replace(fromScratch, "http://api.localhost", "http://127.0.0.1", 1))
	g.canary(shopSecret)
	g.addUser("ann", annPassword)
	ann := newPerson(g)

	ctx, cancel := context.WithTimeout(t.Context(), installing)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "openid_client.mjs",
		g.issuer(), "shop", shopSecret, "https://shop.example/callback", "http://127.0.0.1:"+g.port+"/orders/1")
	cmd.Dir = dir
	cmd.WaitDelay = patience
	cmd.Stderr = g.logs
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(output); lines.Scan(); {
		request, found := strings.CutPrefix(lines.Text(), "browse ")
		if !found {
			said = append(said, lines.Text())
			continue
		}
		s := ann.open(request)
		if s.title() == "Sign in" {
			s = s.signIn("ann", annPassword).submit("allow")
		}
		s.code("https://shop.example/callback")
		if _, err := fmt.Fprintln(input, s.url); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, g.logs)
	}
	if want := []string{
		"code bearer orders:read", "api 200",
		"pushed client_id,request_uri", "api 200",
		"refreshed true true", "api 200",
		"introspected true shop ann orders:read",
		"revoked false", "api 401", "api 200",
		"refused invalid_grant",
	}; !slices.Equal(said, want) {
		t.Errorf("it says\n%s\nand not\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
}
