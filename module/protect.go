// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/foreign"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

func init() {
	caddy.RegisterModule(new(Protect))
}

// AcceptBearer is the value of [Protect.Accept] for tokens in the Authorization
// header (RFC 6750 §2.1).
const AcceptBearer = "bearer"

// AcceptSession is the value of [Protect.Accept] for people who are signed in at the
// issuer, and the cookie that their browsers get for the site.
const AcceptSession = "session"

// Accepts lists the values of [Protect.Accept].
func Accepts() []string { return []string{AcceptBearer, AcceptSession} }

// AudienceStrict is the value of [Protect.Audience] that refuses tokens made
// for the issuer as a whole.
const AudienceStrict = "strict"

// ErrorsPass is the value of [Protect.Errors] that leaves answers to Caddy.
const ErrorsPass = "pass"

// Protect is a guard: it stands in front of a service and lets pass what a
// row of its table permits, with headers that say who calls. Requests that no
// row matches are refused.
//
// It needs the app `oauth2`, and must not have matchers: a request that a
// matcher leaves out reaches the service with whatever identity it claims.
type Protect struct {
	// The table. The most specific path wins, whatever the order; what no row matches
	// is refused. At least one row is required.
	Rows []protect.Row `json:"rows,omitempty"`

	// What proves who a caller is: `bearer`, tokens in the Authorization header;
	// `session`, being signed in at the issuer: browsers that open a page are sent
	// there and come back. Default: `["bearer"]`.
	Accept []string `json:"accept,omitempty"`

	// The scopes that people have here who come by `session`. Default: none; that is
	// enough for rows that demand no scope.
	SessionScopes []string `json:"session_scopes,omitempty"`

	// Origins whose pages may send requests that change something, or open WebSockets,
	// with a cookie that proves who the user is, such as `https://app.example.com`: at
	// most 64. Default: none but the site's own.
	CSRFTrust []string `json:"csrf_trust,omitempty"`

	// Where else than in the Authorization header a bearer token may be: in the
	// `query` or a `form`, both as access_token, or in the `cookie` of that name.
	// Default: nowhere.
	Bearer *protect.Sources `json:"bearer,omitempty"`

	// Further authorization servers whose access tokens are accepted here. Where
	// there are any, the header X-Auth-Issuer tells the service which one vouches
	// for a caller. Default: none, only the app's own.
	Issuers []foreign.Issuer `json:"issuers,omitempty"`

	// The identity of what is guarded, an absolute URI: tokens name it as their
	// audience (RFC 8707), and its metadata is found by it (RFC 9728). Default: the
	// addresses of the sites that lead here. Required where TLS ends elsewhere.
	Resource string `json:"resource,omitempty"`

	// The realm that challenges name (RFC 9110 §11.5). Default: none.
	Realm string `json:"realm,omitempty"`

	// Further attributes of challenges, by name: at most 8. Default: none.
	Challenge map[string]string `json:"challenge,omitempty"`

	// Which web pages' scripts may call what is guarded, and read the answers. It
	// permits nothing that the rows refuse. Default: nothing is said of it.
	CORS *protect.CORS `json:"cors,omitempty"`

	// `strict` accepts only tokens made for this resource. Default: tokens made
	// for the issuer are accepted too.
	Audience string `json:"audience,omitempty"`

	// Paths that two parsers could read differently are refused, but for the
	// kinds named here: `encoded_slash`, `backslash`, `semicolon`, `double_slash`,
	// `double_encoding`, `trailing_dot`, `encoded_delimiter`. Default: none.
	AllowAmbiguous []string `json:"allow_ambiguous,omitempty"`

	// Tell the case of ASCII letters in paths apart. Default: false, because many
	// services do not.
	CaseSensitive bool `json:"case_sensitive,omitempty"`

	// `pass` hands refusals (4xx) to Caddy's error routes (`handle_errors`), which
	// then write the answers; headers such as WWW-Authenticate are set. Trouble
	// (5xx) always goes there. Default: refusals are answered here, as JSON, and as
	// a page to browsers that open one.
	Errors string `json:"errors,omitempty"`

	// What the service learns of the caller. Default: the headers
	// X-Auth-Subject, X-Auth-Username, X-Auth-Client and X-Auth-Scope.
	Upstream *protect.Upstream `json:"upstream,omitempty"`

	app      *App
	boundary boundary
	// connection says which connection a request came on; nil: nothing does.
	connection func(*http.Request) net.Conn
	guard      atomic.Pointer[protect.Guard] // nil until the app has started
	// rows and usual are Rows and Upstream without placeholders, once provisioned.
	rows  []protect.Row
	usual *protect.Upstream
	// expressions are those of the rows, compiled.
	expressions map[string]protect.Expression
	foreign     []foreign.Issuer // the issuers, with their secrets
	sites       []string         // the addresses that lead here, as far as they are known
}

