// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// anyAddress is the site of a guard that requests to any host reach.
const anyAddress = "any address"

// postExplain says what the guards in force would do with a request. It is a
// POST because the URL may hold a secret, and Caddy logs URIs of admin requests.
func postExplain(r *adminRequest) (any, error) {
	var order explainOrder
	if err := r.read(&order); err != nil {
		return nil, err
	}
	origin, target, err := splitURL(order.URL)
	if err != nil {
		return nil, err
	}
	if order.Method == "" || order.Method != strings.ToUpper(order.Method) {
		return nil, adminRefusal(http.StatusBadRequest, "name the method in capitals, such as GET")
	}
	if _, err := r.db(); err != nil { // guards know their sites once the app has started
		return nil, err
	}
	guards, known := r.app.guardsAt(origin)
	if len(guards) == 0 {
		hint := "there are none: oauth2_protect makes one"
		if len(known) > 0 {
			hint = "guarded are " + strings.Join(known, ", ")
		}
		return nil, adminRefusal(http.StatusNotFound, fmt.Sprintf("no guarded site is at %s; %s", origin, hint))
	}
	answer := explanation{Method: order.Method, URL: order.URL}
	for _, p := range guards {
		site := origin
		if len(p.sites) == 0 && p.Resource == "" {
			site = anyAddress
		}
		answer.Sites = append(answer.Sites, siteExplanation{Site: site, Explanation: r.app.explain(p, order.Method, target)})
	}
	return answer, nil
}

// explain says what becomes of a request at the sites of a guard. Where the
// endpoints are at the same site, they come first.
func (a *App) explain(p *Protect, method, target string) protect.Explanation {
	u, err := url.ParseRequestURI(target)
	atServer := func(site string) bool { return a.served[site] }
	if err == nil && a.endpoints.Serves(u.Path) && slices.ContainsFunc(p.sites, atServer) {
		return protect.Explanation{Verdict: "answered by oauth2_server, ahead of the guard"}
	}
	return p.guard.Load().Explain(method, target)
}

// guardsAt returns the guards of the site at an origin; or those of its host,
// because the port that a client writes is not always the one that Caddy listens
// on; or those that any host reaches. known are the addresses there are.
func (a *App) guardsAt(origin string) (guards []*Protect, known []string) {
	var ofHost, ofAny []*Protect
	for _, p := range a.guards {
		addresses := slices.Clone(p.sites)
		if p.Resource != "" {
			addresses = append(addresses, p.Resource)
		}
		known = append(known, addresses...)
		switch {
		case slices.ContainsFunc(addresses, func(at string) bool { return originOf(at) == origin }):
			guards = append(guards, p)
		case slices.ContainsFunc(addresses, func(at string) bool { return hostOf(at) == hostOf(origin) }):
			ofHost = append(ofHost, p)
		case len(p.sites) == 0:
			ofAny = append(ofAny, p)
		}
	}
	if len(guards) == 0 {
		guards = ofHost
	}
	if len(guards) == 0 {
		guards = ofAny
	}
	slices.Sort(known)
	return guards, slices.Compact(known)
}

// originOf is the origin of a site or resource; a resource may have none.
func originOf(uri string) string {
	origin, _, err := splitURL(uri)
	if err != nil {
		return ""
	}
	return origin
}

func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// splitURL cuts an http or https URL into its origin, as sites are named, and
// the request target, which stays as it is written: the guard judges spellings.
func splitURL(text string) (origin, target string, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", "", adminRefusal(http.StatusBadRequest, "write the URL in full, such as https://api.example.com/orders/7")
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	text, _, _ = strings.Cut(text, "#")
	_, rest, _ := strings.Cut(text, "://")
	target = "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		target = rest[i:]
	}
	if strings.HasPrefix(target, "?") {
		target = "/" + target
	}
	return u.Scheme + "://" + host, target, nil
}
