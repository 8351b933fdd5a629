// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
)

// defaultListed is how many entries a list shows unless told otherwise.
const defaultListed = 1000

// pageFlags are the flags of commands that list.
func pageFlags(cmd *cobra.Command) {
	cmd.Flags().Int("limit", defaultListed, "How many to list; 0 lists all")
	cmd.Flags().String("cursor", "", "Where to go on, as the list before said")
}

// pages fetches page after page of the resource at path until --limit entries
// are there or the list ends, and returns where to go on ("" at the end). fetch
// gets one page and says how many entries it had and its cursor.
func (c *console) pages(path string, query url.Values, fetch func(path string) (n int, cursor string, err error)) (string, error) {
	limit, _ := c.cmd.Flags().GetInt("limit")
	if limit < 0 {
		return "", refuse("--limit is 0 for all, or more")
	}
	cursor := c.flag("cursor")
	for left := limit; ; {
		query.Set("cursor", cursor)
		query.Set("limit", strconv.Itoa(maxPage))
		if limit > 0 {
			query.Set("limit", strconv.Itoa(min(left, maxPage)))
		}
		n, next, err := fetch(path + "?" + query.Encode())
		if err != nil {
			return "", err
		}
		left -= n
		cursor = next
		if cursor == "" {
			return "", nil
		}
		if limit > 0 && left <= 0 {
			c.note("There are more: go on with --cursor %s, or list all with --limit 0.", cursor)
			return cursor, nil
		}
	}
}
