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

// Enrol asks the user's browser for a new passkey: the options are for its
// script, the ceremony is to be sealed and given to [Passkeys.Enrolled]. Account
// and name are what the authenticator shows. [ErrTooMany] if there is no room.
func (p *Passkeys) Enrol(db *tokenstore.DB, s *Set, account, name string) (json.RawMessage, Ceremony, error) {
	if len(s.record.Passkeys) >= MaxPasskeys {
		return nil, Ceremony{}, ErrTooMany
	}
	who := person{set: s, account: account, name: name}
	creation, session, err := p.web.BeginRegistration(who,
		webauthn.WithExclusions(webauthn.Credentials(who.WebAuthnCredentials()).CredentialDescriptors()),
		webauthn.WithCredentialParameters(webauthn.CredentialParametersRecommendedL3()),
	)
	if err != nil {
		return nil, Ceremony{}, fmt.Errorf("factor: %w", err)
	}
	text, err := options(creation)
	c := newCeremony(db, session)
	c.Enrols = true
	return text, c, err
}

// Enrolled judges what the browser answered, and makes change give the user the
// passkey under the given name. Errors: [ErrRefused], [ErrTooMany], what is
// wrong with the name, or trouble.
func (p *Passkeys) Enrolled(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, s *Set, c Ceremony, response []byte, name, actor string) (Passkey, error) {
	if err := ValidatePasskeyName(name); err != nil {
		return Passkey{}, err
	}
	if err := c.check(ctx, db, true); err != nil {
		return Passkey{}, err
	}
	if c.Subject != s.subject {
		return Passkey{}, refused("the challenge is somebody else's")
	}
	if len(s.record.Passkeys) >= MaxPasskeys {
		return Passkey{}, ErrTooMany
	}
	parsed, err := parseCreation(response)
	if err != nil {
		return Passkey{}, err
	}
	credential, err := p.web.CreateCredential(person{set: s}, c.session(s.subject), parsed)
	if err != nil {
		return Passkey{}, because(err)
	}
	passkey, err := newPasskey(credential, name, db.Now())
	if err != nil {
		return Passkey{}, refused(err.Error())
	}
	if s.find(func(o Passkey) bool { return o.has(passkey.CredentialID) }) >= 0 {
		return Passkey{}, refused("the passkey is there already")
	}
	s.record.Passkeys = append(slices.Clone(s.record.Passkeys), passkey)
	c.spend(change)
	s.save(change)
	s.audit(change, authz.EventFactorAdded, auditPasskey, actor)
	return passkey, nil
}

// parseCreation reads what a browser answers to [Passkeys.Enrol].
func parseCreation(response []byte) (*protocol.ParsedCredentialCreationData, error) {
	if len(response) > MaxResponse {
		return nil, refused("an answer that is too large")
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return nil, because(err)
	}
	return parsed, nil
}
