// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ambiguity is a set of ways in which two parsers can read one path
// differently. The guard must not guess which of them the upstream has.
type ambiguity uint16

const (
	encodedSlash     ambiguity = 1 << iota // "%2f": a separator, or a letter of the segment
	backslash                              // "\" or "%5c": Windows takes it for a separator
	semicolon                              // ";" or "%3b": servlet containers cut parameters off
	doubleSlash                            // "//": some merge it, others see an empty segment
	doubleEncoding                         // "%25" and two hex digits: some decode twice
	trailingDot                            // "x." or "x ": Windows drops dots and spaces at the end
	encodedDelimiter                       // "#", "%23", "%3f": some parse again after decoding
	dotSegment                             // "." or "..", raw, encoded, or before one of the above
	control                                // NUL and other control characters: C strings end there
	malformed                              // no UTF-8, overlong UTF-8, "%" without two hex digits, "%u0041"
	lookalike                              // other letters that some fold into ASCII, such as "ı" or "／"
)

// permissible names the ambiguities that a configuration may allow. The
// others have no use that is worth their danger.
var permissible = []struct {
	name  string
	value ambiguity
}{
	{"encoded_slash", encodedSlash},
	{"backslash", backslash},
	{"semicolon", semicolon},
	{"double_slash", doubleSlash},
	{"double_encoding", doubleEncoding},
	{"trailing_dot", trailingDot},
	{"encoded_delimiter", encodedDelimiter},
}

// Ambiguities returns the names that [Config].AllowAmbiguous takes.
func Ambiguities() []string {
	names := make([]string, len(permissible))
	for i, p := range permissible {
		names[i] = p.name
	}
	return names
}

// parseAmbiguities returns the set that the names stand for.
func parseAmbiguities(names []string) (ambiguity, error) {
	var set ambiguity
	for _, name := range names {
		i := slices.Index(Ambiguities(), name)
		if i < 0 {
			return 0, fmt.Errorf("allow_ambiguous %q is unknown: use %s", name, strings.Join(Ambiguities(), ", "))
		}
		set |= permissible[i].value
	}
	return set, nil
}

// String returns the names in the set, for errors and explanations.
func (a ambiguity) String() string {
	var names []string
	for _, p := range permissible {
		if a&p.value != 0 {
			names = append(names, p.name)
		}
	}
	for _, p := range []struct {
		value ambiguity
		name  string
	}{{dotSegment, "dot_segment"}, {control, "control_character"}, {malformed, "malformed"}, {lookalike, "lookalike"}} {
		if a&p.value != 0 {
			names = append(names, p.name)
		}
	}
	return strings.Join(names, ", ")
}

// form says how the text that is scanned stands to the path it means.
type form bool

const (
	decoded form = false // decoded once: what the guard matches
	encoded form = true  // as on the wire
)

// ordinary marks the bytes that mean the same to everybody.
var ordinary = func() (set [256]bool) {
	for c := 0x21; c < 0x7f; c++ {
		set[c] = !strings.ContainsRune(`/\.;%#?`, rune(c))
	}
	return set
}()

// scan returns every ambiguity of a path, which must not hold its query. One
// pass, no allocation: a path of 16 kB costs microseconds.
func scan(path string, f form) ambiguity {
	var found ambiguity
	start := true // at the beginning of a segment
	dots := true  // the segment so far is nothing but dots and spaces
	tail := false // its last character is a dot or a space
	for i := 0; i < len(path); {
		c := path[i]
		if ordinary[c] {
			start, dots, tail = false, false, false
			i++
			continue
		}
		escaped, width := false, 1
		if c == '%' && f == encoded {
			if c, width = unescape(path[i:]); width == 0 {
				return found | malformed
			}
			escaped = true
		}
		switch {
		case c == '/' || c == '\\':
			if !start {
				found |= segmentEnd(dots, tail)
			} else if i > 0 {
				found |= doubleSlash
			}
			if c == '\\' {
				found |= backslash
			} else if escaped {
				found |= encodedSlash
			}
			start, dots, tail = true, true, false
		case c == '.' || c == ' ':
			start, tail = false, true
		case c == ';' || c == '#' || c == '?':
			if c == ';' {
				found |= semicolon
			} else {
				found |= encodedDelimiter
			}
			if !start { // some end the segment here, so that "..;" is ".." to them
				found |= segmentEnd(dots, tail)
			}
			start, dots, tail = false, false, false
		case c == '%':
			found |= hexAfter(path[i+width:], f)
			start, dots, tail = false, false, false
		case c < 0x20 || c == 0x7f:
			found |= control
			start, dots, tail = false, false, false
		case c >= utf8.RuneSelf:
			r, n := runeAt(path[i:], f)
			if r == utf8.RuneError && n == width {
				found |= malformed
			}
			if _, ok := looksLike(r); ok {
				found |= lookalike
			}
			width = n
			start, dots, tail = false, false, false
		default:
			start, dots, tail = false, false, false
		}
		i += width
	}
	if !start {
		found |= segmentEnd(dots, tail)
	}
	return found
}

