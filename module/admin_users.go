// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// resetParameter carries the ticket of a link for a new password. It is in the query,
// because that works without a script and a log filter can tell it from the path; the
// page skips the access log.
const resetParameter = "ticket"

// userView is a user as the admin API shows it, without the hash of the password.
type userView struct {
	Subject  string `json:"subject"`
	Username string `json:"username"`
	Email    string `json:"email,omitempty"`
	Name     string `json:"name,omitempty"`
	// Source is where the account is, absent for this server.
	Source   string `json:"source,omitempty"`
	SourceID string `json:"source_id,omitempty"`
	Disabled bool   `json:"disabled,omitempty"`
	// MustChange: the password has to be changed after the next sign-in.
	MustChange bool `json:"must_change,omitempty"`
	// Password says whether there is one here.
	Password   bool           `json:"password"`
	Groups     []string       `json:"groups,omitempty"`
	Claims     map[string]any `json:"claims,omitempty"`
	Created    time.Time      `json:"created"`
	PasswordAt *time.Time     `json:"password_at,omitempty"`
	// SourceAt is when the source last let the user in.
	SourceAt *time.Time `json:"source_at,omitempty"`
}

// userList is a page of users; an empty Cursor ends the list.
type userList struct {
	Users  []userView `json:"users"`
	Cursor string     `json:"cursor,omitempty"`
}

// userAddition asks for a new user, by user name or e-mail address.
type userAddition struct {
	Username string `json:"username,omitempty"`
	Email    string `json:"email,omitempty"`
	Name     string `json:"name,omitempty"`
	// Password, or PasswordHash of one (argon2id or bcrypt). Absent: none yet.
	Password     secretText     `json:"password,omitempty"`
	PasswordHash secretText     `json:"password_hash,omitempty"`
	MustChange   bool           `json:"must_change,omitempty"`
	Disabled     bool           `json:"disabled,omitempty"`
	Groups       []string       `json:"groups,omitempty"`
	Claims       map[string]any `json:"claims,omitempty"`
}

// userEdit names what is to change. Claims are merged with those there are; null
// removes one.
type userEdit struct {
	Username   *string        `json:"username"`
	Email      *string        `json:"email"`
	Name       *string        `json:"name"`
	MustChange *bool          `json:"must_change"`
	Groups     *[]string      `json:"groups"`
	Claims     map[string]any `json:"claims"`
}

// userPassword asks for another password.
type userPassword struct {
	Password   secretText `json:"password"`
	MustChange bool       `json:"must_change,omitempty"`
}

// userImport asks for many users, all or none.
type userImport struct {
	Users []userAddition `json:"users"`
}

// userImported answers a userImport: for each user whether they were added, or there
// already.
type userImported struct {
	Added []bool `json:"added"`
}

// userEnding answers the removal of a user.
type userEnding struct {
	Subject string `json:"subject"`
	Removed bool   `json:"removed"`
}

// resetOrder asks for a link.
type resetOrder struct {
	// Lifetime of the link, 1m to 7d; absent means an hour.
	Lifetime client.Duration `json:"lifetime,omitempty"`
}

// resetLink answers a resetOrder: the only time that the link is shown.
type resetLink struct {
	URL     secretText `json:"url"`
	Expires time.Time  `json:"expires"`
}

func viewUser(u *user.User) userView {
	return userView{
		Subject: u.Subject, Username: u.Username, Email: u.Email, Name: u.Name, Source: u.Source, SourceID: u.SourceID,
		Disabled: u.Disabled, MustChange: u.MustChange, Password: u.Password != "", Groups: u.Groups, Claims: u.Claims,
		Created: u.Created.UTC(), PasswordAt: moment(u.PasswordAt), SourceAt: moment(u.SourceAt),
	}
}

func (a userAddition) addition() user.Addition {
	return user.Addition{
		Username: a.Username, Email: a.Email, Name: a.Name, Password: string(a.Password), Hash: user.Hash(a.PasswordHash),
		MustChange: a.MustChange, Disabled: a.Disabled, Groups: a.Groups, Claims: a.Claims,
	}
}

func getUsers(r *adminRequest) (any, error) {
	cursor, limit, err := r.page()
	if err != nil {
		return nil, err
	}
	from, err := cursorIn(cursor, tokenstore.KindUser)
	if err != nil {
		return nil, err
	}
	records, next, err := r.app.users.List(r.Context(), from, limit)
	if err != nil {
		return nil, err
	}
	list := userList{Users: make([]userView, len(records)), Cursor: cursorOut(next)}
	for i, rec := range records {
		list.Users[i] = viewUser(&rec.Value)
	}
	return list, nil
}

func getUser(r *adminRequest) (any, error) {
	u, err := r.user()
	if err != nil {
		return nil, err
	}
	return viewUser(u), nil
}

func postUser(r *adminRequest) (any, error) {
	var order userAddition
	if err := r.read(&order); err != nil {
		return nil, err
	}
	rec, err := r.app.users.Create(r.Context(), actorAdmin, order.addition())
	if err != nil {
		return nil, userError(err)
	}
	return viewUser(&rec.Value), nil
}

func postUserEdit(r *adminRequest) (any, error) {
	var order userEdit
	if err := r.read(&order); err != nil {
		return nil, err
	}
	return r.change(func(subject string) (*user.User, error) {
		return r.app.users.Edit(r.Context(), actorAdmin, subject, func(u *user.User) error {
			set(&u.Username, order.Username)
			set(&u.Email, order.Email)
			set(&u.Name, order.Name)
			set(&u.MustChange, order.MustChange)
			set(&u.Groups, order.Groups)
			if u.Claims == nil {
				u.Claims = map[string]any{}
			}
			maps.Copy(u.Claims, order.Claims) // those that are null are left out when it is kept
			return nil
		})
	})
}

