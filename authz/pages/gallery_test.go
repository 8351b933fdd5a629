// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var gallery = flag.String("gallery", "", "keep all pages with sample data in this folder, to look at them")

// Ensure that every page can be made in every language. With -gallery they can be
// looked at: each file stands for itself in a browser.
func TestGallery(t *testing.T) {
	folder := *gallery
	if folder == "" {
		folder = t.TempDir()
	}
	s := newSet(t, Config{Brand: Brand{Name: "Example Accounts"}})
	keep := func(path string, content []byte) {
		path = filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, a := range s.assets {
		keep(filepath.Join("assets", name), a.content)
	}
	seen := map[string]bool{}
	for _, sample := range samples() {
		seen[sample.page.kind().name] = true
		for _, language := range []string{"en", "de"} {
			body := render(t, s, language, sample.page).Body.String()
			keep(sample.name+"."+language+".html", []byte(strings.ReplaceAll(body, `="`+testPrefix+PathAssets, `="assets/`)))
		}
	}
	for _, page := range allPages {
		if !seen[page.kind().name] {
			t.Errorf("%T is not in the gallery", page)
		}
	}
}
