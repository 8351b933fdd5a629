// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
)

func init() {
	caddy.RegisterModule(new(AuthorizationCode))
}

// AuthorizationCode gives a client the tokens that a user said yes to (RFC 6749
// §4.1). Each client must be told that it may use it.
type AuthorizationCode struct {
	// How long a code lasts, from 1s to 10m. Default: `1m`.
	CodeLifetime caddy.Duration `json:"code_lifetime,omitempty"`

	granttype.AuthorizationCode `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*AuthorizationCode) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  GrantTypeNamespace + "." + authz.GrantAuthorizationCode,
		New: func() caddy.Module { return new(AuthorizationCode) },
	}
}

// Validate checks the settings.
func (g *AuthorizationCode) Validate() error {
	if d := time.Duration(g.CodeLifetime); d != 0 && (d < time.Second || d > granttype.MaxCodeLifetime) {
		return fmt.Errorf("code_lifetime is between %v and %v", time.Second, granttype.MaxCodeLifetime)
	}
	return nil
}

// UnmarshalCaddyfile reads
//
//	authorization_code {
//		code_lifetime <duration>
//	}
func (g *AuthorizationCode) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return readDurations(d, "grant type "+authz.GrantAuthorizationCode, g, map[string]*caddy.Duration{"code_lifetime": &g.CodeLifetime})
}

// readDurations reads the block of a guest whose settings all are durations, and has
// the guest judge them together.
func readDurations(d *caddyfile.Dispenser, guest string, judge caddy.Validator, settings map[string]*caddy.Duration) error {
	if d.NextArg() {
		return d.Errf("%s takes a block and no argument, found %q", guest, d.Val())
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name, value := d.Val(), ""
		to := settings[name]
		switch {
		case to == nil:
			return d.Errf("%s has no setting %q", guest, name)
		case *to != 0:
			return d.Errf("%s is already set in this block", name)
		case !d.AllArgs(&value):
			return d.Errf("%s takes one value", name)
		}
		lasts, err := caddy.ParseDuration(value)
		if err != nil || lasts <= 0 {
			return d.Errf("%s takes a duration such as 30s, 12h or 30d, found %q", name, value)
		}
		*to = caddy.Duration(lasts)
	}
	if err := judge.Validate(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Validator       = (*AuthorizationCode)(nil)
	_ caddyfile.Unmarshaler = (*AuthorizationCode)(nil)
	_ granttype.GrantType   = (*AuthorizationCode)(nil)
)
