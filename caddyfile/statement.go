// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// statement reads
//
//	token jwt [header <name>] [{
//		audience <identifier>…
//	}]
func statement(u *protect.Upstream) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if err := statementFormat(u, d); err != nil {
			return err
		}
		return subdirectives{"audience": texts(&u.Token.Audience)}.read(d, "token", "audience")
	}
}

// statementFormat reads what stands on the line of token, at whose name d is.
func statementFormat(u *protect.Upstream, d *caddyfile.Dispenser) error {
	if u.Token != nil {
		return d.Err("the token is already set")
	}
	args := d.RemainingArgs()
	if len(args) != 1 && (len(args) != 3 || args[1] != "header") {
		return d.Err("token takes its format, jwt, and where it is not to be in Authorization, the word header and a name")
	}
	u.Token = &protect.Token{Format: args[0]}
	if len(args) == 3 {
		u.Token.Header = args[2]
	}
	return nil
}
