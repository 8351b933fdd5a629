// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// maxConsents is how many consents of one user are shown.
const maxConsents = tokenstore.MaxList

// consents lists what a user allows clients, of those that count: there may be many
// before them of clients that are gone.
func (v *visit) consents(subject string) ([]*consent.Consent, error) {
	var counting []*consent.Consent
	for cursor := tokenstore.Cursor(""); ; {
		all, next, err := consent.List(v.r.Context(), v.db, subject, cursor, tokenstore.MaxList)
		if err != nil {
			return nil, err
		}
		if all, err = v.counting(all); err != nil {
			return nil, err
		}
		counting = append(counting, all...)
		if cursor = next; next == "" || len(counting) >= maxConsents {
			return counting[:min(len(counting), maxConsents)], nil
		}
	}
}

// counting are those consents that were given to the client that there is now: not
// to another one of its id, nor before all that it had was revoked.
func (v *visit) counting(all []*consent.Consent) ([]*consent.Consent, error) {
	counting := all[:0]
	for _, c := range all {
		anchors, err := v.db.Generations(v.r.Context(), tokenstore.ClientAnchorKey(c.Client))
		if errors.Is(err, tokenstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if anchors[0].Revision == c.ClientGeneration {
			counting = append(counting, c)
		}
	}
	return counting, nil
}

// application is a consent as people see it.
func (v *visit) application(c *consent.Consent) (pages.Application, error) {
	a := pages.Application{
		ClientID: c.Client, Name: pages.Untrusted(c.Client), Scopes: v.scopes(c.Scopes()), Since: moment(c.Since), Replayed: moment(c.Replayed),
	}
	for _, resource := range c.Resources() {
		a.Resources = append(a.Resources, pages.Untrusted(resource))
	}
	if slices.Equal(c.Resources(), []string{v.config.Issuer}) {
		a.Resources = nil // whatever is here: no client named a place
	}
	known, err := v.client(c.Client)
	if err != nil {
		return a, err
	}
	if known != nil {
		a.Name, a.Host = pages.Untrusted(known.DisplayName()), redirectHost(known)
		if a.Owner, err = v.owner(known); err != nil {
			return a, err
		}
	}
	a.LastUsed, err = v.lastUsed(c)
	return a, err
}

// lastUsed is when what a user allows was last made use of. What is older was used
// under an earlier consent.
func (v *visit) lastUsed(c *consent.Consent) (time.Time, error) {
	at, err := v.config.LastUsed(v.r.Context(), c.Client, c.Subject)
	if at.Before(moment(c.Since)) {
		return time.Time{}, err
	}
	return at, err
}

// moment is a time in seconds since 1970, of which 0 is none.
func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// endConsent ends what a user allows a client, with every token that came of it: the
// very next request with one is refused.
func (v *visit) endConsent(subject, clientID string) error {
	err := consent.End(v.r.Context(), v.db, v.subject(), subject, clientID)
	if errors.Is(err, consent.ErrNotFound) {
		return errNotHere
	}
	if err != nil {
		return err
	}
	v.note(v.r.Context(), authz.Event{Type: authz.EventConsentEnded, Client: clientID, Subject: subject, Actor: v.subject()})
	return nil
}
