// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Hash is what is kept of a password: argon2id (RFC 9106) as a PHC string, such as
// $argon2id$v=19$m=19456,t=2,p=1$SALT$SUM, or, where it came from elsewhere, bcrypt.
type Hash string

// String hides the hash: it would let anybody who reads it search for the password.
func (Hash) String() string { return "***" }

// GoString hides the hash.
func (Hash) GoString() string { return "***" }

// Params are the costs of one argon2id hash.
type Params struct {
	// Memory in KiB, 8192 to 1048576. Default: 19456.
	Memory uint32
	// Time is how often the memory is gone over, 1 to 64. Default: 2.
	Time uint32
	// Threads compute one hash, 1 to 16. Default: 1.
	Threads uint8
}

// DefaultParams cost what OWASP's password storage cheat sheet asks for at least.
func DefaultParams() Params { return Params{Memory: 19 << 10, Time: 2, Threads: 1} }

// Bounds of [Params], and of the hashes that are accepted from elsewhere: what one
// sign-in may cost.
const (
	MinMemory, MaxMemory   = 8 << 10, 1 << 20
	MinTime, MaxTime       = 1, 64
	MinThreads, MaxThreads = 1, 16
	// MaxBcryptCost takes a few seconds.
	MaxBcryptCost = 15
	// maxBcrypt is how many bytes of a password bcrypt looks at.
	maxBcrypt = 72
)

// WithDefaults returns p, defaults in the place of zeros.
func (p Params) WithDefaults() Params {
	d := DefaultParams()
	if p.Memory == 0 {
		p.Memory = d.Memory
	}
	if p.Time == 0 {
		p.Time = d.Time
	}
	if p.Threads == 0 {
		p.Threads = d.Threads
	}
	return p
}

// Validate says what is wrong with p, defaults filled in.
func (p Params) Validate() error {
	p = p.WithDefaults()
	switch {
	case p.Memory < MinMemory || p.Memory > MaxMemory:
		return fmt.Errorf("argon2id: memory is %d to %d KiB", MinMemory, MaxMemory)
	case p.Time > MaxTime:
		return fmt.Errorf("argon2id: time is %d to %d", MinTime, MaxTime)
	case p.Threads > MaxThreads:
		return fmt.Errorf("argon2id: threads are %d to %d", MinThreads, MaxThreads)
	}
	return nil
}

// phc is an argon2id hash, taken apart.
type phc struct {
	Params
	salt, sum []byte
}

const (
	prefixArgon2id = "$argon2id$"
	saltLength     = 16 // RFC 9106 §4
	sumLength      = 32
	// maxPart bounds salt and sum of hashes from elsewhere, in bytes.
	minPart, maxPart = 8, 64
)

// encode is the reverse of parsePHC.
func (h phc) encode() Hash {
	b64 := base64.RawStdEncoding
	return Hash(fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$%s$%s", prefixArgon2id, argon2.Version,
		h.Memory, h.Time, h.Threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum)))
}

var errNoPHC = errors.New("it is no argon2id hash in PHC form, such as $argon2id$v=19$m=19456,t=2,p=1$SALT$SUM")

