// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Ensure that the words of a scope parameter become a set: sorted, each once,
// whatever the spaces.
func TestParseReadsSets(t *testing.T) {
	for text, want := range map[string]scope.Set{
		"":                                   nil,
		"   ":                                nil,
		"read":                               {"read"},
		"write read":                         {"read", "write"},
		"  b  a b ":                          {"a", "b"},
		"orders:read a/b !#[]~|":             {"!#[]~|", "a/b", "orders:read"},
		strings.Repeat("a ", scope.MaxWords): {"a"},
		strings.Repeat("a", scope.MaxWord):   {strings.Repeat("a", scope.MaxWord)},
	} {
		got, err := scope.Parse(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%.40q: %q, %v", text, got, err)
		}
	}
}

// Ensure that what RFC 6749 §3.3 does not allow, and what is too much, is
// refused without repeating it.
func TestParseRefusesOthers(t *testing.T) {
	for _, text := range []string{
		"a\tb", "a\nb", `a"b`, `a\b`, "ä", "a\x00", "\x7f", "a\u00a0b",
		strings.Repeat("a", scope.MaxWord+1),
		strings.Repeat("a ", scope.MaxWords+1),
		strings.Repeat(" ", 1<<20),
	} {
		got, err := scope.Parse(text)
		if got != nil || !errors.Is(err, scope.ErrSyntax) || strings.Contains(err.Error(), text) {
			t.Errorf("%.40q: %q, %v", text, got, err)
		}
	}
}

// Ensure that sets are compared and cut by words, never by parts of words.
func TestSetsAreSetsOfWords(t *testing.T) {
	s := scope.Of("read", "write", "read", "admin")
	if s.String() != "admin read write" {
		t.Errorf("the words are %q", s)
	}
	if !s.Has("read") || s.Has("rea") || s.Has("readx") || s.Has("") || scope.Set(nil).Has("") {
		t.Error("Has is wrong")
	}
	if !s.Contains(scope.Of("admin", "write")) || !s.Contains(nil) || s.Contains(scope.Of("read", "other")) || scope.Set(nil).Contains(s) {
		t.Error("Contains is wrong")
	}
	if got := s.Intersect(scope.Of("write", "other", "admin")); !slices.Equal(got, scope.Set{"admin", "write"}) {
		t.Errorf("the intersection is %q", got)
	}
}

// Ensure that Of leaves its arguments alone: they may be somebody's set.
func TestOfDoesNotSortItsArguments(t *testing.T) {
	words := []string{"b", "a"}
	if scope.Of(words...); words[0] != "b" {
		t.Error("the argument is sorted")
	}
}

// Ensure that a requirement is met by all words of one alternative, held by
// the token, and that a refusal names the nearest one.
func TestRequirements(t *testing.T) {
	requirement := scope.Requirement{scope.Of("read", "reports"), scope.Of("admin")}
	for _, c := range []struct {
		held      string
		met       bool
		challenge string
	}{
		{"read reports", true, "read reports"},
		{"admin other", true, "admin"},
		{"read reports admin", true, "read reports"},
		{"read", false, "read reports"},
		{"reports", false, "read reports"},
		{"", false, "admin"},
		{"admins read", false, "read reports"},
	} {
		held, _ := scope.Parse(c.held)
		if requirement.MetBy(held) != c.met {
			t.Errorf("%q: met is not %v", c.held, c.met)
		}
		if got := requirement.Challenge(held); got != c.challenge {
			t.Errorf("%q is told to ask for %q", c.held, got)
		}
	}
	if !scope.Requirement(nil).MetBy(nil) || scope.Requirement(nil).Challenge(nil) != "" {
		t.Error("nothing is demanded, and still")
	}
	if got := requirement.String(); got != "read reports | admin" {
		t.Error(got)
	}
}

// Ensure that judging a request by its scopes does not allocate.
func TestMetByDoesNotAllocate(t *testing.T) {
	requirement := scope.Requirement{scope.Of("admin"), scope.Of("a", "b")}
	held := scope.Of("a", "b", "c")
	if n := testing.AllocsPerRun(100, func() {
		if !requirement.MetBy(held) {
			t.Error("not met")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse: what is accepted is within the limits, sorted, each word once
// and valid, and reads the same when written again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "read write", " a  a ", "a\tb", "ä", `"`, "orders:read orders:write"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := scope.Parse(text)
		if err != nil {
			if set != nil {
				t.Fatalf("%q: a set and an error", text)
			}
			return
		}
		for i, word := range set {
			if !scope.Valid(word) || i > 0 && set[i-1] >= word || !strings.Contains(text, word) {
				t.Fatalf("%q yields %q", text, set)
			}
		}
		if again, err := scope.Parse(set.String()); err != nil || !slices.Equal(again, set) || len(set) > scope.MaxWords {
			t.Fatalf("%q is read as %q, and written again as %q, %v", text, set, again, err)
		}
	})
}

// Ensure that a list of words makes a set in whatever order a person wrote it: as it
// stands it would be compared wrong.
func TestAttackWordsOutOfOrder(t *testing.T) {
	var r scope.Requirement
	if err := json.Unmarshal([]byte(`[["write","read","write"],[],null]`), &r); err != nil {
		t.Fatal(err)
	}
	if len(r) != 3 || !slices.Equal(r[0], scope.Of("read", "write")) || len(r[1])+len(r[2]) != 0 || !r[:1].MetBy(scope.Of("read", "write")) {
		t.Errorf("%q", r)
	}
	for _, text := range []string{`"read"`, `[1]`, `{}`} {
		if json.Unmarshal([]byte(text), new(scope.Set)) == nil {
			t.Errorf("%s is read", text)
		}
	}
}
