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
//			claim <name> <value>…
//			group <name>…
//			acr <value>…
//			max_age <duration>
//			expression <expression>
//			upstream …
//		}]
//		optional [<METHOD>…] <path>
//		public   [<METHOD>…] <path>
//		deny     [<METHOD>…] <path>
//
//		accept bearer [{
//			query
//			form
//			cookie <name>
//		}]
//		accept session [<scope>…]
//		csrf trust <origin>…
//		issuer <url> {
//			audience <value>…
//			jwks     <url>
//			…
//		}
//		resource        <uri>
//		realm           <text>
//		challenge       <name> <value>
//		cors {
//			…
//		}
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
	r := guardReader{app: declared(h), guard: new(module.Protect)}
	start := *h.Dispenser
	args := h.RemainingArgs()
	if err := r.block(h.Dispenser); err != nil {
		return nil, err
	}
	switch {
	case len(r.guard.Rows) == 0:
		if err := r.shortForm(&start, args); err != nil {
			return nil, start.WrapErr(err)
		}
	case len(args) > 0:
		return nil, start.Errf("%s has rows both on its line and in its block: write all of them in the block", protectDirective)
	}
	if err := r.guard.ValidateSyntax(); err != nil {
		return nil, start.WrapErr(err)
	}
	return h.NewRoute(nil, r.guard), nil
}

// guardReader reads the directive into guard, whose scopes app declares.
type guardReader struct {
	app   *module.App
	guard *module.Protect
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

// shortForm reads the rows that the arguments of the directive stand for.
func (r *guardReader) shortForm(d *caddyfile.Dispenser, args []string) error {
	path, words := "/*", args
	if len(args) > 0 {
		switch first := args[0]; {
		case strings.HasPrefix(first, "@"):
			return fmt.Errorf("%s takes no matcher, found %s: a request that a matcher leaves out would pass unguarded, "+
				"with whatever identity it claims. Write the paths as rows in its block, such as: allow GET /orders/* orders:read",
				protectDirective, first)
		case first == "*":
			words = args[1:]
		case strings.HasPrefix(first, "/"):
			path, words = first, args[1:]
		}
	}
	row, err := protect.ParseRow(string(protect.Allow), append([]string{path}, words...))
	if err != nil {
		return err
	}
	row.Source = source(d)
	r.guard.Rows = []protect.Row{row}
	if path != "/*" {
		r.guard.Rows = append(r.guard.Rows, protect.Row{Verb: protect.Public, Path: "/*", Source: row.Source})
	}
	return r.app.ValidateRow(row)
}

// block reads the block of the directive.
func (r *guardReader) block(d *caddyfile.Dispenser) error {
	block := subdirectives{
		"accept":          r.accept,
		"issuer":          r.issuer,
		"resource":        text(&r.guard.Resource),
		"realm":           text(&r.guard.Realm),
		"challenge":       challenge(&r.guard.Challenge),
		"csrf":            r.csrf,
		"cors":            cors(&r.guard.CORS),
		"audience":        oneOf(&r.guard.Audience, module.AudienceStrict),
		"errors":          oneOf(&r.guard.Errors, module.ErrorsPass),
		"allow_ambiguous": texts(&r.guard.AllowAmbiguous),
		"case_sensitive":  flag(&r.guard.CaseSensitive),
		"upstream":        upstream(&r.guard.Upstream),
	}
	for _, verb := range verbs {
		block[verb] = r.row
	}
	return block.read(d, protectDirective, append(slices.Clone(verbs), "accept", "csrf", "issuer", "challenge")...)
}

// row reads a row. The dispenser stands at its verb.
func (r *guardReader) row(d *caddyfile.Dispenser) error {
	start := *d
	row, err := protect.ParseRow(d.Val(), d.RemainingArgs())
	if err == nil {
		err = r.app.ValidateRow(row)
	}
	if err != nil {
		return start.WrapErr(err)
	}
	row.Source = source(&start)
	settings := conditions(&row.Conditions)
	settings["upstream"] = upstream(&row.Upstream)
	if err := settings.read(d, string(row.Verb)+" "+row.Path, "claim", "group", "acr"); err != nil {
		return err
	}
	if err := row.Validate(); err != nil { // with its block
		return start.WrapErr(err)
	}
	r.guard.Rows = append(r.guard.Rows, row)
	return nil
}

// accept reads
//
//	accept bearer [{
//		query
//		form
//		cookie <name>
//	}]
//	accept session [<scope>…]
func (r *guardReader) accept(d *caddyfile.Dispenser) error {
	start, args := *d, d.RemainingArgs()
	if len(args) == 0 {
		return d.Errf("accept takes what proves who a caller is: %s", strings.Join(module.Accepts(), ", "))
	}
	for i, arg := range args {
		if !slices.Contains(module.Accepts(), arg) {
			return d.Errf("accept does not know %q; it takes %s", arg, strings.Join(module.Accepts(), ", "))
		}
		if slices.Contains(r.guard.Accept, arg) {
			return d.Errf("accept: %s is there twice", arg)
		}
		r.guard.Accept = append(r.guard.Accept, arg)
		if arg == module.AcceptSession { // what follows are scopes
			r.guard.SessionScopes = args[i+1:]
			if err := r.app.ValidateScopes(args[i+1:]); err != nil {
				return start.WrapErr(err)
			}
			return nil
		}
	}
	if d.Val() != module.AcceptBearer {
		return nil
	}
	var places protect.Sources
	block := subdirectives{"query": flag(&places.Query), "form": flag(&places.Form), "cookie": text(&places.Cookie)}
	if err := block.read(d, "accept bearer"); err != nil {
		return err
	}
	if err := places.Validate(); err != nil {
		return start.WrapErr(err)
	}
	if places != (protect.Sources{}) {
		r.guard.Bearer = &places
	}
	return nil
}

// csrf reads
//
//	csrf trust <origin>…
func (r *guardReader) csrf(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 || args[0] != "trust" {
		return d.Err("csrf takes the word trust and origins, such as: csrf trust https://app.example.com")
	}
	r.guard.CSRFTrust = append(r.guard.CSRFTrust, args[1:]...)
	if err := protect.ValidateTrust(r.guard.CSRFTrust); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// source says where the dispenser stands.
func source(d *caddyfile.Dispenser) string { return fmt.Sprintf("%s:%d", d.File(), d.Line()) }
