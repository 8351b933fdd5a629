// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/module"
)

// parseApp reads the global block, and stands at its name. Syntax:
//
//	oauth2 {
//		issuer <url>
//		prefix <path>
//		scope <name> [<text>]
//		scope_policy refuse|filter
//		assertion_audience issuer|token_url
//		client <id> {
//			…
//		}
//		access_token {
//			lifetime [<grant_type>] <duration>
//			format <name>
//		}
//		grant_type <name> [{
//			…
//		}]
//		authorize {
//			require_par
//		}
//		store <name> [<argument>] [{
//			…
//		}]
//		seal_key <key> [<older_key>…]
//		cache <entries>
//		error_uri <code> <uri>
//		users {
//			…
//		}
//		sessions {
//			…
//		}
//		brand {
//			…
//		}
//		pages <folder>
//		developers nobody|everybody|group <name> [{
//			…
//		}]
//		self_service_scopes <scope>…
//		insecure_http
//	}
func parseApp(d *caddyfile.Dispenser) (*module.App, error) {
	if d.NextArg() {
		return nil, d.Errf("%s takes a block and no argument, found %q", option, d.Val())
	}
	r := appReader{app: new(module.App)}
	app, start := r.app, *d
	block := subdirectives{
		"issuer":             r.issuer,
		"prefix":             r.prefix,
		"scope":              r.scope,
		"scope_policy":       oneOf(&app.ScopePolicy, module.ScopeRefuse, module.ScopeFilter),
		"assertion_audience": oneOf(&app.AssertionAudience, module.AudienceIssuer, module.AudienceTokenURL),
		"client":             r.client,
		"access_token":       r.accessToken,
		"grant_type":         r.grantType,
		"authorize":          r.authorize,
		"store":              r.store,
		"seal_key":           r.sealKeys,
		"cache":              count(&app.CacheEntries),
		"error_uri":          r.errorURI,
		"users":              r.users,
		"sessions":           r.sessions,
		"brand":              r.brand,
		"pages":              text(&app.Pages),
		"insecure_http":      flag(&app.InsecureHTTP),

		"developers":          r.developers,
		"self_service_scopes": r.selfServiceScopes,
	}
	if err := block.read(d, option, "scope", "client", "grant_type", "error_uri", "self_service_scopes"); err != nil {
		return nil, err
	}
	if app.Issuer == "" {
		return nil, start.Errf("%s needs an issuer: the address of its %s site, such as https://auth.example.com", option, serverDirective)
	}
	return app, r.check()
}

// appReader reads the global block into app, and remembers where that stood
// which can be judged only at the end.
type appReader struct {
	app       *module.App
	issuerAt  caddyfile.Dispenser
	clientsAt []caddyfile.Dispenser
	// developersAt is the last line about developers.
	developersAt caddyfile.Dispenser
}

// check judges what depends on lines that may come later.
func (r *appReader) check() error {
	if err := endpoint.ValidateIssuer(r.app.Issuer, r.app.InsecureHTTP); err != nil {
		return r.issuerAt.WrapErr(err)
	}
	if err := r.app.ValidateDevelopers(); err != nil {
		return r.developersAt.WrapErr(err)
	}
	for i, c := range r.app.Clients {
		if err := r.app.ValidateClient(c); err != nil {
			return r.clientsAt[i].WrapErr(err)
		}
		if err := digestLiterals(&r.app.Clients[i]); err != nil {
			return r.clientsAt[i].WrapErr(err)
		}
	}
	return nil
}

func (r *appReader) issuer(d *caddyfile.Dispenser) error {
	r.issuerAt = *d
	return text(&r.app.Issuer)(d)
}

func (r *appReader) prefix(d *caddyfile.Dispenser) error {
	start := *d
	if err := text(&r.app.Prefix)(d); err != nil {
		return err
	}
	if err := endpoint.ValidatePrefix(r.app.Prefix); err != nil {
		return start.WrapErr(err)
	}
	return nil
}

