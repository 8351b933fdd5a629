// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	// MaxLength is the length in bytes of the longest token that [Parse] reads.
	MaxLength = 8192
	// MaxHeader is the length in bytes of the longest header, encoded.
	MaxHeader = 2048
	// MaxKeyID is the length in bytes of the longest `kid`.
	MaxKeyID = 256
)

// Errors of [Parse] and [Token.Verify]. Neither repeats anything of the token.
var (
	// ErrMalformed: the text is no token, or one that two parsers could read
	// differently, or it is signed in a way that the caller does not accept.
	ErrMalformed = errors.New("jose: malformed token")
	// ErrSignature: the signature was not made with that key.
	ErrSignature = errors.New("jose: the signature does not verify")
	// ErrUnverified: the claims were asked for before the signature was verified.
	ErrUnverified = errors.New("jose: the token is not verified")
)

// Header is what the protected header of a token says. Only what is here is read
// of it.
type Header struct {
	// Algorithm is `alg`, one of those that the caller accepts.
	Algorithm string
	// KeyID is `kid`, or "". It says which key to try and proves nothing.
	KeyID string
	// Type is `typ` as it is written, or "". See [Header.Is].
	Type string
}

// Is reports whether the token is declared to be of a media type, which is given
// without "application/": compared without regard to case, with or without that
// prefix (RFC 7515 §4.1.9). A token without `typ` is of no type.
func (h Header) Is(mediaType string) bool {
	const prefix = "application/"
	typ := h.Type
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(typ, mediaType)
}

// Token is a signed token. It is not safe for concurrent use.
type Token struct {
	Header Header

	jws      *jose.JSONWebSignature
	claims   []byte
	verified bool

	// written is the algorithm by the name in the header; signed and signature are
	// for one that the library does not know by that name.
	written   string
	signed    string
	signature []byte
}

// Looks reports, from the outside alone, whether raw could be a token: two dots,
// and a beginning that is that of every encoded JSON object without spaces. It
// does not allocate.
func Looks(raw string) bool {
	return len(raw) <= MaxLength && strings.HasPrefix(raw, "eyJ") && strings.Count(raw, ".") == 2
}

// Parse reads a token that is signed by one of the given algorithms (see
// [Asymmetric]), of which it accepts no other. The signature is not yet verified. The
// error is [ErrMalformed].
func Parse(raw string, algorithms ...string) (*Token, error) {
	if len(raw) > MaxLength {
		return nil, malformed("too long")
	}
	header, rest, ok := strings.Cut(raw, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.IndexByte(signature, '.') >= 0 {
		return nil, malformed("not three parts")
	}
	if len(header) > MaxHeader {
		return nil, malformed("a header that is too long")
	}
	if header == "" || payload == "" || signature == "" {
		// RFC 7515 appendix F (detached content) and unsecured tokens are not for claims.
		return nil, malformed("an empty part")
	}
	t := new(Token)
	if err := t.readHeader(header, algorithms); err != nil {
		return nil, err
	}
	var err error
	if t.claims, err = decode(payload); err != nil {
		return nil, err
	}
	if err := checkObject(t.claims); err != nil {
		return nil, fmt.Errorf("%w: claims: %w", ErrMalformed, err)
	}
	if t.signature, err = decode(signature); err != nil {
		return nil, err
	}
	t.signed = raw[:len(raw)-len(signature)-1]
	if t.jws, err = jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.written)}); err != nil {
		return nil, malformed("the library refuses it") // its errors repeat what was sent
	}
	return t, nil
}

// readHeader reads and judges the protected header.
func (t *Token) readHeader(encoded string, algorithms []string) error {
	text, err := decode(encoded)
	if err != nil {
		return err
	}
	if err := checkObject(text); err != nil {
		return fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	var header struct {
		Algorithm string          `json:"alg"`
		KeyID     string          `json:"kid"`
		Type      string          `json:"typ"`
		Critical  json.RawMessage `json:"crit"`
		Base64    json.RawMessage `json:"b64"`
		Zip       json.RawMessage `json:"zip"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return malformed("a header member of another type than it should be")
	}
	switch {
	case header.Critical != nil:
		return malformed("a critical extension") // RFC 7515 §4.1.11: none is understood here
	case header.Base64 != nil || header.Zip != nil:
		return malformed("a payload that is not plain base64url") // RFC 7797 §3; RFC 7516 §4.1.3
	case len(header.KeyID) > MaxKeyID:
		return malformed("a kid that is too long")
	case !slices.Contains(algorithms, canonical(header.Algorithm)):
		return malformed("an alg that is not accepted here") // RFC 8725 §3.1
	}
	t.written = header.Algorithm
	t.Header = Header{Algorithm: canonical(header.Algorithm), KeyID: header.KeyID, Type: header.Type}
	return nil
}

// Verify checks the signature with a key: an *ecdsa.PublicKey, an *rsa.PublicKey, an
// ed25519.PublicKey, or the bytes of a shared secret. A key that is weak or not
// one of the header's algorithm verifies nothing. The error is [ErrSignature].
func (t *Token) Verify(key any) error {
	if err := CheckKey(t.Header.Algorithm, key); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if t.written == Ed25519 { // for which CheckKey lets only this type pass
		if !ed25519.Verify(key.(ed25519.PublicKey), []byte(t.signed), t.signature) {
			return ErrSignature
		}
	} else if _, err := t.jws.Verify(key); err != nil {
		return ErrSignature
	}
	t.verified = true
	return nil
}

// Claims decodes the claims into v, as encoding/json does but for names, which are
// compared exactly. The errors are [ErrUnverified] as long as no key has verified
// the signature, and [ErrMalformed] for a claim of another type than v has.
func (t *Token) Claims(v any) error {
	if !t.verified {
		return ErrUnverified
	}
	return t.Peek(v)
}

// Peek is Claims without the signature: for choosing the key by what the token
// says of itself, such as `iss`. Nothing else may be done on its strength.
func (t *Token) Peek(v any) error {
	if json.Unmarshal(t.claims, v) != nil {
		return malformed("a claim of another type than it should be")
	}
	return nil
}

// decode decodes base64url without padding, and refuses every text but the one
// that encoding would give: otherwise one token had many texts.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // which the decoder would pass over
		return nil, malformed("no base64url")
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, malformed("no canonical base64url")
	}
	return data, nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }
