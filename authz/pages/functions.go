// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// functions are those that templates have beside html/template's own.
func (s *Set) functions(l *catalogue, alone bool) template.FuncMap {
	brand := s.brand
	if alone {
		brand = s.carried
	}
	return template.FuncMap{
		// t is a text of the catalogue; say a message; lang the language.
		"t":    l.say,
		"say":  func(m Message) (string, error) { return l.say("message." + string(m)) },
		"lang": func() string { return l.tag },
		// notice is a message that may come from an address, and "" for one that is none.
		"notice": func(m Message) string { return l.text["message."+string(m)] },
		// problem is a text about an error code: of "title" and "help".
		"problem": func(code, part string) (string, error) {
			if text, err := l.say("problem." + code + "." + part); err == nil {
				return text, nil
			}
			return l.say("problem.other." + part)
		},
		// explained is what an error code means, and "" of one that does not exist.
		"explained": func(code string) string { return l.text["error."+code] },
		// when and iso write a time for people and for the script.
		"when": func(t time.Time) (string, error) {
			layout, err := l.say("when")
			return t.UTC().Format(layout), err
		},
		"iso": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		// local, anchor, web, link and target let only such addresses into attributes as belong there.
		"local":  local,
		"anchor": func(field string) string { return "#" + field },
		"web":    web,
		"link":   link,
		"target": target,
		"path":   func(p string) string { return s.prefix + p },
		"css":    func() string { return s.css },
		"js":     func() string { return s.js },
		"brand":  func() shownBrand { return brand },
		// alone tells pages that carry their style in themselves from those that load it.
		"alone": func() bool { return alone },
		"style": func() template.CSS { return template.CSS(s.style) },
		"here":  func(page Page, names ...string) bool { return slices.Contains(names, page.kind().name) },
		"field": func(p faulty, name, label string, value any, options ...string) (input, error) {
			text, err := l.say(label)
			if err != nil {
				return input{}, err
			}
			i, err := newInput(p, name, text, value, options)
			if err == nil && i.Least > 0 {
				i.Hint, err = l.say("password.least", i.Least)
			}
			return i, err
		},
		// label is what a field is called, and "" where a fault's message says it all.
		"label": func(field string) (string, error) {
			key, ok := labels[field]
			if !ok {
				return "", nil
			}
			return l.say(key)
		},
		// on, hint and least make options of a field.
		"on": func(given any, option string) string {
			if truth, ok := template.IsTrue(given); ok && truth {
				return option
			}
			return ""
		},
		"hint": func(key string) (string, error) {
			text, err := l.say(key)
			return "hint=" + text, err
		},
		"least":    func(characters int) string { return "least=" + strconv.Itoa(characters) },
		"qr":       drawQR,
		"snippets": snippets,
	}
}

// labels are the texts for fields of long forms, where a message alone does not
// say which field it is about.
var labels = map[string]string{
	FieldEmail: "email", FieldName: "name",
	FieldClientName: "client.name", FieldClientURI: "client.uri", FieldLogoURI: "client.logo", FieldPolicyURI: "client.policy",
	FieldTermsURI: "client.terms", FieldRedirectURIs: "client.redirects", FieldContacts: "client.contacts", FieldJWKSURI: "client.jwks",
	FieldGrantTypes: "client.grants", FieldAuthMethod: "client.auth", FieldScope: "client.scopes",
	FieldSoftwareID: "client.software", FieldSoftwareVersion: "client.version",
}

// local passes paths on this host.
func local(path string) (string, error) {
	if path == "" || path[0] == '/' && !strings.HasPrefix(path, "//") && !strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return path, nil
	}
	return "", errors.New("not a path on this host")
}

// web returns an https URL, and "" for everything else.
func web(uri string) string {
	if u, err := url.Parse(uri); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return uri
}

// link returns an http or https URL, and "" for everything else.
func link(uri string) string {
	if _, err := target(uri); err != nil {
		return ""
	}
	return uri
}

// target passes URLs to which a form can be posted.
func target(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", errors.New("a form cannot be posted there")
	}
	return uri, nil
}

// faulty is a page with a form.
type faulty interface{ Fault(field string) *Fault }

// input is a field of a form as the template "field" writes it.
type input struct {
	Name, Label, Type, Autocomplete, Mode string
	Value                                 any
	Required, Focus, Fixed, Lines         bool
	Hint                                  string
	Least                                 int
	Fault                                 *Fault
}

// newInput reads options such as "type=password", "required" and "hint=…".
func newInput(p faulty, name, label string, value any, options []string) (input, error) {
	i := input{Name: name, Label: label, Type: "text", Autocomplete: "off", Value: value, Fault: p.Fault(name)}
	for _, option := range options {
		key, text, _ := strings.Cut(option, "=")
		switch key {
		case "":
		case "type":
			i.Type = text
		case "autocomplete":
			i.Autocomplete = text
		case "mode":
			i.Mode = text
		case "hint":
			i.Hint = text
		case "least":
			n, err := strconv.Atoi(text)
			if err != nil {
				return i, err
			}
			i.Least = n
		case "required":
			i.Required = true
		case "focus":
			i.Focus = true
		case "fixed":
			i.Fixed = true
		case "lines":
			i.Lines = true
		default:
			return i, fmt.Errorf("field %s has no option %q", name, key)
		}
	}
	return i, nil
}

// drawing is a QR code as a path of unit squares. Size is its side with the border.
type drawing struct {
	Side, Size int
	Path       string
}

// quiet is the width of the empty border that QR codes need, in modules.
const quiet = 4

// drawQR draws the modules.
func drawQR(rows [][]bool) drawing {
	var b strings.Builder
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			run := 0
			for x+run < len(row) && row[x+run] {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x, y, run, run)
				x += run
			}
		}
	}
	return drawing{len(rows), len(rows) + 2*quiet, b.String()}
}
