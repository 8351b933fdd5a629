// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
)

func init() {
	caddy.RegisterModule(new(ClientCredentials))
}

// ClientCredentials lets a client act in its own name (RFC 6749 §4.4): the
// grant type of machines. Each client must be told that it may use it.
type ClientCredentials struct {
	granttype.ClientCredentials
}

// CaddyModule returns the Caddy module information.
func (*ClientCredentials) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  GrantTypeNamespace + "." + authz.GrantClientCredentials,
		New: func() caddy.Module { return new(ClientCredentials) },
	}
}

// UnmarshalCaddyfile reads
//
//	client_credentials
func (*ClientCredentials) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() || d.NextBlock(d.Nesting()) {
		return d.Errf("grant type client_credentials has no settings, found %q", d.Val())
	}
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*ClientCredentials)(nil)
	_ granttype.GrantType   = (*ClientCredentials)(nil)
)