// sealKeys reads
//
//	seal_key <key> [<older_key>…]
func (r *appReader) sealKeys(d *caddyfile.Dispenser) error {
	start := *d
	if err := texts(&r.app.SealKeys)(d); err != nil {
		return err
	}
	for _, key := range r.app.SealKeys {
		if err := module.ValidateSealKey(key); err != nil {
			return start.WrapErr(err)
		}
	}
	return nil
}

// scope reads
//
//	scope <name> [<text>]
func (r *appReader) scope(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return d.Err("scope takes its name and, in quotes, what it means to people")
	}
	if !scope.Valid(args[0]) {
		return d.Errf("scope %q: a scope is printable ASCII without space, quote and backslash, at most %d bytes", args[0], scope.MaxWord)
	}
	if slices.ContainsFunc(r.app.Scopes, func(s module.Scope) bool { return s.Name == args[0] }) {
		return d.Errf("scope %s is already declared", args[0])
	}
	declared := module.Scope{Name: args[0]}
	if len(args) == 2 {
		declared.Text = args[1]
	}
	r.app.Scopes = append(r.app.Scopes, declared)
	return nil
}

// accessToken reads
//
//	access_token {
//		lifetime [<grant_type>] <duration>
//		format <name>
//	}
func (r *appReader) accessToken(d *caddyfile.Dispenser) error {
	name := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes a block and no argument", name)
	}
	return subdirectives{
		"lifetime": lifetime(&r.app.AccessToken.Lifetime, &r.app.AccessToken.Lifetimes),
		"format":   r.format,
	}.read(d, name, "lifetime")
}

// format reads a token format and its own settings.
//
//	format <name> [{
//		…
//	}]
func (r *appReader) format(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("format takes the name of a token format, such as opaque")
	}
	name := d.Val()
	guest, err := guest(d, module.FormatNamespace)
	if err != nil {
		return err
	}
	r.app.AccessToken.FormatRaw = caddyconfig.JSONModuleObject(guest, "name", name, nil)
	return nil
}

// errorURI reads
//
//	error_uri <code> <uri>
func (r *appReader) errorURI(d *caddyfile.Dispenser) error {
	var code, uri string
	if !d.AllArgs(&code, &uri) {
		return d.Err("error_uri takes an error code and the address of a page that explains it")
	}
	if _, twice := r.app.ErrorURIs[code]; twice {
		return d.Errf("error_uri of %s is already set", code)
	}
	if err := endpoint.ValidateErrorURI(code, uri); err != nil {
		return d.WrapErr(err)
	}
	if r.app.ErrorURIs == nil {
		r.app.ErrorURIs = map[string]string{}
	}
	r.app.ErrorURIs[code] = uri
	return nil
}

// grantType reads a grant type with settings of its own.
//
//	grant_type <name> [{
//		…
//	}]
func (r *appReader) grantType(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("grant_type takes the name of a grant type")
	}
	name := d.Val()
	if _, twice := r.app.GrantTypesRaw[name]; twice {
		return d.Errf("grant_type %s is already there", name)
	}
	guest, err := guest(d, module.GrantTypeNamespace)
	if err != nil {
		return err
	}
	if r.app.GrantTypesRaw == nil {
		r.app.GrantTypesRaw = caddy.ModuleMap{}
	}
	r.app.GrantTypesRaw[name] = caddyconfig.JSON(guest, nil)
	return nil
}

// authorize reads
//
//	authorize {
//		require_par
//	}
func (r *appReader) authorize(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Err("authorize takes a block and no argument")
	}
	return subdirectives{"require_par": flag(&r.app.Authorize.RequirePAR)}.read(d, "authorize")
}

// store reads a store and its own settings.
//
//	store <name> [<argument>…] [{
//		…
//	}]
func (r *appReader) store(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("store takes the name of an engine, such as bolt")
	}
	name := d.Val()
	guest, err := guest(d, module.StoreNamespace)
	if err != nil {
		return err
	}
	r.app.StoreRaw = caddyconfig.JSONModuleObject(guest, "module", name, nil)
	return nil
}
