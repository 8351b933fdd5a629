// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"cmp"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
)

// clientCommand is `caddy oauth2 client`.
func clientCommand() *cobra.Command {
	return group(&cobra.Command{Use: "client", Short: "Manages the applications that ask for tokens"},
		clientAddCommand(), clientListCommand(), clientShowCommand(), clientEditCommand(),
		clientRotateCommand(), clientRemoveCommand())
}

func clientAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add ID",
		Short: "Adds a client to the store and prints its secret, once",
		Long: `
Adds a client to the store. Its secret is made here, printed to standard output
and never shown again: the store keeps only a digest, or for client_secret_jwt
the secret itself, sealed. A client of private_key_jwt has no secret, but keys of
its own. A client that the Caddyfile names cannot be added.

Without --grant-types the client may use client_credentials, which is what
programs without users need.`,
		Example: `  $ caddy oauth2 client add nightly-job --scopes "orders:read reports" > /run/secrets/nightly-job
  $ caddy oauth2 client add reporter --scopes reports --access-token-lifetime 10m --json
  $ caddy oauth2 client add moved-here --secret - < /run/secrets/moved-here
  $ caddy oauth2 client add ledger --auth-method private_key_jwt --jwks ledger-public.jwks --scopes reports`,
		Args: takes("ID"),
		RunE: action(addClient),
	}
	clientFlags(cmd)
	secretFlag(cmd)
	return cmd
}

// secretFlag is the flag for a secret that exists already.
func secretFlag(cmd *cobra.Command) {
	cmd.Flags().String("secret", "", "\"-\" takes the secret from standard input instead of making one (at least 32 characters)")
}

func addClient(c *console) error {
	order, err := c.clientSettings()
	if err != nil {
		return err
	}
	order["id"] = c.args[0]
	if !c.given("grant-types") {
		order["grant_types"] = []string{authz.GrantClientCredentials}
	}
	if err := c.ownSecret(order); err != nil {
		return err
	}
	var made clientSecret
	if err := c.post("/oauth2/clients", order, &made); err != nil {
		return err
	}
	switch {
	case made.Secret != "":
		c.note("Added client %s. This is its secret; it is not shown again:", made.Client.ID)
	case c.given("secret"):
		c.note("Added client %s with the secret given.", made.Client.ID)
	default:
		c.note("Added client %s, which has no secret.", made.Client.ID)
	}
	return c.printSecret(made)
}

// ownSecret adds the secret of --secret, if there is one, to order.
func (c *console) ownSecret(order map[string]any) error {
	if !c.given("secret") {
		return nil
	}
	secret, err := c.readSecret("secret", c.flag("secret"))
	order["secret"] = secret
	return err
}

func (c *console) printSecret(made clientSecret) error {
	return c.print(made, func(w io.Writer) {
		if made.Secret != "" {
			io.WriteString(w, plain(string(made.Secret))+"\n")
		}
	})
}

func clientListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Lists the clients of the Caddyfile and of the store",
		Example: "  $ caddy oauth2 client list\n  $ caddy oauth2 client list --json | jq -r '.clients[].id'",
		Args:    takes(),
		RunE:    action(listClients),
	}
	pageFlags(cmd)
	return cmd
}

func listClients(c *console) error {
	all := clientList{Clients: []clientView{}}
	cursor, err := c.pages("/oauth2/clients", url.Values{}, func(path string) (int, string, error) {
		var page clientList
		err := c.get(path, &page)
		all.Clients = append(all.Clients, page.Clients...)
		return len(page.Clients), page.Cursor, err
	})
	if err != nil {
		return err
	}
	all.Cursor = cursor
	return c.print(all, func(w io.Writer) {
		var rows [][]string
		for _, v := range all.Clients {
			rows = append(rows, []string{v.ID, string(v.Source), v.state(), instantOf(v.LastUsed), words(v.GrantTypes), words(v.Scopes), v.Name})
		}
		table(w, []string{"ID", "SOURCE", "STATE", "LAST USED", "GRANT TYPES", "SCOPES", "NAME"}, rows)
		if len(rows) == 0 {
			c.note("There are no clients. `caddy oauth2 client add ID` adds one, and so does `client ID { … }` in the Caddyfile.")
		}
	})
}

func (v clientView) state() string {
	switch {
	case v.Hidden:
		return "hidden"
	case v.Disabled:
		return "disabled"
	}
	return "enabled"
}

// keys names the client's keys by their ids.
func (v clientView) keys() string {
	keys, err := client.ParseKeys(v.JWKS)
	if err != nil {
		return ""
	}
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = cmp.Or(key.ID, "(no kid)")
	}
	return words(ids)
}

func clientShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Shows a client, but no secret",
		Example: "  $ caddy oauth2 client show nightly-job",
		Args:    takes("ID"),
		RunE: action(func(c *console) error {
			var view clientView
			if err := c.get(clientPath(c.args[0]), &view); err != nil {
				return err
			}
			return c.printClient(view)
		}),
	}
}

func clientPath(id string, rest ...string) string {
	return "/oauth2/clients/" + strings.Join(append([]string{url.PathEscape(id)}, rest...), "/")
}

