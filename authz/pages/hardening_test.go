// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// canaries are texts that would do something if they were taken for markup,
// for a script, or for an address.
var canaries = []string{
	`https://example.com/"'onmouseover="canary()"></textarea></title><script>canary()</script><img src=x onerror=canary()><svg/onload=canary()>`,
	`javascript:canary()`,
}

// eachText calls visit for each text in v, which it may change.
func eachText(v reflect.Value, path string, visit func(path string, text reflect.Value)) {
	switch v.Kind() {
	case reflect.String:
		visit(path, v)
	case reflect.Slice:
		for i := range v.Len() {
			eachText(v.Index(i), path+"[]", visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				eachText(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
			}
		}
	}
}

// Ensure that no text in any field of any page becomes markup, script or a
// dangerous address, whoever chose it (security.md U09). Addresses and messages,
// which nobody chooses, may stop the page instead.
func TestU09CanariesAreText(t *testing.T) {
	s := newSet(t, Config{})
	ours := regexp.MustCompile(`^\.(Form\.|Shell\.Form\.)?(Action|SignUp|SignIn|Choose|Back|Cancel|Done|URI|Message)$|\.(Message|Edit|View|First|Next)$`)
	for _, page := range allPages {
		v := reflect.New(reflect.TypeOf(page)).Elem()
		v.Set(reflect.ValueOf(specimenOf(page)))
		judge := func(path string) (refused error) {
			evil, _ := v.Interface().(Page)
			w := httptest.NewRecorder()
			if err := s.Render(w, request("en"), http.StatusOK, evil); err != nil {
				return err
			}
			if fault := harm(parse(t, w.Body.String())); fault != "" {
				t.Errorf("%T%s: %s", page, path, fault)
			}
			return nil
		}
		for _, canary := range canaries {
			eachText(v, "", func(path string, text reflect.Value) {
				if ours.MatchString(path) {
					usual := text.String()
					text.SetString(canary)
					_ = judge(path)
					text.SetString(usual)
				}
			})
			eachText(v, "", func(path string, text reflect.Value) {
				if !ours.MatchString(path) {
					text.SetString(canary)
				}
			})
			if err := judge(""); err != nil {
				t.Errorf("%T: %v", page, err)
			}
		}
	}
}

// harm says what a document would do beside what ours do.
func harm(d document) string {
	alone := len(all(d.root, "style")) == 1
	if scripts := all(d.root, "script"); alone && len(scripts) != 0 || !alone && (len(scripts) != 1 || text(scripts[0]) != "") {
		return "another script"
	}
	for n := range d.root.Descendants() {
		if n.Type == html.ElementNode && (n.Data == "img" || n.Data == "svg" && !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Val == "qr" })) {
			return "a strange " + n.Data
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				return fmt.Sprintf("%s=%q", a.Key, a.Val)
			}
			if slices.Contains([]string{"href", "src", "action", "formaction"}, a.Key) && strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				return fmt.Sprintf("%s=%q", a.Key, a.Val)
			}
		}
	}
	return ""
}

var (
	action  = regexp.MustCompile(`\{\{-?\s*(.*?)\s*-?\}\}`)
	control = regexp.MustCompile(`^(if|else|end|range|with|template|define|/\*)\b|^/\*`)
	// checked are the only things that may stand in an address.
	checked = regexp.MustCompile(`^(local|path|web|link|target|anchor|css|js)\b|^\.(Logo|LogoDark|Icon)$`)
	marker  = regexp.MustCompile(`§(\d+)§`)
)

