// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Ensure that a finished file gets its name, also where there are no links, and
// that what has the name already is never replaced. Directories stand for the
// files of a file system without links: no system links them.
func TestNameNewReplacesNothing(t *testing.T) {
	draftOf := map[string]func(path string) error{
		"file":               func(path string) error { return os.WriteFile(path, []byte("draft"), 0o600) },
		"where no links are": func(path string) error { return os.Mkdir(path, 0o700) },
	}
	for name, make := range draftOf {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			draft, file, taken := filepath.Join(dir, "draft"), filepath.Join(dir, "file"), filepath.Join(dir, "taken")
			if err := errors.Join(make(draft), os.WriteFile(taken, []byte("earlier"), 0o600)); err != nil {
				t.Fatal(err)
			}
			if err := nameNew(draft, taken); !errors.Is(err, fs.ErrExist) {
				t.Errorf("a name that is taken: %v", err)
			}
			if content, err := os.ReadFile(taken); string(content) != "earlier" {
				t.Errorf("what had the name is now %q, %v", content, err)
			}
			if err := nameNew(draft, file); err != nil {
				t.Errorf("a name that is free: %v", err)
			}
			if _, err := os.Stat(file); err != nil {
				t.Error(err)
			}
		})
	}
}
