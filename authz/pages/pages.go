// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package pages renders the pages that people see. It holds templates and
// Render: no handlers, no logic.
package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
)

//go:embed style.css
var style string

//go:embed error.html
var errorHTML string

//go:embed refusal.html
var refusalHTML string

var templates = func() *template.Template {
	t := template.Must(template.New("error").Parse(errorHTML))
	template.Must(t.New("refusal").Parse(refusalHTML))
	return t
}()

// policy lets a page use its own style sheet and nothing else: no script, no
// request to anywhere, no frame around it, no form.
var policy = func() string {
	digest := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// ErrorPage is the content of the page that explains an error code.
type ErrorPage struct {
	// Code is the error code, or "" on the page for a code that does not exist.
	Code string
	// Status is the HTTP status that comes with the code.
	Status int
	// Summary is the error's own sentence.
	Summary string
	// Help says what to do about it.
	Help string
}

// RenderError writes the page with the given status.
func RenderError(w http.ResponseWriter, status int, page ErrorPage) error {
	return write(w, status, "error", page)
}

// write writes the page only when all of it could be made.
func write(w http.ResponseWriter, status int, name string, page any) error {
	var body bytes.Buffer
	data := struct {
		Style template.CSS
		Page  any
	}{template.CSS(style), page}
	if err := templates.ExecuteTemplate(&body, name, data); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	// A client that hangs up is no trouble of ours.
	_, _ = body.WriteTo(w)
	return nil
}
