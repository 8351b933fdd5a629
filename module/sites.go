// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// sites finds out which sites lead to which handler of ours. Those of a guard
// are the default identities of the resources behind it. The http app must be
// provisioned. A handler that is reached by any host, or by a wildcard, has no
// site for that.
func sites(app *caddyhttp.App) map[caddyhttp.MiddlewareHandler][]string {
	found := map[caddyhttp.MiddlewareHandler][]string{}
	for _, server := range app.Servers {
		w := walk{server: server, found: found}
		w.origins(app)
		w.routes(server.Routes, nil)
		if server.Errors != nil {
			w.routes(server.Errors.Routes, nil)
		}
	}
	for handler := range found {
		slices.Sort(found[handler])
		found[handler] = slices.Compact(found[handler])
	}
	return found
}

// walk goes through the routes of one server.
type walk struct {
	server   *caddyhttp.Server
	scheme   string
	ports    []string // as suffixes of a host: "" or ":8443"
	found    map[caddyhttp.MiddlewareHandler][]string
	invoking []string // named routes on the way, against a route that invokes itself
}

// origins finds out how clients reach the server: by TLS if it listens for
// that anywhere, and at which ports. Caddy's http_port and https_port are, as
// its documentation says, internal: clients use 80 and 443.
func (w *walk) origins(app *caddyhttp.App) {
	httpPort, httpsPort := app.HTTPPort, app.HTTPSPort
	if httpPort == 0 {
		httpPort = caddyhttp.DefaultHTTPPort
	}
	if httpsPort == 0 {
		httpsPort = caddyhttp.DefaultHTTPSPort
	}
	var plain, secure []string
	for _, listen := range w.server.Listen {
		address, err := caddy.ParseNetworkAddress(listen)
		if err != nil || address.IsUnixNetwork() || address.IsFdNetwork() {
			continue
		}
		for offset := range address.PortRangeSize() {
			port := int(address.StartPort + offset)
			suffix := ":" + strconv.Itoa(port)
			switch tls := len(w.server.TLSConnPolicies) > 0 && port != httpPort; {
			case tls && port == httpsPort:
				secure = append(secure, "")
			case tls:
				secure = append(secure, suffix)
			case port == httpPort:
				plain = append(plain, "")
			default:
				plain = append(plain, suffix)
			}
		}
	}
	w.scheme, w.ports = "http://", plain
	if len(secure) > 0 {
		w.scheme, w.ports = "https://", secure
	}
}

// routes goes through routes that requests for hosts reach; nil is any host.
func (w *walk) routes(routes caddyhttp.RouteList, hosts []string) {
	for _, route := range routes {
		w.route(route, hosts)
	}
}

func (w *walk) route(route caddyhttp.Route, hosts []string) {
	hosts = narrow(route.MatcherSets, hosts)
	for _, handler := range route.Handlers {
		switch handler := handler.(type) {
		case *Protect, *Server:
			w.reached(handler, hosts)
		case *caddyhttp.Subroute:
			w.routes(handler.Routes, hosts)
			if handler.Errors != nil {
				w.routes(handler.Errors.Routes, hosts)
			}
		case *caddyhttp.Invoke:
			named, ok := w.server.NamedRoutes[handler.Name]
			if !ok || slices.Contains(w.invoking, handler.Name) {
				continue
			}
			w.invoking = append(w.invoking, handler.Name)
			w.route(*named, hosts)
			w.invoking = w.invoking[:len(w.invoking)-1]
		}
	}
}

// reached notes that requests for hosts reach a handler.
func (w *walk) reached(handler caddyhttp.MiddlewareHandler, hosts []string) {
	w.found[handler] = append(w.found[handler], w.addresses(hosts)...)
}

// addresses returns the sites that hosts of the server are.
func (w *walk) addresses(hosts []string) (known []string) {
	for _, host := range hosts {
		if strings.ContainsAny(host, "*{") {
			continue // no name of one site
		}
		if net.ParseIP(host) != nil && strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		for _, port := range w.ports {
			known = append(known, w.scheme+host+port)
		}
	}
	return known
}

// narrow returns the hosts for which one of the matcher sets can match, out of
// those given.
func narrow(sets caddyhttp.MatcherSets, hosts []string) []string {
	if len(sets) == 0 {
		return hosts
	}
	var narrowed []string
	for _, set := range sets {
		i := slices.IndexFunc(set, func(m any) bool { _, ok := m.(*caddyhttp.MatchHost); return ok })
		if i < 0 {
			return hosts
		}
		narrowed = append(narrowed, *set[i].(*caddyhttp.MatchHost)...)
	}
	return narrowed
}
