// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package endpoint is the authorization server's HTTP side: the authorization
// endpoint with its consent page, pushed requests, the token, revocation and
// introspection endpoints, published keys, metadata, health, and the pages that
// explain errors.
//
// Each endpoint that takes parameters is a list of named steps. Its answer begins as
// the safest one, and only the last step makes it another: whatever is
// forgotten or fails in between refuses.
package endpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// DefaultPrefix is where the endpoints are unless the configuration says otherwise.
const DefaultPrefix = "/oauth"

// Config is what a [Server] needs to know. It must not be changed afterwards.
type Config struct {
	// Issuer identifies this server: an https URL without query and fragment
	// (RFC 8414 §2); see [ValidateIssuer]. Required.
	Issuer string
	// InsecureHTTP allows an issuer of plain http on a host other than loopback.
	InsecureHTTP bool
	// Prefix is the path below which the endpoints are, on the issuer's host and
	// whatever the issuer's own path. It begins with a slash and does not end
	// with one. Default: [DefaultPrefix].
	Prefix string
	// Clients are the registered clients. Required.
	Clients *client.Registry
	// GrantTypes are those that are on, by their grant_type value.
	GrantTypes map[string]granttype.GrantType
	// Format is that of new access tokens. Default: token.Opaque.
	Format token.Format
	// ClientFormats are the formats that clients may have instead of that one, by the
	// names that [client.Client] has for them.
	ClientFormats map[string]token.Format
	// Formats are those that revocation and introspection know. Default: Format alone.
	Formats []token.Format
	// People knows the users of tokens: introspection calls the token of a user who may
	// not act at present inactive. Default: nobody is asked.
	People token.People
	// Render writes a page for people. Required.
	Render func(w http.ResponseWriter, r *http.Request, status int, page pages.Page) error
	// SignIn knows who is signed in, and has people sign in. Without it there is no
	// authorization endpoint, and no grant type that begins there. What follows up to
	// Refresh is required with it, unless a default is named.
	SignIn SignIn
	// Handles keeps what is between two pages.
	Handles *handle.Keeper
	// ScopeText returns what a scope means to people, "" if that is not said. Default:
	// it is not said of any.
	ScopeText func(word string) string
	// CodeLifetime is how long authorization codes last. 0: granttype.DefaultCodeLifetime.
	CodeLifetime time.Duration
	// RequirePAR takes only authorization requests that were pushed (RFC 9126), of
	// whichever client.
	RequirePAR bool
	// Users knows who may act at present.
	Users Users
	// Refresh is how long refresh tokens last.
	Refresh granttype.RefreshPolicy
	// SigningKeys returns the keys that this server signs with, waiting for the store
	// as Store does. Default: it signs nothing and publishes none.
	SigningKeys func(context.Context) (*keyring.Keyring, error)
	// Signs says that access tokens are signed by configuration, so that the keys
	// are always published. Otherwise they are as soon as there are some.
	Signs bool
	// Keys returns where the keys of those clients are kept that publish them
	// (jwks_uri), waiting for it a bounded time. Default: they cannot be had.
	Keys func(context.Context) (*jwks.Cache, error)
	// Guesses returns where the failures of clients to authenticate are remembered,
	// waiting for it a bounded time. Default: clients may guess as fast as they can.
	Guesses func(context.Context) (*guess.Limits, error)
	// Address returns the address of a request's client: the one that guesses are
	// counted by. Default: the connection's.
	Address func(*http.Request) netip.Addr
	// AssertionsForTokenURL accepts the token endpoint's URL as the audience of
	// clients' assertions, beside the issuer.
	AssertionsForTokenURL bool
	// Store returns the open store, waiting for it a bounded time. Required.
	Store func(context.Context) (*tokenstore.DB, error)
	// Scopes are those that the server declares; they stand in the metadata.
	// What a client may have is registered with the client.
	Scopes scope.Set
	// FilterScopes leaves out scopes that a client asks for but may not have,
	// instead of refusing the request.
	FilterScopes bool
	// Lifetime is that of access tokens, where neither client nor grant type say
	// otherwise. 0: token.DefaultLifetime.
	Lifetime time.Duration
	// Lifetimes are those of access tokens by grant type, where the client does
	// not say otherwise.
	Lifetimes map[string]time.Duration
	// KnownResource reports whether tokens can be issued for a resource. The
	// issuer itself always is one. Default: no other resource is known.
	KnownResource func(resource string) bool
	// EarlyData reports whether a request came as TLS early data, which can be
	// replayed (RFC 8470). Default: none does.
	EarlyData func(*http.Request) bool
	// SecretInURL is told of each request that is refused because of its query, in which
	// a secret may be, and of each that is answered by a redirect with a code: both
	// should not be logged. It is called before the answer. Default: nobody is told.
	SecretInURL func(*http.Request)
	// ErrorURIs maps error codes to pages that explain them. Codes that are not in
	// it get the built-in page.
	ErrorURIs map[string]string
	// Recorder is told what happens. Default: authz.Discard.
	Recorder authz.Recorder
}

// Server serves the endpoints. It is safe for concurrent use.
type Server struct {
	config        Config
	origin        string // scheme and host of the issuer
	authenticator client.Authenticator
	verifier      token.Verifier
	minter        token.Minter
	metadata      []byte
	// metadataWithKeys is the same for a server that has signed something.
	metadataWithKeys []byte
	routes           map[string]route
}

// Where the endpoints are that are named elsewhere too, below the prefix.
const (
	pathToken     = "/token"
	pathAuthorize = "/authorize"
	pathConsent   = "/consent"
	pathPush      = "/par"
)

