// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// claimOwn is the name of the private claim (RFC 7519 §4.3).
const claimOwn = "co2"

// Who the `sub` of a token is, in the private claim.
const (
	subjectUser   = "user"
	subjectClient = "client"
)

// claims are those of a [JWT], by the names of RFC 7519, RFC 9068 §2.2, RFC 7800
// §3.1, RFC 9396 §9.1 and OpenID Connect Core §2.
type claims struct {
	Issuer       string          `json:"iss"`
	Subject      string          `json:"sub"`
	Audience     audience        `json:"aud"`
	Client       string          `json:"client_id"`
	Expires      int64           `json:"exp"`
	IssuedAt     int64           `json:"iat"`
	ID           string          `json:"jti"`
	Scope        string          `json:"scope,omitempty"`
	ACR          string          `json:"acr,omitempty"`
	AuthTime     int64           `json:"auth_time,omitempty"`
	Confirmation *confirmation   `json:"cnf,omitempty"`
	Details      json.RawMessage `json:"authorization_details,omitempty"`
	Own          own             `json:"co2"`
}

// confirmation is the key that a presenter must prove to hold (RFC 9449 §6.1).
type confirmation struct {
	Thumbprint string `json:"jkt"`
}

// own is the private claim.
type own struct {
	// Subject is subjectUser or subjectClient.
	Subject string `json:"sub"`
	Grant   string `json:"grant"`
	Parent  string `json:"parent,omitempty"`
	Session string `json:"session,omitempty"`
	// Generations is what encodeAnchors makes of the anchors.
	Generations string `json:"gen"`
	// More says that there are claims beyond those of this package.
	More bool `json:"more,omitempty"`
}

// audience is one text where there is one, else a list (RFC 7519 §4.1.3).
type audience []string

func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

func (a *audience) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*a = make(audience, 1)
		return json.Unmarshal(text, &(*a)[0])
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// encodeClaims returns the claims of a token that is about to be made.
func encodeClaims(issuer string, d Draft) ([]byte, error) {
	t := &d.Record
	c := claims{
		Issuer: issuer, Subject: t.Subject, Audience: t.Audience, Client: t.Client,
		Expires: d.Expires.Unix(), IssuedAt: t.IssuedAt, ID: t.ID, Scope: t.Scopes.String(), ACR: t.ACR, AuthTime: t.AuthTime,
		Details: t.AuthorizationDetails, Own: own{Subject: subjectUser, Grant: t.Grant, Parent: t.Parent, Session: t.Session},
	}
	if t.Subject == "" {
		// RFC 9068 §2.2: without a resource owner, sub is the client.
		c.Subject, c.Own.Subject = t.Client, subjectClient
	}
	if t.ConfirmationKey != "" {
		c.Confirmation = &confirmation{t.ConfirmationKey}
	}
	var err error
	if c.Own.Generations, err = encodeAnchors(t, d.Anchors); err != nil {
		return nil, err
	}
	further := maps.Clone(t.Claims)
	maps.DeleteFunc(further, func(name string, _ any) bool { return IsReserved(name) })
	c.Own.More = len(further) > 0
	text, err := json.Marshal(c)
	if err != nil || !c.Own.More {
		return text, err
	}
	more, err := json.Marshal(further)
	if err != nil {
		return nil, fmt.Errorf("token: a claim cannot be written as JSON: %w", err)
	}
	return append(append(text[:len(text)-1], ','), more[1:]...), nil
}

// decodeClaims returns what a verified token states, if it states all that it must
// (RFC 9068 §4).
func decodeClaims(tok *jose.Token, issuer string) (d tokenstore.Derived[Record], ok bool) {
	var c claims
	if tok.Claims(&c) != nil {
		return d, false
	}
	if c.Issuer != issuer || c.Subject == "" || c.Client == "" || c.ID == "" || c.Own.Grant == "" ||
		len(c.Audience) == 0 || c.Expires <= 0 || c.IssuedAt <= 0 {
		return d, false
	}
	scopes, err := scope.Parse(c.Scope)
	if err != nil {
		return d, false
	}
	d.Value = Record{
		Kind: Access, ID: c.ID, Grant: c.Own.Grant, Client: c.Client, Session: c.Own.Session, Scopes: scopes, Audience: c.Audience,
		IssuedAt: c.IssuedAt, ACR: c.ACR, AuthTime: c.AuthTime, AuthorizationDetails: c.Details, Parent: c.Own.Parent,
	}
	if c.Confirmation != nil {
		if d.Value.ConfirmationKey = c.Confirmation.Thumbprint; d.Value.ConfirmationKey == "" {
			return d, false // bound to a key in a way that nobody here could check
		}
	}
	switch {
	case c.Own.Subject == subjectUser:
		d.Value.Subject = c.Subject
	case c.Own.Subject != subjectClient || c.Subject != c.Client:
		return d, false
	}
	if c.Own.More {
		if tok.Claims((*jose.Claims)(&d.Value.Claims)) != nil {
			return d, false
		}
		maps.DeleteFunc(d.Value.Claims, func(name string, _ any) bool { return IsReserved(name) })
	}
	d.Expires = time.Unix(c.Expires, 0)
	d.Anchors, ok = decodeAnchors(&d.Value, c.Own.Generations)
	return d, ok
}

