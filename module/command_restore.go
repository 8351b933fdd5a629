// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// restoreCommand is `caddy oauth2 restore`.
func restoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Puts a backup in the store's place, while Caddy is stopped",
		Long: `
Puts a backup in the place of the store, while Caddy is stopped. The backup is
checked to its last record first: format, identity, sealing key, MACs. The store
is the old one or the new one at every moment, and the old file stays beside it.

All tokens from before are dead then, because some of them may have been revoked
since the backup was made; clients stay. So are the keys that signed them, which
may have been withdrawn: new ones are made. --keep-tokens keeps tokens and keys,
and BRINGS BACK THOSE THAT WERE REVOKED SINCE: it is for a backup that nothing
was revoked after.

The sealing key is not in a backup. It must be the one that the store had when
the backup was made.`,
		Example: `  $ systemctl stop caddy
  $ caddy oauth2 restore /backup/tokens.db --config /etc/caddy/Caddyfile
  $ systemctl start caddy`,
		Args: takes("FILE"),
		RunE: action(restore),
	}
	cmd.Flags().Bool("keep-tokens", false, "Keep the backup's tokens, also those that were revoked since")
	cmd.Flags().Bool("reset-clock", false, "Believe the machine's clock though the store has seen a later time")
	cmd.Flags().Bool("other-store", false, "Take the backup of another store too")
	return offlineFlags(cmd)
}

// restoreMade is what a restore came to.
type restoreMade struct {
	File   string `json:"file"`
	Backup string `json:"backup"`
	Store  string `json:"store"` // its id
	// Records are the backup's records by kind.
	Records map[string]int64 `json:"records"`
	// Kept is where the replaced file is; absent where there was none.
	Kept       string `json:"kept,omitempty"`
	TokensKept bool   `json:"tokens_kept"`
}

func restore(c *console) error {
	defer c.interruptible()()
	store, err := c.offline()
	if err != nil {
		return err
	}
	if err := store.needKeys(); err != nil {
		return err
	}
	set := func(name string) bool { value, _ := c.cmd.Flags().GetBool(name); return value }
	if set("keep-tokens") && set("reset-clock") {
		return refuse("--reset-clock cannot keep tokens: those that had expired would be valid again")
	}
	bar := c.progress("checking", "records")
	done, err := bolt.Restore(c.ctx, c.args[0], store.file, bolt.RestoreOptions{
		RestoreOptions: tokenstore.RestoreOptions{
			SealKeys: store.keys, KeepTokens: set("keep-tokens"), ResetClock: set("reset-clock"), Forget: keyring.Records(),
		},
		Other:    set("other-store"),
		Progress: bar.at,
	})
	bar.end()
	if errors.Is(err, bolt.ErrOtherStore) {
		return refuse("%s. --other-store takes it all the same", err)
	}
	if err != nil {
		return offlineError(err)
	}
	made := restoreMade{
		File: store.file, Backup: c.args[0], Store: hexID(done.Backup.ID), Records: byKind(done.Backup.Records),
		Kept: done.Kept, TokensKept: set("keep-tokens"),
	}
	if made.TokensKept {
		c.note("Restored with its tokens. What was revoked after the backup was made is valid again: revoke it anew.")
	} else {
		c.note("Restored. All tokens from before are dead; clients ask for new ones.")
	}
	return c.print(made, func(w io.Writer) {
		facts(w, [2]string{"file", made.File}, [2]string{"store", made.Store}, [2]string{"the old file", made.Kept})
	})
}
