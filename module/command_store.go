// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// storeCommand is `caddy oauth2 store`.
func storeCommand() *cobra.Command {
	return group(&cobra.Command{Use: "store", Short: "Checks, measures and compacts the store's file"},
		storeCheckCommand(), storeStatsCommand(), storeCompactCommand())
}

func storeCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Reads all of a store, or of a backup, and says what is wrong with it",
		Long: `
Reads a store that no Caddy has open, or the backup FILE, to its last record, and
changes nothing: the file's structure and checksums, every record's MAC, what is
sealed, and whether everything that expires will be swept. Exit code 6 says that
something is wrong.

Without the sealing key MACs cannot be checked; --no-key says that the rest is
enough.`,
		Example: `  $ caddy oauth2 store check
  $ caddy oauth2 store check /backup/tokens.db --seal-key /etc/caddy/seal.key`,
		Args: cobra.MaximumNArgs(1),
		RunE: action(checkStore),
	}
	cmd.Flags().Bool("no-key", false, "Do without the sealing key, and without checking MACs")
	return offlineFlags(cmd)
}

func checkStore(c *console) error {
	store, err := c.offline()
	if err != nil {
		return err
	}
	if len(c.args) == 1 {
		store.file = c.args[0]
	}
	if without, _ := c.cmd.Flags().GetBool("no-key"); without {
		store.keys = nil
	} else if err := store.needKeys(); err != nil {
		return refuse("%s, or do without: --no-key", err)
	}
	view, err := c.examine(store.file, store.keys)
	if err != nil {
		return err
	}
	if err := c.print(view, view.people); err != nil {
		return err
	}
	if view.Faults > 0 {
		return &failure{exitDamaged, fmt.Sprintf("%d faults. Restore a backup: `caddy oauth2 restore`", view.Faults)}
	}
	if !view.Authentic {
		c.note("Structure and checksums are sound. The MACs were not checked.")
		return nil
	}
	c.note("The store is sound.")
	return nil
}

// people writes the view as a table.
func (v storeView) people(w io.Writer) {
	pairs := [][2]string{
		{"file", v.File}, {"store", v.Store}, {"created", instant(v.Created)},
		{"size", size(v.FileBytes) + ", of it free: " + size(v.FreeBytes)},
		{"revision", strconv.FormatUint(v.Revision, 10)},
		{"clock", instantOf(v.Clock)}, {"seal keys", words(v.SealKeys)},
	}
	for _, kind := range slices.Sorted(maps.Keys(v.Records)) {
		pairs = append(pairs, [2]string{"records: " + kind, strconv.FormatInt(v.Records[kind], 10)})
	}
	for _, finding := range v.Findings {
		pairs = append(pairs, [2]string{"FAULT", finding})
	}
	facts(w, pairs...)
}

func hexID(id [16]byte) string { return hex.EncodeToString(id[:]) }

func storeStatsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Shows what is in the store: of a running Caddy, or of the file",
		Long: `
Shows what is in the store. A running Caddy is asked, as 'caddy oauth2 stats'
does. Where none answers, or --file names the store, the file is read and every
record counted.`,
		Example: "  $ caddy oauth2 store stats --json | jq .records.credential",
		Args:    takes(),
		RunE: action(func(c *console) error {
			if c.flag("file") == "" {
				err := showStats(c)
				var told *failure
				if !errors.As(err, &told) || told.code != exitNoCaddy {
					return err
				}
				c.note("No Caddy answers; reading the file.")
			}
			store, err := c.offline()
			if err != nil {
				return err
			}
			view, err := c.examine(store.file, nil)
			if err != nil {
				return err
			}
			return c.print(view, view.people)
		}),
	}
	return offlineFlags(cmd)
}

func storeCompactCommand() *cobra.Command {
	return offlineFlags(&cobra.Command{
		Use:   "compact",
		Short: "Writes the store's file anew without unused space, while Caddy is stopped",
		Long: `
Writes the store's file anew without the space that expired records have left,
while Caddy is stopped. The store reuses that space by itself; this gives it back
to the disk. It needs room for the copy. Nothing else changes, and the file is
the old one or the new one at every moment.`,
		Example: "  $ caddy oauth2 store compact --config /etc/caddy/Caddyfile",
		Args:    takes(),
		RunE:    action(compactStore),
	})
}

// compactMade is what a compaction came to.
type compactMade struct {
	File        string `json:"file"`
	BytesBefore int64  `json:"bytes_before"`
	BytesAfter  int64  `json:"bytes_after"`
	BytesSaved  int64  `json:"bytes_saved"`
}

func compactStore(c *console) error {
	defer c.interruptible()()
	store, err := c.offline()
	if err != nil {
		return err
	}
	bar := c.progress("compacting", "records")
	before, after, err := bolt.Compact(c.ctx, store.file, bolt.CompactOptions{Progress: bar.at})
	bar.end()
	if err != nil {
		return offlineError(err)
	}
	made := compactMade{File: store.file, BytesBefore: before, BytesAfter: after, BytesSaved: before - after}
	return c.print(made, func(w io.Writer) {
		facts(w, [2]string{"file", made.File}, [2]string{"before", size(before)}, [2]string{"after", size(after)}, [2]string{"saved", size(made.BytesSaved)})
	})
}
