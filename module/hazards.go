// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"
)

// hazard is something in a configuration that works, and will hurt.
type hazard struct {
	// at is the site, as far as it has a name.
	at string
	// what is one sentence, with what to do.
	what string
}

// What the routes of a configuration may have that will hurt.
const (
	pagesAtIssuer = "pages of a service are on the issuer's own origin: a script in one of them can do there what the user can; " +
		"give the issuer a host of its own"
	cacheBeforeGuard = "a cache stands before oauth2_protect: it answers without asking whether the caller may have what it kept; " +
		"put it below the guard"
	rewriteBelowGuard = "the path or method is changed below oauth2_protect: its rows judge what comes in, and the service gets another; " +
		"put the change before the guard (Caddy's order does with rewrite and uri), or see that the rows mean it"
)

// warnOfHazards says what the configuration has that will hurt. What a route has
// can be seen only now that the http app is there in full.
func (a *App) warnOfHazards() error {
	if listen := exposedAdmin(a.ctx); listen != "" {
		a.log.Warn("the admin endpoint is not on this machine only: whoever reaches it administers clients and tokens, in the clear; "+
			"secrets, tokens and backups are given out at loopback addresses and unix sockets alone", zap.String("listen", listen))
	}
	app, err := a.ctx.AppIfConfigured("http")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil
	}
	if err != nil {
		return err
	}
	found, traced := surveyed(app.(*caddyhttp.App), a.Issuer)
	for _, h := range found {
		a.log.Warn(h.what, zap.String("at", cmp.Or(h.at, anyAddress)))
	}
	a.recorder.traced = traced
	return nil
}

// survey goes through the routes of all servers, for their hazards.
type survey struct {
	walk
	issuer string // its origin
	found  []hazard
	// traced: a handler `tracing` is somewhere.
	traced bool
}

// reach is what requests have met on their way.
type reach struct {
	hosts                   []string
	issuing, guarded, cache bool
}

// surveyed returns the hazards of an app, and whether it traces requests.
func surveyed(app *caddyhttp.App, issuer string) ([]hazard, bool) {
	s := &survey{}
	if u, err := url.Parse(issuer); err == nil {
		s.issuer = u.Scheme + "://" + u.Host
	}
	for _, server := range app.Servers {
		s.walk = walk{server: server}
		s.origins(app)
		s.routes(server.Routes, new(reach))
		if server.Errors != nil {
			s.routes(server.Errors.Routes, new(reach))
		}
	}
	slices.SortFunc(s.found, func(a, b hazard) int { return strings.Compare(a.at+a.what, b.at+b.what) })
	return slices.Compact(s.found), s.traced
}

// routes goes through routes one after the other, as requests do. What a route
// for some hosts, or one of several that exclude each other, has on the way is
// not on the way of the routes that follow.
func (s *survey) routes(routes caddyhttp.RouteList, way *reach) {
	for _, route := range routes {
		if narrowed := narrow(route.MatcherSets, way.hosts); route.Group != "" || !slices.Equal(narrowed, way.hosts) {
			aside := *way
			aside.hosts = narrowed
			s.route(route, &aside)
			continue
		}
		s.route(route, way)
	}
}

func (s *survey) route(route caddyhttp.Route, way *reach) {
	for _, handler := range route.Handlers {
		switch handler := handler.(type) {
		case *Protect:
			way.guarded = true
			s.note(way.cache, way, cacheBeforeGuard)
		case *Server:
			way.issuing = true
		case *rewrite.Rewrite:
			s.note(way.guarded && leadsAway(handler), way, rewriteBelowGuard)
		case *reverseproxy.Handler:
			s.note(way.guarded && leadsAway(handler.Rewrite) && !onlyAsks(handler), way, rewriteBelowGuard)
			s.note(s.atIssuer(way), way, pagesAtIssuer)
		case *caddyhttp.Subroute:
			s.routes(handler.Routes, way)
			if handler.Errors != nil {
				aside := *way
				s.routes(handler.Errors.Routes, &aside)
			}
		case *caddyhttp.Invoke:
			named, ok := s.server.NamedRoutes[handler.Name]
			if !ok || slices.Contains(s.invoking, handler.Name) {
				continue
			}
			s.invoking = append(s.invoking, handler.Name)
			s.route(*named, way)
			s.invoking = s.invoking[:len(s.invoking)-1]
		default:
			s.other(handler, way)
		}
	}
}

// other looks at handlers that are known by their names only.
func (s *survey) other(handler caddyhttp.MiddlewareHandler, way *reach) {
	named, ok := handler.(caddy.Module)
	if !ok {
		return
	}
	switch named.CaddyModule().ID.Name() {
	case "tracing":
		s.traced = true
	case "cache", "souin": // of caddyserver/cache-handler and darkweak/souin
		way.cache = true
	case "file_server":
		s.note(s.atIssuer(way), way, pagesAtIssuer)
	}
}

// note adds a hazard where there is one.
func (s *survey) note(there bool, way *reach, what string) {
	if there {
		s.found = append(s.found, hazard{strings.Join(s.addresses(way.hosts), " "), what})
	}
}

// atIssuer reports whether requests to the issuer's origin come this way.
func (s *survey) atIssuer(way *reach) bool {
	return way.issuing || slices.Contains(s.addresses(way.hosts), s.issuer)
}

// leadsAway reports whether a rewrite gives the service another path or method
// than the guard has judged. The file that `try_files` finds is that of the path.
func leadsAway(r *rewrite.Rewrite) bool {
	if r == nil {
		return false
	}
	path, _, _ := strings.Cut(r.URI, "?")
	return path != "" && path != "{http.matchers.file.relative}" && path != "{http.request.uri.path}" || r.Method != "" ||
		r.StripPathPrefix != "" || r.StripPathSuffix != "" || len(r.URISubstring) > 0 || len(r.PathRegexp) > 0
}

// onlyAsks reports whether a proxy sends a request of its own and, where that is
// answered with success, lets the client's go on as it came. `forward_auth` does.
func onlyAsks(proxy *reverseproxy.Handler) bool {
	for _, answer := range proxy.HandleResponse { // the first one that matches counts
		if answer.Match == nil || answer.Match.Match(http.StatusOK, nil) {
			return answer.StatusCode == "" && !handsOn(answer.Routes)
		}
	}
	return false
}

// handsOn reports whether routes give the client a service's answer.
func handsOn(routes caddyhttp.RouteList) bool {
	return slices.ContainsFunc(routes, func(route caddyhttp.Route) bool {
		return slices.ContainsFunc(route.Handlers, func(handler caddyhttp.MiddlewareHandler) bool {
			switch handler := handler.(type) {
			case *reverseproxy.CopyResponseHandler, *reverseproxy.Handler:
				return true
			case *caddyhttp.Subroute:
				return handsOn(handler.Routes)
			}
			return false
		})
	})
}
