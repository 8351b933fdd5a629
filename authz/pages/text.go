// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// MaxShown is the number of characters of an [Untrusted] text that are shown.
const MaxShown = 100

// maxMarks is how many accents and the like one letter may bear.
const maxMarks = 3

// Untrusted is text that a user, a client or a developer chose: names, user
// agents, URIs that are shown and not followed. However a template writes it, it
// comes out as one line of at most [MaxShown] characters without any that are
// invisible or turn the direction of the text around it; html/template escapes
// it besides.
type Untrusted string

// String returns the text as it may be shown.
func (u Untrusted) String() string {
	var b strings.Builder
	shown, marks, space := 0, 0, false
	for _, r := range string(u) {
		switch {
		case unicode.IsSpace(r):
			space = shown > 0
			continue
		case r == utf8.RuneError, !unicode.IsGraphic(r), blank(r):
			// Controls, bidirectional overrides, zero-width characters (which are not
			// graphic): names that only differ in them look the same.
			continue
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > maxMarks {
				continue // a pile of them reaches over what stands above and below
			}
		default:
			marks = 0
		}
		next := string(r)
		if space {
			next = " " + next
		}
		if shown += utf8.RuneCountInString(next); shown > MaxShown {
			b.WriteString("…")
			break
		}
		b.WriteString(next)
		space = false
	}
	return b.String()
}

// blank reports whether r counts as a letter or mark but shows as nothing.
func blank(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0':
		return true
	}
	return unicode.Is(unicode.Variation_Selector, r)
}

// Host is the host (with its port, if it has one) that a user is sent to, or
// the private scheme, such as "com.example.app:". It is never cut short, for
// what matters stands at its end, and shown in ASCII, so that no letter of one
// script passes for one of another.
type Host string

// HostOf returns where a redirect URI leads to, as people know it, or "" for what is
// none. What stands behind a private scheme names nobody: the application that took
// the scheme gets it, whatever host is written there.
func HostOf(uri string) Host {
	u, err := url.Parse(uri)
	switch {
	case err != nil, u.Scheme == "":
		return ""
	case u.Scheme == "https" || u.Scheme == "http":
		return Host(u.Host)
	}
	return Host(u.Scheme + ":")
}

// String returns the host as it may be shown.
func (h Host) String() string {
	if ascii, err := idna.ToASCII(string(h)); err == nil && printable(ascii) {
		return ascii
	}
	return strings.Trim(strconv.QuoteToASCII(string(h)), `"`)
}

// printable reports whether text is of visible ASCII alone.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
