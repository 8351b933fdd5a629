// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"io"
	"strconv"

	"github.com/spf13/cobra"
)

// auditCommand is `caddy oauth2 audit`.
func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Shows what was changed, newest first",
		Long: `
Shows the newest entries of the audit ring: issued and revoked tokens, changed
clients, rotated keys, and who did it. The ring keeps a bounded number; the
logger oauth2.audit has all of them.`,
		Example: `  $ caddy oauth2 audit --limit 20
  $ caddy oauth2 audit --before 4711 --json`,
		Args: takes(),
		RunE: action(showAudit),
	}
	cmd.Flags().Int("limit", 100, "How many to show; at most "+strconv.Itoa(maxPage))
	cmd.Flags().Uint64("before", 0, "Only entries older than this sequence number")
	return cmd
}

func showAudit(c *console) error {
	limit, _ := c.cmd.Flags().GetInt("limit")
	if limit < 1 || limit > maxPage {
		return refuse("--limit is from 1 to %d", maxPage)
	}
	before, _ := c.cmd.Flags().GetUint64("before")
	var list auditList
	path := "/oauth2/audit?limit=" + strconv.Itoa(limit) + "&before=" + strconv.FormatUint(before, 10)
	if err := c.get(path, &list); err != nil {
		return err
	}
	if list.Before != 0 {
		c.note("There are more: go on with --before %d.", list.Before)
	}
	return c.print(list, func(w io.Writer) {
		var rows [][]string
		for _, e := range list.Entries {
			rows = append(rows, []string{strconv.FormatUint(e.Seq, 10), instant(e.Time), e.Event, e.Outcome, e.Reason, e.Client, e.Subject, e.Grant, e.Actor})
		}
		table(w, []string{"SEQ", "TIME", "EVENT", "OUTCOME", "REASON", "CLIENT", "SUBJECT", "GRANT", "ACTOR"}, rows)
		if len(rows) == 0 {
			c.note("There are no such entries.")
		}
	})
}
