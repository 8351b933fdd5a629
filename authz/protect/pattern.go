// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// MaxPattern is the length in bytes of the longest path that a row may name.
	MaxPattern = 1024
	// MaxSegment is the length in bytes of the longest segment of such a path.
	MaxSegment = 255
)

// star is the pattern segment that stands for any one segment.
const star = "*"

// pattern is the path of a row, taken apart.
type pattern struct {
	segments []string // star or a literal
	below    bool     // ends in "/*": the path itself and everything below it
}

// parsePattern reads the path of a row: literal segments, "*" for one whole
// segment in the middle, and "/*" at the end for the path and all below it.
// The errors tell a person who edits a configuration what to write instead.
func parsePattern(path string) (pattern, error) {
	switch {
	case !strings.HasPrefix(path, "/"):
		return pattern{}, fmt.Errorf("the path %q must begin with a slash", path)
	case len(path) > MaxPattern:
		return pattern{}, fmt.Errorf("the path is longer than %d bytes", MaxPattern)
	case path == "/":
		return pattern{}, nil
	case strings.HasSuffix(path, "/"):
		bare := strings.TrimRight(path, "/")
		return pattern{}, fmt.Errorf("the path %q ends in a slash: write %q for this path alone, %q for it and everything below", path, bare, bare+"/*")
	case strings.ContainsRune(path, '%'):
		return pattern{}, fmt.Errorf("the path %q is percent-encoded: write it decoded, as people read it", path)
	case strings.ContainsAny(path, "?#"):
		return pattern{}, fmt.Errorf("the path %q must not have a query or a fragment: rows match the path only", path)
	}
	if found := scan(path, decoded) &^ lookalike; found != 0 {
		return pattern{}, fmt.Errorf("the path %q can be read in more than one way (%s), and such requests are refused", path, found)
	}
	p := pattern{segments: strings.Split(path[1:], "/")}
	if last := len(p.segments) - 1; p.segments[last] == star {
		p.segments, p.below = p.segments[:last], true
	}
	for _, s := range p.segments {
		switch {
		case s != star && strings.Contains(s, star):
			return pattern{}, fmt.Errorf("in the path %q a %q stands beside other characters: it stands for one whole segment, as in /users/*/orders, or at the end for everything below, as in /orders/*", path, star)
		case len(s) > MaxSegment:
			return pattern{}, fmt.Errorf("the path has a segment longer than %d bytes", MaxSegment)
		}
	}
	return p, nil
}

// folded returns the pattern with ASCII letters in lower case.
func (p pattern) folded() pattern {
	segments := slices.Clone(p.segments)
	for i, s := range segments {
		segments[i] = foldASCII(s)
	}
	return pattern{segments: segments, below: p.below}
}

// contains reports whether every path that q matches is matched by p too.
func (p pattern) contains(q pattern) bool {
	if len(p.segments) > len(q.segments) {
		return false
	}
	for i, s := range p.segments {
		if s != star && s != q.segments[i] {
			return false
		}
	}
	return p.below || len(p.segments) == len(q.segments) && !q.below
}

// wild reports whether p has a star in the middle. Only such patterns can
// cross others; all else is nested or disjoint.
func (p pattern) wild() bool { return slices.Contains(p.segments, star) }

// foldASCII returns s with the letters A to Z in lower case. Other letters
// are left alone: folding them differs from system to system.
func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// methodWord reports whether word can be the method of a row: upper-case, as
// methods are case-sensitive (RFC 9110 §9.1).
func methodWord(word string) bool {
	for i := range len(word) {
		c := word[i]
		if !('A' <= c && c <= 'Z' || i > 0 && ('0' <= c && c <= '9' || c == '-' || c == '_')) {
			return false
		}
	}
	return word != ""
}

var errRefusedMethod = errors.New("no guard passes it: TRACE echoes credentials, and CONNECT opens tunnels (a WebSocket over HTTP/2 or HTTP/3 matches as GET)")
