// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/json"
	"io"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
)

// clientFlags are the settings of a client, named as in the Caddyfile.
func clientFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.String("name", "", "Name that people read")
	f.String("auth-method", "", "How it authenticates: client_secret_basic (default), client_secret_post, client_secret_jwt, private_key_jwt or none")
	f.String("auth-signing-alg", "", "The one algorithm it signs assertions with, such as ES256 (default: any that suits its key)")
	f.String("jwks", "", "File with its public keys, a JWK Set; \"-\" is standard input")
	f.String("jwks-uri", "", "Where it publishes its public keys, an https URL")
	for flag, usage := range clientLists {
		f.StringArray(flag, nil, usage)
	}
	f.String("access-token-lifetime", "", "How long its access tokens live, such as 10m; 0s means the server's")
	f.String("access-token-format", "", "Format of its access tokens: opaque or jwt (default: the server's)")
	for flag, usage := range clientSwitches {
		f.Bool(flag, false, usage)
	}
	f.String("pkce", "", "Which authorization requests need a code challenge: always, optional or plain (default: all but those with openid and nonce of a client that authenticates)")
	f.String("refresh-rotation", "", "Whether a refresh token is replaced at each use: on (default) or off")
	f.String("refresh-idle", "", "How long a refresh token lasts unused, such as 30d; 0s means the server's")
	f.String("refresh-lifetime", "", "How long after the consent its refresh tokens end, such as 365d; 0s means the server's")
}

// clientLists are the settings that are lists, given as words in one argument
// or by repeating the flag.
var clientLists = map[string]string{
	"grant-types":     "Grant types it may use, separated by spaces",
	"scopes":          "Scopes it may ask for, separated by spaces",
	"default-scopes":  "Scopes of a token when it asks for none, separated by spaces (default: all its scopes)",
	"redirect-uris":   "Where its users are sent back to, separated by spaces",
	"origins":         "Web origins whose scripts may use it, separated by spaces",
	"optional-scopes": "Scopes that users may untick, separated by spaces",
	"introspects":     "Resources whose tokens it may introspect, as URIs separated by spaces",
}

// clientSwitches are the settings that are on or off.
var clientSwitches = map[string]string{
	"disabled":    "Refuse the client and all its tokens, and keep it",
	"require-par": "Take only authorization requests that are pushed (RFC 9126)",
	"first-party": "Ask no user for consent: the client is the operator's own",
}

// clientSettings is what the flags of [clientFlags] say, and nothing that they
// do not: by the names of the JSON, which are theirs with "_" for "-".
func (c *console) clientSettings() (map[string]any, error) {
	settings := map[string]any{}
	for _, flag := range []string{"name", "auth-method", "auth-signing-alg", "jwks-uri", "access-token-format", "pkce", "refresh-rotation"} {
		if c.given(flag) {
			settings[jsonName(flag)] = c.flag(flag)
		}
	}
	for flag := range clientLists {
		if c.given(flag) {
			settings[jsonName(flag)] = c.list(flag)
		}
	}
	for flag := range clientSwitches {
		if c.given(flag) {
			settings[jsonName(flag)], _ = c.cmd.Flags().GetBool(flag)
		}
	}
	if c.given("jwks") {
		keys, err := c.readKeys(c.flag("jwks"))
		if err != nil {
			return nil, err
		}
		settings["jwks"] = keys
	}
	for _, flag := range []string{"access-token-lifetime", "refresh-idle", "refresh-lifetime"} {
		if !c.given(flag) {
			continue
		}
		lifetime, err := c.duration(flag)
		if err != nil {
			return nil, err
		}
		settings[jsonName(flag)] = lifetime
	}
	return settings, nil
}

// readKeys reads a key set from a file, or from standard input for "-". It is empty
// for "".
func (c *console) readKeys(name string) (json.RawMessage, error) {
	if name == "" {
		return json.RawMessage("null"), nil
	}
	in := c.cmd.InOrStdin()
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, refuse("--jwks: %s", err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, client.MaxJWKS+1))
	if err != nil {
		return nil, refuse("--jwks: %s", err)
	}
	if _, err := client.ParseKeys(text); err != nil {
		return nil, refuse("--%s", err)
	}
	return text, nil
}

func jsonName(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// list reads a flag that takes several words.
func (c *console) list(flag string) []string {
	values, _ := c.cmd.Flags().GetStringArray(flag)
	return append([]string{}, strings.Fields(strings.Join(values, " "))...)
}

// duration reads a flag that is one, as Caddy does: "d" is for days.
func (c *console) duration(flag string) (client.Duration, error) {
	d, err := caddy.ParseDuration(c.flag(flag))
	if err != nil || d < 0 {
		return 0, refuse("--%s %q is no duration: write 90s, 10m, 24h or 7d", flag, c.flag(flag))
	}
	return client.Duration(d), nil
}
