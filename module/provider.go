// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

func init() {
	caddy.RegisterModule(new(Provider))
}

// Provider lets Caddy's handler `authentication` take the tokens of this server,
// beside its other providers. It needs the app `oauth2`.
//
// It is less than `oauth2_protect`: the request goes on as it came, with its
// token and whatever identity headers its client has put on it; every refusal is
// a 401; and streams are not cut. {http.auth.user.id} and {http.auth.oauth2.*}
// say who calls. Trouble that says nothing about the token is a 503, but beside other
// providers: there one of them may know the caller, and Caddy answers 401 when none
// does; {http.auth.oauth2.error} then tells an error route that there was trouble.
type Provider struct {
	// What a token must have: any of the alternatives, of each all scopes. Default:
	// any valid token.
	Requirement scope.Requirement `json:"requirement,omitempty"`

	// The identity of what is protected, an absolute URI: tokens name it as their
	// audience (RFC 8707). Default: none, only tokens made for the issuer count.
	Resource string `json:"resource,omitempty"`

	// The realm that challenges name (RFC 9110 §11.5). Default: none.
	Realm string `json:"realm,omitempty"`

	app   *App
	guard *protect.Guard
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.authentication.providers.oauth2", New: func() caddy.Module { return new(Provider) }}
}

// Provision makes the guard that examines tokens.
func (p *Provider) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return fmt.Errorf("authentication provider oauth2: %w", err)
	}
	p.app = app
	if p.Resource != "" {
		if err := client.ValidateResource(p.Resource); err != nil {
			return fmt.Errorf("authentication provider oauth2: resource: %w", err)
		}
	}
	p.guard, err = protect.New(protect.Config{
		Rows:          []protect.Row{{Verb: protect.Allow, Path: "/*", Requirement: p.Requirement}},
		Issuer:        app.Issuer,
		Resource:      resources(p.Resource, nil),
		Realm:         p.Realm,
		Original:      originalURI,
		EarlyData:     earlyData,
		Authenticator: app.verifier,
		Clients:       allowance{app.registry},
		Recorder:      app.recorder,
		ErrorURI:      app.endpoints.ErrorURI,
		Now:           app.now,
	})
	if err != nil {
		return fmt.Errorf("authentication provider oauth2: %w", err)
	}
	return nil
}

// Validate checks that the scopes are declared.
func (p *Provider) Validate() error {
	if err := p.app.validateDeclared(p.Requirement); err != nil {
		return fmt.Errorf("authentication provider oauth2: %w", err)
	}
	return nil
}

// Authenticate implements [caddyauth.Authenticator]. A machine's token has a user
// without an id: a client is nobody's subject.
func (p *Provider) Authenticate(w http.ResponseWriter, r *http.Request) (caddyauth.User, bool, error) {
	if err := p.app.gate.wait(r.Context()); err != nil {
		return failed(w, err)
	}
	principal, err := p.guard.Examine(w, r)
	if err != nil {
		var refusal *authz.Error
		if errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError {
			return caddyauth.User{}, false, nil // no trouble, just not authenticated
		}
		return failed(w, err)
	}
	identify(r.Context(), principal)
	return caddyauth.User{ID: principal.Subject, Metadata: map[string]string{
		"name":       principal.Username,
		"client_id":  principal.Client,
		"scope":      principal.Scopes.String(),
		"grant_id":   principal.Grant,
		"expires_at": strconv.FormatInt(principal.Expires.Unix(), 10),
	}}, true, nil
}

// failed answers trouble of ours. Caddy's handler makes every error a 401, which would
// tell clients that their tokens are bad, so the status is written before it comes to
// that: the first one counts, and an error route still adds its body. Beside other
// providers what is written here goes nowhere.
func failed(w http.ResponseWriter, err error) (caddyauth.User, bool, error) {
	var trouble caddyhttp.HandlerError
	errors.As(dress(w, err), &trouble)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(trouble.StatusCode)
	return caddyauth.User{}, false, err
}

// Interface guards
var (
	_ caddy.Provisioner       = (*Provider)(nil)
	_ caddy.Validator         = (*Provider)(nil)
	_ caddyauth.Authenticator = (*Provider)(nil)
)
