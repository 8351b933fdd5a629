// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Ensure that a configured secret is resolved once, and that an unknown or
// empty placeholder is an error which tells nothing of a literal secret.
func TestResolveSecret(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"full": "from a file\n", "empty": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CADDY_OAUTH2_TEST_SECRET", "{env.HOME}")
	for configured, expected := range map[string]string{
		"literal":                        "literal",
		"{file." + dir + "/full}":        "from a file",
		"{env.CADDY_OAUTH2_TEST_SECRET}": "{env.HOME}",
	} {
		if got, err := resolveSecret(configured); err != nil || got != expected {
			t.Errorf("%s: %q, %v", configured, got, err)
		}
	}
	for configured, expected := range map[string]string{
		"{file." + dir + "/empty}":        dir + "/empty",
		"{file." + dir + "/missing}":      dir + "/missing",
		"{env.CADDY_OAUTH2_TEST_MISSING}": "CADDY_OAUTH2_TEST_MISSING",
		"":                                "empty",
		"can{ar}y":                        "literal brace",
	} {
		got, err := resolveSecret(configured)
		if err == nil || !strings.Contains(err.Error(), expected) || strings.Contains(err.Error(), "{ar}") {
			t.Errorf("%q: %q, %v", configured, got, err)
		}
	}
}
