// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
)

// subdirectives maps a name to what reads its line. The dispenser stands at
// the name; whoever reads leaves it at the last token of the line or block.
type subdirectives map[string]func(d *caddyfile.Dispenser) error

// read reads the block that follows. Unknown names are refused: a typo must
// not take a protection away. So are repeated ones, but those in repeatable.
func (s subdirectives) read(d *caddyfile.Dispenser, where string, repeatable ...string) error {
	seen := map[string]bool{}
	last := where
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		parse, known := s[name]
		switch {
		case name == "{":
			return d.Errf("%s takes no block here", last)
		case !known:
			return d.Errf("unknown subdirective %q of %s; it knows %s", name, where, s.names())
		case seen[name] && !slices.Contains(repeatable, name):
			return d.Errf("%s is already set in this block of %s", name, where)
		}
		seen[name], last = true, name
		if err := parse(d); err != nil {
			return err
		}
	}
	return nil
}

func (s subdirectives) names() string {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// text reads exactly one argument.
func text(to *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.AllArgs(to) {
			return d.Errf("%s takes exactly one argument", name)
		}
		if *to == "" {
			return d.Errf("%s must not be empty", name)
		}
		return nil
	}
}

// texts reads one or more arguments and refuses one that is there already. Its
// errors count arguments and never repeat them: some are secrets.
func texts(to *[]string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.Errf("%s takes one argument or more", name)
		}
		for i, arg := range args {
			switch {
			case arg == "":
				return d.Errf("%s: argument %d must not be empty", name, i+1)
			case slices.Contains(*to, arg):
				return d.Errf("%s: argument %d is there already", name, i+1)
			}
			*to = append(*to, arg)
		}
		return nil
	}
}

// flag reads a line that says all by being there.
func flag(to *bool) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if d.NextArg() {
			return d.Errf("%s takes no argument, found %q", name, d.Val())
		}
		*to = true
		return nil
	}
}

// count reads a whole number of at least one.
func count(to *int) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name, arg := d.Val(), ""
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes exactly one argument", name)
		}
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 {
			return d.Errf("%s takes a whole number of at least 1, found %q", name, arg)
		}
		*to = n
		return nil
	}
}

// oneOf reads one word of a few.
func oneOf(to *string, words ...string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name, arg := d.Val(), ""
		if !d.AllArgs(&arg) || !slices.Contains(words, arg) {
			return d.Errf("%s takes one of: %s", name, strings.Join(words, ", "))
		}
		*to = arg
		return nil
	}
}

// lifetime reads
//
//	lifetime [<grant_type>] <duration>
//
// without the grant type where byGrant is nil.
func lifetime(all *caddy.Duration, byGrant *map[string]caddy.Duration) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		switch {
		case len(args) == 0 || len(args) > 2, len(args) == 2 && byGrant == nil:
			return d.Err("lifetime takes a duration such as 1h")
		}
		value, err := caddy.ParseDuration(args[len(args)-1])
		if err != nil || value <= 0 {
			return d.Errf("lifetime takes a duration such as 30m, 1h or 7d, found %q", args[len(args)-1])
		}
		if len(args) == 1 {
			if *all != 0 {
				return d.Err("lifetime is already set in this block")
			}
			*all = caddy.Duration(value)
			return nil
		}
		if _, twice := (*byGrant)[args[0]]; twice {
			return d.Errf("lifetime of %s is already set in this block", args[0])
		}
		if *byGrant == nil {
			*byGrant = map[string]caddy.Duration{}
		}
		(*byGrant)[args[0]] = caddy.Duration(value)
		return nil
	}
}

// period reads a duration that is longer than nothing.
func period(to *client.Duration) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name, arg := d.Val(), ""
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes exactly one argument", name)
		}
		value, err := caddy.ParseDuration(arg)
		if err != nil || value <= 0 {
			return d.Errf("%s takes a duration such as 30m, 12h or 30d, found %q", name, arg)
		}
		*to = client.Duration(value)
		return nil
	}
}

// guest reads a module of a namespace, with its settings. The dispenser stands
// at its name.
func guest(d *caddyfile.Dispenser, namespace string) (caddyfile.Unmarshaler, error) {
	name, known := d.Val(), []string{}
	for _, info := range caddy.GetModules(namespace) {
		known = append(known, info.ID.Name())
	}
	if !slices.Contains(known, name) {
		return nil, d.Errf("this Caddy has no %q here; it has %s", name, strings.Join(known, ", "))
	}
	return caddyfile.UnmarshalModule(d, namespace+"."+name)
}
