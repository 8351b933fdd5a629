// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
	"github.com/caddy-oauth2/caddy-oauth2/module"
)

// verbs are the subdirectives that are rows.
var verbs = []string{string(protect.Allow), string(protect.Optional), string(protect.Public), string(protect.Deny)}

// parseProtect reads
//
//	oauth2_protect [<path>] [<scope>… [| <scope>…]] [{
//		allow    [<METHOD>…] <path> [<scope>… [| <scope>…]] [{
//			upstream …
//		}]
//		optional [<METHOD>…] <path>
//		public   [<METHOD>…] <path>
//		deny     [<METHOD>…] <path>
//
//		accept          bearer
//		resource        <uri>
//		realm           <text>
//		audience        strict
//		errors          pass
//		allow_ambiguous <kind>…
//		case_sensitive
//		upstream [<preset>] [{
//			preset <preset>
//			header <name> <fact>
//			keep_credential
//		}]
//	}]
//
// What stands on the line of the directive is a row, never a matcher: a
// matcher that does not match would skip the guard. Without any row, every path
// takes any valid token.
func parseProtect(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next()
	if err := needsOption(h); err != nil {
		return nil, err
	}
	start := *h.Dispenser
	guard := new(module.Protect)
	args := h.RemainingArgs()
	if err := parseGuardBlock(h.Dispenser, guard); err != nil {
		return nil, err
	}
	if len(guard.Rows) == 0 || len(args) > 0 {
		rows, err := shortForm(args)
		if err != nil {
			return nil, start.WrapErr(err)
		}
		if len(guard.Rows) > 0 {
			return nil, start.Errf("%s has rows both on its line and in its block: write all of them in the block", protectDirective)
		}
		for i := range rows {
			rows[i].Source = source(&start)
		}
		guard.Rows = rows
	}
	if err := guard.ValidateSyntax(); err != nil {
		return nil, start.WrapErr(err)
	}
	if err := declared(h).ValidateRows(guard.Rows); err != nil {
		return nil, start.WrapErr(err)
	}
	return h.NewRoute(nil, guard), nil
}

// declared returns the app as the global option has left it.
func declared(h httpcaddyfile.Helper) *module.App {
	app := new(module.App)
	if configured, ok := h.Option(option).(httpcaddyfile.App); ok {
		// It was encoded a moment ago, by us.
		_ = json.Unmarshal(configured.Value, app)
	}
	return app
}

// shortForm returns the rows that the arguments of the directive stand for.
func shortForm(args []string) ([]protect.Row, error) {
	if len(args) > 0 && strings.HasPrefix(args[0], "@") {
		return nil, fmt.Errorf("%s takes no matcher, found %s: a request that a matcher leaves out would pass unguarded, "+
			"with whatever identity it claims. Write the paths as rows, such as: %s { allow GET /orders/* orders:read }",
			protectDirective, args[0], protectDirective)
	}
	path, words := "/*", args
	pathGiven := len(args) > 0 && (strings.HasPrefix(args[0], "/") || args[0] == "*")
	if pathGiven {
		path, words = args[0], args[1:]
		if path == "*" {
			path = "/*"
		}
	}
	row, err := protect.ParseRow(string(protect.Allow), append([]string{path}, words...))
	if err != nil {
		return nil, err
	}
	if !pathGiven || path == "/*" {
		return []protect.Row{row}, nil
	}
	return []protect.Row{row, {Verb: protect.Public, Path: "/*"}}, nil
}

// parseGuardBlock reads the block of the directive.
func parseGuardBlock(d *caddyfile.Dispenser, guard *module.Protect) error {
	block := subdirectives{
		"accept":          parseAccept(guard),
		"resource":        text(&guard.Resource),
		"realm":           text(&guard.Realm),
		"audience":        oneOf(&guard.Audience, module.AudienceStrict),
		"allow_ambiguous": texts(&guard.AllowAmbiguous),
		"errors":          oneOf(&guard.Errors, module.ErrorsPass),
		"case_sensitive":  flag(&guard.CaseSensitive),
		"upstream":        parseUpstream(&guard.Upstream),
	}
	for _, verb := range verbs {
		block[verb] = parseRow(guard)
	}
	return block.read(d, protectDirective, verbs...)
}

// parseRow reads a row. The dispenser stands at its verb.
func parseRow(guard *module.Protect) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		start := *d
		row, err := protect.ParseRow(d.Val(), d.RemainingArgs())
		if err != nil {
			return start.WrapErr(err)
		}
		row.Source = source(&start)
		settings := subdirectives{"upstream": parseUpstream(&row.Upstream)}
		if err := settings.read(d, string(row.Verb)+" "+row.Path); err != nil {
			return err
		}
		guard.Rows = append(guard.Rows, row)
		return nil
	}
}

// parseAccept reads
//
//	accept bearer
func parseAccept(guard *module.Protect) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.Errf("accept takes what proves who a caller is: %s", strings.Join(module.Accepts(), ", "))
		}
		for _, arg := range args {
			if !slices.Contains(module.Accepts(), arg) {
				return d.Errf("accept does not know %q; it takes %s", arg, strings.Join(module.Accepts(), ", "))
			}
			if slices.Contains(guard.Accept, arg) {
				return d.Errf("accept: %s is there twice", arg)
			}
			guard.Accept = append(guard.Accept, arg)
		}
		return nil
	}
}

// parseUpstream reads
//
//	upstream [<preset>] [{
//		preset <preset>
//		header <name> <fact>
//		keep_credential
//	}]
func parseUpstream(to **protect.Upstream) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		upstream := new(protect.Upstream)
		start := *d
		if d.NextArg() {
			upstream.Preset = d.Val()
		}
		if d.NextArg() {
			return d.Errf("upstream takes at most one argument, the name of a preset, found %q", d.Val())
		}
		err := subdirectives{
			"preset":          parsePreset(upstream),
			"header":          parseHeader(upstream),
			"keep_credential": flag(&upstream.KeepCredential),
		}.read(d, "upstream", "header")
		if err != nil {
			return err
		}
		if err := upstream.Validate(); err != nil {
			return start.WrapErr(err)
		}
		*to = upstream
		return nil
	}
}

func parsePreset(upstream *protect.Upstream) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if upstream.Preset != "" {
			return d.Err("the preset is already set")
		}
		return text(&upstream.Preset)(d)
	}
}

// parseHeader reads
//
//	header <name> subject|username|client|scope
func parseHeader(upstream *protect.Upstream) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var name, fact string
		if !d.AllArgs(&name, &fact) {
			return d.Err("header takes the name of a header and what it tells: subject, username, client or scope")
		}
		if _, twice := upstream.Headers[name]; twice {
			return d.Errf("header %s is already set", name)
		}
		if upstream.Headers == nil {
			upstream.Headers = map[string]protect.Fact{}
		}
		upstream.Headers[name] = protect.Fact(fact)
		return nil
	}
}

// source says where the dispenser stands.
func source(d *caddyfile.Dispenser) string { return fmt.Sprintf("%s:%d", d.File(), d.Line()) }
