// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

const (
	// DefaultSeen is [Login].MaxAge where nothing says otherwise.
	DefaultSeen = 30 * 24 * time.Hour
	// maxFields bounds the further fields of a form, and the statuses of success.
	maxFields = 32
)

// Login is a [Source]: the log-in that an application has already. It is sent name and
// password as its own form would, or by HTTP Basic, and what it answers tells whether
// they are right. So its users need no other account, and it keeps their passwords.
//
// The name is sent in its canonical form, so that no two accounts there are one here.
// Redirects are not followed, cookies not kept. A log-in that also takes an account that
// nobody has is found out before it lets anybody in.
type Login struct {
	// URL is where the form goes, or what Basic opens: https, or http on loopback.
	// Required.
	URL string
	// Basic sends them in the Authorization header of a GET. Default: as a form.
	Basic bool
	// NameField and PasswordField are fields of the form. Default: username, password.
	NameField, PasswordField string
	// Fields are further ones, always the same.
	Fields map[string]string

	// What marks success; all that is given must hold. A form needs one at least.
	// Default with Basic: a status from 200 to 299.

	// Status is one of these.
	Status []int
	// Location is where it redirects to: a path on its own host, or a URL; with a * at
	// the end what begins like that.
	Location string
	// Cookie is one that it sets.
	Cookie string

	// Check is a URL that answers 2xx while there is an account, and 404 or 410 when there
	// is none. The name is added to its query, under NameField. Default: it is not asked.
	Check string
	// MaxAge is how long an account counts after its last sign-in here. Default:
	// [DefaultSeen] without Check, for ever with it.
	MaxAge time.Duration

	fetch func(context.Context) (*fetch.Client, error)
	// selective: it has refused an account that nobody has.
	selective atomic.Bool
}

// Fetching is a [Source] that makes requests: whoever hosts it says, before its first
// use, by what.
type Fetching interface {
	Source
	Bind(func(context.Context) (*fetch.Client, error))
}

// Bind implements [Fetching].
func (l *Login) Bind(client func(context.Context) (*fetch.Client, error)) { l.fetch = client }

// Validate says what is wrong with the settings.
func (l *Login) Validate() error {
	if err := fetch.CheckURL(l.URL, fetch.Operator); err != nil {
		return fmt.Errorf("the log-in: %w", err)
	}
	if l.Check != "" {
		if err := fetch.CheckURL(l.Check, fetch.Operator); err != nil {
			return fmt.Errorf("check: %w", err)
		}
	}
	switch {
	case l.Basic && (l.PasswordField != "" || len(l.Fields) > 0):
		return errors.New("basic sends no form: it excludes fields of one")
	case !l.Basic && len(l.Status) == 0 && l.Location == "" && l.Cookie == "":
		return errors.New("what does it answer when the password is right? Say so by status, location or cookie, " +
			"and choose what it does not answer when it is wrong")
	case len(l.Fields) > maxFields || len(l.Status) > maxFields:
		return fmt.Errorf("more than %d fields or statuses", maxFields)
	case l.MaxAge < 0:
		return errors.New("max_age is not negative")
	}
	for _, status := range l.Status {
		if status < 200 || status > 399 {
			return fmt.Errorf("status %d is none of success: 200 to 399 are", status)
		}
	}
	if _, own := l.Fields[l.nameField()]; own || l.nameField() == l.passwordField() {
		return errors.New("two fields of the form have one name")
	}
	if _, own := l.Fields[l.passwordField()]; own {
		return errors.New("two fields of the form have one name")
	}
	return l.validateLocation()
}

func (l *Login) validateLocation() error {
	if l.Location == "" {
		return nil
	}
	prefix := strings.TrimSuffix(l.Location, "*")
	switch {
	case strings.Contains(prefix, "*"):
		return errors.New("location has a * at its end only")
	case strings.HasPrefix(l.Location, "/") && l.Location != "/*":
		return nil
	case fetch.CheckURL(prefix, fetch.OperatorPlain) == nil:
		return nil
	}
	return errors.New("location is a path other than /*, or a URL, with a * at the end for all that begins like that")
}

func (l *Login) nameField() string {
	if l.NameField == "" {
		return "username"
	}
	return l.NameField
}

func (l *Login) passwordField() string {
	if l.PasswordField == "" {
		return "password"
	}
	return l.PasswordField
}

