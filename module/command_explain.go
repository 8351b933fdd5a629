// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"io"

	"github.com/spf13/cobra"
)

// explainCommand is `caddy oauth2 explain`.
func explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain METHOD URL",
		Short: "Shows which row of which guard a request meets, and what it demands",
		Long: `
Shows what the running guards would do with a request: the site, the row of its
table, and what that row demands. No request is sent, and no token is looked at.`,
		Example: `  $ caddy oauth2 explain GET https://api.example.com/orders/7
  $ caddy oauth2 explain POST https://api.example.com/orders --json`,
		Args: takes("METHOD", "URL"),
		RunE: action(explainRequest),
	}
}

func explainRequest(c *console) error {
	var e explanation
	if err := c.post("/oauth2/explain", explainOrder{Method: c.args[0], URL: c.args[1]}, &e); err != nil {
		return err
	}
	return c.print(e, func(w io.Writer) {
		for i, s := range e.Sites {
			if i > 0 {
				io.WriteString(w, "\n")
			}
			row := s.Row
			if row != "" && s.Source != "" {
				row += " (" + s.Source + ")"
			}
			facts(w, [2]string{"site", s.Site}, [2]string{"row", row}, [2]string{"requirement", s.Requirement},
				[2]string{"conditions", s.Conditions}, [2]string{"verdict", s.Verdict})
		}
	})
}
