// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// cors reads
//
//	cors {
//		origins <origin>…
//		methods <METHOD>…
//		headers <name>…
//		expose  <name>…
//		credentials
//		max_age <duration>
//	}
func cors(to **protect.CORS) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		start, c := *d, new(protect.CORS)
		if d.NextArg() {
			return d.Errf("cors takes a block and no argument, found %q", d.Val())
		}
		err := subdirectives{
			"origins":     texts(&c.Origins),
			"methods":     texts(&c.Methods),
			"headers":     texts(&c.Headers),
			"expose":      texts(&c.Expose),
			"credentials": flag(&c.Credentials),
			"max_age":     seconds(&c.MaxAge),
		}.read(d, "cors", "origins", "methods", "headers", "expose")
		if err != nil {
			return err
		}
		if err := c.Validate(); err != nil {
			return start.WrapErr(err)
		}
		*to = c
		return nil
	}
}

// challenge reads
//
//	challenge <name> <value>
func challenge(to *map[string]string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var name, value string
		if !d.AllArgs(&name, &value) {
			return d.Err("challenge takes the name of an attribute and its value")
		}
		if _, twice := (*to)[name]; twice {
			return d.Errf("challenge %s is already set", name)
		}
		if err := protect.ValidateAttribute(name, value); err != nil {
			return d.WrapErr(err)
		}
		if *to == nil {
			*to = map[string]string{}
		}
		(*to)[name] = value
		return nil
	}
}

// seconds reads a duration of whole seconds, at least one.
func seconds(to *int64) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name, arg := d.Val(), ""
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes exactly one argument", name)
		}
		value, err := caddy.ParseDuration(arg)
		if err != nil || value < time.Second || value%time.Second != 0 {
			return d.Errf("%s takes a duration of whole seconds such as 5m or 1h, found %q", name, arg)
		}
		*to = int64(value / time.Second)
		return nil
	}
}
