// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// serveHealth says whether the server can do its work, which is to read and
// write its store: 200, or trouble.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) error {
	if ok, err := s.allowMethods(w, r, http.MethodGet, http.MethodHead); !ok {
		return err
	}
	db, err := s.config.Store(r.Context())
	if err == nil {
		err = db.Ping(r.Context())
	}
	if err != nil {
		return authz.ErrTemporarilyUnavailable.Because(err)
	}
	return answer(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
}

// serveErrorPage explains an error code to the person who met it.
func (s *Server) serveErrorPage(w http.ResponseWriter, r *http.Request, code string) error {
	if ok, err := s.allowMethods(w, r, http.MethodGet, http.MethodHead); !ok {
		return err
	}
	for _, e := range authz.Errors() {
		if e.Code == code {
			return s.config.Render(w, r, http.StatusOK, pages.ErrorCode{Code: code, Status: e.Status, Summary: e.Description})
		}
	}
	return s.config.Render(w, r, http.StatusNotFound, pages.ErrorCode{})
}
