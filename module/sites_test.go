// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// hosts is a route for some hosts, or for all.
func route(hosts []string, handlers ...caddyhttp.MiddlewareHandler) caddyhttp.Route {
	r := caddyhttp.Route{Handlers: handlers}
	if hosts != nil {
		match := caddyhttp.MatchHost(hosts)
		r.MatcherSets = caddyhttp.MatcherSets{{&match}}
	}
	return r
}

func sub(routes ...caddyhttp.Route) *caddyhttp.Subroute { return &caddyhttp.Subroute{Routes: routes} }

// Ensure that a guard learns the addresses of the sites that lead to it,
// through subroutes and named routes, and of no others.
func TestSites(t *testing.T) {
	secure := caddytls.ConnectionPolicies{new(caddytls.ConnectionPolicy)}
	for name, test := range map[string]struct {
		server func(guard *Protect) *caddyhttp.Server
		sites  []string
	}{
		"several hosts": {func(g *Protect) *caddyhttp.Server {
			return &caddyhttp.Server{Listen: []string{":443"}, TLSConnPolicies: secure, Routes: caddyhttp.RouteList{
				route([]string{"b.example.com", "a.example.com"}, sub(route(nil, g))), route([]string{"c.example.com"}, sub())}}
		}, []string{"https://a.example.com", "https://b.example.com"}},
		"narrowed inside": {func(g *Protect) *caddyhttp.Server {
			return &caddyhttp.Server{Listen: []string{":8443"}, TLSConnPolicies: secure, Routes: caddyhttp.RouteList{
				route(nil, sub(route([]string{"a.example.com"}, g)))}}
		}, []string{"https://a.example.com:8443"}},
		"plain http, odd port, IPv6": {func(g *Protect) *caddyhttp.Server {
			return &caddyhttp.Server{Listen: []string{"127.0.0.1:8080"}, Routes: caddyhttp.RouteList{route([]string{"localhost", "::1"}, g)}}
		}, []string{"http://[::1]:8080", "http://localhost:8080"}},
		"both ports": {func(g *Protect) *caddyhttp.Server {
			return &caddyhttp.Server{Listen: []string{":80", ":443"}, TLSConnPolicies: secure, Routes: caddyhttp.RouteList{route([]string{"a.example.com"}, g)}}
		}, []string{"https://a.example.com"}},
		"named route": {func(g *Protect) *caddyhttp.Server {
			named := route(nil, g, &caddyhttp.Invoke{Name: "guarded"}) // and it invokes itself
			return &caddyhttp.Server{Listen: []string{":80"}, NamedRoutes: map[string]*caddyhttp.Route{"guarded": &named},
				Routes: caddyhttp.RouteList{route([]string{"a.example.com"}, &caddyhttp.Invoke{Name: "guarded"})}}
		}, []string{"http://a.example.com"}},
		"any host": {func(g *Protect) *caddyhttp.Server {
			return &caddyhttp.Server{Listen: []string{":443"}, TLSConnPolicies: secure, Routes: caddyhttp.RouteList{route(nil, g)}}
		}, nil},
		"wildcard": {func(g *Protect) *caddyhttp.Server {
			return &caddyhttp.Server{Listen: []string{":443"}, TLSConnPolicies: secure, Routes: caddyhttp.RouteList{route([]string{"*.example.com"}, g)}}
		}, nil},
		"unix socket": {func(g *Protect) *caddyhttp.Server {
			return &caddyhttp.Server{Listen: []string{"unix//run/x.sock"}, Routes: caddyhttp.RouteList{route([]string{"a.example.com"}, g)}}
		}, nil},
	} {
		guard := new(Protect)
		app := &caddyhttp.App{Servers: map[string]*caddyhttp.Server{"srv0": test.server(guard)}}
		if got := sites(app)[guard]; !slices.Equal(got, test.sites) {
			t.Errorf("%s: got %q, expected %q", name, got, test.sites)
		}
	}
}

// Ensure that the resource of a request is the configured one, else the site
// that its Host names, and none for a Host that leads elsewhere: a token for
// one site of a wildcard must not open its neighbours.
func TestResources(t *testing.T) {
	two := []string{"https://a.example.com", "http://b.example.com:8080"}
	for _, test := range []struct {
		configured string
		sites      []string
		host       string
		expected   string
	}{
		{"urn:example:api", two, "a.example.com", "urn:example:api"},
		{"", two[:1], "a.example.com", "https://a.example.com"},
		{"", two[:1], "neighbour.example.com", ""},
		{"", two, "a.example.com", "https://a.example.com"},
		{"", two, "A.EXAMPLE.COM:443", "https://a.example.com"},
		{"", two, "b.example.com:8080", "http://b.example.com:8080"},
		{"", two, "evil.example.com", ""},
		{"", []string{"http://a.example.com:1", "http://a.example.com:2"}, "a.example.com:2", "http://a.example.com:2"},
		{"", []string{"http://a.example.com:1", "http://a.example.com:2"}, "a.example.com:3", ""},
		{"", []string{"https://a.example.com", "https://a.example.com:8443"}, "a.example.com", "https://a.example.com"},
		{"", []string{"https://a.example.com", "https://a.example.com:8443"}, "a.example.com:443", "https://a.example.com"},
		{"", []string{"https://a.example.com", "https://a.example.com:8443"}, "a.example.com:8443", "https://a.example.com:8443"},
		{"", []string{"http://[::1]", "http://[::1]:8080"}, "[::1]", "http://[::1]"},
		{"", []string{"http://[::1]", "http://localhost"}, "[::1]:9", "http://[::1]"},
		{"", nil, "a.example.com", ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = test.host
		if got := resources(test.configured, test.sites)(r); got != test.expected {
			t.Errorf("%q of %q: got %q, expected %q", test.host, test.sites, got, test.expected)
		}
	}
}
