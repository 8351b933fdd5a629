// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"io"

	"github.com/spf13/cobra"
)

// keyCommand is `caddy oauth2 key`.
func keyCommand() *cobra.Command {
	return group(&cobra.Command{Use: "key", Short: "Lists and rotates keys"},
		keyListCommand(), keyRotateCommand())
}

func keyListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Lists the keys by fingerprint",
		Example: "  $ caddy oauth2 key list",
		Args:    takes(),
		RunE: action(func(c *console) error {
			var list keyList
			if err := c.get("/oauth2/keys", &list); err != nil {
				return err
			}
			return c.print(list, func(w io.Writer) {
				var rows [][]string
				for _, k := range list.Keys {
					rows = append(rows, []string{k.Use, k.Fingerprint, k.State, instantOf(k.Since)})
				}
				table(w, []string{"USE", "FINGERPRINT", "STATE", "SINCE"}, rows)
			})
		}),
	}
}

func keyRotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate --seal",
		Short: "Seals anew, under the first sealing key, what older keys sealed",
		Long: `
Rotates the sealing key, in three steps:

  1. In the Caddyfile put a new key first and keep the old one after it:
     seal_key {file./etc/caddy/seal-new.key} {file./etc/caddy/seal.key}
     and reload. From now on the new key seals; both open. Where seal_key was
     not set, the old key is the file beside the store whose name ends in .key.
  2. caddy oauth2 key rotate --seal
     seals anew what the old key sealed, a little at a time, while Caddy serves.
     When it is interrupted, say it again: it goes on where it stopped.
  3. Take the old key out of the Caddyfile and reload.`,
		Example: `  $ openssl rand -base64 32 > /etc/caddy/seal-new.key
  $ caddy oauth2 key rotate --seal`,
		Args: takes(),
		RunE: action(rotateKey),
	}
	cmd.Flags().Bool("seal", false, "Rotate the sealing key")
	return cmd
}

func rotateKey(c *console) error {
	if seal, _ := c.cmd.Flags().GetBool("seal"); !seal {
		return refuse("say which key: --seal rotates the sealing key. Opaque tokens are not signed, so there is no signing key to rotate")
	}
	bar := c.progress("sealing anew", "values")
	total := keyRotated{}
	for !total.Finished {
		var step keyRotated
		if err := c.post("/oauth2/keys/rotate", keyRotation{Seal: true}, &step); err != nil {
			bar.end()
			if total.Resealed > 0 {
				c.note("Stopped after %d values; the same command goes on from there.", total.Resealed)
			}
			return err
		}
		total.Resealed += step.Resealed
		total.Finished = step.Finished
		if !step.Finished {
			bar.at(int64(total.Resealed), int64(total.Resealed+step.Remaining))
		}
	}
	bar.end()
	c.note("Done: everything is sealed under the first key (%d values anew). Older keys can be taken out of seal_key.", total.Resealed)
	return c.printChanged(total)
}
