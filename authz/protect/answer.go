// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// refuse answers a request that may not pass, or returns the error where the
// caller answers. The body of the request is not read, so that a client that
// sent "Expect: 100-continue" need not send it.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, d decision) error {
	e := d.refusal
	g.recordRefusal(r, d)
	delete(r.Header, "Authorization") // whatever handles the error must not forward it
	g.hush(r)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if r.ProtoMajor == 1 && r.Header.Get("Expect") != "" {
		// Caddy wraps the body, so that net/http no longer sees that the client
		// has not been asked for it, and would wait for it before it answers.
		h.Set("Connection", "close")
	}
	if challenged(e) {
		h.Set("WWW-Authenticate", g.challenge(r, d.row, e))
	}
	if errors.Is(e, authz.ErrMethodNotAllowed) {
		h.Set("Allow", strings.Join(standardMethods, ", "))
	}
	if e.Status >= http.StatusInternalServerError || g.config.PassErrors {
		return e
	}
	if g.config.Page != nil && navigates(r) {
		return g.config.Page(w, r, e, g.errorURI(e))
	}
	answer := struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		URI         string `json:"error_uri,omitempty"`
	}{e.Code, e.Description, g.errorURI(e)}
	return writeJSON(w, r, e.Status, answer)
}

// recordRefusal tells of a request that may not pass.
func (g *Guard) recordRefusal(r *http.Request, d decision) {
	event := authz.Event{Type: authz.EventDecision, Outcome: authz.Denied, Reason: d.refusal.Code, Took: time.Since(d.start)}
	if d.refusal.Status >= http.StatusInternalServerError {
		event.Outcome = authz.Failed
	}
	g.tell(&event, d.passage)
	g.config.Recorder.Record(r.Context(), event)
}

// challenged reports whether an answer says how to do better with a credential.
func challenged(e *authz.Error) bool {
	return e.Status == http.StatusUnauthorized || errors.Is(e, authz.ErrInsufficientScope) || errors.Is(e, authz.ErrInvalidRequest)
}

// challenge writes WWW-Authenticate (RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1). row
// is nil when no row matched.
func (g *Guard) challenge(r *http.Request, row *entry, e *authz.Error) string {
	var b strings.Builder
	b.WriteString(authz.SchemeBearer)
	attribute := func(name, value string) {
		if value == "" {
			return
		}
		if b.Len() > len(authz.SchemeBearer) {
			b.WriteByte(',')
		}
		b.WriteString(" " + name + `="`)
		for i := range len(value) {
			if c := value[i]; c == '"' || c == '\\' { // RFC 9110 §5.6.4
				b.WriteByte('\\')
				b.WriteByte(c)
			} else if 0x20 <= c && c < 0x7f {
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
	}
	attribute("realm", g.config.Realm)
	if !errors.Is(e, authz.ErrCredentialRequired) { // RFC 6750 §3.1: no code where there was no credential
		attribute(authz.ParamError, e.Code)
		attribute(authz.ParamErrorDescription, e.Description)
		attribute(authz.ParamErrorURI, g.errorURI(e))
	}
	attribute("scope", e.Scope)
	if row != nil && row.Conditions != nil && errors.Is(e, authz.ErrInsufficientUserAuthentication) {
		attribute("acr_values", strings.Join(row.Conditions.ACRValues, " "))
		if age := row.Conditions.MaxAge; age > 0 {
			attribute("max_age", strconv.FormatInt(age, 10))
		}
	}
	attribute("resource_metadata", metadataURL(g.resource(r)))
	for _, a := range g.extra {
		attribute(a.name, a.value)
	}
	return b.String()
}

// navigates reports whether a browser opens a page by the request, for a person
// to read: not a script, and not a picture.
func navigates(r *http.Request) bool {
	if mode := r.Header["Sec-Fetch-Mode"]; len(mode) > 0 && mode[0] != "navigate" || len(r.Header["X-Requested-With"]) > 0 {
		return false
	}
	for _, accept := range r.Header["Accept"] {
		for media := range strings.SplitSeq(accept, ",") {
			if media, _, _ = strings.Cut(media, ";"); strings.EqualFold(strings.TrimSpace(media), "text/html") {
				return true
			}
		}
	}
	return false
}

func (g *Guard) errorURI(e *authz.Error) string {
	if g.config.ErrorURI == nil {
		return ""
	}
	return g.config.ErrorURI(e.Code)
}

// writeJSON writes an answer with its length, and without its body for HEAD.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return authz.ErrServer.Because(err)
	}
	body = append(body, '\n')
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone: there is nobody to tell
	}
	return nil
}
