// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// errorAnswer is the body of a refusal (RFC 6749 §5.2).
type errorAnswer struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
	URI         string `json:"error_uri,omitempty"`
}

// answer writes v as JSON that nobody may keep (RFC 6749 §5.1).
func answer(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return authz.ErrServer.Because(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A client that hangs up is no trouble of ours.
	_, _ = w.Write(body)
	return nil
}

// refuse answers an error that is the request's fault, and returns one that is ours.
func (s *Server) refuse(w http.ResponseWriter, err error) error {
	var e *authz.Error
	if !errors.As(err, &e) {
		return authz.ErrTemporarilyUnavailable.Because(err)
	}
	if e.Status >= http.StatusInternalServerError {
		return e
	}
	if e.Status == http.StatusUnauthorized {
		// RFC 6749 §5.2: the challenge matches the scheme that clients use.
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Basic realm="%s", charset="UTF-8"`, s.config.Issuer))
	}
	if seconds := e.RetrySeconds(); seconds != "" {
		w.Header().Set("Retry-After", seconds)
	}
	return answer(w, e.Status, errorAnswer{e.Code, e.Description, s.ErrorURI(e.Code)})
}

// allowMethods refuses any method but the given ones, naming them
// (RFC 9110 §15.5.6). It reports whether the request may go on; if not, err is
// what the handler returns.
func (s *Server) allowMethods(w http.ResponseWriter, r *http.Request, methods ...string) (ok bool, err error) {
	for _, m := range methods {
		if r.Method == m {
			return true, nil
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return false, s.refuse(w, authz.ErrMethodNotAllowed)
}
