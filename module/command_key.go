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
					rows = append(rows, []string{k.Use, k.Fingerprint, k.Algorithm, k.State, instantOf(k.Since), instantOf(k.Until)})
				}
				table(w, []string{"USE", "FINGERPRINT", "ALG", "STATE", "SINCE", "UNTIL"}, rows)
			})
		}),
	}
}

func keyRotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate --signing|--seal",
		Short: "Brings in new signing keys, or seals anew under another sealing key",
		Long: `
--signing brings in a new key for all that is signed here, as happens by itself
every now and then: it is published for ten minutes, then it signs, and the old
one stays published until what it signed has expired. With --now it signs at
once; services that keep the published keys refuse its tokens until they fetch
them anew. With --revoke besides, everything that older keys signed is refused
here at once: that is for keys that somebody else may have.

--seal rotates the sealing key, in three steps:

  1. In the Caddyfile put a new key first and keep the old one after it:
     seal_key {file./etc/caddy/seal-new.key} {file./etc/caddy/seal.key}
     and reload. From now on the new key seals; both open. Where seal_key was
     not set, the old key is the file beside the store whose name ends in .key.
  2. caddy oauth2 key rotate --seal
     seals anew what the old key sealed, a little at a time, while Caddy serves.
     When it is interrupted, say it again: it goes on where it stopped.
  3. Take the old key out of the Caddyfile and reload.`,
		Example: `  $ caddy oauth2 key rotate --signing
  $ openssl rand -base64 32 > /etc/caddy/seal-new.key
  $ caddy oauth2 key rotate --seal`,
		Args: takes(),
		RunE: action(rotateKey),
	}
	cmd.Flags().Bool("seal", false, "Rotate the sealing key")
	cmd.Flags().Bool("signing", false, "Rotate the keys that sign")
	cmd.Flags().Bool("now", false, "With --signing: the new keys sign at once")
	cmd.Flags().Bool("revoke", false, "With --signing: they sign at once, and what older keys signed is refused")
	return cmd
}

func rotateKey(c *console) error {
	var order keyRotation
	for flag, value := range map[string]*bool{"seal": &order.Seal, "signing": &order.Signing, "now": &order.Now, "revoke": &order.Revoke} {
		*value, _ = c.cmd.Flags().GetBool(flag)
	}
	if order.Seal == order.Signing {
		return refuse("say which key: --signing rotates the keys that sign, --seal the one that seals")
	}
	if order.Signing {
		return rotateSigningKeys(c, order)
	}
	bar := c.progress("sealing anew", "values")
	total := keyRotated{}
	for !total.Finished {
		var step keyRotated
		if err := c.post("/oauth2/keys/rotate", order, &step); err != nil {
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

func rotateSigningKeys(c *console, order keyRotation) error {
	var done keyRotated
	if err := c.post("/oauth2/keys/rotate", order, &done); err != nil {
		return err
	}
	switch {
	case order.Revoke:
		c.note("Done: new keys sign, and what older ones signed is refused.")
	case order.Now:
		c.note("Done: new keys sign.")
	default:
		c.note("Done: new keys are published, and sign in ten minutes.")
	}
	return c.printChanged(done)
}
