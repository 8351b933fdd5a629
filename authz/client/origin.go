// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"net/url"
	"slices"
)

// AllowsOrigin reports whether scripts of a web page at origin, as the Origin
// header has it, may call as this client. "null" never is.
func (c *Client) AllowsOrigin(origin string) bool {
	if len(c.Origins) > 0 {
		return slices.Contains(c.Origins, origin)
	}
	return slices.ContainsFunc(c.RedirectURIs, func(uri string) bool {
		u, err := url.Parse(uri)
		return err == nil && (u.Scheme == "https" || u.Scheme == "http") && originOf(u) == origin
	})
}
