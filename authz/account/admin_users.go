// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// userActions are what the buttons of a user's page do.
var userActions = map[string]func(*visit) error{
	pages.DoDisable: (*visit).disableUser, pages.DoEnable: (*visit).enableUser, pages.DoDelete: (*visit).removeUser,
	pages.DoResetLink: (*visit).makeResetLink, pages.DoRemoveFactors: (*visit).removeFactors,
	pages.DoEndAll: (*visit).endAllSessions, pages.DoEnd: (*visit).endUserSession, pages.DoRevoke: (*visit).revokeUserApplication,
}

// sourceHere is what the pages call this server among the sources of users.
const sourceHere = "local"

// showUsers lists the users, or those whose names begin with a text.
func (v *visit) showUsers() error {
	list, prefix := v.config.Users.List, tokenstore.NewKey("", tokenstore.KindUser, "")
	if text := v.query(querySearch); text != "" {
		prefix = tokenstore.NewKey("", tokenstore.KindUserName, "")
		list = func(ctx context.Context, c tokenstore.Cursor, limit int) ([]*tokenstore.Record[user.User], tokenstore.Cursor, error) {
			return v.config.Users.Search(ctx, text, c, limit)
		}
	}
	found, next, err := list(v.r.Context(), v.cursor(prefix), pageSize)
	if err != nil {
		return err
	}
	page := pages.AdminUsers{Listing: v.listing(after(next))}
	if page.Shell, err = v.shell(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, u := range found {
		if seen[u.Value.Subject] {
			continue // found by name and by address
		}
		seen[u.Value.Subject] = true
		sessions, err := v.config.SignIn.Sessions(v.r.Context(), u.Value.Subject)
		if err != nil {
			return err
		}
		row := v.userRow(&u.Value)
		if len(sessions) > 0 {
			row.LastSeen = sessions[0].LastSeen
		}
		page.Users = append(page.Users, row)
	}
	return v.render(http.StatusOK, page)
}

// userRow is a user as administrators see one.
func (s *Server) userRow(u *user.User) pages.AdminUserRow {
	row := pages.AdminUserRow{
		Subject: u.Subject, Username: pages.Untrusted(u.Username), Name: pages.Untrusted(u.Name), Email: pages.Untrusted(u.Email),
		Source: u.Source, Disabled: u.Disabled, MustChange: u.MustChange, Created: u.Created,
		View: s.to(pathAdminUser, querySubject, u.Subject),
	}
	if u.Local() {
		row.Source = sourceHere
	}
	return row
}

// showUser shows a user.
func (v *visit) showUser() error { return v.user(http.StatusOK, pages.AdminUser{}) }

// user is that page, with what is already in it, and what was wrong with the form.
func (v *visit) user(status int, page pages.AdminUser, faults ...pages.Fault) error {
	ctx, subject := v.r.Context(), v.query(querySubject)
	u, err := v.someUser()
	if err != nil {
		return err
	}
	page.User, page.Local = v.userRow(u), u.Local()
	for _, group := range u.Groups {
		page.Groups = append(page.Groups, pages.Untrusted(group))
	}
	set, err := factor.Load(ctx, v.db, subject)
	if err != nil {
		return err
	}
	page.Passkeys, page.TOTP = len(set.Passkeys()), set.HasTOTP()
	page.RecoveryCodes, _ = set.RecoveryLeft()
	if page.Applications, err = v.applications(subject); err != nil {
		return err
	}
	if page.Sessions, err = v.sessions(subject); err != nil {
		return err
	}
	if len(page.Sessions) > 0 {
		page.User.LastSeen = page.Sessions[0].LastSeen
	}
	if page.Shell, err = v.shell(); err != nil {
		return err
	}
	page.Faults = faults
	return v.render(status, page)
}

// someUser is the user that the URL names.
func (v *visit) someUser() (*user.User, error) {
	rec, err := v.config.Users.BySubject(v.r.Context(), v.query(querySubject))
	if errors.Is(err, user.ErrNotFound) {
		return nil, errNotHere
	}
	if err != nil {
		return nil, err
	}
	return &rec.Value, nil
}

// own refuses what an administrator would be sorry to have done to the account that
// is signed in.
func (v *visit) own() bool { return v.query(querySubject) == v.subject() }

// faultOwn says so.
var faultOwn = pages.Fault{Message: pages.MessageInvalid, Detail: "This is the account that you are signed in with."}

func (v *visit) disableUser() error {
	if v.own() {
		return v.user(http.StatusConflict, pages.AdminUser{}, faultOwn)
	}
	if _, err := v.config.Users.Disable(v.r.Context(), v.subject(), v.query(querySubject)); err != nil {
		return noUser(err)
	}
	return v.done(v.self(), pages.MessageUserDisabled)
}

func (v *visit) enableUser() error {
	if _, err := v.config.Users.Enable(v.r.Context(), v.subject(), v.query(querySubject)); err != nil {
		return noUser(err)
	}
	return v.done(v.self(), pages.MessageUserEnabled)
}

// removeUser removes a user whose name was typed to confirm it.
func (v *visit) removeUser() error {
	u, err := v.someUser()
	if err != nil {
		return err
	}
	if v.own() {
		return v.user(http.StatusConflict, pages.AdminUser{}, faultOwn)
	}
	if typed, err := user.Canonical(v.field(pages.FieldUsername)); err != nil || typed != u.Username {
		return v.user(http.StatusBadRequest, pages.AdminUser{}, pages.Fault{Field: pages.FieldUsername, Message: pages.MessageInvalid})
	}
	if err := v.config.Users.Remove(v.r.Context(), v.subject(), u.Subject); err != nil {
		return noUser(err)
	}
	return v.done(v.config.Prefix+pages.PathAdminUsers, pages.MessageUserRemoved)
}

// noUser gives the directory's errors their meaning here.
func noUser(err error) error {
	if errors.Is(err, user.ErrNotFound) {
		return errNotHere
	}
	return err
}

// removeFactors takes all second factors from a user who has lost them. Who is
// signed in with one is not any more.
func (v *visit) removeFactors() error {
	u, err := v.someUser()
	if err != nil {
		return err
	}
	change := v.db.NewChange()
	factor.Reset(change, u.Subject, v.subject())
	if err := v.config.SignIn.EndAll(v.r.Context(), v.db, change, u.Subject, "", v.subject()); err != nil {
		return err
	}
	if err := v.commit(change, authz.Event{Type: authz.EventFactorRemoved, Subject: u.Subject, Actor: v.subject()}); err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageFactorsRemoved)
}

