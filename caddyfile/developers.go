// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/account"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// developers reads
//
//	developers nobody|everybody|group <name> [{
//		limit <clients>
//	}]
func (r *appReader) developers(d *caddyfile.Dispenser) error {
	to := &r.app.Developers
	r.developersAt = *d
	args := d.RemainingArgs()
	switch {
	case len(args) == 1 && (args[0] == account.Nobody || args[0] == account.Everybody):
	case len(args) == 2 && args[0] == account.Group:
		to.Group = args[1]
	default:
		return d.Errf("developers takes one of: %s, %s, %s <name>", account.Nobody, account.Everybody, account.Group)
	}
	to.Who = args[0]
	return subdirectives{"limit": count(&to.Limit)}.read(d, "developers")
}

// selfServiceScopes reads
//
//	self_service_scopes <scope>…
func (r *appReader) selfServiceScopes(d *caddyfile.Dispenser) error {
	r.developersAt = *d
	return texts(&r.app.Developers.Scopes)(d)
}

// group reads the name of a group of users.
func group(to *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		start := *d
		if err := text(to)(d); err != nil {
			return err
		}
		if err := user.ValidateGroups([]string{*to}); err != nil {
			return start.WrapErr(err)
		}
		return nil
	}
}
