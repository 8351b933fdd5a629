// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// upstream reads
//
//	upstream [<preset>] [{
//		preset <preset>
//		header <name> <fact>
//		keep_credential
//	}]
func upstream(to **protect.Upstream) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		start, u := *d, new(protect.Upstream)
		if d.NextArg() {
			u.Preset = d.Val()
		}
		if d.NextArg() {
			return d.Errf("upstream takes at most one argument, the name of a preset, found %q", d.Val())
		}
		block := subdirectives{
			"preset":          preset(u),
			"header":          header(u),
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
//	header <name> subject|username|client|scope|issuer
func header(u *protect.Upstream) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var name, fact string
		if !d.AllArgs(&name, &fact) {
			return d.Err("header takes the name of a header and what it tells: subject, username, client, scope or issuer")
		}
		if _, twice := u.Headers[name]; twice {
			return d.Errf("header %s is already set", name)
		}
		if u.Headers == nil {
			u.Headers = map[string]protect.Fact{}
		}
		u.Headers[name] = protect.Fact(fact)
		return nil
	}
}
