// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
)

func init() {
	caddy.RegisterModule(new(RefreshToken))
}

// RefreshToken gives a client new tokens for a refresh token (RFC 6749 §6). A client
// that may use it gets refresh tokens together with the access tokens of its users.
type RefreshToken struct {
	// How long a refresh token lasts that is not used, from 1s to 87600h. Clients may
	// have another value. Default: `30d`.
	Idle caddy.Duration `json:"idle,omitempty"`

	// How long after the first refresh token the last one of a grant ends, from 1s to
	// 87600h. Clients may have another value. Default: `365d`.
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// For how long a client that repeats a request, because the answer was lost, gets
	// the same answer again, up to 10m. A refresh token that comes later than that,
	// though it was replaced, is in two hands: its grant is revoked. Default: `30s`.
	ReuseWindow caddy.Duration `json:"reuse_window,omitempty"`

	granttype.RefreshToken `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*RefreshToken) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  GrantTypeNamespace + "." + authz.GrantRefreshToken,
		New: func() caddy.Module { return new(RefreshToken) },
	}
}

// Provision hands the settings on.
func (g *RefreshToken) Provision(caddy.Context) error {
	g.RefreshToken.ReuseWindow = time.Duration(g.ReuseWindow)
	return nil
}

// Validate checks the settings.
func (g *RefreshToken) Validate() error {
	if g.ReuseWindow < 0 {
		return errors.New("reuse_window is no negative duration")
	}
	return errors.Join(g.policy().Validate(), granttype.RefreshToken{ReuseWindow: time.Duration(g.ReuseWindow)}.Validate())
}

// policy is how long refresh tokens last.
func (g *RefreshToken) policy() granttype.RefreshPolicy {
	return granttype.RefreshPolicy{Idle: time.Duration(g.Idle), Absolute: time.Duration(g.Lifetime)}
}

// UnmarshalCaddyfile reads
//
//	refresh_token {
//		idle <duration>
//		lifetime <duration>
//		reuse_window <duration>
//	}
func (g *RefreshToken) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return readDurations(d, "grant type "+authz.GrantRefreshToken, g, map[string]*caddy.Duration{
		"idle": &g.Idle, "lifetime": &g.Lifetime, "reuse_window": &g.ReuseWindow,
	})
}

// Interface guards
var (
	_ caddy.Provisioner     = (*RefreshToken)(nil)
	_ caddy.Validator       = (*RefreshToken)(nil)
	_ caddyfile.Unmarshaler = (*RefreshToken)(nil)
	_ granttype.GrantType   = (*RefreshToken)(nil)
)
