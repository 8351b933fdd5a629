// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
)

// statsCommand is `caddy oauth2 stats`.
func statsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "stats",
		Short:   "Shows figures of store and cache, and what is configured less strict than the defaults",
		Example: "  $ caddy oauth2 stats\n  $ caddy oauth2 stats --json | jq .records.credential",
		Args:    takes(),
		RunE:    action(showStats),
	}
}

func showStats(c *console) error {
	var s statsView
	if err := c.get("/oauth2/stats", &s); err != nil {
		return err
	}
	return c.print(s, func(w io.Writer) {
		pairs := [][2]string{
			{"issuer", s.Issuer},
			{"clients in the Caddyfile", strconv.Itoa(s.ConfiguredClients)},
			{"guarded sites", strconv.Itoa(s.Guards)},
			{"cache", fmt.Sprintf("%d entries, hits: %s", s.CacheEntries, ratio(s.CacheHits, s.CacheMisses))},
			{"commits", strconv.FormatUint(s.Commits, 10)},
			{"swept", strconv.FormatUint(s.Swept, 10)},
			{"last sweep", instantOf(s.LastSweep)},
			{"store file", size(s.FileBytes) + ", of it free: " + size(s.FreeBytes)},
		}
		if s.Damaged > 0 {
			pairs = append(pairs, [2]string{"DAMAGED RECORDS", strconv.FormatUint(s.Damaged, 10) + " refusals; see Caddy's log"})
		}
		for _, setting := range s.Relaxed {
			pairs = append(pairs, [2]string{"relaxed", setting})
		}
		for _, kind := range slices.Sorted(maps.Keys(s.Records)) {
			if s.Records[kind] > 0 {
				pairs = append(pairs, [2]string{"records: " + kind, "about " + strconv.FormatInt(s.Records[kind], 10)})
			}
		}
		facts(w, pairs...)
		if s.Records == nil {
			c.note("Records are not counted yet; that begins some time after the start.")
		}
	})
}

// size is a number of bytes as people read it.
func size(n int64) string {
	value, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// ratio is hits of all look-ups as people read it.
func ratio(hits, misses uint64) string {
	if hits+misses == 0 {
		return "none yet"
	}
	return fmt.Sprintf("%d of %d (%.1f %%)", hits, hits+misses, 100*float64(hits)/float64(hits+misses))
}
