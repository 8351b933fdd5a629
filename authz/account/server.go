// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Config is what a [Server] needs to know. It must not be changed afterwards.
type Config struct {
	// Issuer is the server's identifier, Origin its scheme and host as browsers
	// write them. Both are required.
	Issuer, Origin string
	// Prefix is the path below which the pages are. Required.
	Prefix string
	// Name is what authenticator apps call this server. Default: its host.
	Name string
	// Store returns the open store, waiting for it a bounded time. Required.
	Store func(context.Context) (*tokenstore.DB, error)
	// SignIn knows who is signed in, and asks people to. Required.
	SignIn *signin.Service
	// Users knows all users. Required.
	Users *user.Directory
	// Passkeys judges passkeys. nil: none are offered.
	Passkeys *factor.Passkeys
	// Handles binds forms to browsers. Required.
	Handles *handle.Keeper
	// Render writes a page. Required.
	Render func(w http.ResponseWriter, r *http.Request, status int, page pages.Page) error
	// Clients are the registered clients. Required.
	Clients *client.Registry
	// ScopeTexts are what the declared scopes permit, in words for people, or "".
	ScopeTexts map[string]string
	// SelfService says who may register clients, and which.
	SelfService SelfService
	// AdminGroup is the group whose members administer. "": the pages for that are off.
	AdminGroup string
	// Keys are the signing and sealing keys, for administrators. nil: there is no
	// page for them.
	Keys Keys
	// LastUsed is when a client was last used for a user, or, for subject "", at all;
	// the zero time if that is not known. Default: nothing is known.
	LastUsed func(ctx context.Context, client, subject string) (time.Time, error)
	// EarlyData reports whether a request came as TLS early data, which can be
	// replayed (RFC 8470). Default: none does.
	EarlyData func(*http.Request) bool
	// Recorder is told what happens. Default: authz.Discard.
	Recorder authz.Recorder
}

// Keys are the keys of the server.
type Keys interface {
	// List returns what may be shown of them.
	List(ctx context.Context) ([]pages.AdminKeyRow, error)
	// Rotate brings in a new key for each purpose that signs. actor is who wants it so.
	// Errors: [ErrKeys], or trouble.
	Rotate(ctx context.Context, actor string) error
}

// Server serves the pages. It is safe for concurrent use.
type Server struct {
	config Config
	pages  map[string]*page
}

// New checks the configuration and returns a server for it. It opens and reads
// nothing.
func New(c Config) (*Server, error) {
	if c.Issuer == "" || c.Origin == "" || c.Prefix == "" || c.Store == nil || c.SignIn == nil || c.Users == nil ||
		c.Handles == nil || c.Render == nil || c.Clients == nil {
		return nil, errors.New("account: Config needs Issuer, Origin, Prefix, Store, SignIn, Users, Handles, Render and Clients")
	}
	if err := c.SelfService.Validate(); err != nil {
		return nil, err
	}
	if c.SelfService.Limit == 0 {
		c.SelfService.Limit = DefaultOwned
	}
	if c.Name == "" {
		c.Name = hostOf(c.Origin)
	}
	if c.LastUsed == nil {
		c.LastUsed = func(context.Context, string, string) (time.Time, error) { return time.Time{}, nil }
	}
	if c.EarlyData == nil {
		c.EarlyData = func(*http.Request) bool { return false }
	}
	if c.Recorder == nil {
		c.Recorder = authz.Discard
	}
	s := &Server{config: c, pages: map[string]*page{}}
	s.accountPages()
	s.developerPages()
	if c.AdminGroup != "" {
		s.adminPages()
	}
	return s, nil
}

// page is one path: what it shows, and what its buttons do, by [pages.FieldDo].
type page struct {
	path string
	show func(*visit) error
	do   map[string]func(*visit) error
	// admin: for administrators only.
	admin bool
	// recent: it opens to those only who proved who they are just now.
	recent bool
}

// add adds a page below the prefix.
func (s *Server) add(p page) {
	p.path = s.config.Prefix + p.path
	s.pages[p.path] = &p
}

// Serves reports whether a path is one of the server's own.
func (s *Server) Serves(path string) bool { return s.pages[path] != nil }

// ServeHTTP serves a request to one of the server's own paths and hands all
// others to next. What is wrong with a request is answered here, with a page.
// Trouble of ours is returned as an *authz.Error of status 5xx, and nothing has
// been written then.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	p := s.pages[r.URL.Path]
	if p == nil {
		return next(w, r)
	}
	v := &visit{Server: s, page: p, w: w, r: r}
	return v.finish(v.serve())
}

// note tells of what happened.
func (s *Server) note(ctx context.Context, e authz.Event) {
	e.Outcome = authz.Allowed
	s.config.Recorder.Record(ctx, e)
}
