// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

func init() {
	caddy.RegisterModule(new(Login))
}

// Login takes the users of an application that has a log-in already: it is sent name
// and password, by a form or HTTP Basic, and its answer tells whether they are right.
// The name is sent in lower case, redirects are not followed, 5 s are enough. A log-in
// that demands a token from the page before it (a CSRF token) cannot be asked.
//
// What marks success must be absent when the password is wrong; all that is given must
// hold. A log-in that also takes an account that nobody has lets nobody in.
type Login struct {
	// Where the form goes, or what Basic opens: https, or http on loopback. Required.
	URL string `json:"url,omitempty"`

	// Send name and password by HTTP Basic. Default: false, by a form.
	Basic bool `json:"basic,omitempty"`

	// The form's field for the name. Default: `username`.
	NameField string `json:"name_field,omitempty"`

	// The form's field for the password. Default: `password`.
	PasswordField string `json:"password_field,omitempty"`

	// Further fields of the form, always the same, at most 32.
	Fields map[string]string `json:"fields,omitempty"`

	// Statuses of success, from 200 to 399. Default: with `basic` any below 300.
	Status []int `json:"status,omitempty"`

	// Where success redirects to: a path on the same host, or a URL; with a * at its
	// end whatever begins like that.
	Location string `json:"location,omitempty"`

	// A cookie that only success sets.
	Cookie string `json:"cookie,omitempty"`

	// A URL that answers 2xx while there is an account and 404 or 410 when there is none:
	// it is asked before access is given or refreshed, and by no page, with the name
	// added to its query under the name of `name_field`. Default: it is not asked.
	Check string `json:"check,omitempty"`

	// How long access is given and refreshed after the last sign-in. Default: `30d`, and with
	// `check` for ever.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	*user.Login `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Login) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: UsersNamespace + ".http", New: func() caddy.Module { return new(Login) }}
}

// Provision hands the settings on.
func (l *Login) Provision(caddy.Context) error {
	l.Login = l.login()
	return nil
}

// Validate checks the settings.
func (l *Login) Validate() error { return l.login().Validate() }

func (l *Login) login() *user.Login {
	return &user.Login{
		URL: l.URL, Basic: l.Basic, NameField: l.NameField, PasswordField: l.PasswordField, Fields: l.Fields,
		Status: l.Status, Location: l.Location, Cookie: l.Cookie, Check: l.Check, MaxAge: time.Duration(l.MaxAge),
	}
}

// UnmarshalCaddyfile reads
//
//	http <url> {
//		basic
//		name_field <name>
//		password_field <name>
//		field <name> <value>
//		status <status>…
//		location <path_or_url>
//		cookie <name>
//		check <url>
//		max_age <duration>
//	}
func (l *Login) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&l.URL) {
		return d.Err("http takes the URL of a log-in")
	}
	start := *d
	texts := map[string]*string{
		"name_field": &l.NameField, "password_field": &l.PasswordField,
		"location": &l.Location, "cookie": &l.Cookie, "check": &l.Check,
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		var err error
		switch to := texts[name]; {
		case to != nil:
			if *to != "" || !d.AllArgs(to) {
				err = d.Errf("%s takes one value, once", name)
			}
		case name == "basic":
			if l.Basic = true; d.NextArg() {
				err = d.Errf("basic takes no value, found %q", d.Val())
			}
		case name == "field":
			err = l.field(d)
		case name == "status":
			err = l.status(d)
		case name == "max_age":
			err = l.maxAge(d)
		default:
			err = d.Errf("a log-in has no setting %q; it knows basic, name_field, password_field, field, status, location, cookie, check, max_age", name)
		}
		if err != nil {
			return err
		}
	}
	if err := l.Validate(); err != nil {
		return start.WrapErr(err)
	}
	return nil
}

func (l *Login) field(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.Err("field takes a name and a value")
	}
	if _, twice := l.Fields[name]; twice {
		return d.Errf("field %s is already there", name)
	}
	if l.Fields == nil {
		l.Fields = map[string]string{}
	}
	l.Fields[name] = value
	return nil
}

func (l *Login) status(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(l.Status) > 0 {
		return d.Err("status takes one status or more, once")
	}
	for _, arg := range args {
		status, err := strconv.Atoi(arg)
		if err != nil {
			return d.Errf("status takes numbers such as 302, found %q", arg)
		}
		l.Status = append(l.Status, status)
	}
	return nil
}

func (l *Login) maxAge(d *caddyfile.Dispenser) error {
	var arg string
	if l.MaxAge != 0 || !d.AllArgs(&arg) {
		return d.Err("max_age takes one duration, once")
	}
	age, err := caddy.ParseDuration(arg)
	if err != nil || age <= 0 {
		return d.Errf("max_age takes a duration such as 7d, found %q", arg)
	}
	l.MaxAge = caddy.Duration(age)
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Login)(nil)
	_ caddy.Validator       = (*Login)(nil)
	_ caddyfile.Unmarshaler = (*Login)(nil)
	_ user.Fetching         = (*Login)(nil)
)
