// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Ensure that people reach legacy sites by one sign-in as the example's README says,
// line by line.
func TestLegacySitesBehindOneSignIn(t *testing.T) {
	t.Parallel()
	g := prepare(t, "")
	ports := strings.NewReplacer(":8080", ":"+g.port, ":8081", ":"+freePort(t))
	g.env = append(g.env, "CADDY_ADMIN="+g.admin, "GOCACHE="+goEnv(t, "GOCACHE"))
	// The reader stands in the repository.
	for _, name := range []string{"go.mod", "examples/legacy-api/service/main.go", "examples/sso-legacy-site/Caddyfile", "examples/sso-legacy-site/users"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(g.path(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		g.write(name, ports.Replace(string(text)))
	}
	g.canary("legacy-users-keep-their-passwords")
	g.follow("examples/sso-legacy-site/README.md", ports)
}