// CaddyModule returns the Caddy module information.
func (*Protect) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.oauth2_protect", New: func() caddy.Module { return new(Protect) }}
}

// Provision finds the app and checks the table.
func (p *Protect) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return fmt.Errorf("oauth2_protect: %w", err)
	}
	p.app = app
	p.boundary = boundary{log: ctx.Logger(), identifies: true, tokensInURL: p.Bearer != nil && p.Bearer.Query}
	if len(p.Accept) == 0 {
		p.Accept = []string{AcceptBearer}
	}
	if err := errors.Join(p.resolveUpstreams(), p.compileRows(ctx), p.resolveIssuers()); err != nil {
		return fmt.Errorf("oauth2_protect: %w", err)
	}
	p.connection = app.keepConnections(ctx)
	app.guards = append(app.guards, p)
	return nil
}

// Validate checks what can be checked before the sites are known.
func (p *Protect) Validate() error {
	for _, row := range p.Rows {
		if err := p.app.ValidateRow(row); err != nil {
			return err
		}
	}
	if err := p.app.ValidateScopes(p.SessionScopes); err != nil {
		return fmt.Errorf("accept session: %w", err)
	}
	for _, issuer := range p.Issuers {
		if err := p.app.ValidateIssuer(issuer); err != nil {
			return err
		}
	}
	if err := foreign.ValidateAll(p.Issuers, p.app.Issuer, p.app.InsecureHTTP); err != nil {
		return err
	}
	return p.validate(p.app.Issuer)
}

// ValidateSyntax checks the guard as it is written, for somebody who does not
// have the app yet.
func (p *Protect) ValidateSyntax() error {
	return p.validate("https://issuer.invalid")
}

// start makes the guard. The app calls it once the sites that lead here are known;
// served says whether any site has the issuer's pages.
func (p *Protect) start(sites []string, served bool) error {
	if p.Resource == "" && len(sites) == 0 {
		p.boundary.log.Warn("a guarded site has no address of its own: tokens cannot be made for it alone, and it has no metadata; " +
			"name it with the subdirective resource of oauth2_protect")
	}
	p.sites = sites
	config := p.config(p.app.Issuer)
	config.HideCookies = p.atIssuer()
	config.Resource = resources(p.Resource, sites)
	config.Now, config.Connection = p.app.now, p.connection
	config.Authenticator = p.authenticator()
	guard, err := protect.New(config)
	if err != nil {
		return fmt.Errorf("oauth2_protect: %w", err)
	}
	if err := errors.Join(p.refuseExposed(), p.checkStatements(), p.checkSessions(served)); err != nil {
		return fmt.Errorf("oauth2_protect: %w", err)
	}
	p.guard.Store(guard)
	return nil
}

// identities returns the resources that are guarded, once the app has started.
func (p *Protect) identities() []string {
	if p.Resource != "" {
		return []string{p.Resource}
	}
	return p.sites
}

