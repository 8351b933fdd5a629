// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// MaxPasskeys is how many passkeys a user can have.
	MaxPasskeys = 20
	// MaxPasskeyName is the length in bytes of the longest name of a passkey.
	MaxPasskeyName = 100
	// maxPublicKey is the length in bytes of the longest public key that is kept: an
	// RSA key of 8192 bits has that.
	maxPublicKey = 2048
	// maxTransports is how many ways of reaching an authenticator are kept.
	maxTransports = 8
)

// Passkey is a public key whose private one an authenticator of the user has.
type Passkey struct {
	CredentialID []byte `cbor:"1,keyasint"`
	// PublicKey is a COSE key (RFC 9052 §7).
	PublicKey []byte `cbor:"2,keyasint"`
	// SignCount is the authenticator's counter at the last sign-in. Passkeys that
	// are synchronized between devices have none: it stays zero.
	SignCount uint32 `cbor:"3,keyasint,omitempty"`
	// Transports are the browser's hints how to reach the authenticator.
	Transports []string `cbor:"4,keyasint,omitempty"`
	// Flags are those of the authenticator at the last ceremony (WebAuthn §6.1).
	Flags uint8 `cbor:"5,keyasint,omitempty"`
	// Model is the AAGUID, which names the authenticator's model; all zero where it
	// is kept secret.
	Model []byte `cbor:"6,keyasint,omitempty"`
	// Name is what the user calls it.
	Name    string    `cbor:"7,keyasint,omitempty"`
	Created time.Time `cbor:"8,keyasint"`
	Used    time.Time `cbor:"9,keyasint,omitempty"`
	// Suspected is when the counter went back, and the sign-in was refused.
	Suspected time.Time `cbor:"10,keyasint,omitempty"`
}

// ID names the passkey among those of its user, in forms.
func (p Passkey) ID() string {
	digest := sha256.Sum256(p.CredentialID)
	return hex.EncodeToString(digest[:8])
}

// ValidatePasskeyName reports what is wrong with the name that a user gives a
// passkey.
func ValidatePasskeyName(name string) error {
	if len(name) > MaxPasskeyName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("the name of a passkey has at most %d bytes of printable characters", MaxPasskeyName)
	}
	return nil
}

// Passkeys lists the user's passkeys, the oldest first.
func (s *Set) Passkeys() []Passkey { return slices.Clone(s.record.Passkeys) }

// find is the position of the passkey that match is true for; -1 if there is none.
func (s *Set) find(match func(Passkey) bool) int { return slices.IndexFunc(s.record.Passkeys, match) }

// RemovePasskey makes change take a passkey from the user; [ErrNotFound] if there
// is none with that id.
func (s *Set) RemovePasskey(change *tokenstore.Change, id, actor string) error {
	i := s.find(func(p Passkey) bool { return p.ID() == id })
	if i < 0 {
		return ErrNotFound
	}
	s.record.Passkeys = slices.Delete(slices.Clone(s.record.Passkeys), i, i+1)
	s.save(change)
	s.audit(change, authz.EventFactorRemoved, auditPasskey, actor)
	return nil
}

// newPasskey is what is kept of a credential that was made for the user.
func newPasskey(c *webauthn.Credential, name string, now time.Time) (Passkey, error) {
	if len(c.ID) == 0 || len(c.PublicKey) == 0 || len(c.PublicKey) > maxPublicKey || len(c.Transport) > maxTransports {
		return Passkey{}, errors.New("a passkey with parts that are too large")
	}
	p := Passkey{
		CredentialID: c.ID, PublicKey: c.PublicKey, SignCount: c.Authenticator.SignCount,
		Flags: uint8(c.Flags.ProtocolValue()), Model: c.Authenticator.AAGUID, Name: name, Created: now,
	}
	for _, t := range c.Transport {
		// Those that there are (WebAuthn §5.8.4); others are of no use to us.
		switch t {
		case protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal:
			p.Transports = append(p.Transports, string(t))
		}
	}
	return p, nil
}

// credential is the passkey as the library wants it.
func (p Passkey) credential() webauthn.Credential {
	c := webauthn.Credential{
		ID: p.CredentialID, PublicKey: p.PublicKey,
		Flags:         webauthn.NewCredentialFlags(protocol.AuthenticatorFlags(p.Flags)),
		Authenticator: webauthn.Authenticator{AAGUID: p.Model, SignCount: p.SignCount},
	}
	for _, t := range p.Transports {
		c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
	}
	return c
}

// has reports whether the passkey has this credential id.
func (p Passkey) has(credential []byte) bool { return bytes.Equal(p.CredentialID, credential) }

// person is a user as the library wants one. The user handle is the subject: it
// is random, says nothing about the person, and is never given to another one
// (WebAuthn §14.6.1). So a passkey that comes without a user name names the record
// that it is in, and no index is needed.
type person struct {
	set           *Set
	account, name string
}

func (p person) WebAuthnID() []byte          { return []byte(p.set.subject) }
func (p person) WebAuthnName() string        { return p.account }
func (p person) WebAuthnDisplayName() string { return p.name }

func (p person) WebAuthnCredentials() []webauthn.Credential {
	var all []webauthn.Credential
	for _, passkey := range p.set.record.Passkeys {
		all = append(all, passkey.credential())
	}
	return all
}
