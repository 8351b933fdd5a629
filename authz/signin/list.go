// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"net/http"
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// sessions lists the sessions of a user with their clients, also those that have
// not been used for too long: what depends on them has not been ended yet.
func (s *Service) sessions(ctx context.Context, db *tokenstore.DB, subject string) ([]*Session, error) {
	var all []*Session
	for cursor := tokenstore.Cursor(""); ; {
		page, next, err := tokenstore.ListUnder[sessionRecord](ctx, db, sessionKey(subject, ""), cursor, tokenstore.MaxList)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			_, id, client := splitSessionKey(r.Key)
			switch {
			case client == "":
				all = append(all, s.newSession(r))
			case len(all) > 0 && all[len(all)-1].ID == id: // its session stands before it
				last := all[len(all)-1]
				last.Clients = append(last.Clients, client)
			}
		}
		if cursor = next; next == "" {
			return all, nil
		}
	}
}

// End ends a session of a user, and with it everything that depends on it.
// actor is who wants it so: the subject, or "admin". tokenstore.ErrNotFound if
// the user has no such session.
func (s *Service) End(ctx context.Context, subject, id, actor string) error {
	db, err := s.config.Store(ctx)
	if err != nil {
		return err
	}
	all, err := s.sessions(ctx, db, subject)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(s *Session) bool { return s.ID == id })
	if i < 0 {
		return tokenstore.ErrNotFound
	}
	change := db.NewChange()
	end(change, all[i], authz.EventSessionEnded, actor)
	if _, err := db.Commit(ctx, change); err != nil {
		return err
	}
	s.note(ctx, authz.Event{Type: authz.EventSessionEnded, Outcome: authz.Allowed, Subject: subject, Actor: actor})
	return nil
}

// EndAll makes change end all sessions of a user but the one with the id keep,
// which may be empty: the password was changed, say, and whoever knew the old one
// shall not stay.
func (s *Service) EndAll(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, subject, keep, actor string) error {
	all, err := s.sessions(ctx, db, subject)
	if err != nil {
		return err
	}
	for _, session := range all {
		if session.ID != keep {
			end(change, session, authz.EventSessionEnded, actor)
		}
	}
	return nil
}

// makeRoom makes change end those sessions of a user, the longest unused first, that
// one more would be too many with. but is one that ends already.
func (s *Service) makeRoom(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, subject, but string) error {
	all, err := s.sessions(ctx, db, subject)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(s *Session) bool { return s.ID == but })
	slices.SortStableFunc(all, func(a, b *Session) int { return a.LastSeen.Compare(b.LastSeen) })
	for _, session := range all[:max(0, len(all)-MaxSessions+1)] {
		end(change, session, authz.EventSessionEnded, subject)
	}
	return nil
}

// end makes change end a session. What is noted of the clients that it signed in ends
// with its anchor, however many they are.
func end(change *tokenstore.Change, session *Session, event authz.EventType, actor string) {
	change.Delete(sessionKey(session.Subject, session.ID))
	change.Revoke(tokenstore.SessionAnchorKey(session.ID))
	change.Audit(tokenstore.AuditEntry{Type: string(event), Outcome: string(authz.Allowed), Subject: session.Subject, Actor: actor})
}

// Renew makes change end all sessions of an account's user but the one in the browser
// that sends r, and gives that browser another cookie: to be set once the change is
// committed. For a new password or second factor, say: an old cookie, wherever it is
// known, is worth nothing then. The commit is tokenstore.ErrConflict when the browser
// got another cookie meanwhile.
func (s *Service) Renew(ctx context.Context, r *http.Request, change *tokenstore.Change, a Account) (*http.Cookie, error) {
	db, err := s.config.Store(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.EndAll(ctx, db, change, a.Session.Subject, a.Session.ID, a.Session.Subject); err != nil {
		return nil, err
	}
	b, err := s.browser(ctx, db, r)
	if err != nil {
		return nil, err
	}
	return s.rotate(ctx, db, change, b)
}
