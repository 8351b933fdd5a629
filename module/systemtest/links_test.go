// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// Ensure that what the documents link to in this repository is there: files, and the
// headings in them.
func TestLinksBetweenDocuments(t *testing.T) {
	t.Parallel()
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v %v", pattern, found, err)
		}
		documents = append(documents, found...)
	}
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(string(text), -1) {
			to, err := url.Parse(match[1])
			if err != nil {
				t.Errorf("%s: %v", document, err)
				continue
			}
			if to.IsAbs() {
				continue
			}
			file := document
			if to.Path != "" {
				file = filepath.Join(filepath.Dir(document), to.Path)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %v", document, err)
			} else if to.Fragment != "" && !headed(t, file, to.Fragment) {
				t.Errorf("%s: %s has no heading #%s", document, file, to.Fragment)
			}
		}
	}
}

// headed reports whether a document has a heading with that fragment, as GitHub makes
// them: letters, digits, hyphens and underscores of it, with hyphens for spaces.
func headed(t *testing.T, file, fragment string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		if fragment == strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, match[1]) {
			return true
		}
	}
	return false
}
