// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// CeremonyLifetime is how long a browser may take to answer a challenge.
	CeremonyLifetime = 5 * time.Minute
	// MaxResponse is the length in bytes of the longest answer that is read: what an
	// authenticator tells of itself can have certificates in it.
	MaxResponse = 64 << 10
)

// Passkeys makes the challenges for browsers and judges their answers, for one
// issuer. It is safe for concurrent use.
type Passkeys struct{ web *webauthn.WebAuthn }

// NewPasskeys returns what makes and judges challenges of the issuer, whose host
// is exactly the relying party's id: a passkey that was made here is of no
// use on any other host, above or below. name is what authenticators show.
// [ErrNoPasskeys] if browsers know none for this issuer.
func NewPasskeys(issuer, name string) (*Passkeys, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("factor: %w", err)
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil || host == "" || u.Scheme != "https" && host != "localhost" {
		// WebAuthn §5.1.3, step 7, and §13.4.9: a domain, in a secure context.
		return nil, ErrNoPasskeys
	}
	if name == "" {
		name = host
	}
	timeout := webauthn.TimeoutConfig{Timeout: CeremonyLifetime, TimeoutUVD: CeremonyLifetime}
	web, err := webauthn.New(&webauthn.Config{
		RPID:          host,
		RPDisplayName: name,
		RPOrigins:     []string{u.Scheme + "://" + u.Host},
		// Which model it is does not matter, so no authenticator is asked to tell.
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			// Preferred and not required: a security key without room for one more can be a
			// second factor still.
			ResidentKey:      protocol.ResidentKeyRequirementPreferred,
			UserVerification: protocol.VerificationPreferred,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
		// Nothing is asked for by extensions and nothing is done with their outputs, which
		// password managers send all the same.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, errors.Join(ErrNoPasskeys, err)
	}
	return &Passkeys{web: web}, nil
}

// Ceremony is a challenge that a browser has yet to answer. The caller seals it,
// into a handle that travels through the page: nobody must be able to read it
// off or to change it.
type Ceremony struct {
	Challenge string `cbor:"1,keyasint"`
	// Subject is whose passkey answers; empty for anybody's.
	Subject string `cbor:"2,keyasint,omitempty"`
	// Enrols: the answer is a new passkey, not a proof by one.
	Enrols bool `cbor:"3,keyasint,omitempty"`
	// Verifies: the authenticator must verify the user.
	Verifies bool `cbor:"4,keyasint,omitempty"`
	// Expires is when it is too late, in milliseconds since 1970.
	Expires int64 `cbor:"5,keyasint"`
}

// newCeremony is the part of the library's session that is kept.
func newCeremony(db *tokenstore.DB, s *webauthn.SessionData) Ceremony {
	return Ceremony{
		Challenge: s.Challenge, Subject: string(s.UserID),
		Verifies: s.UserVerification == protocol.VerificationRequired,
		Expires:  db.Now().Add(CeremonyLifetime).UnixMilli(),
	}
}

// session is the library's session for whoever answers. Its clock is not ours, so
// it gets no time to judge.
func (c Ceremony) session(subject string) webauthn.SessionData {
	s := webauthn.SessionData{
		Challenge: c.Challenge, UserID: []byte(subject),
		UserVerification: protocol.VerificationPreferred,
		CredParams:       webauthn.CredentialParametersRecommendedL3(),
	}
	if c.Verifies {
		s.UserVerification = protocol.VerificationRequired
	}
	return s
}

// once is the mark of a challenge that was answered. Authenticators without a
// counter would answer the same with the same.
func (c Ceremony) once() tokenstore.Key {
	return tokenstore.SpentKey(sha256.Sum256([]byte("passkey_challenge\x00" + c.Challenge)))
}

// check returns [ErrRefused] if the ceremony is over.
func (c Ceremony) check(ctx context.Context, db *tokenstore.DB, enrols bool) error {
	if c.Enrols != enrols || c.Challenge == "" {
		return refused("a challenge for something else")
	}
	if db.Now().UnixMilli() >= c.Expires {
		return refused("the challenge has expired")
	}
	_, err := tokenstore.Load[struct{}](ctx, db, c.once())
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return refused("the challenge was answered before")
}

// spend makes change use the ceremony up.
func (c Ceremony) spend(change *tokenstore.Change) {
	change.Create(c.once(), nil, time.UnixMilli(c.Expires))
}

// options is a challenge as the page's script takes it: the argument of
// navigator.credentials.create or get, in JSON (WebAuthn §5.1.8 and §5.1.9).
func options(of any) (json.RawMessage, error) {
	text, err := json.Marshal(of)
	if err != nil {
		return nil, fmt.Errorf("factor: %w", err)
	}
	return text, nil
}

// because is [ErrRefused] with the library's reason. Its details are fixed
// sentences; what it says for debugging repeats what the browser sent.
func because(err error) error {
	if known := (*protocol.Error)(nil); errors.As(err, &known) {
		return refused(known.Details)
	}
	return refused("a malformed answer")
}