// route serves one path.
type route func(http.ResponseWriter, *http.Request) error

// New checks the configuration and returns a server for it. It opens and reads
// nothing.
func New(c Config) (*Server, error) {
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.Format == nil {
		c.Format = token.Opaque{}
	}
	if len(c.Formats) == 0 {
		c.Formats = []token.Format{c.Format}
	}
	if c.Lifetime == 0 {
		c.Lifetime = token.DefaultLifetime
	}
	if c.Address == nil {
		c.Address = connectionAddress
	}
	if c.KnownResource == nil {
		c.KnownResource = func(string) bool { return false }
	}
	if c.EarlyData == nil {
		c.EarlyData = func(*http.Request) bool { return false }
	}
	if c.SecretInURL == nil {
		c.SecretInURL = func(*http.Request) {}
	}
	if c.Recorder == nil {
		c.Recorder = authz.Discard
	}
	if c.CodeLifetime == 0 {
		c.CodeLifetime = granttype.DefaultCodeLifetime
	}
	if c.ScopeText == nil {
		c.ScopeText = func(string) string { return "" }
	}
	if c.SignIn == nil {
		c.GrantTypes = maps.Clone(c.GrantTypes)
		delete(c.GrantTypes, authz.GrantAuthorizationCode)
		delete(c.GrantTypes, authz.GrantRefreshToken)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:   c,
		origin:   issuer.Scheme + "://" + issuer.Host,
		verifier: token.Verifier{Issuer: c.Issuer, Store: c.Store, Formats: c.Formats},
		minter:   token.Minter{Format: c.Format},
	}
	s.authenticator = client.Authenticator{Clients: c.Clients, Keys: c.Keys, Audience: []string{c.Issuer}}
	if c.AssertionsForTokenURL {
		s.authenticator.Audience = append(s.authenticator.Audience, s.origin+c.Prefix+pathToken)
	}
	s.metadata, s.metadataWithKeys = s.renderMetadata(false), s.renderMetadata(true)
	s.routes = map[string]route{
		c.Prefix + pathToken:     s.form(s.token, s.allowClientOrigin),
		c.Prefix + "/revoke":     s.form(s.revoke, s.allowClientOrigin),
		c.Prefix + "/introspect": s.form(s.introspect, nil),
		c.Prefix + "/health":     s.serveHealth,
	}
	if c.SigningKeys != nil {
		s.routes[c.Prefix+pathKeys] = s.serveKeys(keyring.AccessTokens)
		s.routes[c.Prefix+pathUpstreamKeys] = s.serveKeys(keyring.Identities)
	}
	if c.SignIn != nil {
		s.routes[c.Prefix+pathAuthorize] = s.authorize
		s.routes[c.Prefix+pathConsent] = s.consent
		s.routes[c.Prefix+pathPush] = s.form(s.push, s.allowClientOrigin)
	}
	for _, path := range metadataPaths(issuer.Path) {
		s.routes[path] = s.serveMetadata
	}
	return s, nil
}

func (c *Config) validate() error {
	errs := []error{ValidateIssuer(c.Issuer, c.InsecureHTTP), ValidatePrefix(c.Prefix), client.ValidateLifetime(c.Lifetime)}
	if c.Clients == nil || c.Store == nil || c.Render == nil {
		errs = append(errs, errors.New("endpoint: Config needs Clients, Store and Render"))
	}
	if c.SignIn != nil && (c.Handles == nil || c.Users == nil) {
		errs = append(errs, errors.New("endpoint: Config needs Handles and Users with SignIn"))
	}
	for name, d := range c.Lifetimes {
		if err := client.ValidateLifetime(d); err != nil {
			errs = append(errs, fmt.Errorf("grant type %s: %w", name, err))
		}
	}
	for code, uri := range c.ErrorURIs {
		errs = append(errs, ValidateErrorURI(code, uri))
	}
	return errors.Join(errs...)
}

// ServeHTTP serves a request to one of the server's own paths and hands all
// others to next. What is wrong with a request is answered here, as 4xx in the
// endpoint's own format. Trouble of ours is returned as an *authz.Error of
// status 5xx, and nothing has been written then.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	if serve := s.routes[r.URL.Path]; serve != nil {
		return serve(w, r)
	}
	if code, ok := s.errorPage(r.URL.Path); ok {
		return s.serveErrorPage(w, r, code)
	}
	return next(w, r)
}

// errorPage returns the code that the page at a path explains.
func (s *Server) errorPage(path string) (code string, ok bool) {
	return strings.CutPrefix(path, s.config.Prefix+pages.PathErrors)
}

// Serves reports whether a path is one of the server's own.
func (s *Server) Serves(path string) bool {
	_, ok := s.errorPage(path)
	return ok || s.routes[path] != nil
}

// AsksUsers reports whether a path is one to which browsers are sent, so that their
// users are asked.
func (s *Server) AsksUsers(path string) bool {
	return s.config.SignIn != nil && (path == s.config.Prefix+pathAuthorize || path == s.config.Prefix+pathConsent)
}

// ErrorURI returns the page that explains an error code.
func (s *Server) ErrorURI(code string) string {
	if uri := s.config.ErrorURIs[code]; uri != "" {
		return uri
	}
	return s.origin + s.config.Prefix + pages.PathErrors + url.PathEscape(code)
}

// grantTypes returns the names of the grant types that are on, in order.
func (s *Server) grantTypes() []string {
	return slices.Sorted(maps.Keys(s.config.GrantTypes))
}
