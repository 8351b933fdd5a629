// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"io"
	"net/url"

	"github.com/spf13/cobra"
)

// grantCommand is `caddy oauth2 grant`.
func grantCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "grant",
		Short: "Lists and revokes grants: an authorization with all its tokens",
	}, grantListCommand(), grantRevokeCommand())
}

func grantListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the grants that have not ended",
		Example: `  $ caddy oauth2 grant list --client nightly-job
  $ caddy oauth2 grant list --limit 0 --json | jq '.grants | length'`,
		Args: takes(),
		RunE: action(listGrants),
	}
	cmd.Flags().String("client", "", "Only grants of this client")
	pageFlags(cmd)
	return cmd
}

func listGrants(c *console) error {
	query := url.Values{}
	if c.given("client") {
		query.Set("client", c.flag("client"))
	}
	all := grantList{Grants: []grantView{}}
	cursor, err := c.pages("/oauth2/grants", query, func(path string) (int, string, error) {
		var page grantList
		err := c.get(path, &page)
		all.Grants = append(all.Grants, page.Grants...)
		return len(page.Grants), page.Cursor, err
	})
	if err != nil {
		return err
	}
	all.Cursor = cursor
	return c.print(all, func(w io.Writer) {
		var rows [][]string
		for _, g := range all.Grants {
			rows = append(rows, []string{g.ID, g.Client, g.Subject, g.GrantType, words(g.Scopes), instant(g.IssuedAt), instantOf(g.Expires)})
		}
		table(w, []string{"ID", "CLIENT", "SUBJECT", "GRANT TYPE", "SCOPES", "ISSUED", "EXPIRES"}, rows)
		if len(rows) == 0 {
			c.note("There are no such grants.")
		}
	})
}

func grantRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "Revokes a grant and with it all its tokens",
		Long:    "\nRevokes a grant: all tokens that come from it are refused from the next request on.",
		Example: "  $ caddy oauth2 grant revoke 3nT0sVY1yq0bqv7cW2XbYw",
		Args:    takes("ID"),
		RunE: action(func(c *console) error {
			var end grantRevoked
			if err := c.post("/oauth2/grants/"+url.PathEscape(c.args[0])+"/revoke", struct{}{}, &end); err != nil {
				return err
			}
			c.note("Revoked grant %s and its tokens.", end.ID)
			return c.printChanged(end)
		}),
	}
}
