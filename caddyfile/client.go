// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// client reads
//
//	client <id> {
//		name <text>
//		secret <secret> [<other_secret>]
//		secret_hash sha256:<digest> [sha256:<digest>]
//		weak_secret
//		auth_method client_secret_basic|client_secret_post|client_secret_jwt|private_key_jwt|none
//		auth_signing_alg <algorithm>
//		jwks <placeholder_or_json>
//		jwks_uri <url>
//		grant_types <grant_type>…
//		scopes <scope>…
//		default_scopes <scope>…
//		redirect_uris <uri>…
//		origins <origin>…
//		introspect <resource>…
//		lifetime <duration>
//		access_token_format opaque|jwt
//		pkce always|optional|plain
//		require_par
//		first_party
//		optional_scopes <scope>…
//		refresh_rotation on|off
//		refresh_idle <duration>
//		refresh_lifetime <duration>
//		disabled
//		client_uri|logo_uri|policy_uri|tos_uri <url>
//		contacts <address>…
//		software_id|software_version <text>
//	}
func (r *appReader) client(d *caddyfile.Dispenser) error {
	start := *d
	if !d.NextArg() {
		return d.Err("client takes the client's id")
	}
	var c client.Declaration
	c.ID = d.Val()
	if d.NextArg() {
		return d.Errf("client %s: everything but the id belongs into the block, found %q", c.ID, d.Val())
	}
	if slices.ContainsFunc(r.app.Clients, func(known client.Declaration) bool { return known.ID == c.ID }) {
		return d.Errf("client %s is already there", c.ID)
	}
	var lasts caddy.Duration
	block := subdirectives{
		"name":                text(&c.Name),
		"secret":              texts(&c.Secret),
		"secret_hash":         texts(&c.SecretHash),
		"weak_secret":         flag(&c.WeakSecret),
		"auth_method":         text(&c.AuthMethod),
		"auth_signing_alg":    text(&c.AuthSigningAlg),
		"jwks":                keys(&c.JWKS),
		"access_token_format": text(&c.AccessTokenFormat),
		"jwks_uri":            text(&c.JWKSURI),
		"grant_types":         texts(&c.GrantTypes),
		"scopes":              texts((*[]string)(&c.Scopes)),
		"default_scopes":      texts((*[]string)(&c.DefaultScopes)),
		"redirect_uris":       texts(&c.RedirectURIs),
		"origins":             texts(&c.Origins),
		"introspect":          texts(&c.Introspects),
		"lifetime":            lifetime(&lasts, nil),
		"pkce":                oneOf(&c.PKCE, client.PKCEPolicies()...),
		"require_par":         flag(&c.RequirePAR),
		"first_party":         flag(&c.FirstParty),
		"optional_scopes":     texts((*[]string)(&c.OptionalScopes)),
		"refresh_rotation":    oneOf(&c.RefreshRotation, client.RotationOn, client.RotationOff),
		"refresh_idle":        period(&c.RefreshIdle),
		"refresh_lifetime":    period(&c.RefreshLifetime),
		"disabled":            flag(&c.Disabled),
		"client_uri":          text(&c.URI),
		"logo_uri":            text(&c.LogoURI),
		"policy_uri":          text(&c.PolicyURI),
		"tos_uri":             text(&c.TermsURI),
		"contacts":            texts(&c.Contacts),
		"software_id":         text(&c.SoftwareID),
		"software_version":    text(&c.SoftwareVersion),
	}
	// What is a list may go over several lines; a second secret serves a rotation.
	err := block.read(d, "client "+c.ID, "secret", "secret_hash", "grant_types", "scopes", "default_scopes",
		"redirect_uris", "origins", "introspect", "contacts", "optional_scopes")
	if err != nil {
		return err
	}
	c.Scopes, c.DefaultScopes = scope.Of(c.Scopes...), scope.Of(c.DefaultScopes...) // sets, which have one order
	c.AccessTokenLifetime = client.Duration(lasts)
	r.app.Clients = append(r.app.Clients, c)
	r.clientsAt = append(r.clientsAt, start)
	return nil
}

// keys reads a key set: JSON, or a placeholder for it.
func keys(to *json.RawMessage) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var arg string
		if err := text(&arg)(d); err != nil {
			return err
		}
		if *to = json.RawMessage(arg); !json.Valid(*to) {
			quoted, err := json.Marshal(arg)
			*to = quoted
			return err
		}
		return nil
	}
}

// digestLiterals puts digests in the place of secrets that stand in the Caddyfile
// itself, or came into it from {$NAME}. Caddy hands out the JSON that is made of it
// (`caddy adapt`, /config/ of its admin endpoint) and keeps it in a file.
// Placeholders stay: they only name where the secret is. A secret of which a digest
// is not enough must be named by one.
func digestLiterals(c *client.Declaration) error {
	var named []string
	for _, secret := range c.Secret {
		if strings.Contains(secret, "{") {
			named = append(named, secret)
			continue
		}
		if c.Method() == authz.AuthSecretJWT {
			return fmt.Errorf("client %s: for auth_method %s the secret itself is needed, and here it would be readable in Caddy's configuration: "+
				"put it into a file or the environment, and write {file./run/secrets/%[1]s} or {env.NAME}", c.ID, authz.AuthSecretJWT)
		}
		digest, err := client.DigestSecret(secret, c.WeakSecret)
		if err != nil {
			return err
		}
		c.SecretHash = append(c.SecretHash, client.FormatSecretHash(digest))
	}
	c.Secret = named
	return nil
}
