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
// lead to the guard. A host that is none of them has no resource, even where
// there is one site only: a wildcard may lead to the guard too.
func resources(configured string, sites []string) func(*http.Request) string {
	if configured != "" {
		return func(*http.Request) string { return configured }
	}
	// The port that a client writes is not always the one that Caddy listens on;
	// the host alone does where it is unambiguous.
	byAddress, byHost := make(map[string]string, 2*len(sites)), make(map[string]string, len(sites))
	for _, site := range sites {
		u, err := url.Parse(site)
		if err != nil {
			continue
		}
		byAddress[u.Host] = site
		if u.Port() == "" {
			byAddress[u.Host+usualPort[u.Scheme]] = site
		}
		if _, twice := byHost[u.Hostname()]; twice {
			site = ""
		}
		byHost[u.Hostname()] = site
	}
	return func(r *http.Request) string {
		host := strings.ToLower(r.Host)
		if site, ok := byAddress[host]; ok {
			return site
		}
		return byHost[(&url.URL{Host: host}).Hostname()]
	}
}

// usualPort is the port that a URL need not name, by its scheme.
var usualPort = map[string]string{"http": ":80", "https": ":443"}