// set sets what is named.
func set[T any](to, named *T) {
	if named != nil {
		*to = *named
	}
}

func postUserPassword(r *adminRequest) (any, error) {
	var order userPassword
	if err := r.read(&order); err != nil {
		return nil, err
	}
	return r.change(func(subject string) (*user.User, error) {
		return r.app.users.SetPassword(r.Context(), actorAdmin, subject, user.NewPassword{Password: string(order.Password), MustChange: order.MustChange})
	})
}

func postUserDisable(r *adminRequest) (any, error) {
	if err := r.read(&struct{}{}); err != nil {
		return nil, err
	}
	return r.change(func(subject string) (*user.User, error) { return r.app.users.Disable(r.Context(), actorAdmin, subject) })
}

func postUserEnable(r *adminRequest) (any, error) {
	if err := r.read(&struct{}{}); err != nil {
		return nil, err
	}
	return r.change(func(subject string) (*user.User, error) { return r.app.users.Enable(r.Context(), actorAdmin, subject) })
}

func postUserRemove(r *adminRequest) (any, error) {
	if err := r.read(&struct{}{}); err != nil {
		return nil, err
	}
	u, err := r.user()
	if err != nil {
		return nil, err
	}
	if err := r.app.users.Remove(r.Context(), actorAdmin, u.Subject); err != nil {
		return nil, userError(err)
	}
	return userEnding{Subject: u.Subject, Removed: true}, nil
}

// postUserFactors takes all second factors from a user who has lost them. Who is signed
// in with one is not any more.
func postUserFactors(r *adminRequest) (any, error) {
	if err := r.read(&struct{}{}); err != nil {
		return nil, err
	}
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	return r.change(func(subject string) (*user.User, error) {
		change := db.NewChange()
		factor.Reset(change, subject, actorAdmin)
		if err := r.app.people.signin.EndAll(r.Context(), db, change, subject, "", actorAdmin); err != nil {
			return nil, err
		}
		if _, err := db.Commit(r.Context(), change); err != nil {
			return nil, err
		}
		r.app.recorder.Record(r.Context(), authz.Event{Type: authz.EventFactorRemoved, Outcome: authz.Allowed, Subject: subject, Actor: actorAdmin})
		rec, err := r.app.users.BySubject(r.Context(), subject)
		if err != nil {
			return nil, err
		}
		return &rec.Value, nil
	})
}

func postUserReset(r *adminRequest) (any, error) {
	var order resetOrder
	if err := r.read(&order); err != nil {
		return nil, err
	}
	if err := r.onThisMachine(); err != nil {
		return nil, err
	}
	u, err := r.user()
	if err != nil {
		return nil, err
	}
	if !u.Local() {
		return nil, userError(user.ErrElsewhere)
	}
	ticket, expires, err := r.app.users.NewReset(r.Context(), actorAdmin, u.Subject, time.Duration(order.Lifetime))
	if errors.Is(err, user.ErrNotFound) {
		return nil, adminRefusal(http.StatusConflict, fmt.Sprintf("user %q is disabled: enable them first", u.Username))
	}
	if err != nil {
		return nil, userError(err)
	}
	link, err := r.app.page(pages.PathPassword)
	if err != nil {
		return nil, err
	}
	return resetLink{URL: secretText(link + "?" + url.Values{resetParameter: {ticket}}.Encode()), Expires: expires.UTC()}, nil
}

// page returns the URL of a page below the prefix, on the issuer's host.
func (a *App) page(path string) (string, error) {
	u, err := url.Parse(a.Issuer)
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + u.Host + a.Prefix + path, nil
}

func postUserImport(r *adminRequest) (any, error) {
	var order userImport
	if err := r.read(&order); err != nil {
		return nil, err
	}
	additions := make([]user.Addition, len(order.Users))
	for i, a := range order.Users {
		additions[i] = a.addition()
	}
	added, err := r.app.users.Import(r.Context(), actorAdmin, additions)
	if err != nil {
		return nil, userError(err)
	}
	return userImported{Added: added}, nil
}

// user is the one named by the path: by subject, user name or e-mail address.
func (r *adminRequest) user() (*user.User, error) {
	rec, err := r.app.users.Lookup(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, userError(err)
	}
	return &rec.Value, nil
}

// change changes the user named by the path, and shows what became of them.
func (r *adminRequest) change(do func(subject string) (*user.User, error)) (any, error) {
	u, err := r.user()
	if err != nil {
		return nil, err
	}
	changed, err := do(u.Subject)
	if err != nil {
		return nil, userError(err)
	}
	return viewUser(changed), nil
}

// userError gives errors of the user room their status. What is not trouble is
// something wrong with the request.
func userError(err error) error {
	var ready caddy.APIError
	var protocol *authz.Error
	var which *user.ImportError
	prefix := ""
	if errors.As(err, &which) {
		prefix = fmt.Sprintf("user %d: ", which.Index+1)
	}
	switch {
	case errors.As(err, &ready), errors.As(err, &protocol), isTrouble(err):
		return err
	case errors.Is(err, user.ErrNotFound):
		return adminRefusal(http.StatusNotFound, "there is no such user: see `caddy oauth2 user list`")
	case errors.Is(err, user.ErrExists):
		return adminRefusal(http.StatusConflict, prefix+"another user has that user name or e-mail address")
	case errors.Is(err, user.ErrElsewhere):
		return adminRefusal(http.StatusConflict, "the password of this user is kept elsewhere: change it there")
	}
	return adminRefusal(http.StatusBadRequest, strings.ReplaceAll(err.Error(), "\n", "; "))
}
