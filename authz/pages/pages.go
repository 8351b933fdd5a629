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
	"sync"
)

//go:embed style.css
var style string

//go:embed error.html
var errorHTML string

// policy lets a page use its own style sheet and nothing else: no script, no
// request to anywhere, no frame around it, no form.
var policy = func() string {
	digest := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// alone are the pages that stand alone, in each language. They are read when
// somebody needs the first of them: most gateways never do.
var alone = sync.OnceValues(func() (standing, error) {
	s := standing{}
	var err error
	if s.languages, err = readLanguages(); err != nil {
		return s, err
	}
	for _, l := range s.all {
		t, err := template.New("").Funcs(template.FuncMap{"t": l.say, "lang": func() string { return l.tag }}).Parse(errorHTML)
		if err != nil {
			return s, err
		}
		s.pages = append(s.pages, t)
	}
	return s, nil
})

// standing is the pages that stand alone.
type standing struct {
	languages
	pages []*template.Template // by language
}

// standalone is one of them.
type standalone interface {
	template() string
	// title is the key of its headline among the texts, or "" and the headline itself.
	title() (key, text string)
}

// write writes the page, in the language that the request prefers, only when all of
// it could be made.
func write(w http.ResponseWriter, r *http.Request, status int, page standalone) error {
	s, err := alone()
	if err != nil {
		return err
	}
	i := s.match(r)
	key, title := page.title()
	if key != "" {
		if title, err = s.all[i].say(key); err != nil {
			return err
		}
	}
	data := struct {
		Style template.CSS
		Title string
		Page  any
	}{template.CSS(style), title, page}
	var body bytes.Buffer
	if err := s.pages[i].ExecuteTemplate(&body, page.template(), data); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	// A client that hangs up is no trouble of ours.
	_, _ = body.WriteTo(w)
	return nil
}
