// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

func init() {
	caddy.RegisterModule(new(Opaque))
}

// Opaque makes access tokens that are random and mean nothing without the
// store: nothing can be read off them, and revoking one is deleting its record.
type Opaque struct {
	token.Opaque
}

// CaddyModule returns the Caddy module information.
func (*Opaque) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: FormatNamespace + ".opaque", New: func() caddy.Module { return new(Opaque) }}
}

// UnmarshalCaddyfile reads
//
//	opaque
func (o *Opaque) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() || d.NextBlock(d.Nesting()) {
		return d.Errf("token format opaque has no settings, found %q", d.Val())
	}
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Opaque)(nil)
	_ token.Format          = (*Opaque)(nil)
)
