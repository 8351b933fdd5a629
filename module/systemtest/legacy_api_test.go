// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Ensure that a service which believes another gateway's headers works unchanged
// behind each preset, as the example's README says, line by line: it learns who
// calls, and a client cannot tell it anything else.
func TestLegacyServiceInThreeDialects(t *testing.T) {
	t.Parallel()
	g := prepare(t, "")
	ports := strings.NewReplacer(":8080", ":"+g.port, ":8081", ":"+freePort(t))
	g.env = append(g.env, "CADDY_ADMIN="+g.admin, "GOCACHE="+goEnv(t, "GOCACHE"))
	// The reader stands in the repository.
	files, err := filepath.Glob(filepath.Join(root, "examples/legacy-api/*Caddyfile"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range append(files, filepath.Join(root, "go.mod"), filepath.Join(root, "examples/legacy-api/service/main.go")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(g.path(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		g.write(name, ports.Replace(string(text)))
	}
	g.canary("legacy-api-secret-do-not-use-elsewhere")
	g.follow("examples/legacy-api/README.md", ports)
}

// goEnv returns what the Go command calls name.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	value, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}
