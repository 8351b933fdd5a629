// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

func init() {
	caddy.RegisterModule(new(Server))
}

// Server serves the endpoints of the authorization server, from the authorization
// endpoint to its keys, metadata and health, and the pages on which people sign in,
// consent, see what they allowed and administer. It leaves all other paths alone, so
// that one site can be authorization server and protected service at once. What
// concerns all sites is in the app `oauth2`, which it needs.
type Server struct {
	// The group whose members administer users, clients, consents, sessions and keys, at
	// the pages below `<prefix>/admin`. Default: there are no such pages.
	Admin string `json:"admin,omitempty"`

	app      *App
	front    floor
	boundary boundary
}

// CaddyModule returns the Caddy module information.
func (*Server) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.oauth2_server", New: func() caddy.Module { return new(Server) }}
}

// Provision finds the app.
func (s *Server) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return fmt.Errorf("oauth2_server: %w", err)
	}
	s.app = app
	s.boundary = boundary{log: ctx.Logger()}
	own, err := app.accountPages(s.Admin)
	if err != nil {
		return fmt.Errorf("oauth2_server: %w", err)
	}
	s.front = append(floor{homeward{app, own}, own}, app.front...)
	return nil
}

// Validate checks the settings.
func (s *Server) Validate() error {
	if s.Admin == "" {
		return nil
	}
	if err := user.ValidateGroups([]string{s.Admin}); err != nil {
		return fmt.Errorf("oauth2_server: admin: %w", err)
	}
	return nil
}

// ServeHTTP serves the endpoints.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return s.boundary.serve(s.front, w, r, next)
}

// earlyData reports whether a request came before the TLS handshake was over.
func earlyData(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }

// skipAccessLog keeps a request out of the access log.
func skipAccessLog(r *http.Request) {
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
}

// appOf returns the configuration's oauth2 app, provisioned.
func appOf(ctx caddy.Context) (*App, error) {
	loaded, err := ctx.AppIfConfigured("oauth2")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, errors.New(`the app "oauth2" is not configured: it names the issuer, the scopes and the clients`)
	}
	if err != nil {
		return nil, err
	}
	app, ok := loaded.(*App)
	if !ok {
		return nil, fmt.Errorf("the app oauth2 is %T, of another module", loaded)
	}
	return app, nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Server)(nil)
	_ caddy.Validator             = (*Server)(nil)
	_ caddyhttp.MiddlewareHandler = (*Server)(nil)
)
