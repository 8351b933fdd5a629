// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"sync"
)

//go:embed templates/*.html
var embedded embed.FS

// Config is what a [Set] is made of.
type Config struct {
	// Prefix is the path below which all pages and their assets are served, such as
	// "/oauth". It begins with a slash and does not end with one.
	Prefix string
	// Brand is how they look.
	Brand Brand
	// Folder has templates that replace the built-in ones of the same file name, and
	// may have a style.css that follows the built-in one. Default: none.
	Folder string
}

// Validate looks at everything that can be judged without reading a file.
func (c *Config) Validate() error { return c.Brand.Validate() }

// Set is all pages, ready to be rendered. It is safe for concurrent use.
type Set struct {
	prefix  string
	brand   shownBrand
	carried shownBrand // of pages that stand alone
	assets  map[string]asset
	css, js string // paths
	style   string // what is at css
	// alonePolicy is the Content-Security-Policy of pages that stand alone.
	alonePolicy string
	languages   languages
	pages       []map[string]parsed // by language, then by name
}

// parsed is a template that is parsed when it is first needed.
type parsed func() (*template.Template, error)

// New reads the brand's files and the folder. With a folder it tries every template
// once in every language, so that a broken one is found now: the error names file
// and line.
func New(c Config) (*Set, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Set{prefix: c.Prefix, assets: map[string]asset{}}
	sources, err := readSources(c.Folder)
	if err != nil {
		return nil, err
	}
	if err := s.dress(c.Brand); err != nil {
		return nil, err
	}
	s.style = palette(c.Brand) + sheet + sources.style
	s.alonePolicy = alonePolicy(s.style)
	s.css = s.serve("css", "text/css; charset=utf-8", []byte(s.style))
	s.js = s.serve("js", "text/javascript; charset=utf-8", []byte(script))
	if s.languages, err = readLanguages(); err != nil {
		return nil, err
	}
	for _, l := range s.languages.all {
		s.pages = append(s.pages, s.parse(sources, l))
	}
	if c.Folder == "" {
		return s, nil
	}
	return s, s.try(sources)
}

// parse returns all pages in one language, each to be parsed when it is needed.
func (s *Set) parse(from sources, l *catalogue) map[string]parsed {
	frame := func(alone bool) parsed {
		return sync.OnceValues(func() (*template.Template, error) {
			t := template.New("").Funcs(s.functions(l, alone))
			for _, name := range frames {
				if _, err := t.New(name + ".html").Parse(from.text[name]); err != nil {
					return nil, from.fault(name, err)
				}
			}
			return t, nil
		})
	}
	bases := map[bool]parsed{false: frame(false), true: frame(true)}
	pages := make(map[string]parsed, len(allPages))
	for _, page := range allPages {
		name, base := page.kind().name, bases[page.kind().alone]
		pages[name] = sync.OnceValues(func() (*template.Template, error) {
			t, err := base()
			if err != nil {
				return nil, err
			}
			if t, err = t.Clone(); err != nil {
				return nil, err
			}
			if t, err = t.New(name + ".html").Parse(from.text[name]); err != nil {
				return nil, from.fault(name, err)
			}
			return t, nil
		})
	}
	return pages
}

// try renders every page, both with everything in it and with nothing.
func (s *Set) try(from sources) error {
	for i := range s.pages {
		for _, page := range allPages {
			name := page.kind().name
			t, err := s.pages[i][name]()
			if err != nil {
				return err
			}
			for _, specimen := range []Page{page, specimenOf(page)} {
				if err := t.Execute(io.Discard, specimen); err != nil {
					return from.fault(name, err)
				}
			}
		}
	}
	return nil
}

// Render writes a page with the given status, in the language that the request
// prefers. When it returns an error, nothing has been written.
func (s *Set) Render(w http.ResponseWriter, r *http.Request, status int, page Page) error {
	kind := page.kind()
	t, err := s.pages[s.languages.match(r)][kind.name]()
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if err := t.Execute(&body, page); err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Content-Security-Policy", s.policy(kind))
	// RFC 9700 §4.16: for browsers that do not know frame-ancestors.
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// RFC 9700 §4.2.4: no referrer carries the page's address, which may hold a handle
	// or a code, anywhere, our own logs included. With "no-referrer" browsers would say
	// "Origin: null" with our forms, and those that say nothing else of where a form
	// comes from (no Sec-Fetch-Site: before 2023, or by plain HTTP) could send none.
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	// A client that hangs up is no trouble of ours.
	_, _ = body.WriteTo(w)
	return nil
}

// policy is a page's Content-Security-Policy. Browsers hold the redirect that answers
// a form against form-action, and default-src does not stand in for it: where it is
// left out, forms may lead anywhere.
func (s *Set) policy(k kind) string {
	switch {
	case k.alone:
		return s.alonePolicy
	case k.leads:
		return leadingPolicy
	}
	return leadingPolicy + "; form-action 'self'"
}

// leadingPolicy is that of pages whose form may lead away.
const leadingPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// alonePolicy lets a page use the style sheet and the pictures that it carries, and
// nothing else.
func alonePolicy(style string) string {
	digest := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