// endAllSessions ends all sessions of a user.
func (v *visit) endAllSessions() error {
	u, err := v.someUser()
	if err != nil {
		return err
	}
	change := v.db.NewChange()
	if err := v.config.SignIn.EndAll(v.r.Context(), v.db, change, u.Subject, "", v.subject()); err != nil {
		return err
	}
	if err := v.commit(change, v.sessionsEnded(u.Subject, v.subject())); err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageSessionsEnded)
}

func (v *visit) endUserSession() error {
	if err := v.end(v.query(querySubject), v.subject()); err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageSessionEnded)
}

func (v *visit) revokeUserApplication() error {
	if err := v.endConsent(v.query(querySubject), v.field(pages.FieldClient)); err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageAccessRevoked)
}

// makeResetLink makes a link by which the user chooses another password, and shows
// it, once. It is for users who cannot sign in: the administrator brings it to them.
func (v *visit) makeResetLink() error {
	ticket, until, err := v.config.Users.NewReset(v.r.Context(), v.subject(), v.query(querySubject), 0)
	if errors.Is(err, user.ErrElsewhere) {
		return refuse(authz.ErrInvalidRequest)
	}
	if err != nil {
		return noUser(err)
	}
	return v.user(http.StatusOK, pages.AdminUser{ResetLink: v.config.Origin + v.to(pages.PathPassword, queryTicket, ticket), ResetUntil: until})
}
