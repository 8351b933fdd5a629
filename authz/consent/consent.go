// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package consent

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// ErrNotFound: the user allows the client nothing.
var ErrNotFound = errors.New("consent: there is none")

// Consent is what a user allows a client. The numbers are on disk: they are never
// given to another field. Times are in seconds since 1970.
type Consent struct {
	// Client is the id of the client, Subject that of the user.
	Client  string `cbor:"1,keyasint"`
	Subject string `cbor:"2,keyasint"`
	// Since is when the user first said yes, Changed when last.
	Since   int64 `cbor:"6,keyasint"`
	Changed int64 `cbor:"7,keyasint"`
	// Replayed is when a spent code or refresh token last came again, so that a
	// grant was revoked; 0: never.
	Replayed int64 `cbor:"8,keyasint,omitempty"`
	// Anchor is the id of the anchor of all that depends on it.
	Anchor string `cbor:"9,keyasint"`
	// ClientGeneration is the revision of the client's anchor that it was given
	// under: it is no consent to another client of the same id, nor after all that
	// the client had was revoked.
	ClientGeneration tokenstore.Revision `cbor:"10,keyasint"`
	// Sites are what it is for, and what is allowed there.
	Sites []Site `cbor:"11,keyasint,omitempty"`
}

func key(subject, client string) tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindConsent, subject+"\x00"+client)
}

// Held is what a user allows a client at a moment, which may be nothing.
type Held struct {
	Consent
	revision tokenstore.Revision // 0: there is no record
	counts   bool                // the record is of this generation of the client
	anchor   tokenstore.Generation
}

// Find returns what a user allows a client whose anchor has the given generation.
func Find(ctx context.Context, db *tokenstore.DB, subject string, client tokenstore.Generation) (*Held, error) {
	h := &Held{Consent: Consent{Client: client.Key.ID(), Subject: subject, ClientGeneration: client.Revision}}
	rec, err := tokenstore.Load[Consent](ctx, db, key(subject, h.Client))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return h, nil
	}
	if err != nil {
		return nil, err
	}
	h.revision = rec.Revision
	anchors, err := db.Generations(ctx, tokenstore.ConsentAnchorKey(rec.Value.Anchor))
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		return nil, err
	}
	if err != nil || rec.Value.ClientGeneration != client.Revision {
		h.Anchor = rec.Value.Anchor
		return h, nil // the record is there to be replaced
	}
	h.Consent, h.counts, h.anchor = rec.Value, true, anchors[0]
	return h, nil
}

// Covers reports whether nothing of what is asked for needs to be asked of the user:
// at every one of the resources it was allowed before or, where the user could, unticked.
func (h *Held) Covers(scopes, optional scope.Set, resources []string) bool {
	if !h.counts || len(resources) == 0 {
		return false
	}
	for _, resource := range resources {
		site, known := h.site(resource)
		if !known {
			return false
		}
		for _, word := range scopes {
			if !site.Scopes.Has(word) && !(site.Declined.Has(word) && optional.Has(word)) {
				return false
			}
		}
	}
	// With everything unticked there would be nothing to give.
	return len(scopes) == 0 || len(scopes.Intersect(h.Allowed(resources))) > 0
}

// Keep makes change depend on the consent as it is, and returns the generation of
// its anchor. It is for one that covers all that is asked for.
func (h *Held) Keep(change *tokenstore.Change) tokenstore.Generation {
	change.Expect(tokenstore.Generation{Key: key(h.Subject, h.Client), Revision: h.revision})
	return h.anchor
}

// Give makes change remember that the user, asked for some scopes at some resources,
// allowed granted of these there. It returns the generation of the consent's anchor.
// That is another one when the user has taken something back: what the client got with
// it ends.
func (h *Held) Give(change *tokenstore.Change, now time.Time, asked, granted scope.Set, resources []string) tokenstore.Generation {
	c, anchor := h.Consent, h.anchor
	c.Changed = now.Unix()
	if !h.counts {
		c.Since = c.Changed
	}
	takenBack := c.answer(asked, granted, resources)
	if !h.counts || takenBack {
		if h.Anchor != "" {
			change.Revoke(tokenstore.ConsentAnchorKey(h.Anchor))
		}
		c.Anchor = token.NewID(now)
		anchorKey := tokenstore.ConsentAnchorKey(c.Anchor)
		change.Create(anchorKey, nil, time.Time{})
		anchor = tokenstore.SameChange(anchorKey)
	}
	change.Replace(key(c.Subject, c.Client), h.revision, &c, time.Time{})
	change.Audit(entry(authz.EventConsentGiven, &c, c.Subject))
	return anchor
}

func entry(event authz.EventType, c *Consent, actor string) tokenstore.AuditEntry {
	return tokenstore.AuditEntry{Type: string(event), Outcome: string(authz.Allowed), Client: c.Client, Subject: c.Subject, Actor: actor}
}
