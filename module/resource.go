// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"net/http"
	"net/url"
	"strings"
)

// resources returns what tells the resource that a request is for: the one
// configured, else the site that the request's Host names, out of those that
// lead to the guard. A host that is none of them has no resource.
func resources(configured string, sites []string) func(*http.Request) string {
	switch {
	case configured != "":
		return func(*http.Request) string { return configured }
	case len(sites) == 1:
		return func(*http.Request) string { return sites[0] }
	}
	byHost := make(map[string]string, 2*len(sites))
	for _, site := range sites {
		u, err := url.Parse(site)
		if err != nil {
			continue
		}
		// The port that a client writes is not always the one that Caddy
		// listens on; the host alone does where it is unambiguous.
		if _, twice := byHost[u.Hostname()]; twice && u.Hostname() != u.Host {
			byHost[u.Hostname()] = ""
		} else {
			byHost[u.Hostname()] = site
		}
		byHost[u.Host] = site
	}
	return func(r *http.Request) string {
		host := strings.ToLower(r.Host)
		if site, ok := byHost[host]; ok {
			return site
		}
		return byHost[(&url.URL{Host: host}).Hostname()]
	}
}

// canonicalResource leaves away the slash that makes an empty path (RFC 3986
// §6.2.3), so that https://api.example.com/ is https://api.example.com.
func canonicalResource(resource string) string {
	if bare, slashed := strings.CutSuffix(resource, "/"); slashed && strings.Count(bare, "/") == 2 {
		return bare
	}
	return resource
}
