// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"
	"time"
)

// Kind is what a secret of ours is for.
type Kind byte

// Kinds of secrets. Each has a prefix of its own in the text, so that none is
// taken for another and scanners for leaked secrets can tell which leaked.
const (
	Access       Kind = 1 + iota // "co2at_": an access token
	Refresh                      // "co2rt_": a refresh token
	Code                         // "co2ac_": an authorization code
	ClientSecret                 // "co2cs_": a client secret that we made
	Browser                      // "co2br_": the cookie of a browser in which somebody is signed in
	SiteSession                  // "co2ss_": the cookie of a guarded site, for a session
	Ticket                       // "co2tk_": a one-time ticket or link
	Pushed                       // "co2pr_": a pushed authorization request
)

const (
	// RawLength is the length in bytes of every text that [New] returns: prefix,
	// random part, checksum.
	RawLength = prefixLength + randomLength + checkLength

	prefixLength = 6
	// randomLength base62 digits hold 62^43 > 2^256 values: far beyond the 2^128
	// that RFC 6749 §10.10 wants a guess to cost.
	randomLength = 43
	// checkLength base62 digits hold any CRC-32: 62^6 > 2^32.
	checkLength = 6

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// prefixes by kind; the empty one at index 0 belongs to no kind.
var prefixes = [...]string{
	Access: "co2at_", Refresh: "co2rt_", Code: "co2ac_", ClientSecret: "co2cs_",
	Browser: "co2br_", SiteSession: "co2ss_", Ticket: "co2tk_", Pushed: "co2pr_",
}

// String returns the kind's name for logs.
func (k Kind) String() string {
	switch k {
	case Access:
		return "access token"
	case Refresh:
		return "refresh token"
	case Code:
		return "authorization code"
	case ClientSecret:
		return "client secret"
	case Browser:
		return "browser cookie"
	case SiteSession:
		return "site session"
	case Ticket:
		return "ticket"
	case Pushed:
		return "pushed request"
	}
	return "unknown"
}

// New returns a fresh random secret of the given kind: the kind's prefix, 43
// base62 digits (256 bits), and 6 base62 digits of a CRC-32 over all before. It
// panics on a Kind that is not one of the constants.
func New(kind Kind) string {
	raw := make([]byte, 0, RawLength)
	raw = append(raw, prefixes[kind]...)
	if len(raw) != prefixLength {
		panic("token: no such kind")
	}
	raw = appendRandom(raw, randomLength)
	return string(appendChecksum(raw))
}

// NewID returns a fresh identifier for things that are named, not presented, such
// as grants: 6 base62 digits of the time in seconds, and 22 random ones (131
// bits). So what is made at one time lies together in the store, and a commit of
// many tokens writes few pages.
func NewID(now time.Time) string {
	id := make([]byte, idOrdered, idLength)
	seconds := uint64(max(0, now.Unix()))
	for i := idOrdered - 1; i >= 0; i-- {
		id[i] = base62[seconds%62]
		seconds /= 62
	}
	return string(appendRandom(id, idLength-idOrdered))
}

const (
	idLength  = 28
	idOrdered = 6 // 62^6 seconds are 1800 years
)

// HasFormOfID reports whether a text looks like what [NewID] returns, in whatever
// case. Such a text is nobody's name: who reads it would not know which is meant.
func HasFormOfID(text string) bool {
	// The first digit counts 29 years: it is none of the letters until 2260, and so
	// hardly a name that somebody wants is refused.
	if len(text) != idLength || text[0] < '0' || text[0] > '9' {
		return false
	}
	for i := range len(text) {
		if !isDigit[text[i]] {
			return false
		}
	}
	return true
}

// Check reports, from the text alone, whether raw is a secret of ours without a
// typing error, and of which kind. It says nothing about whether it is valid.
func Check(raw string) (Kind, bool) {
	if len(raw) != RawLength {
		return 0, false
	}
	kind := Access
	for !strings.HasPrefix(raw, prefixes[kind]) {
		if kind++; int(kind) == len(prefixes) {
			return 0, false
		}
	}
	for i := prefixLength; i < RawLength; i++ {
		if !isDigit[raw[i]] {
			return 0, false
		}
	}
	const checked = RawLength - checkLength
	sum := checksum(raw[:checked])
	for i := RawLength - 1; i >= checked; i-- {
		if raw[i] != base62[sum%62] {
			return 0, false
		}
		sum /= 62
	}
	return kind, true
}

// isOurs reports whether raw begins like a secret of ours, whole or not.
func isOurs(raw string) bool {
	for _, prefix := range prefixes[Access:] {
		if strings.HasPrefix(raw, prefix) {
			return true
		}
	}
	return false
}

// Digest returns what the store knows a secret by: its SHA-256. The secrets of
// [New] have 256 random bits, so a plain hash cannot be searched.
func Digest(raw string) [sha256.Size]byte {
	var text [64]byte // keeps texts of the usual length off the heap
	return sha256.Sum256(append(text[:0], raw...))
}

// appendRandom appends n base62 digits, each equally likely.
func appendRandom(to []byte, n int) []byte {
	// A byte below 4×62 yields a digit; the rest are thrown away, because taking
	// them modulo 62 would make the first eight digits likelier than the others.
	const fair = 4 * 62
	var random [64]byte
	for n > 0 {
		rand.Read(random[:]) // never fails: since Go 1.24 it crashes rather than return an error
		for _, b := range random {
			if b < fair && n > 0 {
				to = append(to, base62[b%62])
				n--
			}
		}
	}
	return to
}

// appendChecksum appends the CRC-32 of text in six base62 digits.
func appendChecksum(text []byte) []byte {
	sum := checksum(text)
	var digits [checkLength]byte
	for i := checkLength - 1; i >= 0; i-- {
		digits[i] = base62[sum%62]
		sum /= 62
	}
	return append(text, digits[:]...)
}

// checksum is the CRC-32 of IEEE 802.3. Unlike [crc32.ChecksumIEEE] it reads a
// string as it stands, so that Check need not copy one to the heap; and as Check
// is part of every protected request, it takes eight bytes at a time.
func checksum[T string | []byte](text T) uint32 {
	sum, t := ^uint32(0), &crcTables
	for ; len(text) >= 8; text = text[8:] {
		sum ^= uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16 | uint32(text[3])<<24
		sum = t[7][byte(sum)] ^ t[6][byte(sum>>8)] ^ t[5][byte(sum>>16)] ^ t[4][byte(sum>>24)] ^
			t[3][text[4]] ^ t[2][text[5]] ^ t[1][text[6]] ^ t[0][text[7]]
	}
	for i := range len(text) {
		sum = t[0][byte(sum)^text[i]] ^ sum>>8
	}
	return ^sum
}

// crcTables tell what a byte does to the CRC with so many zero bytes after it.
var crcTables = func() (t [8][256]uint32) {
	t[0] = *crc32.IEEETable
	for k := 1; k < len(t); k++ {
		for i, before := range t[k-1] {
			t[k][i] = t[0][byte(before)] ^ before>>8
		}
	}
	return t
}()

// isDigit says of each byte whether it is a base62 digit.
var isDigit = func() (digits [256]bool) {
	for i := range len(base62) {
		digits[base62[i]] = true
	}
	return digits
}()