// Verify implements [Source].
func (l *Login) Verify(ctx context.Context, name, password string) (Account, error) {
	yes, err := l.takes(ctx, name, password)
	if err != nil {
		return Account{}, err
	}
	if !yes {
		l.selective.Store(true)
		return Account{}, ErrRefused
	}
	if !l.selective.Load() {
		if yes, err = l.takes(ctx, "nobody-"+strings.ToLower(token.NewID(time.Now())), token.New(token.Ticket)); err != nil {
			return Account{}, err
		}
		if yes {
			return Account{}, errors.New("the log-in takes whatever name and password: what marks success is there without it, too")
		}
		l.selective.Store(true)
	}
	return Account{ID: name}, nil
}

// takes reports whether the log-in takes a name and a password.
func (l *Login) takes(ctx context.Context, name, password string) (bool, error) {
	request := fetch.Request{URL: l.URL, By: fetch.Operator, Accept: "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8", Redirect: true}
	if l.Basic {
		if strings.Contains(name, ":") {
			return false, nil // RFC 7617 §2: what follows the first colon would be part of the password
		}
		request.Authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
	} else {
		request.Form = url.Values{l.nameField(): {name}, l.passwordField(): {password}}
		for field, value := range maps.All(l.Fields) {
			request.Form.Set(field, value)
		}
	}
	answer, err := l.do(ctx, request)
	if err != nil {
		return false, err
	}
	return l.succeeded(answer), nil
}

// do asks the application. Its trouble is no answer.
func (l *Login) do(ctx context.Context, request fetch.Request) (*fetch.Answer, error) {
	client, err := l.fetch(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	if answer.Status >= 500 || answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusRequestTimeout {
		return nil, fmt.Errorf("it answers with status %d", answer.Status)
	}
	return answer, nil
}

// succeeded reports whether an answer has all the marks of success.
func (l *Login) succeeded(answer *fetch.Answer) bool {
	if answer.Status >= 400 {
		return false
	}
	if len(l.Status) == 0 && l.Location == "" && l.Cookie == "" {
		return answer.Status < 300
	}
	return (len(l.Status) == 0 || slices.Contains(l.Status, answer.Status)) &&
		(l.Location == "" || l.leads(answer)) &&
		(l.Cookie == "" || sets(answer, l.Cookie))
}

// leads reports whether an answer redirects to Location.
func (l *Login) leads(answer *fetch.Answer) bool {
	if answer.Status < 300 {
		return false
	}
	base, err := url.Parse(l.URL)
	if err != nil {
		return false
	}
	to, err := base.Parse(answer.Header.Get("Location"))
	if err != nil || answer.Header.Get("Location") == "" {
		return false
	}
	text := to.String()
	if strings.HasPrefix(l.Location, "/") {
		if to.Scheme != base.Scheme || !strings.EqualFold(to.Host, base.Host) {
			return false
		}
		text = to.RequestURI()
	}
	if prefix, ok := strings.CutSuffix(l.Location, "*"); ok {
		return strings.HasPrefix(text, prefix)
	}
	return text == l.Location
}

// sets reports whether an answer sets a cookie, and does not remove it.
func sets(answer *fetch.Answer, name string) bool {
	response := http.Response{Header: answer.Header}
	return slices.ContainsFunc(response.Cookies(), func(c *http.Cookie) bool {
		return c.Name == name && c.Value != "" && c.MaxAge >= 0 && (c.Expires.IsZero() || c.Expires.After(time.Now()))
	})
}

// Has implements [Source].
func (l *Login) Has(ctx context.Context, id string, age time.Duration) (bool, error) {
	oldest := l.MaxAge
	if oldest == 0 && l.Check == "" {
		oldest = DefaultSeen
	}
	if oldest > 0 && age > oldest {
		return false, nil
	}
	if l.Check == "" {
		return true, nil
	}
	u, err := url.Parse(l.Check)
	if err != nil {
		return false, err
	}
	query := u.Query()
	query.Set(l.nameField(), id)
	u.RawQuery = query.Encode()
	answer, err := l.do(ctx, fetch.Request{URL: u.String(), By: fetch.Operator})
	switch {
	case err != nil:
		return false, err
	case 200 <= answer.Status && answer.Status < 300:
		return true, nil
	case answer.Status == http.StatusNotFound || answer.Status == http.StatusGone:
		return false, nil
	}
	return false, fmt.Errorf("check answers with status %d, which says neither that the account is there nor that it is not", answer.Status)
}

// TellsNames implements [Naming].
func (l *Login) TellsNames() bool { return l.Check != "" }

// HasName implements [Naming].
func (l *Login) HasName(ctx context.Context, name string) (bool, error) {
	return l.Has(ctx, name, 0)
}

// Interface guards
var (
	_ Roster   = (*Htpasswd)(nil)
	_ Fetching = (*Login)(nil)
	_ Naming   = (*Htpasswd)(nil)
	_ Naming   = (*Login)(nil)
)
