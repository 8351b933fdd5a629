// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

var verb = regexp.MustCompile(`%[a-z]`)

func catalogues(t *testing.T) []*catalogue {
	t.Helper()
	l, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	return l.all
}

// Ensure that every language has every text, with the same things put in.
func TestCataloguesAgree(t *testing.T) {
	all := catalogues(t)
	for _, other := range all[1:] {
		for key, text := range all[0].text {
			translated, ok := other.text[key]
			if !ok || translated == "" {
				t.Errorf("%s has no %q", other.tag, key)
			}
			if !slices.Equal(verb.FindAllString(text, -1), verb.FindAllString(translated, -1)) {
				t.Errorf("%s: %q: %q", other.tag, key, translated)
			}
		}
		for key := range other.text {
			if all[0].text[key] == "" {
				t.Errorf("%s alone has %q", other.tag, key)
			}
		}
	}
}

// Ensure that every text that a template asks for exists, in branches too that no
// sample takes, and that none is there for nobody.
func TestTextsAreThereAndUsed(t *testing.T) {
	english := catalogues(t)[0]
	used := map[string]bool{"when": true, "password.least": true}
	files, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	asks := regexp.MustCompile(`\b(?:t|hint) "([a-z._]+)"|field [.$] "[a-z_]+" "([a-z.]+)"`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asks.FindAllStringSubmatch(string(source), -1) {
			used[m[1]+m[2]] = true
			if english.text[m[1]+m[2]] == "" {
				t.Errorf("%s: no text %q", file, m[1]+m[2])
			}
		}
	}
	for _, m := range Messages() {
		used["message."+string(m)] = true
		if english.text["message."+string(m)] == "" {
			t.Errorf("no text for the message %q", m)
		}
	}
	for _, s := range snippets(DeveloperSecret{}) {
		used["snippets."+s.ID] = true
	}
	for key := range english.text {
		if !used[key] && !strings.HasPrefix(key, "problem.") && !strings.HasPrefix(key, "error.") && !strings.HasPrefix(key, "refusal.") {
			t.Errorf("nobody says %q", key)
		}
	}
	refused := []Refusal{{Code: "cross_origin"}, {}}
	for _, status := range refusals {
		refused = append(refused, Refusal{Status: status})
	}
	for _, page := range refused {
		if english.text[page.Key()] == "" || english.text[page.Key()+".title"] == "" {
			t.Errorf("no text %q", page.Key())
		}
	}
	if declared := constants(t, "Message"); len(declared) != len(Messages()) {
		t.Errorf("%d messages, %d of them listed", len(declared), len(Messages()))
	}
}

// Ensure that a problem has a headline and help for its code, and both for every other.
func TestProblemsAreExplained(t *testing.T) {
	s := newSet(t, Config{})
	for _, e := range authz.Errors() {
		body := render(t, s, "de", Problem{Code: e.Code, Summary: e.Description}).Body.String()
		if !strings.Contains(body, "<code>"+e.Code+"</code>") {
			t.Errorf("%s: %s", e.Code, body)
		}
	}
	for key := range catalogues(t)[0].text {
		if code, ok := strings.CutSuffix(key, ".help"); ok && strings.HasPrefix(key, "problem.") && catalogues(t)[0].text[code+".title"] == "" {
			t.Errorf("%s has no headline", code)
		}
	}
}

// Ensure that the page is in the language that the browser asks for, in English
// where we speak none of them, and that no header is too odd.
func TestLanguages(t *testing.T) {
	s := newSet(t, Config{})
	for header, want := range map[string]string{
		"": "en", "en": "en", "de": "de", "de-AT,de;q=0.9,en;q=0.8": "de", "fr, de;q=0.5": "de", "fr": "en", "en-GB;q=0.9, de;q=0.1": "en", "*": "en",
		"de;q=x": "en", "\x00": "en", strings.Repeat("de,", 200): "en", `"><script>`: "en",
	} {
		if got := render(t, s, header, SignedOut{}).Body.String(); !strings.Contains(got, `<html lang="`+want+`">`) {
			t.Errorf("%q: not %s", header, want)
		}
	}
}

// FuzzLanguage makes sure that whatever a browser prefers, it gets a language there is.
func FuzzLanguage(f *testing.F) {
	all, err := readLanguages()
	if err != nil {
		f.Fatal(err)
	}
	for _, header := range []string{"de", "de-CH, de;q=0.9, en;q=0.8", "*", "en-US-u-rg-gbzzzz", "x-private", "de;q=0", strings.Repeat("a-", 150), "-----------------", "\xff"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Accept-Language": {header}}}
		if i := all.match(r); i < 0 || i >= len(all.all) {
			t.Fatalf("%q: %d", header, i)
		}
	})
}
