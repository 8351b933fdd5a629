// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// tell sends the answer to the client by way of the browser (RFC 6749 §4.1.2),
// with the request's state and the issuer (RFC 9207 §2): exactly as it stands in
// the metadata.
func (a *authorization) tell(fields ...pages.Field) error {
	if a.request.State != "" {
		fields = append(fields, pages.Field{Name: authz.ParamState, Value: a.request.State})
	}
	fields = append(fields, pages.Field{Name: authz.ParamIssuer, Value: a.server.config.Issuer})
	to := a.request.RedirectURI
	switch a.request.Mode {
	case authz.ResponseModeFormPost:
		return a.show(http.StatusOK, pages.FormPost{
			URI: to, Client: pages.Untrusted(a.client.DisplayName()), RedirectHost: pages.HostOf(to), Fields: fields,
		})
	case authz.ResponseModeFragment:
		return a.redirect(to + "#" + encodeFields(fields))
	}
	separator := "?"
	switch { // §3.1.2: a query that is there stays
	case strings.HasSuffix(to, "?") || strings.HasSuffix(to, "&"):
		separator = ""
	case strings.Contains(to, "?"):
		separator = "&"
	}
	return a.redirect(to + separator + encodeFields(fields))
}

// tellError tells the client of an error (RFC 6749 §4.1.2.1). The description never
// holds anything of the request.
func (a *authorization) tellError(e *authz.Error) error {
	return a.tell(pages.Field{Name: authz.ParamError, Value: e.Code}, pages.Field{Name: authz.ParamErrorDescription, Value: e.Description})
}

// encodeFields encodes fields in their order as a form (RFC 6749 appendix B).
func encodeFields(fields []pages.Field) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(f.Name)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(f.Value))
	}
	return b.String()
}

// redirect sends the browser elsewhere by GET, whatever brought it here (RFC 9700
// §4.12).
func (a *authorization) redirect(to string) error {
	h := a.w.Header()
	h.Set("Location", to)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // RFC 9700 §4.2.4
	a.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// show sends a page. That it could not be made is trouble of ours.
func (a *authorization) show(status int, page pages.Page) error {
	if err := a.server.config.Render(a.w, a.r, status, page); err != nil {
		return authz.ErrServer.Because(err)
	}
	return nil
}

// problem tells the person why it does not go on.
func (a *authorization) problem(e *authz.Error) error {
	p := pages.Problem{Code: e.Code, Summary: e.Description}
	if e == errRedirectURI {
		p.Message = pages.MessageRedirect
	}
	if a.client.Client != nil {
		p.Client = pages.Untrusted(a.client.DisplayName())
	}
	return a.show(e.Status, p)
}
