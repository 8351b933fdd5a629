// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package granttype

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// DefaultCodeLifetime is how long an authorization code lasts. RFC 6749 §4.1.2
	// recommends ten minutes at most; clients need seconds.
	DefaultCodeLifetime = time.Minute
	// MaxCodeLifetime bounds it.
	MaxCodeLifetime = 10 * time.Minute

	// MaxWrongVerifiers is how many wrong code verifiers end a code.
	MaxWrongVerifiers = 5
	// spentCodeLifetime is how long a code that was spent is remembered, so that who
	// presents it again is noticed.
	spentCodeLifetime = time.Hour

	// Lengths of code verifiers (RFC 7636 §4.1), and so of challenges of method plain.
	minVerifier, maxVerifier = 43, 128
)

// Code is what the store keeps of an authorization code, under the digest of its
// text. The numbers are on disk: they are never given to another field.
type Code struct {
	// Client is the id of the client that it was issued to.
	Client string `cbor:"1,keyasint"`
	// Grant is the id that the grant has, or will have.
	Grant string `cbor:"2,keyasint"`
	// RedirectURI is what the authorization request named; "" where it named none.
	RedirectURI string `cbor:"3,keyasint,omitempty"`
	// Challenge and Method are the code challenge (RFC 7636 §4.2); "" where there is none.
	Challenge string `cbor:"4,keyasint,omitempty"`
	Method    string `cbor:"5,keyasint,omitempty"`
	// Subject is the user, Session the session in which the user said yes.
	Subject string `cbor:"6,keyasint"`
	Session string `cbor:"7,keyasint"`
	// Scopes and Audience are what the user said yes to.
	Scopes   scope.Set `cbor:"8,keyasint,omitempty"`
	Audience []string  `cbor:"9,keyasint,omitempty"`
	// ACR and AuthTime are those of the sign-in.
	ACR      string `cbor:"10,keyasint,omitempty"`
	AuthTime int64  `cbor:"11,keyasint,omitempty"`
	// Wrong counts the wrong verifiers so far.
	Wrong int `cbor:"12,keyasint,omitempty"`
	// Spent: its tokens were issued. The record is there to notice who comes again.
	Spent bool `cbor:"13,keyasint,omitempty"`
}

// NewCode puts a new code into change and returns its text, which must not leave
// the server before change is committed. The anchors are those of store, client,
// user, session and consent. c.Grant is filled in.
func NewCode(change *tokenstore.Change, now time.Time, lifetime time.Duration, c *Code, anchors ...tokenstore.Generation) string {
	raw := token.New(token.Code)
	c.Grant = token.NewID(now)
	change.Create(codeKey(raw), c, now.Add(lifetime), anchors...)
	return raw
}

func codeKey(raw string) tokenstore.Key {
	digest := token.Digest(raw)
	return tokenstore.NewKey("", tokenstore.KindCode, string(digest[:]))
}

// ValidateChallenge reports whether text can be a code challenge of a method (RFC
// 7636 §4.2).
func ValidateChallenge(text, method string) bool {
	if method == authz.ChallengeS256 {
		digest, err := base64.RawURLEncoding.Strict().DecodeString(text)
		return err == nil && len(digest) == sha256.Size && len(text) == base64.RawURLEncoding.EncodedLen(sha256.Size)
	}
	return method == authz.ChallengePlain && validVerifier(text)
}

// validVerifier reports whether text is of the form of RFC 7636 §4.1.
func validVerifier(text string) bool {
	if len(text) < minVerifier || len(text) > maxVerifier {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if ('0' > c || c > '9') && ('A' > c || c > 'Z') && ('a' > c || c > 'z') && strings.IndexByte("-._~", c) < 0 {
			return false
		}
	}
	return true
}

// meets reports whether a verifier, "" for none, is the one that the code was asked
// for with (RFC 7636 §4.6). Without a challenge there must be none (RFC 9700 §4.8.2).
func (c *Code) meets(verifier string) bool {
	if c.Challenge == "" || verifier == "" {
		return c.Challenge == verifier
	}
	if !validVerifier(verifier) {
		return false
	}
	if c.Method == authz.ChallengeS256 {
		digest := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(digest[:])
	}
	return subtle.ConstantTimeCompare([]byte(verifier), []byte(c.Challenge)) == 1
}
