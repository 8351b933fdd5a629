// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Arrive takes in a browser that comes from the issuer: its ticket buys the site's
// cookie, once, and it goes on to where it began.
func (s *Service) Arrive(w http.ResponseWriter, r *http.Request, site string) error {
	raw, err := single(r, authz.ParamTicket)
	if err != nil {
		return err
	}
	text, err := single(r, authz.ParamRequest)
	if err != nil {
		return err
	}
	began, err := s.open(r, text)
	if err != nil {
		return err
	}
	if !authz.SameResource(began.Site, site) {
		return errRequest
	}
	address, secure, err := origin(site)
	if err != nil {
		return authz.ErrServer.Because(err)
	}
	// The round must have begun in this browser: else somebody could send others into
	// an account of their own (login CSRF).
	if browser, ok := s.keeper(secure).Bound(r); !ok || digest(browser) != began.Browser {
		return errBrowser
	}
	db, err := s.config.Store(r.Context())
	if err != nil {
		return trouble(err)
	}
	session, err := redeem(r.Context(), db, raw, digest(text), site, began)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, tokenstore.ErrConflict):
		// Used, too old, or the session has ended, as when somebody reloads or goes back.
		// At the page that they wanted it turns out whether they are signed in.
	case errors.Is(err, authz.ErrInsufficientUserAuthentication):
		return err
	case err != nil:
		return trouble(err)
	default:
		// The browser keeps it until it is closed. What ends it sooner is ours to know.
		http.SetCookie(w, handle.Cookie(authz.CookieSite, session, secure, 0))
	}
	send(w, address+began.Back)
	return nil
}

// redeem makes a session of a ticket that was given for a request. Of any number of
// callers one gets it; the others get ErrConflict or ErrNotFound.
func redeem(ctx context.Context, db *tokenstore.DB, raw string, request [sha256.Size]byte, site string, began round) (session string, err error) {
	if kind, ok := token.Check(raw); !ok || kind != token.Ticket {
		return "", tokenstore.ErrNotFound
	}
	rec, err := tokenstore.Load[ticket](ctx, db, ticketKey(raw))
	if err != nil {
		return "", err
	}
	t := &rec.Value
	if t.Request != request {
		return "", tokenstore.ErrNotFound
	}
	if !began.met(t, db.Now()) {
		return "", authz.ErrInsufficientUserAuthentication
	}
	change := db.NewChange()
	change.DeleteAt(rec.Key, rec.Revision)
	session = token.NewSiteSession(change, token.Record{
		Subject: t.Subject, Session: t.Session, Audience: []string{site}, ACR: t.ACR, AuthTime: t.AuthTime,
	}, db.Now(), time.Unix(t.Until, 0), rec.Anchors)
	_, err = db.Commit(ctx, change)
	return session, err
}

// Leave ends the session of this browser at this site, and sends the browser to where
// it can end that at the issuer, on which all sites depend.
func (s *Service) Leave(w http.ResponseWriter, r *http.Request, site string) error {
	_, secure, err := origin(site)
	if err != nil {
		return authz.ErrServer.Because(err)
	}
	if raw, ok := handle.CookieValue(r, authz.CookieSite, secure); ok {
		if err := s.end(r.Context(), raw); err != nil {
			return trouble(err)
		}
	}
	http.SetCookie(w, handle.Cookie(authz.CookieSite, "", secure, -1))
	send(w, s.config.Issuer+s.config.Prefix+pages.PathSignOut)
	return nil
}

// end revokes a session's cookie, if it is one.
func (s *Service) end(ctx context.Context, raw string) error {
	if kind, ok := token.Check(raw); !ok || kind != token.SiteSession {
		return nil
	}
	db, err := s.config.Store(ctx)
	if err != nil {
		return err
	}
	key := tokenstore.CredentialKey(token.Digest(raw))
	if _, err = tokenstore.Load[token.Record](ctx, db, key); errors.Is(err, tokenstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	change := db.NewChange()
	change.Delete(key)
	_, err = db.Commit(ctx, change)
	return err
}
