// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

func init() {
	caddy.RegisterModule(new(JWT))
}

// JWT makes access tokens that are signed and carry their facts (RFC 9068): other
// services can verify them by the keys that the metadata names (`jwks_uri`). Here
// they are as revocable as opaque ones. The keys are made at first need, sealed in
// the store, and rotated by themselves.
type JWT struct {
	// What tokens are signed with: `ES256`, `EdDSA`, `RS256` or `PS256`. After a
	// change the new key is published for ten minutes before it signs. Default:
	// `ES256`.
	Algorithm string `json:"alg,omitempty"`

	// How long a key signs, from 1h to 87600h; then the next one does, which has
	// been published for ten minutes. The old one stays published until all that
	// it signed has expired. Tokens last at most 30 times as long, but a day in any
	// case, because no more than 64 keys are published. Default: `90d`.
	Rotate caddy.Duration `json:"rotate,omitempty"`

	token.JWT `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*JWT) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: FormatNamespace + ".jwt", New: func() caddy.Module { return new(JWT) }}
}

// Provision hands the settings on.
func (j *JWT) Provision(caddy.Context) error {
	j.Policy = j.policy()
	return nil
}

// Validate checks the settings.
func (j *JWT) Validate() error { return j.policy().Validate() }

func (j *JWT) policy() keyring.Policy {
	return keyring.Policy{Algorithm: j.Algorithm, Rotation: time.Duration(j.Rotate)}
}

// UnmarshalCaddyfile reads
//
//	jwt {
//		alg ES256|EdDSA|RS256|PS256
//		rotate <duration>
//	}
func (j *JWT) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.Errf("token format jwt takes a block and no argument, found %q", d.Val())
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name, value := d.Val(), ""
		switch {
		case name != "alg" && name != "rotate":
			return d.Errf("token format jwt has no setting %q: there are alg and rotate", name)
		case !d.AllArgs(&value):
			return d.Errf("%s takes one value", name)
		case name == "alg" && j.Algorithm != "" || name == "rotate" && j.Rotate != 0:
			return d.Errf("%s is already set in this block", name)
		case name == "alg":
			j.Algorithm = value
		default:
			rotate, err := caddy.ParseDuration(value)
			if err != nil || rotate == 0 {
				return d.Errf("rotate takes a duration such as 90d, found %q", value)
			}
			j.Rotate = caddy.Duration(rotate)
		}
		if err := j.Validate(); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*JWT)(nil)
	_ caddy.Validator       = (*JWT)(nil)
	_ caddyfile.Unmarshaler = (*JWT)(nil)
	_ token.Keyed           = (*JWT)(nil)
)
