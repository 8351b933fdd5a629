// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// maxSessions is how many sessions of one user are shown, the last used first.
const maxSessions = 100

// showSessions shows where the visitor is signed in.
func (v *visit) showSessions() error {
	shell, err := v.shell()
	if err != nil {
		return err
	}
	page := pages.AccountSessions{Shell: shell}
	if page.Sessions, err = v.sessions(v.subject()); err != nil {
		return err
	}
	return v.render(http.StatusOK, page)
}

// sessions lists where a user is signed in.
func (v *visit) sessions(subject string) ([]pages.Session, error) {
	all, err := v.config.SignIn.Sessions(v.r.Context(), subject)
	if err != nil {
		return nil, err
	}
	shown := make([]pages.Session, 0, len(all))
	for _, s := range all[:min(len(all), maxSessions)] {
		session, err := v.session(s)
		if err != nil {
			return nil, err
		}
		shown = append(shown, session)
	}
	return shown, nil
}

// session is a session as people see it.
func (v *visit) session(s *signin.Session) (pages.Session, error) {
	shown := pages.Session{
		ID: s.ID, Current: s.ID == v.account.Session.ID, Agent: pages.Untrusted(s.Agent), Network: s.Address, Created: s.Created, LastSeen: s.LastSeen,
	}
	for _, id := range s.Clients {
		c, err := v.client(id)
		if err != nil {
			return shown, err
		}
		if c != nil {
			shown.Applications = append(shown.Applications, pages.Untrusted(c.DisplayName()))
		}
	}
	return shown, nil
}

// endSession ends one session of the visitor.
func (v *visit) endSession() error {
	if err := v.end(v.subject(), v.subject()); err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageSessionEnded)
}

// end ends the session of a user that the form names. actor is who wants it so.
func (v *visit) end(subject, actor string) error {
	err := v.config.SignIn.End(v.r.Context(), subject, v.field(pages.FieldSession), actor)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return errNotHere
	}
	return err
}

// endOtherSessions ends all sessions of the visitor but this one.
func (v *visit) endOtherSessions() error {
	change := v.db.NewChange()
	err := v.config.SignIn.EndAll(v.r.Context(), v.db, change, v.subject(), v.account.Session.ID, v.subject())
	if err != nil {
		return err
	}
	if err := v.commit(change, v.sessionsEnded(v.subject(), v.subject())); err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageSessionsEnded)
}

// sessionsEnded is the event that sessions of a user were ended.
func (v *visit) sessionsEnded(subject, actor string) authz.Event {
	return authz.Event{Type: authz.EventSessionEnded, Subject: subject, Actor: actor}
}
