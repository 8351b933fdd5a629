// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import "net/http"

// ErrorPage is the content of the page that explains an error code and says what
// to do about it, in words of the catalogue.
type ErrorPage struct {
	// Code is the error code, one of authz.Errors(), or "" on the page for a code
	// that does not exist.
	Code string
	// Status is the HTTP status that comes with the code.
	Status int
	// Summary is the error's own sentence, in English.
	Summary string
}

func (ErrorPage) template() string { return "error" }

func (p ErrorPage) title() (key, text string) {
	if p.Code == "" {
		return "error.unknown.title", ""
	}
	return "", p.Code
}

// RenderError writes the page with the given status, in the language that the
// request prefers. Nothing has been written when it returns an error: there is one
// for a code without an explanation.
func RenderError(w http.ResponseWriter, r *http.Request, status int, page ErrorPage) error {
	return write(w, r, status, page)
}
