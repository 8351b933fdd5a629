// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-oauth2/caddy-oauth2"
)

var update = flag.Bool("update", false, "write what adapting gives into the files of testdata")

// separator stands between a Caddyfile and what it adapts to.
const separator = "----------\n"

// Ensure that each file of testdata adapts to the JSON, or fails with the
// error, that stands below its Caddyfile, and that a Caddyfile which adapts is
// one that `caddy fmt` leaves alone.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, expected, found := strings.Cut(string(content), separator)
			if !found {
				t.Fatalf("%s has no line of ten dashes", file)
			}
			got := adapt(t, input)
			if *update {
				if err := os.WriteFile(file, []byte(input+separator+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			expected = strings.TrimSpace(expected)
			switch {
			case strings.HasPrefix(expected, "{") && got != expected:
				t.Errorf("adapts to\n%s\nexpected\n%s", got, expected)
			case !strings.HasPrefix(expected, "{") && (strings.HasPrefix(got, "{") || !strings.Contains(got, expected)):
				t.Errorf("gives\n%s\nexpected an error with\n%s", got, expected)
			}
			if strings.HasPrefix(got, "{") && string(caddyfile.Format([]byte(input))) != input {
				t.Errorf("caddy fmt would write\n%s", caddyfile.Format([]byte(input)))
			}
		})
	}
}

// adapt returns the indented JSON of a Caddyfile, or the text of the error.
func adapt(t *testing.T, input string) string {
	t.Helper()
	got, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err.Error()
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, got, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return indented.String()
}

// Ensure that a secret in the Caddyfile is not in the JSON, which Caddy keeps and
// hands out, and that a placeholder, which is none, is.
func TestAdaptedConfigurationHoldsNoLiteralSecret(t *testing.T) {
	const literal, old = "a-secret-that-stands-in-the-caddyfile", "an-older-one-that-comes-by-environment"
	t.Setenv("OLD_SECRET", old)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(`{
		oauth2 {
			issuer https://auth.example.com
			client shop {
				secret `+literal+` {$OLD_SECRET}
			}
			client job {
				secret {file./run/secrets/job}
			}
		}
	}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{literal, old} {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(secret)))
		if text := string(adapted); strings.Contains(text, secret) || !strings.Contains(text, digest) {
			t.Errorf("the secret, or not its digest, is in %s", text)
		}
	}
	if !strings.Contains(string(adapted), "{file./run/secrets/job}") {
		t.Errorf("the placeholder is not in %s", adapted)
	}
}
