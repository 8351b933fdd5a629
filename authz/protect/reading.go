// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"math/bits"
	"strings"
)

// maxMixed is how many kinds of ambiguity one path may mix. Each doubles the
// number of readings.
const maxMixed = 4

// kept stands for an encoded slash that is read as a letter. It cannot come
// from a request: control characters are refused before.
const kept = '\x01'

// A reading is one way to understand a path. The order matters: what an
// earlier step uncovers, a later one sees.
var readings = []struct {
	of    ambiguity
	apply func(path string, row *entry) string
}{
	{doubleEncoding, func(path string, _ *entry) string { return unescapeAll(path, '/') }},
	{lookalike, unlike},
	{encodedSlash, func(path string, _ *entry) string { return strings.ReplaceAll(path, string(kept), "/") }},
	{backslash, func(path string, _ *entry) string { return strings.ReplaceAll(path, `\`, "/") }},
	{encodedDelimiter, func(path string, _ *entry) string {
		if i := strings.IndexAny(path, "#?"); i >= 0 {
			return path[:i]
		}
		return path
	}},
	{semicolon, func(path string, _ *entry) string {
		return eachSegment(path, func(s string) string { s, _, _ = strings.Cut(s, ";"); return s })
	}},
	{trailingDot, func(path string, _ *entry) string {
		return eachSegment(path, func(s string) string { return strings.TrimRight(s, ". ") })
	}},
	{doubleSlash, func(path string, _ *entry) string {
		for strings.Contains(path, "//") {
			path = strings.ReplaceAll(path, "//", "/")
		}
		return path
	}},
}

// findAll looks up every reading of an encoded path that holds the given
// ambiguities, all of them allowed. It returns the row that every reading
// meets; ok is false when they differ, or when a reading uncovers an
// ambiguity that the path did not show.
func (t *table) findAll(method, path string, found ambiguity) (row *entry, ok bool) {
	if bits.OnesCount16(uint16(found)) > maxMixed {
		return nil, false
	}
	base := unescapeAll(path, kept)
	row = t.find(method, base)
	for subset := found; ; subset = (subset - 1) & found {
		reading := base
		for _, r := range readings {
			if subset&r.of != 0 {
				reading = r.apply(reading, row)
			}
		}
		if !settled(reading, found, subset) || t.find(method, reading) != row {
			return nil, false
		}
		if subset == 0 {
			return row, true
		}
	}
}

// settled reports whether a reading is one that can be looked up: it uncovers
// nothing that the path did not show, and what was read away is gone.
func settled(reading string, found, subset ambiguity) bool {
	left := scan(reading, decoded)
	if found&encodedSlash != 0 && subset&encodedSlash == 0 {
		left &^= control // kept
	}
	return left&^found == 0 && left&subset&^lookalike == 0 &&
		strings.HasPrefix(reading, "/") && !reserved(reading)
}

// unescapeAll decodes a path once. A slash that was encoded becomes the given
// byte.
func unescapeAll(path string, slash byte) string {
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); {
		c, width := byteAt(path[i:], encoded)
		switch {
		case width == 0: // a percent sign that was encoded itself
			c, width = path[i], 1
		case width > 1 && c == '/':
			c = slash
		}
		b.WriteByte(c)
		i += width
	}
	return b.String()
}

// eachSegment rewrites every segment of a path.
func eachSegment(path string, rewrite func(string) string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = rewrite(s)
	}
	return strings.Join(segments, "/")
}

// unlike replaces lookalikes, except in segments that the row's own path
// names: whoever writes /kayıt/* means that letter.
func unlike(path string, row *entry) string {
	i := -2 // the first segment comes after the first slash
	return eachSegment(path, func(segment string) string {
		i++
		if row != nil && 0 <= i && i < len(row.pattern.segments) && row.pattern.segments[i] != star {
			return segment
		}
		return strings.Map(func(r rune) rune {
			if c, ok := looksLike(r); ok {
				return rune(c)
			}
			return r
		}, segment)
	})
}
