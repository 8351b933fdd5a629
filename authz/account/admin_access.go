// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// searchedUser is the subject of the user who is searched for by subject or name, ""
// for none.
func (v *visit) searchedUser() (string, error) {
	u, err := v.config.Users.Lookup(v.r.Context(), v.query(querySearch))
	if errors.Is(err, user.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return u.Value.Subject, nil
}

// showGrants lists what users allow clients: all, those of one user, or those of
// one client.
func (v *visit) showGrants() error {
	text, page := v.query(querySearch), pages.AdminGrants{}
	subject, err := v.searchedUser()
	if err != nil {
		return err
	}
	found, next, err := v.foundConsents(text, subject)
	if err != nil {
		return err
	}
	if found, err = v.counting(found); err != nil {
		return err
	}
	for _, c := range found {
		a, err := v.application(c)
		if err != nil {
			return err
		}
		row := pages.AdminGrantRow{
			Subject: c.Subject, ClientID: c.Client, Client: a.Name, Scopes: a.Scopes, Since: a.Since, LastUsed: a.LastUsed, Replayed: a.Replayed,
		}
		if row.Username, err = v.username(c.Subject); err != nil {
			return err
		}
		page.Grants = append(page.Grants, row)
	}
	if page.Shell, err = v.shell(); err != nil {
		return err
	}
	page.Listing = v.listing(after(next))
	return v.render(http.StatusOK, page)
}

// foundConsents reads a page of all consents, of those to the client whose id the text
// is, or of those of the user who was found: a name that somebody chose hides no client.
func (v *visit) foundConsents(text, subject string) ([]*consent.Consent, tokenstore.Cursor, error) {
	if subject != "" && text != subject {
		c, err := v.client(text)
		if err != nil {
			return nil, "", err
		}
		if c != nil {
			subject = ""
		}
	}
	from := v.cursor(tokenstore.NewKey("", tokenstore.KindConsent, subject))
	switch {
	case subject != "":
		return consent.List(v.r.Context(), v.db, subject, from, pageSize)
	case text == "":
		return consent.ListAll(v.r.Context(), v.db, from, pageSize)
	}
	all, next, err := consent.ListAll(v.r.Context(), v.db, from, searched) // by client there is no index
	return slices.DeleteFunc(all, func(c *consent.Consent) bool { return c.Client != text }), next, err
}

// revokeGrant ends what a user allows a client.
func (v *visit) revokeGrant() error {
	if err := v.endConsent(v.field(pages.FieldSubject), v.field(pages.FieldClient)); err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageAccessRevoked)
}

// showAllSessions lists where users are signed in: all, or one.
func (v *visit) showAllSessions() error {
	found, next, err := v.foundSessions()
	if err != nil {
		return err
	}
	page := pages.AdminSessions{Listing: v.listing(after(next))}
	for _, s := range found {
		shown, err := v.session(s)
		if err != nil {
			return err
		}
		name, err := v.username(s.Subject)
		if err != nil {
			return err
		}
		page.Sessions = append(page.Sessions, pages.AdminSessionRow{Session: shown, Subject: s.Subject, Username: name})
	}
	if page.Shell, err = v.shell(); err != nil {
		return err
	}
	return v.render(http.StatusOK, page)
}

func (v *visit) foundSessions() ([]*signin.Session, tokenstore.Cursor, error) {
	if v.query(querySearch) == "" {
		return v.config.SignIn.AllSessions(v.r.Context(), v.cursor(tokenstore.NewKey("", tokenstore.KindSession, "")), pageSize)
	}
	subject, err := v.searchedUser()
	if err != nil || subject == "" {
		return nil, "", err
	}
	all, err := v.config.SignIn.Sessions(v.r.Context(), subject)
	return all[:min(len(all), maxSessions)], "", err
}

// endSomeSession ends a session of the user that the form names.
func (v *visit) endSomeSession() error {
	if err := v.end(v.field(pages.FieldSubject), v.subject()); err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageSessionEnded)
}
