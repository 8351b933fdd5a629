// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"net/http"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/tracing"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// foreignHandler is a handler of a module that is not part of this one.
type foreignHandler string

func (h foreignHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: caddy.ModuleID("http.handlers." + h), New: func() caddy.Module { return h }}
}

func (foreignHandler) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error {
	return nil
}

// Ensure that what will hurt is found in the routes, where it will, and that
// configurations that do without have no hazard.
func TestHazards(t *testing.T) {
	const issuer = "https://auth.example.com"
	auth, api := []string{"auth.example.com"}, []string{"api.example.com"}
	proxy := func() *reverseproxy.Handler { return new(reverseproxy.Handler) }
	// asking is what forward_auth makes, with these handlers for an answer of success.
	asking := func(handlers ...caddyhttp.MiddlewareHandler) *reverseproxy.Handler {
		return &reverseproxy.Handler{Rewrite: &rewrite.Rewrite{Method: "GET", URI: "/verify"}, HandleResponse: []caddyhttp.ResponseHandler{{
			Match: &caddyhttp.ResponseMatcher{StatusCode: []int{2}}, Routes: caddyhttp.RouteList{route(nil, handlers...)},
		}}}
	}
	inGroup := func(r caddyhttp.Route) caddyhttp.Route { r.Group = "handle"; return r }
	for name, test := range map[string]struct {
		routes  caddyhttp.RouteList
		hazards []hazard
	}{
		"as it should be": {routes: caddyhttp.RouteList{
			route(auth, sub(route(nil, new(Server)), route(nil, foreignHandler("static_response")))),
			route(api, sub(route(nil, &rewrite.Rewrite{StripPathPrefix: "/v1"}), route(nil, new(Protect)), route(nil, foreignHandler("cache"), proxy()))),
			route([]string{"www.example.com"}, sub(route(nil, foreignHandler("cache")), route(nil, &rewrite.Rewrite{URI: "/index.html"}), route(nil, foreignHandler("file_server")))),
		}},
		"query and file": {routes: caddyhttp.RouteList{route(api, new(Protect),
			&rewrite.Rewrite{URI: "{http.request.uri.path}?a=b"}, &rewrite.Rewrite{URI: "?a=b"}, &rewrite.Rewrite{URI: "{http.matchers.file.relative}"}, proxy())}},
		"forward_auth": {routes: caddyhttp.RouteList{route(api, new(Protect), asking(foreignHandler("vars")), proxy())}},
		"an answer handed on": {caddyhttp.RouteList{route(api, new(Protect), asking(sub(route(nil, new(reverseproxy.CopyResponseHandler)))))},
			[]hazard{{"https://api.example.com", rewriteBelowGuard}}},
		"exclusive": {routes: caddyhttp.RouteList{
			inGroup(route(nil, foreignHandler("cache"), &rewrite.Rewrite{URI: "/x"})),
			inGroup(route(nil, new(Protect), proxy())),
			inGroup(route(nil, &rewrite.Rewrite{URI: "/x"}, proxy())),
		}},
		"pages below the server": {caddyhttp.RouteList{route(auth, sub(route(nil, new(Server)), route(nil, proxy())))},
			[]hazard{{issuer, pagesAtIssuer}}},
		"files on another way": {caddyhttp.RouteList{route(auth, new(Server)), route(auth, foreignHandler("file_server"))},
			[]hazard{{issuer, pagesAtIssuer}}},
		"pages for any host": {caddyhttp.RouteList{route(nil, new(Server), proxy())}, []hazard{{"", pagesAtIssuer}}},
		"cache": {caddyhttp.RouteList{route(api, sub(route(nil, foreignHandler("cache")), route(nil, new(Protect), proxy())))},
			[]hazard{{"https://api.example.com", cacheBeforeGuard}}},
		"uri": {caddyhttp.RouteList{route(api, new(Protect), sub(route(nil, &rewrite.Rewrite{StripPathPrefix: "/v1"}), route(nil, proxy())))},
			[]hazard{{"https://api.example.com", rewriteBelowGuard}}},
		"method": {caddyhttp.RouteList{route(api, new(Protect), &rewrite.Rewrite{Method: "POST"})},
			[]hazard{{"https://api.example.com", rewriteBelowGuard}}},
		"in the proxy": {caddyhttp.RouteList{route(api, new(Protect), &reverseproxy.Handler{Rewrite: &rewrite.Rewrite{URI: "/x"}})},
			[]hazard{{"https://api.example.com", rewriteBelowGuard}}},
	} {
		app := &caddyhttp.App{Servers: map[string]*caddyhttp.Server{"srv0": {
			Listen: []string{":443"}, TLSConnPolicies: caddytls.ConnectionPolicies{new(caddytls.ConnectionPolicy)}, Routes: test.routes,
		}}}
		if found, traced := surveyed(app, issuer); !slices.Equal(found, test.hazards) || traced {
			t.Errorf("%s: %+v, traced %v", name, found, traced)
		}
	}
}

// Ensure that a named route is looked into, once, and that tracing is seen there.
func TestHazardsOfNamedRoutes(t *testing.T) {
	named := route(nil, new(tracing.Tracing), &caddyhttp.Invoke{Name: "a"}, new(Protect), &rewrite.Rewrite{URI: "/x"})
	app := &caddyhttp.App{Servers: map[string]*caddyhttp.Server{"srv0": {
		NamedRoutes: map[string]*caddyhttp.Route{"a": &named}, Routes: caddyhttp.RouteList{route(nil, &caddyhttp.Invoke{Name: "a"})},
	}}}
	if found, traced := surveyed(app, "https://auth.example.com"); len(found) != 1 || !traced {
		t.Errorf("%+v, traced %v", found, traced)
	}
}
