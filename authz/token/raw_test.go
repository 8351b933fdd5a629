// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"
	"testing"
	"time"
)

// Ensure that each kind has the documented form, and that Check knows it again.
func TestNewAndCheckAgree(t *testing.T) {
	for kind, prefix := range map[Kind]string{Access: "co2at_", Refresh: "co2rt_", Code: "co2ac_", ClientSecret: "co2cs_"} {
		raw := New(kind)
		if len(raw) != 55 || !strings.HasPrefix(raw, prefix) {
			t.Errorf("%v: %d bytes, prefix %q", kind, len(raw), raw[:6])
		}
		if got, ok := Check(raw); !ok || got != kind {
			t.Errorf("Check of a fresh %v = %v, %v", kind, got, ok)
		}
	}
}

// Ensure that the checksum is the CRC-32 it claims to be, so that leak scanners
// can be given a rule. The expected text was computed with another program
// (Python's zlib.crc32).
func TestChecksumIsCRC32(t *testing.T) {
	text := "co2at_" + strings.Repeat("A", 43)
	const want = "246B8f"
	if got := string(appendChecksum([]byte(text)))[len(text):]; got != want {
		t.Errorf("checksum = %q, want %q", got, want)
	}
	for n := range 100 {
		b := make([]byte, n)
		rand.Read(b)
		if checksum(b) != crc32.ChecksumIEEE(b) || checksum(string(b)) != crc32.ChecksumIEEE(b) {
			t.Errorf("wrong for %d bytes", n)
		}
	}
}

// Ensure that every single-character typing error, transposition and change of
// length is refused without a look-up.
func TestCheckRefusesTypingErrors(t *testing.T) {
	raw := New(Access)
	for i := range raw {
		other := byte('x')
		if raw[i] == other {
			other = 'y'
		}
		if _, ok := Check(raw[:i] + string(other) + raw[i+1:]); ok {
			t.Errorf("a wrong character at %d passed", i)
		}
		if i > 0 && raw[i] != raw[i-1] {
			if _, ok := Check(raw[:i-1] + raw[i:i+1] + raw[i-1:i] + raw[i+1:]); ok {
				t.Errorf("a transposition at %d passed", i)
			}
		}
	}
	for _, wrong := range []string{"", raw[1:], raw[:54], raw + "0", " " + raw, "co2xx_" + raw[6:], strings.ToUpper(raw), strings.Repeat("a", 1<<20)} {
		if _, ok := Check(wrong); ok {
			t.Errorf("passed: %.60q", wrong)
		}
	}
}

// Ensure that a text outside the alphabet is refused even with a right checksum.
func TestCheckRefusesForeignCharacters(t *testing.T) {
	raw := string(appendChecksum([]byte("co2at_" + strings.Repeat("-", 43))))
	if _, ok := Check(raw); ok {
		t.Error("passed")
	}
}

// Ensure that all 62 digits occur about equally often at every place: taking
// bytes modulo 62 would make eight of them a quarter more frequent.
func TestRandomDigitsAreFair(t *testing.T) {
	const tokens = 20000
	var count [256]int
	for range tokens {
		for _, c := range []byte(New(Access)[6:49]) {
			count[c]++
		}
	}
	mean := float64(tokens) * 43 / 62
	var chi float64
	for _, c := range []byte(base62) {
		d := float64(count[c]) - mean
		chi += d * d / mean
	}
	// 61 degrees of freedom: above 150 happens by chance once in 10^8 runs.
	if chi > 150 {
		t.Errorf("chi² = %.0f", chi)
	}
}

// Ensure that secrets and ids do not repeat.
func TestNewDoesNotRepeat(t *testing.T) {
	seen := map[string]bool{}
	for range 10000 {
		for _, s := range []string{New(Access), NewID(time.Unix(0, 0))[6:]} {
			if seen[s] {
				t.Fatal("repeated")
			}
			seen[s] = true
		}
	}
}

// Ensure that the digest is SHA-256 of the whole text, and that neither it nor
// Check allocates: both run for every protected request.
func TestDigestAndCheckDoNotAllocate(t *testing.T) {
	raw := New(Access)
	if Digest(raw) != sha256.Sum256([]byte(raw)) {
		t.Error("not SHA-256")
	}
	if long := strings.Repeat("x", 1000); Digest(long) != sha256.Sum256([]byte(long)) {
		t.Error("not SHA-256 of a long text")
	}
	if n := testing.AllocsPerRun(100, func() { Digest(raw); Check(raw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzTokenCheck(f *testing.F) {
	f.Add(New(Access))
	f.Add(New(ClientSecret))
	f.Add("co2at_")
	f.Add("")
	f.Fuzz(func(t *testing.T, raw string) {
		kind, ok := Check(raw)
		if !ok {
			if kind != 0 {
				t.Fatal("a kind though refused")
			}
			return
		}
		// What passes is exactly what New could have made.
		if !strings.HasPrefix(raw, prefixes[kind]) || string(appendChecksum([]byte(raw[:RawLength-checkLength]))) != raw {
			t.Fatalf("passed: %q", raw)
		}
	})
}

// Ensure that ids are ordered by the second in which they were made, and random
// beyond it.
func TestIDsAreOrdered(t *testing.T) {
	before := ""
	for _, second := range []int64{-1, 1, 61, 62, 3843, 3844, 1_800_000_000, 1_800_000_001, 40_000_000_000} {
		now := time.Unix(second, 0)
		id, again := NewID(now), NewID(now)
		if len(id) != 28 || len(again) != 28 {
			t.Errorf("ids of %d and %d characters", len(id), len(again))
		}
		if id[:6] != again[:6] || id[6:] == again[6:] {
			t.Errorf("made at once: %s, %s", id, again)
		}
		if id[:6] <= before {
			t.Errorf("%s does not follow %s", id, before)
		}
		before = id[:6]
	}
}