// parsePHC takes apart what encode, and any other implementation of the PHC string
// format, writes. There is one text for each hash.
func parsePHC(text Hash) (h phc, err error) {
	rest, ok := strings.CutPrefix(string(text), prefixArgon2id)
	parts := strings.Split(rest, "$")
	if !ok || len(parts) != 4 {
		return h, errNoPHC
	}
	if parts[0] != "v="+strconv.Itoa(argon2.Version) {
		return h, fmt.Errorf("argon2id: only version %d is supported", argon2.Version)
	}
	costs := strings.Split(parts[1], ",")
	if len(costs) != 3 {
		return h, errNoPHC
	}
	var values [3]uint64
	for i, bound := range [3]struct {
		name string
		max  uint64
	}{{"m=", MaxMemory}, {"t=", MaxTime}, {"p=", MaxThreads}} {
		digits, ok := strings.CutPrefix(costs[i], bound.name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || strconv.FormatUint(n, 10) != digits || n == 0 {
			return h, errNoPHC
		}
		if n > bound.max {
			return h, fmt.Errorf("argon2id: %s%d costs more than the most that is supported, %d", bound.name, n, bound.max)
		}
		values[i] = n
	}
	h.Params = Params{Memory: uint32(values[0]), Time: uint32(values[1]), Threads: uint8(values[2])}
	if h.salt, err = decodePart(parts[2]); err != nil {
		return h, err
	}
	h.sum, err = decodePart(parts[3])
	return h, err
}

func decodePart(text string) ([]byte, error) {
	if len(text) > base64.RawStdEncoding.EncodedLen(maxPart) {
		return nil, fmt.Errorf("argon2id: salt and sum have at most %d bytes", maxPart)
	}
	part, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(part) < minPart || strings.ContainsAny(text, "\r\n") { // which package base64 passes over
		return nil, errNoPHC
	}
	return part, nil
}

// ParseHash reports whether a text is the hash of a password, of a kind and cost that
// is supported, and returns it as such. Hashes that are cheap to search, such as
// {SHA}, $apr1$ and those of crypt, are refused.
func ParseHash(text string) (Hash, error) {
	h := Hash(text)
	if !h.isBcrypt() {
		_, err := parsePHC(h)
		if err != nil && !strings.HasPrefix(text, prefixArgon2id) {
			err = errors.New("a hash is argon2id ($argon2id$…) or bcrypt ($2y$…, `htpasswd -B`): others can be searched too cheaply")
		}
		return h, err
	}
	cost, err := bcrypt.Cost([]byte(h))
	if err != nil || len(text) != bcryptLength || !isBcryptText(text[7:]) {
		return h, errors.New("it is no bcrypt hash")
	}
	if cost > MaxBcryptCost {
		return h, fmt.Errorf("bcrypt: a cost of %d is more than the most that is supported, %d", cost, MaxBcryptCost)
	}
	return h, nil
}

// bcryptLength is that of $2y$, two digits, $, 22 characters of salt and 31 of sum.
const bcryptLength = 60

func isBcryptText(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '/')
	})
}

func (h Hash) isBcrypt() bool {
	return strings.HasPrefix(string(h), "$2y$") || strings.HasPrefix(string(h), "$2b$") || strings.HasPrefix(string(h), "$2a$")
}

// costs is the part of h that says how dear it is.
func (h Hash) costs() string {
	if h.isBcrypt() {
		return string(h)[:len("$2y$10$")]
	}
	own, err := parsePHC(h)
	if err != nil {
		return ""
	}
	own.salt, own.sum = nil, nil
	return string(own.encode())
}

// weaker reports whether h costs less to search than a hash under p.
func (h Hash) weaker(p Params) bool {
	own, err := parsePHC(h)
	return err != nil || own.cost() < p.cost() || len(own.sum) < sumLength
}

// cost is the memory that is gone over.
func (p Params) cost() uint64 { return uint64(p.Memory) * uint64(p.Time) }

// compute makes the hash of a password.
func (p Params) compute(password string) Hash {
	h := phc{Params: p, salt: make([]byte, saltLength)}
	rand.Read(h.salt)
	h.sum = h.of(password, sumLength)
	return h.encode()
}

// of is the sum for a password under the parameters and salt of h.
func (h phc) of(password string, length int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.Time, h.Memory, h.Threads, uint32(length))
}

// matches reports whether h is the hash of a password. A hash that is none costs what
// one under p costs, and matches nothing.
func (h Hash) matches(password string, p Params) bool {
	if h.isBcrypt() {
		err := bcrypt.CompareHashAndPassword([]byte(h), []byte(password))
		// bcrypt passes over what comes after: passwords that begin alike would be alike.
		return err == nil && len(password) <= maxBcrypt
	}
	own, err := parsePHC(h)
	if err != nil {
		own = phc{Params: p, salt: make([]byte, saltLength), sum: make([]byte, sumLength)}
	}
	same := subtle.ConstantTimeCompare(own.of(password, len(own.sum)), own.sum) == 1
	return same && err == nil
}
