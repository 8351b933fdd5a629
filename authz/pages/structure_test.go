// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// document is a parsed page.
type document struct{ root *html.Node }

func parse(t testing.TB, body string) document {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return document{root}
}

// all returns the elements below n of the given names, in order.
func all(n *html.Node, names ...string) []*html.Node {
	var found []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && slices.Contains(names, d.Data) {
			found = append(found, d)
		}
	}
	return found
}

// attribute returns an attribute's value, and whether it is there.
func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// text returns the text below n.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

// everyPage calls check with each sample, each page in which everything is there,
// and each empty one, in both languages.
func everyPage(t *testing.T, check func(t *testing.T, page Page, d document)) {
	s := newSet(t, Config{})
	pages := samples()
	for _, page := range allPages {
		pages = append(pages, named{"empty " + page.kind().name, page}, named{"full " + page.kind().name, specimenOf(page)})
	}
	for _, sample := range pages {
		for _, language := range []string{"en", "de"} {
			t.Run(sample.name+" "+language, func(t *testing.T) {
				check(t, sample.page, parse(t, render(t, s, language, sample.page).Body.String()))
			})
		}
	}
}

// Ensure that every form posts to a path of ours with a handle and says what it is
// to do; only that of form_post goes to the client, and carries nothing of ours.
func TestForms(t *testing.T) {
	everyPage(t, func(t *testing.T, page Page, d document) {
		for _, f := range all(d.root, "form") {
			if method, _ := attribute(f, "method"); method != "post" {
				t.Errorf("method %q", method)
			}
			fields := map[string]bool{}
			for _, i := range all(f, "input", "button", "textarea") {
				name, _ := attribute(i, "name")
				fields[name] = true
				if i.Data == "button" && name != "" && name != FieldDo {
					t.Errorf("a button is called %q", name)
				}
			}
			if _, ok := page.(FormPost); ok {
				if fields[FieldHandle] {
					t.Error("the client gets the handle")
				}
				continue
			}
			if action, _ := attribute(f, "action"); action != "" && !strings.HasPrefix(action, "/") {
				t.Errorf("action %q", action)
			}
			if !fields[FieldHandle] || !fields[FieldDo] {
				t.Errorf("fields %v", fields)
			}
		}
	})
}

// Ensure that every field that people fill in has a label, that everything that
// names another element by its id finds it, that no id is there twice, that nothing is
// headed or labelled by nothing, and that the page says its language, has a title and
// one headline.
func TestAccessibility(t *testing.T) {
	everyPage(t, func(t *testing.T, page Page, d document) {
		ids := map[string]bool{}
		for _, heading := range all(d.root, "h2", "h3") {
			if text(heading) == "" {
				t.Errorf("an empty %s", heading.Data)
			}
		}
		for n := range d.root.Descendants() {
			if label, ok := attribute(n, "aria-label"); ok && strings.TrimSpace(label) == "" {
				t.Errorf("an empty label of %s", n.Data)
			}
			if id, ok := attribute(n, "id"); ok {
				if id == "" || ids[id] {
					t.Errorf("id %q again", id)
				}
				ids[id] = true
			}
		}
		labels := map[string]bool{}
		for _, l := range all(d.root, "label") {
			id, _ := attribute(l, "for")
			if labels[id] = true; !ids[id] || text(l) == "" {
				t.Errorf("label %q for %q", text(l), id)
			}
		}
		for _, i := range all(d.root, "input", "textarea", "select") {
			kind, _ := attribute(i, "type")
			id, _ := attribute(i, "id")
			if _, hidden := attribute(i, "hidden"); kind != "hidden" && !hidden && !labels[id] {
				name, _ := attribute(i, "name")
				t.Errorf("%s %q has no label", i.Data, name)
			}
			if _, ok := attribute(i, "autocomplete"); !ok && kind != "hidden" && kind != "checkbox" && kind != "radio" {
				t.Errorf("%s %q says nothing of autocomplete", i.Data, id)
			}
		}
		for n := range d.root.Descendants() {
			for _, name := range []string{"aria-describedby", "aria-labelledby", "data-copy"} {
				value, _ := attribute(n, name)
				for id := range strings.FieldsSeq(value) {
					if !ids[id] {
						t.Errorf("%s=%q finds nothing", name, id)
					}
				}
			}
			if name, ok := attribute(n, "aria-label"); ok && name == "" {
				t.Errorf("an empty aria-label on %s", n.Data)
			}
		}
		for _, b := range all(d.root, "button", "summary") {
			if text(b) == "" {
				t.Error("a button says nothing")
			}
		}
		if root := all(d.root, "html")[0]; !slices.ContainsFunc(root.Attr, func(a html.Attribute) bool { return a.Key == "lang" && (a.Val == "en" || a.Val == "de") }) {
			t.Error("no language")
		}
		if len(all(d.root, "h1")) != 1 || len(all(d.root, "title")) != 1 || len(all(d.root, "main")) != 1 {
			t.Error("not one headline, title and main part")
		}
	})
}

// Ensure that a faulty field is marked, and refers to its fault and the summary.
func TestFaultsAreTied(t *testing.T) {
	page := PasswordChange{Form: form(PathPassword, Fault{Field: FieldPassword, Message: MessagePasswordWrong}, Fault{Message: MessageSlow}), MinPassword: 10}
	d := parse(t, render(t, newSet(t, Config{}), "en", page).Body.String())
	for _, i := range all(d.root, "input") {
		name, _ := attribute(i, "name")
		invalid, _ := attribute(i, "aria-invalid")
		by, _ := attribute(i, "aria-describedby")
		switch name {
		case FieldPassword:
			if invalid != "true" || by != "password-fault faults" {
				t.Errorf("%s: %q %q", name, invalid, by)
			}
		case FieldNewPassword:
			if invalid != "" || by != "new_password-hint" {
				t.Errorf("%s: %q %q", name, invalid, by)
			}
		}
	}
	by, _ := attribute(all(d.root, "form")[0], "aria-describedby")
	links := all(d.root, "a")
	if to, _ := attribute(links[0], "href"); by != "faults" || to != "#password" {
		t.Errorf("%q %q", by, to)
	}
}

// constants returns the values of this package's string constants whose names
// begin with prefix.
func constants(t *testing.T, prefix string) []string {
	t.Helper()
	var values []string
	for _, file := range []string{"form.go", "message.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, prefix) {
				if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
					values = append(values, constant.StringVal(constant.MakeFromLiteral(literal.Value, literal.Kind, 0)))
				}
			}
			return true
		})
	}
	return values
}

// Ensure that forms use exactly the names of fields and buttons that handlers know.
func TestFieldNames(t *testing.T) {
	names, does := constants(t, "Field"), constants(t, "Do")
	used := map[string]bool{}
	everyPage(t, func(t *testing.T, page Page, d document) {
		if _, ok := page.(FormPost); ok {
			return
		}
		for _, i := range all(d.root, "input", "button", "textarea") {
			name, ok := attribute(i, "name")
			value, _ := attribute(i, "value")
			if used[name] = true; ok && !slices.Contains(names, name) {
				t.Errorf("no constant for the field %q", name)
			}
			if name == FieldDo {
				if used["do "+value] = true; !slices.Contains(does, value) {
					t.Errorf("no constant for the button %q", value)
				}
			}
		}
	})
	for _, name := range names {
		if !used[name] {
			t.Errorf("no page has the field %q", name)
		}
	}
	for _, do := range does {
		if !used["do "+do] {
			t.Errorf("no page has the button %q", do)
		}
	}
}
