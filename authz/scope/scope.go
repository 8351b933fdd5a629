// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package scope holds scope words, sets of them, and requirements on them.
package scope

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// MaxWord is the length in bytes of the longest scope word that is accepted.
	MaxWord = 128
	// MaxWords is the number of words in the largest set that [Parse] accepts.
	MaxWords = 100
)

// ErrSyntax is the error of every text that is no scope. Its text never
// repeats the input, which may come from a client.
var ErrSyntax = errors.New("malformed scope")

// Set is a set of scope words, sorted and without repetition. The zero value
// is the empty set. Sets are never changed in place: share them freely.
type Set []string

// Of returns the set of the given words, which must be valid (see [Valid]).
func Of(words ...string) Set {
	s := slices.Clone(words)
	slices.Sort(s)
	return Set(slices.Compact(s))
}

// UnmarshalJSON reads a list of words in any order, each as often as it is there.
// Whether they are valid is not looked at.
func (s *Set) UnmarshalJSON(text []byte) error {
	var words []string
	if err := json.Unmarshal(text, &words); err != nil {
		return err
	}
	*s = Of(words...)
	return nil
}

// Valid reports whether word is a scope-token of RFC 6749 §3.3: printable
// ASCII without space, quote and backslash, at most [MaxWord] bytes.
func Valid(word string) bool {
	if word == "" || len(word) > MaxWord {
		return false
	}
	for i := range len(word) {
		if c := word[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Parse reads a scope parameter (RFC 6749 §3.3). The empty text is the empty
// set; surplus spaces are forgiven, repeated words count once.
func Parse(text string) (Set, error) {
	if len(text) > MaxWords*(MaxWord+1) {
		return nil, fmt.Errorf("%w: too long", ErrSyntax)
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' })
	if len(words) > MaxWords {
		return nil, fmt.Errorf("%w: more than %d words", ErrSyntax, MaxWords)
	}
	for _, w := range words {
		if !Valid(w) {
			return nil, fmt.Errorf("%w: a word has characters outside RFC 6749 §3.3 or is longer than %d bytes", ErrSyntax, MaxWord)
		}
	}
	return Of(words...), nil
}

// String returns the words separated by single spaces, as they go on the wire.
func (s Set) String() string { return strings.Join(s, " ") }

// Has reports whether word is in s.
func (s Set) Has(word string) bool {
	_, found := slices.BinarySearch(s, word)
	return found
}

// Contains reports whether every word of other is in s.
func (s Set) Contains(other Set) bool {
	i := 0
	for _, w := range other { // both are sorted: one walk through each
		for i < len(s) && s[i] < w {
			i++
		}
		if i == len(s) || s[i] != w {
			return false
		}
	}
	return true
}

// Intersect returns the words that are in both sets.
func (s Set) Intersect(other Set) Set {
	var both Set
	for _, w := range s {
		if other.Has(w) {
			both = append(both, w)
		}
	}
	return both
}

// Requirement is what a row demands: any of its alternatives, of each
// alternative every word. The zero value demands nothing beyond a valid
// credential.
type Requirement []Set

// MetBy reports whether held satisfies the requirement. It does not allocate.
func (r Requirement) MetBy(held Set) bool {
	return len(r) == 0 || slices.ContainsFunc(r, held.Contains)
}

// String returns the requirement as it is written in a Caddyfile:
// alternatives separated by " | ".
func (r Requirement) String() string {
	alternatives := make([]string, len(r))
	for i, all := range r {
		alternatives[i] = all.String()
	}
	return strings.Join(alternatives, " | ")
}

// Challenge returns the scope attribute for a refusal (RFC 6750 §3): the
// alternative that is nearest to what held already has, or "" when nothing is
// demanded.
func (r Requirement) Challenge(held Set) string {
	best, missing := "", -1
	for _, all := range r {
		n := 0
		for _, w := range all {
			if !held.Has(w) {
				n++
			}
		}
		if missing < 0 || n < missing {
			best, missing = all.String(), n
		}
	}
	return best
}
