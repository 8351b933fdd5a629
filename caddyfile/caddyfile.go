// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package caddyfile reads the Caddyfile: the global option `oauth2` and the
// directives `oauth2_server` and `oauth2_protect`. It only parses: what it reads
// it writes into the structs of package module, and what is wrong it reports
// with file and line, with the same validators that JSON meets later.
package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/module"
)

// Names in the Caddyfile.
const (
	option           = "oauth2"
	serverDirective  = "oauth2_server"
	protectDirective = "oauth2_protect"
)

func init() {
	httpcaddyfile.RegisterGlobalOption(option, parseOption)
	httpcaddyfile.RegisterDirective(serverDirective, parseServer)
	httpcaddyfile.RegisterDirective(protectDirective, parseProtect)

	// The server comes first, so that one host can do both: the guard's table
	// does not stand before /oauth/token. Both come before basic_auth, and so
	// before everything that answers or changes the request's headers.
	httpcaddyfile.RegisterDirectiveOrder(serverDirective, httpcaddyfile.Before, "basic_auth")
	httpcaddyfile.RegisterDirectiveOrder(protectDirective, httpcaddyfile.Before, "basic_auth")
}

// parseOption reads the global option.
func parseOption(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next()
	if existing != nil {
		return nil, d.Errf("%s is already configured: there is one for each Caddy; put everything into one block", option)
	}
	app, err := parseApp(d)
	if err != nil {
		return nil, err
	}
	var warnings []caddyconfig.Warning
	value := caddyconfig.JSON(app, &warnings)
	if len(warnings) > 0 {
		return nil, d.Err(warnings[0].Message)
	}
	return httpcaddyfile.App{Name: option, Value: value}, nil
}

// parseServer reads
//
//	oauth2_server [{
//		admin <group>
//	}]
func parseServer(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next()
	if err := needsOption(h); err != nil {
		return nil, err
	}
	if h.NextArg() {
		return nil, h.Errf("%s takes no matcher and no argument, found %q: it serves its own paths and leaves all others alone; "+
			"where they lie is the option prefix of the global %s block, and admin <group> stands in braces, on a line of its own", serverDirective, h.Val(), option)
	}
	server := new(module.Server)
	if err := (subdirectives{"admin": group(&server.Admin)}).read(h.Dispenser, serverDirective); err != nil {
		return nil, err
	}
	return h.NewRoute(nil, server), nil
}

// needsOption refuses a directive in a Caddyfile without the global option.
func needsOption(h httpcaddyfile.Helper) error {
	if h.Option(option) == nil {
		return h.Errf("%s needs the global option %s, which names the issuer, the scopes and the clients: "+
			"begin the Caddyfile with { %s { issuer https://auth.example.com } }", h.Val(), option, option)
	}
	return nil
}