func (c *console) printClient(v clientView) error {
	return c.print(v, func(w io.Writer) {
		pairs := [][2]string{
			{"id", v.ID}, {"name", v.Name}, {"source", string(v.Source)}, {"state", v.state()},
			{"auth method", v.AuthMethod}, {"auth signing alg", v.AuthSigningAlg}, {"keys", v.keys()}, {"keys at", v.JWKSURI},
			{"grant types", words(v.GrantTypes)},
			{"scopes", words(v.Scopes)}, {"default scopes", words(v.DefaultScopes)},
			{"redirect URIs", words(v.RedirectURIs)}, {"origins", words(v.Origins)},
			{"introspects", words(v.Introspects)}, {"last used", instantOf(v.LastUsed)},
		}
		pairs = append(pairs, v.settings()...)
		for _, s := range v.Secrets {
			text := "holds until it is rotated"
			if s.Until != nil {
				text = "old, holds until " + instantOf(s.Until)
			}
			pairs = append(pairs, [2]string{"secret", text})
		}
		facts(w, pairs...)
	})
}

// settings are those that a client has otherwise than most.
func (v clientView) settings() (pairs [][2]string) {
	add := func(name, value string, differs bool) {
		if differs {
			pairs = append(pairs, [2]string{name, value})
		}
	}
	add("access token format", v.AccessTokenFormat, v.AccessTokenFormat != "")
	add("access token lifetime", v.AccessTokenLifetime.String(), v.AccessTokenLifetime != 0)
	add("pkce", v.PKCE, v.PKCE != "")
	add("pushed requests", "required", v.RequirePAR)
	add("consent", "not asked for: first party", v.FirstParty)
	add("optional scopes", words(v.OptionalScopes), len(v.OptionalScopes) > 0)
	add("refresh rotation", v.RefreshRotation, v.RefreshRotation != "")
	add("refresh idle", v.RefreshIdle.String(), v.RefreshIdle != 0)
	add("refresh lifetime", v.RefreshLifetime.String(), v.RefreshLifetime != 0)
	add("owner", v.Owner, v.Owner != "")
	return pairs
}

func clientEditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edit ID",
		Short: "Changes a client of the store",
		Long: `
Changes what the flags name and leaves the rest as it is; an empty value empties
the setting. Live tokens obey at once: a scope taken away is gone from them at
the next request. Clients of the Caddyfile are changed there.`,
		Example: `  $ caddy oauth2 client edit nightly-job --scopes "orders:read"
  $ caddy oauth2 client edit nightly-job --disabled
  $ caddy oauth2 client edit nightly-job --disabled=false`,
		Args: takes("ID"),
		RunE: action(editClient),
	}
	clientFlags(cmd)
	return cmd
}

func editClient(c *console) error {
	order, err := c.clientSettings()
	if err != nil {
		return err
	}
	if len(order) == 0 {
		return refuse("nothing to change: name a setting, such as --scopes (see `%s --help`)", c.cmd.CommandPath())
	}
	var view clientView
	if err := c.post(clientPath(c.args[0], "edit"), order, &view); err != nil {
		return err
	}
	c.note("Changed client %s.", view.ID)
	return c.printClient(view)
}

func clientRotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Makes a new secret for a client of the store and prints it, once",
		Long: `
Makes a new secret and prints it to standard output, once. The old one still
holds for --overlap, so that the client can be given the new one in peace; one
before that ends at once. With another --auth-method all earlier ones end at once,
and keys too.`,
		Example: `  $ caddy oauth2 client rotate-secret nightly-job > /run/secrets/nightly-job
  $ caddy oauth2 client rotate-secret nightly-job --overlap 0s   # the old one leaked
  $ caddy oauth2 client rotate-secret nightly-job --auth-method client_secret_jwt`,
		Args: takes("ID"),
		RunE: action(rotateSecret),
	}
	cmd.Flags().String("auth-method", "", "Another way to authenticate: client_secret_basic, client_secret_post or client_secret_jwt")
	cmd.Flags().String("overlap", defaultOverlap.String(), "How long the old secret still holds, such as 0s, 90m or 7d")
	secretFlag(cmd)
	return cmd
}

func rotateSecret(c *console) error {
	overlap, err := c.duration("overlap")
	if err != nil {
		return err
	}
	order := map[string]any{"overlap": overlap}
	if c.given("auth-method") {
		order["auth_method"] = c.flag("auth-method")
	}
	if err := c.ownSecret(order); err != nil {
		return err
	}
	var made clientSecret
	if err := c.post(clientPath(c.args[0], "rotate-secret"), order, &made); err != nil {
		return err
	}
	ending := "The old one holds no more."
	for _, s := range made.Client.Secrets {
		if s.Until != nil {
			ending = "The old one holds until " + instantOf(s.Until) + "."
		}
	}
	shown := ""
	if made.Secret != "" {
		shown = "; it is not shown again"
	}
	c.note("Client %s has a new secret%s. %s", made.Client.ID, shown, ending)
	return c.printSecret(made)
}

func clientRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "Removes a client of the store; its tokens are refused at once",
		Long: `
Removes a client of the store. Its tokens are refused from the next request on,
and stay so even when a client of the same id is added again. Clients of the
Caddyfile are removed there.`,
		Example: "  $ caddy oauth2 client remove nightly-job",
		Args:    takes("ID"),
		RunE: action(func(c *console) error {
			var end clientEnding
			if err := c.post(clientPath(c.args[0], "remove"), struct{}{}, &end); err != nil {
				return err
			}
			c.note("Removed client %s. Its tokens are refused from now on.", end.ID)
			return c.printChanged(end)
		}),
	}
}

// printChanged prints the document of a change, of which people have been told
// already.
func (c *console) printChanged(document any) error {
	return c.print(document, func(io.Writer) {})
}
