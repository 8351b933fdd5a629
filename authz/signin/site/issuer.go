// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// ticket is what the store keeps of a ticket, under the digest of its text. It depends
// on what the session depends on.
type ticket struct {
	// Request is the digest of the handle that it was given for, in which are the site
	// and the browser.
	Request  [sha256.Size]byte `cbor:"1,keyasint"`
	Subject  string            `cbor:"2,keyasint"`
	Session  string            `cbor:"3,keyasint"`
	ACR      string            `cbor:"4,keyasint,omitempty"`
	AuthTime int64             `cbor:"5,keyasint"` // in seconds since 1970
	Until    int64             `cbor:"6,keyasint"` // in seconds since 1970
}

// Serves reports whether a path is that of the issuer's part.
func (s *Service) Serves(path string) bool { return path == s.config.Prefix+Path }

// ServeHTTP serves the issuer's part and hands all other requests to next. What is
// wrong with a request is answered with a page. Trouble is returned as an
// *[authz.Error] of status 5xx, and nothing has been written then.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	if !s.Serves(r.URL.Path) {
		return next(w, r)
	}
	err := s.answer(w, r)
	var refusal *authz.Error
	if errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError {
		w.Header().Set("Cache-Control", "no-store")
		return s.config.Page(w, r, refusal)
	}
	return err
}

// answer gives whoever is signed in a ticket for the site that they come from.
func (s *Service) answer(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		return authz.ErrMethodNotAllowed
	}
	text, err := single(r, authz.ParamRequest)
	if err != nil {
		return err
	}
	began, err := s.open(r, text)
	if err != nil {
		return err
	}
	address, _, err := origin(began.Site)
	if err != nil || !s.config.Guarded(began.Site) {
		return errSite
	}
	_, host, _ := strings.Cut(address, "://")
	d := Demand{Site: host, Return: r.URL.RequestURI(), Subject: began.Subject, ACRValues: began.ACRValues, Since: began.since()}
	account, ok, err := s.config.People.SignedIn(r, d)
	if err != nil {
		return err
	}
	var raw string
	if ok {
		raw, err = s.issue(r, account, text)
	}
	switch {
	case !ok, errors.Is(err, tokenstore.ErrConflict): // the session has just ended
		return s.config.People.Ask(w, r, d)
	case err != nil:
		return trouble(err)
	}
	s.config.SecretInURL(r)
	send(w, address+authz.PathSiteSession+"?"+url.Values{authz.ParamTicket: {raw}, authz.ParamRequest: {text}}.Encode())
	return nil
}

// issue makes a ticket. It leaves the server only once it is stored.
func (s *Service) issue(r *http.Request, a Account, request string) (raw string, err error) {
	db, err := s.config.Store(r.Context())
	if err != nil {
		return "", err
	}
	raw = token.New(token.Ticket)
	change := db.NewChange()
	change.Create(ticketKey(raw), &ticket{
		Request: digest(request), Subject: a.Subject, Session: a.Session,
		ACR: a.ACR, AuthTime: a.AuthTime.Unix(), Until: a.Until.Unix(),
	}, db.Now().Add(TicketLifetime), a.Anchors...)
	_, err = db.Commit(r.Context(), change)
	return raw, err
}

// ticketKey is where the record of a ticket is.
func ticketKey(raw string) tokenstore.Key {
	id := token.Digest(raw)
	return tokenstore.NewKey("", tokenstore.KindTicket, string(id[:]))
}

// single returns the one value of a parameter.
func single(r *http.Request, name string) (string, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if values := query[name]; err == nil && len(values) == 1 && values[0] != "" {
		return values[0], nil
	}
	return "", errRequest
}

// handleError makes an answer of an error of a keeper's.
func handleError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, handle.ErrInvalid):
		return errRequest
	}
	return trouble(err)
}
