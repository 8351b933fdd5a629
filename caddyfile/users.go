// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/module"
)

// users reads
//
//	users {
//		<source> [<argument>…] [{
//			…
//		}]
//		source <name> <source> [<argument>…] [{
//			…
//		}]
//		argon2id {
//			memory <KiB>
//			time <n>
//			threads <n>
//		}
//		sign_up
//	}
//
// where <source> is a module of the namespace oauth2.users, such as htpasswd.
func (r *appReader) users(d *caddyfile.Dispenser) error {
	start := *d
	if d.NextArg() {
		return d.Errf("users takes a block and no argument, found %q", d.Val())
	}
	users := &r.app.Users
	block := subdirectives{
		"source":   r.namedSource,
		"argon2id": r.argon2id,
		"sign_up":  flag(&users.SignUp),
	}
	repeatable := []string{"source"}
	for _, info := range caddy.GetModules(module.UsersNamespace) {
		name := info.ID.Name()
		block[name] = func(d *caddyfile.Dispenser) error { return r.source(d, "") }
		repeatable = append(repeatable, name)
	}
	if err := block.read(d, "users", repeatable...); err != nil {
		return err
	}
	if err := users.Validate(); err != nil {
		return start.WrapErr(err)
	}
	return nil
}

// namedSource reads
//
//	source <name> <source> [<argument>…] [{
//		…
//	}]
func (r *appReader) namedSource(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("source takes a name of its own, and then a source of users, such as htpasswd")
	}
	name := d.Val()
	if !d.NextArg() {
		return d.Errf("source %s: what kind of source is it, such as htpasswd?", name)
	}
	return r.source(d, name)
}

// source reads a source of users. The dispenser stands at the name of its module.
func (r *appReader) source(d *caddyfile.Dispenser, name string) error {
	kind := d.Val()
	guest, err := guest(d, module.UsersNamespace)
	if err != nil {
		return err
	}
	r.app.Users.Sources = append(r.app.Users.Sources, module.UserSource{
		Name:    name,
		FromRaw: caddyconfig.JSONModuleObject(guest, "module", kind, nil),
	})
	return nil
}

// argon2id reads
//
//	argon2id {
//		memory <KiB>
//		time <n>
//		threads <n>
//	}
func (r *appReader) argon2id(d *caddyfile.Dispenser) error {
	name, to := d.Val(), &r.app.Users.Argon2id
	if d.NextArg() {
		return d.Errf("%s takes a block and no argument, found %q", name, d.Val())
	}
	return subdirectives{
		"memory":  number(&to.Memory, 32),
		"time":    number(&to.Time, 32),
		"threads": number(&to.Threads, 8),
	}.read(d, name)
}

// number reads a whole number of at least one that has room in so many bits.
func number[T uint8 | uint32](to *T, bits int) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name, arg := d.Val(), ""
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes exactly one argument", name)
		}
		n, err := strconv.ParseUint(arg, 10, bits)
		if err != nil || n < 1 {
			return d.Errf("%s takes a whole number of at least 1, found %q", name, arg)
		}
		*to = T(n)
		return nil
	}
}
