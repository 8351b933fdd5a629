// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// sessions reads
//
//	sessions {
//		idle <duration>
//		absolute <duration>
//	}
func (r *appReader) sessions(d *caddyfile.Dispenser) error {
	start := *d
	if d.NextArg() {
		return d.Errf("sessions takes a block and no argument, found %q", d.Val())
	}
	err := subdirectives{
		"idle":     lasting(&r.app.Sessions.Idle),
		"absolute": lasting(&r.app.Sessions.Absolute),
	}.read(d, "sessions")
	if err != nil {
		return err
	}
	if err := r.app.Sessions.Validate(); err != nil {
		return start.WrapErr(err)
	}
	return nil
}

// lasting reads how long something takes or lasts.
func lasting(to *caddy.Duration) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name, arg := d.Val(), ""
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes exactly one argument", name)
		}
		value, err := caddy.ParseDuration(arg)
		if err != nil || value <= 0 {
			return d.Errf("%s takes a duration such as 30m, 1h or 7d, found %q", name, arg)
		}
		*to = caddy.Duration(value)
		return nil
	}
}
