// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
	"github.com/caddy-oauth2/caddy-oauth2/module"
)

// conditions reads those lines of a row's block that demand something of the
// principal:
//
//	claim <name> <value>…
//	group <name>…
//	acr <value>…
//	max_age <duration>
//	expression <expression>
func conditions(to **protect.Conditions) subdirectives {
	// with reads a line into the conditions, which are there once one is.
	with := func(read func(*protect.Conditions, *caddyfile.Dispenser) error) func(*caddyfile.Dispenser) error {
		return func(d *caddyfile.Dispenser) error {
			if *to == nil {
				*to = new(protect.Conditions)
			}
			return read(*to, d)
		}
	}
	return subdirectives{
		"claim":      with(claim),
		"group":      with(func(c *protect.Conditions, d *caddyfile.Dispenser) error { return texts(&c.Groups)(d) }),
		"acr":        with(func(c *protect.Conditions, d *caddyfile.Dispenser) error { return texts(&c.ACRValues)(d) }),
		"max_age":    with(func(c *protect.Conditions, d *caddyfile.Dispenser) error { return seconds(&c.MaxAge)(d) }),
		"expression": with(expression),
	}
}

func claim(c *protect.Conditions, d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 {
		return d.Err("claim takes the name of a claim and one value or more, one of which must match")
	}
	if _, twice := c.Claims[args[0]]; twice {
		return d.Errf("claim %s is already there: write all values that will do on one line", args[0])
	}
	if c.Claims == nil {
		c.Claims = map[string][]string{}
	}
	c.Claims[args[0]] = args[1:]
	return nil
}

func expression(c *protect.Conditions, d *caddyfile.Dispenser) error {
	start := *d
	if err := text(&c.Expression)(d); err != nil {
		return start.Err("expression takes exactly one argument: put it between backticks")
	}
	if err := module.ValidateExpression(c.Expression); err != nil {
		return start.WrapErr(err)
	}
	return nil
}
