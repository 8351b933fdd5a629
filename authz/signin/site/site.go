// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// Path is where the issuer's part is, below the prefix of its endpoints.
	Path = "/session"
	// RequestLifetime is how long somebody may take to sign in.
	RequestLifetime = time.Hour
	// TicketLifetime is how long a browser may take from the issuer to the site.
	TicketLifetime = time.Minute
	// MaxReturn is the length in bytes of the longest path and query that a browser
	// comes back to; without its query, or else at the front page, where it is longer.
	MaxReturn = 4096
)

// People knows who is signed in at the issuer. It is safe for concurrent use.
type People interface {
	// SignedIn returns the account that is signed in in the browser that sends r and
	// meets the demand; false when there is none.
	SignedIn(r *http.Request, d Demand) (Account, bool, error)
	// Ask answers with what is missing: the page to sign in at, a second factor. The
	// browser comes back to d.Return.
	Ask(w http.ResponseWriter, r *http.Request, d Demand) error
}

// Demand is what an account must have.
type Demand struct {
	// Site is the site for which somebody signs in, as it may be shown.
	Site string
	// Return is the path and query to come back to.
	Return string
	// Subject is the user; "" is anybody.
	Subject string
	// ACRValues are authentication context classes, one of which will do. Empty: any.
	ACRValues []string
	// Since is when the user must have signed in at the earliest. Zero: any time.
	Since time.Time
}

// Account is somebody who is signed in.
type Account struct {
	// Subject and Session are the ids of user and session.
	Subject, Session string
	// ACR is the authentication context class of the sign-in, and AuthTime when it was.
	ACR      string
	AuthTime time.Time
	// Until is when the session ends if it is not used again.
	Until time.Time
	// Anchors are the generations of store, user and session.
	Anchors []tokenstore.Generation
}

// Config is what a [Service] needs to know. It must not be changed afterwards.
type Config struct {
	// Issuer is the issuer's scheme and host, and Prefix the path below which its
	// endpoints are. Required.
	Issuer, Prefix string
	// Store returns the open store, waiting for it a bounded time. Required.
	Store func(context.Context) (*tokenstore.DB, error)
	// People knows who is signed in. Required.
	People People
	// Guarded reports whether the serving configuration has a guard that accepts
	// sessions at a site. Required.
	Guarded func(site string) bool
	// Page answers what is wrong with a request to the issuer's part, which people
	// see. Required.
	Page func(w http.ResponseWriter, r *http.Request, refusal *authz.Error) error
	// SecretInURL is told of each request in whose answer a ticket is in a URL, which
	// should not be logged. It is called before the answer. Default: nobody is told.
	SecretInURL func(*http.Request)
}

// Service is both ends of the way. It is safe for concurrent use.
type Service struct{ config Config }

// New checks the configuration.
func New(c Config) (*Service, error) {
	if c.Issuer == "" || c.Store == nil || c.People == nil || c.Guarded == nil || c.Page == nil {
		return nil, errors.New("site: Config needs Issuer, Store, People, Guarded and Page")
	}
	if c.SecretInURL == nil {
		c.SecretInURL = func(*http.Request) {}
	}
	return &Service{c}, nil
}

// What people are told.
var (
	errRequest = authz.ErrInvalidRequest.Describe("This link is not complete or has expired. Open the page that you wanted again.")
	errSite    = authz.ErrInvalidRequest.Describe("The site that this link comes from takes no sign-in from here.")
	errBrowser = authz.ErrInvalidRequest.Describe("The sign-in did not begin in this browser, or the browser takes no cookies from this site. Open the page that you wanted again.")
)

// origin returns scheme and host of a site, as browsers know it.
func origin(site string) (origin string, secure bool, err error) {
	u, err := url.Parse(site)
	if err == nil && u.Host == "" {
		err = errors.New("site: a resource without a host")
	}
	if err != nil {
		return "", false, err
	}
	return u.Scheme + "://" + u.Host, u.Scheme == "https", nil
}

// keeper makes handles in the name of a site or, when it comes to that, opens them
// where the browser has no cookie of the site's.
func (s *Service) keeper(secure bool) *handle.Keeper {
	return &handle.Keeper{Store: s.config.Store, Secure: secure}
}

// local makes a request target one that leads nowhere but to the site itself: a path
// that begins with one slash, and a query, of plain characters. Whatever else it is,
// the front page takes its place.
func local(target string) string {
	if path, _, _ := strings.Cut(target, "?"); len(target) > MaxReturn {
		target = path
	}
	plain := func(c rune) bool { return c > ' ' && c < 0x7f && c != '\\' && c != '#' }
	switch {
	case len(target) > MaxReturn, !strings.HasPrefix(target, "/"), strings.HasPrefix(target, "//"):
		return "/"
	case strings.ContainsFunc(target, func(c rune) bool { return !plain(c) }):
		return "/"
	}
	return target
}

// send redirects the browser, which asks anew by GET (RFC 9110 §15.4.4). The address
// is nobody else's business.
func send(w http.ResponseWriter, to string) {
	h := w.Header()
	h.Set("Location", to)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

// trouble is what the store cannot do.
func trouble(err error) error { return authz.ErrTemporarilyUnavailable.Because(err) }

// Interface guards
var _ protect.Visits = (*Service)(nil)
