// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"net/http"
	"net/url"

	"github.com/caddy-oauth2/caddy-oauth2/authz/account"
)

// homeward leads browsers that ask another host for a page to the issuer's: sessions are
// cookies, and passkeys, of that one. What programs ask for is served at every host, so
// that a service can do so at an address of the inside.
type homeward struct {
	app *App
	own *account.Server
}

// ServeHTTP sends a browser on, or hands the request to next.
func (h homeward) ServeHTTP(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	// A form of a page that is open here since another configuration is refused as usual.
	if r.Method != http.MethodGet && r.Method != http.MethodHead || !h.serves(r.URL.Path) {
		return next(w, r)
	}
	if h.app.gate.wait(r.Context()) != nil || !h.app.elsewhere[hostOf("//"+r.Host)] {
		return next(w, r)
	}
	// The path is one of ours, and the host is the configuration's: this leads nowhere else.
	to := url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", h.app.people.origin+to.String())
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}

// serves reports whether a path is that of a page, or leads to one.
func (h homeward) serves(path string) bool {
	a := h.app
	return h.own.Serves(path) || a.people.signin.Serves(path) || a.people.visits.Serves(path) || a.endpoints.AsksUsers(path)
}

// otherHosts returns the hosts of sites that are not the issuer's, or none where the
// issuer's is not among the sites: a proxy in front may know it by that name and this
// Caddy by another one, and what leads to the issuer comes back here. Only names are
// compared, because ports and schemes may be others in front of a proxy.
func otherHosts(issuer string, sites map[string]bool) map[string]bool {
	others := map[string]bool{}
	for site := range sites {
		others[hostOf(site)] = true
	}
	if home := hostOf(issuer); others[home] {
		delete(others, home)
		return others
	}
	return nil
}