// lint says where in a template a text stands that must not stand there (U10).
func lint(source string) []string {
	var faults, outputs []string
	plain := action.ReplaceAllStringFunc(source, func(text string) string {
		inside := action.FindStringSubmatch(text)[1]
		if control.MatchString(inside) {
			return ""
		}
		outputs = append(outputs, inside)
		return fmt.Sprintf("§%d§", len(outputs)-1)
	})
	if found := regexp.MustCompile(`=§`).FindString(plain); found != "" {
		faults = append(faults, "an attribute without quotes")
	}
	tokens := html.NewTokenizer(strings.NewReader(plain))
	within := ""
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return faults
		case html.TextToken:
			m := marker.FindStringSubmatch(string(tokens.Raw()))
			ours := within == "style" && m != nil && m[0] == string(tokens.Raw()) && outputOf(m, outputs) == "style"
			if (within == "script" || within == "style") && m != nil && !ours {
				faults = append(faults, "text inside <"+within+">")
			}
		case html.EndTagToken:
			within = ""
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := tokens.Token()
			within = tag.Data
			for _, a := range tag.Attr {
				if fault := lintAttribute(tag.Data, a, outputs); fault != "" {
					faults = append(faults, fault)
				}
			}
		}
	}
}

// outputOf is the output that a §n§ stands for.
func outputOf(marked []string, outputs []string) string {
	n, err := strconv.Atoi(marked[1])
	if err != nil || n >= len(outputs) {
		return ""
	}
	return outputs[n]
}

// lintAttribute judges one attribute, in which §n§ stands for the nth output.
func lintAttribute(tag string, a html.Attribute, outputs []string) string {
	where := "<" + tag + " " + a.Key + ">"
	switch {
	case strings.Contains(a.Key, "§"):
		return where + ": a made-up attribute"
	case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc", a.Key == "formaction":
		return where + ": such an attribute"
	case !marker.MatchString(a.Val):
	case tag == "meta":
		return where + ": text"
	case slices.Contains([]string{"href", "src", "srcset", "action", "data", "poster", "cite", "ping", "background", "manifest", "xlink:href"}, a.Key):
		m := marker.FindStringSubmatch(a.Val)
		if m[0] != a.Val || !checked.MatchString(outputOf(m, outputs)) {
			return where + ": an address that nobody checked"
		}
	}
	return ""
}

// Ensure that no template puts text where escaping is not enough: into scripts,
// styles, meta data, event handlers, attributes without quotes, or addresses that
// were not checked (U10).
func TestU10TemplatesPutTextOnlyWhereItIsSafe(t *testing.T) {
	files, err := filepath.Glob("templates/*.html")
	if err != nil || len(files) != len(allPages)+len(frames) {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range lint(string(source)) {
			t.Errorf("%s: %s", file, fault)
		}
	}
	for _, bad := range []string{
		`<script>let x = {{.X}}</script>`, `<style>{{.X}}</style>`, `<style>{{style}}{{.X}}</style>`, `<meta content="{{.X}}">`, `<a href="{{.X}}">`, `<p class={{.X}}>`,
		`<a href="/x/{{path .X}}">`, `<p onclick="{{.X}}">`, `<p style="color:{{.X}}">`, `<p {{.X}}="">`, `<img srcset="{{.X}} 2x">`,
	} {
		if len(lint(bad)) == 0 {
			t.Errorf("nothing wrong with %s?", bad)
		}
	}
}

// Ensure that addresses are only those that belong there.
func TestAddresses(t *testing.T) {
	for _, path := range []string{"//evil.example", `/\evil.example`, `/a\b`, "https://evil.example/", "javascript:alert(1)", "/a b", "/a\nb", "x"} {
		if got, err := local(path); err == nil {
			t.Errorf("local(%q) = %q", path, got)
		}
	}
	for _, path := range []string{"", "/", "/oauth/signin?next=%2F", "/ä"} {
		if got, err := local(path); err != nil || got != path {
			t.Errorf("local(%q): %q, %v", path, got, err)
		}
	}
	for _, uri := range []string{"http://example.com/", "javascript:alert(1)", "//example.com", "https://", "data:text/html,x", "https://user@example.com/", "%"} {
		if got := web(uri); got != "" {
			t.Errorf("web(%q) = %q", uri, got)
		}
	}
	for _, uri := range []string{"com.example.app:/cb", "javascript:alert(1)", "/x", "data:x", "https:x"} {
		if got, err := target(uri); err == nil {
			t.Errorf("target(%q) = %q", uri, got)
		}
	}
}