// anchorKinds are the kinds of anchors that tokens depend on.
var anchorKinds = []tokenstore.Kind{
	tokenstore.KindStore, tokenstore.KindClientAnchor, tokenstore.KindUserAnchor,
	tokenstore.KindSessionAnchor, tokenstore.KindConsentAnchor, tokenstore.KindGrant,
}

// usualAnchors is how many anchors a token has.
const usualAnchors = 6

// impliedID is the id of a token's anchor that need not be written out.
func impliedID(t *Record, kind tokenstore.Kind) string {
	switch kind {
	case tokenstore.KindClientAnchor:
		return t.Client
	case tokenstore.KindUserAnchor:
		return t.Subject
	case tokenstore.KindSessionAnchor:
		return t.Session
	case tokenstore.KindGrant:
		return t.Grant
	}
	return ""
}

// encodeAnchors writes the generations of anchors in base64url: of each its kind,
// its revision (0 for one that is made with the token: it must only be there), and
// its id with the length before it, or 0 for the one that the token implies.
func encodeAnchors(t *Record, anchors []tokenstore.Generation) (string, error) {
	var b []byte
	for _, g := range anchors {
		kind, id := g.Key.Kind(), g.Key.ID()
		if g.Key.Realm() != "" || !slices.Contains(anchorKinds, kind) || g.Revision == 0 && !endsWithRevocation(kind) {
			return "", fmt.Errorf("token: a JWT cannot depend on %s", g.Key)
		}
		b = append(b, byte(kind))
		b = binary.AppendUvarint(b, uint64(g.Revision))
		if id == impliedID(t, kind) {
			b = append(b, 0)
			continue
		}
		if id == "" {
			return "", errors.New("token: an anchor without an id")
		}
		b = binary.AppendUvarint(b, uint64(len(id)))
		b = append(b, id...)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// decodeAnchors is the reverse. It also reports whether the anchors are there that
// every token has: store, client and grant.
func decodeAnchors(t *Record, text string) (anchors []tokenstore.Generation, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	anchors = make([]tokenstore.Generation, 0, usualAnchors)
	for len(b) > 0 && len(anchors) < tokenstore.MaxAnchors {
		kind := tokenstore.Kind(b[0])
		revision, n := binary.Uvarint(b[1:])
		if n <= 0 || !slices.Contains(anchorKinds, kind) || revision == 0 && !endsWithRevocation(kind) {
			return nil, false
		}
		b = b[1+n:]
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return nil, false
		}
		id := impliedID(t, kind)
		if length > 0 {
			id = string(b[n : n+int(length)])
		}
		b = b[n+int(length):]
		anchors = append(anchors, tokenstore.Generation{
			Key: tokenstore.NewKey("", kind, id), Revision: tokenstore.Revision(revision),
		})
	}
	for _, needed := range []tokenstore.Key{
		tokenstore.NewKey("", tokenstore.KindStore, ""), tokenstore.ClientAnchorKey(t.Client), tokenstore.GrantKey(t.Grant),
	} {
		if !slices.ContainsFunc(anchors, func(g tokenstore.Generation) bool { return g.Key == needed }) {
			return nil, false
		}
	}
	return anchors, len(b) == 0
}

// endsWithRevocation reports whether revoking an anchor of a kind deletes it. Its
// id is never used again, so that its being there says all.
func endsWithRevocation(kind tokenstore.Kind) bool {
	return kind == tokenstore.KindSessionAnchor || kind == tokenstore.KindConsentAnchor || kind == tokenstore.KindGrant
}
