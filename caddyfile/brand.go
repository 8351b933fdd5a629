// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// brand reads
//
//	brand {
//		name <name>
//		accent "#rrggbb" ["#rrggbb in the dark"]
//		logo <file> [<file in the dark>]
//	}
func (r *appReader) brand(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Errf("brand takes a block and no argument, found %q", d.Val())
	}
	b := &r.app.Brand
	return subdirectives{
		"name": func(d *caddyfile.Dispenser) error {
			start := *d
			if err := text(&b.Name)(d); err != nil {
				return err
			}
			return positioned(start, pages.ValidateName(b.Name))
		},
		"accent": lightAndDark(&b.Accent, &b.AccentDark, `a colour such as "#2456c4", in quotes because # begins a comment`, pages.ValidateColour),
		"logo":   lightAndDark(&b.Logo, &b.LogoDark, "a file", pages.ValidateLogo),
	}.read(d, "brand")
}

// lightAndDark reads something for light pages, and perhaps another for dark ones.
func lightAndDark(light, dark *string, what string, validate func(option, text string) error) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		start, name := *d, d.Val()
		args := d.RemainingArgs()
		if len(args) < 1 || len(args) > 2 || args[0] == "" {
			return d.Errf("%s takes %s, and perhaps another for dark pages", name, what)
		}
		for i, to := range []*string{light, dark}[:len(args)] {
			if *to = args[i]; validate(name, *to) != nil {
				return positioned(start, validate(name, *to))
			}
		}
		return nil
	}
}

// positioned says where in the Caddyfile an error is.
func positioned(at caddyfile.Dispenser, err error) error {
	if err == nil {
		return nil
	}
	return at.WrapErr(err)
}
