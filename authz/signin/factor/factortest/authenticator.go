// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package factortest plays the browser and the authenticator of somebody with a
// passkey, in tests. Each part of an answer can be made wrong.
package factortest

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Flags of an authenticator (WebAuthn §6.1).
const (
	UserPresent    byte = 1 << 0
	UserVerified   byte = 1 << 2
	BackupEligible byte = 1 << 3
	BackedUp       byte = 1 << 4
	attested       byte = 1 << 6
)

// Authenticator holds one passkey.
type Authenticator struct {
	// Origin is the page's, as the browser sees it.
	Origin string
	// RPID is the relying party's id that the authenticator signs for. Empty: the
	// one that the options name.
	RPID string
	// Flags are those of every answer.
	Flags byte
	// Count is the counter of the next answer; it grows by Step.
	Count, Step uint32
	// CrossOrigin says that the page is in a frame of another site.
	CrossOrigin bool
	// Ceremony and Challenge replace what the browser says of the one that it takes
	// part in.
	Ceremony, Challenge string

	// ID and Handle are those of the passkey. They are set by Create.
	ID, Handle []byte
	key        *ecdsa.PrivateKey
}

// New returns an authenticator for pages of origin. It verifies its user, and has
// no counter, as those that synchronize passkeys.
func New(origin string) *Authenticator {
	return &Authenticator{Origin: origin, Flags: UserPresent | UserVerified}
}

// Rekey gives the authenticator another private key, under the same id.
func (a *Authenticator) Rekey() (err error) {
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return err
}

// creation is the part of the options that an authenticator needs (WebAuthn §5.4).
type creation struct {
	PublicKey struct {
		RP        struct{ ID string }
		User      struct{ ID string }
		Challenge string
		Exclude   []struct{ ID string } `json:"excludeCredentials"`
	} `json:"publicKey"`
}

// Create makes the passkey and answers the options of a registration.
func (a *Authenticator) Create(options []byte) ([]byte, error) {
	var o creation
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, err
	}
	for _, e := range o.PublicKey.Exclude {
		if e.ID == encode(a.ID) {
			return nil, fmt.Errorf("the authenticator has a passkey of this user") // §6.3.2, step 3
		}
	}
	var err error
	if a.Handle, err = base64.RawURLEncoding.DecodeString(o.PublicKey.User.ID); err != nil {
		return nil, err
	}
	if err = a.Rekey(); err != nil {
		return nil, err
	}
	a.ID = make([]byte, 32)
	_, _ = rand.Read(a.ID)
	public, err := a.publicKey()
	if err != nil {
		return nil, err
	}
	data := a.data(o.PublicKey.RP.ID, attested)
	data = append(data, make([]byte, 16)...) // the model is kept secret
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.ID)))
	data = append(append(data, a.ID...), public...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		return nil, err
	}
	client, err := a.client("webauthn.create", o.PublicKey.Challenge)
	if err != nil {
		return nil, err
	}
	return a.answer(map[string]any{
		"clientDataJSON": encode(client), "attestationObject": encode(object), "transports": []string{"internal"},
	})
}

// request is the part of the options that an authenticator needs (WebAuthn §5.5).
type request struct {
	PublicKey struct {
		RPID      string `json:"rpId"`
		Challenge string
		Allow     []struct{ ID string } `json:"allowCredentials"`
	} `json:"publicKey"`
}

// Get answers the options of a sign-in.
func (a *Authenticator) Get(options []byte) ([]byte, error) {
	var o request
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, err
	}
	allowed := len(o.PublicKey.Allow) == 0
	for _, c := range o.PublicKey.Allow {
		allowed = allowed || c.ID == encode(a.ID)
	}
	if !allowed {
		return nil, fmt.Errorf("the authenticator has no passkey of these")
	}
	data := a.data(o.PublicKey.RPID, 0)
	client, err := a.client("webauthn.get", o.PublicKey.Challenge)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(client)
	signed := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, signed[:])
	if err != nil {
		return nil, err
	}
	response := map[string]any{
		"clientDataJSON": encode(client), "authenticatorData": encode(data), "signature": encode(signature),
	}
	if a.Handle != nil {
		response["userHandle"] = encode(a.Handle)
	}
	return a.answer(response)
}

// publicKey is the COSE key (RFC 9053 §7.1).
func (a *Authenticator) publicKey() ([]byte, error) {
	point, err := a.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	const es256, ec2, p256 = -7, 2, 1
	return mode.Marshal(map[int]any{1: ec2, 3: es256, -1: p256, -2: point[1:33], -3: point[33:]})
}

// data is the authenticator data (WebAuthn §6.1), with the counter moved on.
func (a *Authenticator) data(id string, flags byte) []byte {
	a.Count += a.Step
	hash := sha256.Sum256([]byte(cmp.Or(a.RPID, id)))
	return binary.BigEndian.AppendUint32(append(hash[:], a.Flags|flags), a.Count)
}

// client is what the browser says of the page (WebAuthn §5.8.1).
func (a *Authenticator) client(ceremony, challenge string) ([]byte, error) {
	ceremony, challenge = cmp.Or(a.Ceremony, ceremony), cmp.Or(a.Challenge, challenge)
	return json.Marshal(map[string]any{
		"type": ceremony, "challenge": challenge, "origin": a.Origin, "crossOrigin": a.CrossOrigin,
	})
}

// answer is what the page's script sends.
func (a *Authenticator) answer(response map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": encode(a.ID), "rawId": encode(a.ID), "type": "public-key", "response": response,
		// Password managers send this whether it was asked for or not.
		"clientExtensionResults": map[string]any{"credProps": map[string]any{"rk": true}},
	})
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
