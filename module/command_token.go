// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"io"

	"github.com/spf13/cobra"
)

// tokenCommand is `caddy oauth2 token`.
func tokenCommand() *cobra.Command {
	return group(&cobra.Command{Use: "token", Short: "Issues, inspects and revokes tokens"},
		tokenIssueCommand(), tokenInspectCommand(), tokenRevokeCommand())
}

func tokenIssueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "issue CLIENT",
		Short: "Issues an access token for a client and prints it, once",
		Long: `
Issues an access token for a client, as if the client had asked for it itself
with client_credentials: for trying things out, and for programs that cannot
speak OAuth. Nothing is issued beyond what the client may have. It works only
where the admin endpoint is on this machine: a loopback address or a unix socket.`,
		Example: `  $ curl -H "Authorization: Bearer $(caddy oauth2 token issue nightly-job)" https://api.example.com/orders
  $ caddy oauth2 token issue nightly-job --scopes orders:read --lifetime 5m --json`,
		Args: takes("CLIENT"),
		RunE: action(issueToken),
	}
	cmd.Flags().StringArray("scopes", nil, "Scopes of the token, separated by spaces (default: the client's default)")
	cmd.Flags().StringArray("resources", nil, "Resources it is for, as URIs (default: all sites of this server)")
	cmd.Flags().String("lifetime", "", "How long it lives, such as 5m; not longer than the client's (default: the client's)")
	return cmd
}

func issueToken(c *console) error {
	order := tokenOrder{Client: c.args[0], Scopes: c.list("scopes"), Resources: c.list("resources")}
	if c.given("lifetime") {
		lifetime, err := c.duration("lifetime")
		if err != nil {
			return err
		}
		order.Lifetime = lifetime
	}
	var made tokenIssued
	if err := c.post("/oauth2/tokens/issue", order, &made); err != nil {
		return err
	}
	scopes := words(made.Scopes)
	if scopes == "" {
		scopes = "no scope"
	}
	c.note("Issued a token to %s with %s, valid until %s (grant %s).", order.Client, scopes, instant(made.Expires), made.Grant)
	return c.print(made, func(w io.Writer) { io.WriteString(w, plain(string(made.AccessToken))+"\n") })
}

func tokenInspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect [-]",
		Short: "Shows what a token stands for",
		Long: `
Reads a token from standard input, or asks for it, and shows what it stands for.
A token that is expired, revoked or unknown is not active: which of these, is
not kept.`,
		Example: `  $ caddy oauth2 token inspect
  $ printf %s "$TOKEN" | caddy oauth2 token inspect - --json | jq .active`,
		Args: cobra.MaximumNArgs(1),
		RunE: action(inspectToken),
	}
}

func inspectToken(c *console) error {
	token, err := c.readSecret("token", c.argument(0))
	if err != nil {
		return err
	}
	var v tokenView
	if err := c.post("/oauth2/tokens/inspect", tokenNamed{secretText(token)}, &v); err != nil {
		return err
	}
	return c.print(v, func(w io.Writer) {
		state := "active"
		if !v.Active {
			state = "not active: expired, revoked or unknown here"
		}
		facts(w, [2]string{"state", state}, [2]string{"kind", v.Kind}, [2]string{"client", v.Client},
			[2]string{"subject", v.Subject}, [2]string{"scopes", words(v.Scopes)}, [2]string{"audience", words(v.Audience)},
			[2]string{"grant", v.Grant}, [2]string{"issued", instantOf(v.IssuedAt)}, [2]string{"expires", instantOf(v.Expires)})
	})
}

func tokenRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke [-]",
		Short: "Revokes a token, or all tokens of a client",
		Long: `
Reads a token from standard input, or asks for it, and revokes it: it is refused
from the next request on. With --client, all tokens of that client are revoked,
wherever the client is configured; it can ask for new ones.`,
		Example: `  $ caddy oauth2 token revoke
  $ printf %s "$TOKEN" | caddy oauth2 token revoke -
  $ caddy oauth2 token revoke --client nightly-job`,
		Args: cobra.MaximumNArgs(1),
		RunE: action(revokeToken),
	}
	cmd.Flags().String("client", "", "Revoke all tokens of this client")
	return cmd
}

func revokeToken(c *console) error {
	if c.given("client") {
		if len(c.args) > 0 {
			return refuse("give a token or --client, not both")
		}
		var end clientEnding
		if err := c.post(clientPath(c.flag("client"), "revoke"), struct{}{}, &end); err != nil {
			return err
		}
		c.note("Revoked all tokens of client %s.", end.ID)
		return c.printChanged(end)
	}
	token, err := c.readSecret("token", c.argument(0))
	if err != nil {
		return err
	}
	var end tokenRevoked
	if err := c.post("/oauth2/tokens/revoke", tokenNamed{secretText(token)}, &end); err != nil {
		return err
	}
	if end.Revoked {
		c.note("Revoked the token.")
	} else {
		c.note("Nothing to revoke: the token is expired, revoked or unknown here.")
	}
	return c.printChanged(end)
}

// argument is the i-th argument, or "".
func (c *console) argument(i int) string {
	if i < len(c.args) {
		return c.args[i]
	}
	return ""
}
