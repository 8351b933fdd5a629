// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/foreign"
)

// issuer reads
//
//	issuer <url> {
//		audience       <value>…
//		jwks           <url>
//		introspect     <url> {
//			client_id     <id>
//			client_secret <placeholder>
//			cache         <duration>
//		}
//		profile        rfc9068|generic
//		algs           <algorithm>…
//		leeway         <duration>
//		scope_claim    <name>
//		username_claim <name>
//	}
func (r *guardReader) issuer(d *caddyfile.Dispenser) error {
	start, i := *d, foreign.Issuer{}
	if !d.AllArgs(&i.Issuer) {
		return d.Err("issuer takes the identifier of an authorization server, as its tokens have it in iss")
	}
	block := subdirectives{
		"audience":       texts(&i.Audience),
		"jwks":           text(&i.JWKS),
		"introspect":     introspect(&i.Introspection),
		"profile":        oneOf(&i.Profile, foreign.Profiles()...),
		"algs":           texts(&i.Algorithms),
		"leeway":         duration(&i.Leeway),
		"scope_claim":    text(&i.ScopeClaim),
		"username_claim": text(&i.UsernameClaim),
	}
	if err := block.read(d, "issuer "+i.Issuer); err != nil {
		return err
	}
	if err := r.app.ValidateIssuer(i); err != nil {
		return start.WrapErr(err)
	}
	r.guard.Issuers = append(r.guard.Issuers, i)
	if err := foreign.ValidateAll(r.guard.Issuers, r.app.Issuer, r.app.InsecureHTTP); err != nil {
		return start.WrapErr(err)
	}
	return nil
}

// introspect reads
//
//	introspect <url> {
//		client_id     <id>
//		client_secret <placeholder>
//		cache         <duration>
//	}
func introspect(to **foreign.Introspection) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		n, secret := new(foreign.Introspection), ""
		if !d.AllArgs(&n.URL) {
			return d.Err("introspect takes the URL of an introspection endpoint")
		}
		block := subdirectives{"client_id": text(&n.ClientID), "client_secret": text(&secret), "cache": duration(&n.Cache)}
		if err := block.read(d, "introspect"); err != nil {
			return err
		}
		n.ClientSecret = foreign.Secret(secret)
		*to = n
		return nil
	}
}

// duration reads a length of time, which may be zero.
func duration(to **client.Duration) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name, arg := d.Val(), ""
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes exactly one argument", name)
		}
		value, err := caddy.ParseDuration(arg)
		if err != nil {
			return d.Errf("%s takes a duration such as 30s, found %q", name, arg)
		}
		lasts := client.Duration(value)
		*to = &lasts
		return nil
	}
}
