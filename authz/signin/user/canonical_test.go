// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

// Ensure that spellings which people cannot tell apart, or which are the same to them,
// have one form (U14).
func TestSpellingsOfAName(t *testing.T) {
	for want, spellings := range map[string][]string{
		"zoë":             {"zoë", "ZOË", "zoe\u0308", " zoë\t", "Zoe\u0308"},
		"alice":           {"alice", "ALICE", "ａｌｉｃｅ", "𝒶𝓁𝒾𝒸ℯ", "Alice\n"},
		"jane doe":        {"Jane Doe", "jane  doe", "jane\u00a0doe", "\u2003jane\u3000doe"},
		"strasse":         {"Straße", "STRASSE"},
		"file":            {"ﬁle", "FILE"},
		"zoe@example.com": {"Zoe@EXAMPLE.com", "zoe＠example.com"},
		"σίσυφοσ":         {"ΣΊΣΥΦΟΣ", "σίσυφος"},
	} {
		for _, spelling := range spellings {
			if got, err := Canonical(spelling); err != nil || got != want {
				t.Errorf("%q: %q, %v, want %q", spelling, got, err, want)
			}
		}
	}
}

// Ensure that names which would not show as what they are, are none.
func TestNamesThatAreRefused(t *testing.T) {
	for _, name := range []string{
		"", " ", "\u00a0", "a\x00b", "a\nb", "a\tb", "\x7f", "\xff", "a\u200bb", "a\u202eb", "a\u2066b", "\ufeffa", "a\u00adb", "a\u034fb", "a\ufe0fb",
		"\u3164", "a\u115fb", "\ue000", "a\U000e0041", strings.Repeat("x", MaxUserName+1), strings.Repeat("x", 1<<20), strings.Repeat("ﷺ", 20),
	} {
		if got, err := Canonical(name); !errors.Is(err, ErrName) {
			t.Errorf("%.40q: %q, %v", name, got, err)
		}
	}
	// Of the form of a subject, in whatever spelling.
	subject := token.NewID(time.Now())
	for _, name := range []string{subject, strings.ToLower(subject), strings.ToUpper(subject), " " + subject + " ", "１" + subject[1:]} {
		if got, err := Canonical(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"x" + subject[1:], subject[1:], subject + "x", subject + "@example.com", "1-" + subject[2:]} {
		if _, err := Canonical(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, address := range []string{"zoe", "@example.com", "zoe@", "a@b@c", "a b@example.com", "a@exam ple.com"} {
		if got, err := CanonicalEmail(address); !errors.Is(err, ErrName) {
			t.Errorf("%q: %q, %v", address, got, err)
		}
	}
}

// FuzzCanonical: a canonical name is its own canonical form, of bounded length, and
// without characters that do not show.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"zoë", "ZOE\u0308", "Straße", "ﬁ", "İ", "ΐ", "a\u0345\u0301", "\u1e9e", "a\u200b", "\xff", "ǆ", "ﷺ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		one, err := Canonical(name)
		if err != nil {
			if !errors.Is(err, ErrName) {
				t.Errorf("%q: %v", name, err)
			}
			return
		}
		if two, err := Canonical(one); err != nil || two != one {
			t.Errorf("%q becomes %q, and that %q, %v", name, one, two, err)
		}
		if one == "" || len(one) > MaxUserName || !utf8.ValidString(one) || strings.ContainsFunc(one, func(r rune) bool { return unicode.Is(unicode.C, r) }) {
			t.Errorf("%q becomes %q", name, one)
		}
	})
}