// ServeHTTP lets a request pass, or refuses it.
func (p *Protect) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	guard := p.guard.Load()
	if guard == nil {
		if err := p.app.gate.wait(r.Context()); err != nil {
			return dress(w, err)
		}
		guard = p.guard.Load()
	}
	return p.boundary.serve(guard, w, r, next)
}

// validate checks the fields, and that they make a guard.
func (p *Protect) validate(issuer string) error {
	for _, accepted := range p.Accept {
		if !slices.Contains(Accepts(), accepted) {
			return fmt.Errorf("accept does not know %q; it takes %s", accepted, strings.Join(Accepts(), ", "))
		}
	}
	if len(p.SessionScopes) > 0 && !p.accepts(AcceptSession) {
		return errors.New("sessions have scopes, and session is not accepted")
	}
	if p.Audience != "" && p.Audience != AudienceStrict {
		return fmt.Errorf("audience %q is unknown: it is %s or left out", p.Audience, AudienceStrict)
	}
	if p.Errors != "" && p.Errors != ErrorsPass {
		return fmt.Errorf("errors %q is unknown: it is %s or left out", p.Errors, ErrorsPass)
	}
	if p.Resource != "" {
		if err := client.ValidateResource(p.Resource); err != nil {
			return fmt.Errorf("resource: %w", err)
		}
	}
	_, err := protect.New(p.config(issuer))
	return err
}

// config is what the guard is made from, but for what only Start knows.
func (p *Protect) config(issuer string) protect.Config {
	config := protect.Config{
		Rows:           p.Rows,
		Issuer:         issuer,
		StrictAudience: p.Audience == AudienceStrict,
		AllowAmbiguous: p.AllowAmbiguous,
		CaseSensitive:  p.CaseSensitive,
		Realm:          p.Realm,
		Challenge:      p.Challenge,
		CORS:           p.CORS,
		PassErrors:     p.Errors == ErrorsPass,
		TrustedPeer:    trustedPeer,
		Original:       originalURI,
		EarlyData:      earlyData,
		Compile:        p.compiled,
		Sign:           p.sign,
		Authenticator:  new(token.Verifier),
		Clients:        allowance{},
	}
	if p.accepts(AcceptBearer) {
		config.Schemes = []string{authz.SchemeBearer}
	}
	p.acceptIssuers(&config)
	p.acceptSessions(&config)
	if p.Bearer != nil {
		config.Bearer = *p.Bearer
	}
	usual := p.Upstream
	if p.rows != nil {
		config.Rows, usual = p.rows, p.usual
	}
	if usual != nil {
		config.Upstream = *usual
	}
	if p.app != nil {
		config.Authenticator, config.Clients = p.app.verifier, allowance{p.app.registry}
		config.Recorder, config.ErrorURI = p.app.recorder, p.app.endpoints.ErrorURI
		config.Page = p.app.refusalPage
	}
	return config
}

// allowance asks the registry what a client may have at present.
type allowance struct{ registry *client.Registry }

// Allowed implements [protect.Clients].
func (a allowance) Allowed(ctx context.Context, id string) (scope.Set, error) {
	c, err := a.registry.Client(ctx, id)
	if errors.Is(err, client.ErrNotFound) {
		return nil, authz.ErrInvalidToken.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return c.Scopes, nil
}

// refusalPage answers a refused request by which a browser opens a page, at its own host.
func (a *App) refusalPage(w http.ResponseWriter, r *http.Request, refusal *authz.Error, uri string) error {
	return a.people.pages.Render(w, r, refusal.Status, pages.Refusal{Status: refusal.Status, Code: refusal.Code, Summary: refusal.Description, More: uri})
}

// trustedPeer reports whether Caddy's trusted_proxies has the request's peer.
func trustedPeer(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// originalURI returns the request target before any rewrite.
func originalURI(r *http.Request) string {
	original, _ := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	return original.RequestURI
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Protect)(nil)
	_ caddy.Validator             = (*Protect)(nil)
	_ caddyhttp.MiddlewareHandler = (*Protect)(nil)
	_ protect.Clients             = allowance{}
)
