// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// Paths of this package's own, below the prefix.
const (
	pathFactor = "/signin/factor"
	pathChoose = "/signin/choose"
)

// parameterHandle is the parameter of links between the pages.
const parameterHandle = "handle"

// page is what is at one path. get shows it and changes nothing.
type page struct {
	get, post func(*visit) error
}

// pages are all of them, by their paths below the prefix.
func (s *Service) page(path string) (page, bool) {
	below, ok := strings.CutPrefix(path, s.config.Prefix)
	if !ok {
		return page{}, false
	}
	switch below {
	case pages.PathSignIn:
		return page{(*visit).getSignIn, (*visit).postSignIn}, true
	case pathFactor:
		return page{(*visit).getSignIn, (*visit).postFactor}, true // by itself it is nothing
	case pathChoose:
		return page{(*visit).getChoose, (*visit).postChoose}, true
	case pages.PathSignUp:
		return page{(*visit).getSignUp, (*visit).postSignUp}, s.config.Directory.SignUp()
	case pages.PathSignOut:
		return page{(*visit).getSignOut, (*visit).postSignOut}, true
	case pages.PathPassword:
		return page{(*visit).getPassword, (*visit).postPassword}, true
	}
	return page{}, false
}

// Serves reports whether a path is that of a page.
func (s *Service) Serves(path string) bool {
	_, ok := s.page(path)
	return ok
}

// ServeHTTP serves the pages at which people sign in and out and mind their
// passwords, and hands all other requests to next. Trouble of ours is returned as an
// *authz.Error of status 5xx, and nothing has been written then.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	p, ok := s.page(r.URL.Path)
	if !ok {
		return next(w, r)
	}
	v, err := s.visit(w, r)
	if err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return v.finish(p.get(v))
	case http.MethodPost:
		return p.post(v)
	}
	w.Header().Set("Allow", "GET, HEAD, POST") // RFC 9110 §15.5.6
	return v.problem(authz.ErrMethodNotAllowed)
}

// arrived reads the demand that a link carries. A link without one, or from another
// browser, demands nothing.
func (v *visit) arrived() error {
	text := v.r.URL.Query().Get(parameterHandle)
	if text == "" {
		return nil
	}
	_, err := v.config.Handles.Open(v.r.Context(), v.r, forDemand, text, &v.progress)
	if errors.Is(err, handle.ErrInvalid) {
		return nil
	}
	v.progress = progress{Order: v.progress.Order} // the rest is for the form
	return err
}

// target is where a demand leads back to.
func (s *Service) target(o order) string {
	// Row R23: it was sealed, so it is ours; and still it leads to this host only.
	if len(o.Return) > 0 && o.Return[0] == '/' && !strings.HasPrefix(o.Return, "//") && !strings.ContainsFunc(o.Return, unsafeInPath) {
		return o.Return
	}
	return s.path(pages.PathAccount)
}

// unsafeInPath reports whether browsers read a character as another one, or as none.
func unsafeInPath(r rune) bool { return r <= ' ' || r == '\\' || r > '~' }

// leads reports whether what a demand leads back to may go on to another host.
func (s *Service) leads(o order) bool {
	target := s.target(o)
	for _, own := range []string{pages.PathAccount, pages.PathDeveloper, "/admin", pages.PathPassword} {
		if strings.HasPrefix(target, s.path(own)) {
			return false
		}
	}
	return true
}
