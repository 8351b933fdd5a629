// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Challenge asks the browser of somebody who has said who they are for a proof by
// one of their passkeys. verify is set where the passkey is all that they prove
// themselves by. The options are for the page's script, the ceremony is to be
// sealed and given to [Passkeys.Prove]. [ErrNotFound] if the user has none.
func (p *Passkeys) Challenge(db *tokenstore.DB, s *Set, verify bool) (json.RawMessage, Ceremony, error) {
	if len(s.record.Passkeys) == 0 {
		return nil, Ceremony{}, ErrNotFound
	}
	verification := protocol.VerificationPreferred
	if verify {
		verification = protocol.VerificationRequired
	}
	return begin(db)(p.web.BeginLogin(person{set: s}, webauthn.WithUserVerification(verification)))
}

// ChallengeAnybody asks a browser for a proof by a passkey without a user name:
// the authenticator lets the person choose among those that it has for this site,
// and must verify that it is the person's own.
func (p *Passkeys) ChallengeAnybody(db *tokenstore.DB) (json.RawMessage, Ceremony, error) {
	return begin(db)(p.web.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired)))
}

// begin turns what the library has begun into options and ceremony.
func begin(db *tokenstore.DB) func(*protocol.CredentialAssertion, *webauthn.SessionData, error) (json.RawMessage, Ceremony, error) {
	return func(assertion *protocol.CredentialAssertion, session *webauthn.SessionData, err error) (json.RawMessage, Ceremony, error) {
		if err != nil {
			return nil, Ceremony{}, fmt.Errorf("factor: %w", err)
		}
		text, err := options(assertion)
		return text, newCeremony(db, session), err
	}
}

// Proof is what a passkey has proved.
type Proof struct {
	// Subject is who it was. Whether there still is such a user is the caller's to check.
	Subject string
	// Methods is [ByPasskey], with [UserVerified] if the authenticator has verified the user.
	Methods Methods
	// Passkey is the one that was used.
	Passkey string
}

// Prove judges what the browser answered, and makes change use the challenge up.
// Errors: [ErrRefused], or trouble. An answer whose counter went back is
// [ErrCloned]; that it came is noted in the store beforehand, because the
// caller will not commit change.
func (p *Passkeys) Prove(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, c Ceremony, response []byte) (Proof, error) {
	if err := c.check(ctx, db, false); err != nil {
		return Proof{}, err
	}
	parsed, err := parseAssertion(response)
	if err != nil {
		return Proof{}, err
	}
	subject := c.Subject
	if subject == "" {
		// Then the authenticator must say whose the passkey is, and must have verified
		// the user, whatever the ceremony says.
		subject, c.Verifies = string(parsed.Response.UserHandle), true
	}
	if subject == "" || len(subject) > MaxSubject {
		return Proof{}, refused("nobody's passkey")
	}
	s, err := Load(ctx, db, subject)
	if err != nil {
		return Proof{}, err
	}
	credential, err := p.web.ValidateLogin(person{set: s}, c.session(subject), parsed)
	if err != nil {
		return Proof{}, because(err)
	}
	i := s.find(func(o Passkey) bool { return o.has(credential.ID) })
	if i < 0 {
		return Proof{}, refused("nobody's passkey") // the library has it from there
	}
	s.record.Passkeys = slices.Clone(s.record.Passkeys)
	used := &s.record.Passkeys[i]
	if credential.Authenticator.CloneWarning {
		return Proof{}, s.suspect(ctx, db, used)
	}
	flags := parsed.Response.AuthenticatorData.Flags
	used.SignCount, used.Flags, used.Used = credential.Authenticator.SignCount, uint8(flags), db.Now()
	c.spend(change)
	s.save(change)
	proof := Proof{Subject: subject, Methods: ByPasskey, Passkey: used.ID()}
	if flags.HasUserVerified() {
		proof.Methods |= UserVerified
	}
	return proof, nil
}

// suspect notes that the counter of a passkey of the set went back (WebAuthn
// §7.2, step 22), and returns [ErrCloned]. The passkey stays: whoever has the
// higher counter may be the owner.
func (s *Set) suspect(ctx context.Context, db *tokenstore.DB, used *Passkey) error {
	change := db.NewChange()
	used.Suspected = db.Now()
	s.save(change)
	change.Audit(tokenstore.AuditEntry{
		Type: string(authz.EventSignInRefused), Outcome: string(authz.Denied), Reason: auditCloned, Subject: s.subject,
	})
	if _, err := db.Commit(ctx, change); err != nil {
		return err
	}
	return ErrCloned
}

// parseAssertion reads what a browser answers to a challenge.
func parseAssertion(response []byte) (*protocol.ParsedCredentialAssertionData, error) {
	if len(response) > MaxResponse {
		return nil, refused("an answer that is too large")
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return nil, because(err)
	}
	return parsed, nil
}