// segmentEnd judges a segment that is not empty.
func segmentEnd(dots, tail bool) ambiguity {
	switch {
	case dots:
		return dotSegment
	case tail:
		return trailingDot
	}
	return 0
}

// unescape returns the byte that the "%hh" at the beginning of s stands for
// and its width, or a width of 0 if there is none (RFC 3986 §2.1).
func unescape(s string) (c byte, width int) {
	if len(s) < 3 || s[0] != '%' {
		return 0, 0
	}
	high, ok1 := unhex(s[1])
	low, ok2 := unhex(s[2])
	if !ok1 || !ok2 {
		return 0, 0
	}
	return high<<4 | low, 3
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// byteAt returns the first byte that s means, and how much of s it takes.
func byteAt(s string, f form) (c byte, width int) {
	if s == "" {
		return 0, 0
	}
	if f == encoded && s[0] == '%' {
		return unescape(s)
	}
	return s[0], 1
}

// hexAfter judges a percent sign that is meant as one, by what follows it.
func hexAfter(rest string, f form) ambiguity {
	first, n := byteAt(rest, f)
	second, m := byteAt(rest[n:], f)
	if n == 0 || m == 0 {
		return 0
	}
	_, ok1 := unhex(first)
	_, ok2 := unhex(second)
	switch {
	case ok1 && ok2:
		return doubleEncoding
	case (first == 'u' || first == 'U') && ok2:
		return malformed // "%u002f", which IIS decodes
	}
	return 0
}

// runeAt decodes the character at the beginning of s and returns how much of
// s it takes. What is no UTF-8 is RuneError, with the width of one byte.
func runeAt(s string, f form) (r rune, width int) {
	if f == decoded {
		return utf8.DecodeRuneInString(s)
	}
	var buf [utf8.UTFMax]byte
	var widths [utf8.UTFMax + 1]int // widths[n]: what the first n bytes take of s
	n := 0
	for n < len(buf) {
		c, w := byteAt(s[widths[n]:], f)
		if w == 0 {
			break
		}
		buf[n] = c
		widths[n+1] = widths[n] + w
		n++
	}
	r, size := utf8.DecodeRune(buf[:n])
	return r, widths[size]
}

// looksLike returns the ASCII character that some systems fold r into: by
// case (Java's equalsIgnoreCase, NTFS), or by "best fit" (Windows code pages).
func looksLike(r rune) (byte, bool) {
	switch r {
	case 'ı', 'İ': // U+0131, U+0130
		return 'i', true
	case 'ſ': // U+017F
		return 's', true
	case '\u212a': // KELVIN SIGN
		return 'k', true
	case '\u2024': // ONE DOT LEADER
		return '.', true
	case '\u2044', '\u2215', '\u29f8': // FRACTION SLASH, DIVISION SLASH, BIG SOLIDUS
		return '/', true
	case '\u2216', '\u29f5', '\u29f9': // SET MINUS and other reverse solidi
		return '/', true
	case '\uff3c': // FULLWIDTH REVERSE SOLIDUS
		return '/', true
	}
	if '\uff01' <= r && r <= '\uff5e' { // FULLWIDTH forms of ASCII
		return byte(r - '\uff01' + '!'), true
	}
	return 0, false
}
