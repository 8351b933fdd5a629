// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// upstream reads
//
//	upstream [<preset> | token jwt [header <name>]] [{
//		preset <preset>
//		header <name> <fact>
//		header <name> static <text>
//		basic <user_name> <password>
//		token jwt [header <name>] [{
//			audience <identifier>…
//		}]
//		keep_credential
//	}]
func upstream(to **protect.Upstream) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		start, u := *d, new(protect.Upstream)
		if d.NextArg() {
			if d.Val() != "token" {
				u.Preset = d.Val()
			} else if err := statementFormat(u, d); err != nil {
				return err
			}
		}
		if d.NextArg() {
			return d.Errf("upstream takes at most one argument, the name of a preset, found %q", d.Val())
		}
		block := subdirectives{
			"preset":          preset(u),
			"header":          header(u),
			"basic":           basic(u),
			"token":           statement(u),
			"keep_credential": flag(&u.KeepCredential),
		}
		if err := block.read(d, "upstream", "header"); err != nil {
			return err
		}
		if err := u.Validate(); err != nil {
			return start.WrapErr(err)
		}
		*to = u
		return nil
	}
}

// preset reads
//
//	preset <preset>
func preset(u *protect.Upstream) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if u.Preset != "" {
			return d.Err("the preset is already set")
		}
		return text(&u.Preset)(d)
	}
}

// header reads
//
//	header <name> <fact>
//	header <name> static <text>
//
// The word static sets texts apart from facts: a typo in the name of a fact must
// not go upstream as a text.
func header(u *protect.Upstream) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		static := len(args) == 3 && args[1] == "static"
		if !static && len(args) != 2 {
			return d.Err("header takes the name of a header and the fact that it tells, such as subject; or the name, the word static and a text")
		}
		_, fact := u.Headers[args[0]]
		if _, text := u.Static[args[0]]; fact || text {
			return d.Errf("header %s is already set", args[0])
		}
		if static {
			if u.Static == nil {
				u.Static = map[string]string{}
			}
			u.Static[args[0]] = args[2]
			return nil
		}
		if u.Headers == nil {
			u.Headers = map[string]protect.Fact{}
		}
		u.Headers[args[0]] = protect.Fact(args[1])
		return nil
	}
}

// basic reads
//
//	basic <user_name> <password>
func basic(u *protect.Upstream) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) != 2 {
			return d.Err("basic takes a user name and a password, best as placeholders such as {file./run/secrets/legacy}")
		}
		u.Basic = &protect.Basic{Username: args[0], Password: args[1]}
		return nil
	}
}
