// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that there is a help text for every error code, and for no other.
func TestEveryErrorIsExplained(t *testing.T) {
	codes := map[string]bool{"status": true, "unknown": true, "unknown.title": true}
	for _, e := range authz.Errors() {
		codes[e.Code] = true
		for _, l := range catalogues(t) {
			if help := l.text["error."+e.Code]; len(help) < 40 {
				t.Errorf("%s: %s: %q", l.tag, e.Code, help)
			}
		}
	}
	for key := range catalogues(t)[0].text {
		if code, ok := strings.CutPrefix(key, "error."); ok && !codes[code] {
			t.Errorf("%s is no error code", code)
		}
	}
}

// Ensure that the page for a code explains it in the reader's language, but for what
// only exists in English, and that the one for a code that does not exist shows none.
func TestErrorCode(t *testing.T) {
	s := newSet(t, Config{})
	body := render(t, s, "de", ErrorCode{Code: "denied", Status: 403, Summary: "No."}).Body.String()
	for _, part := range []string{"<h1><code>denied</code></h1>", `<strong>No.</strong>`, "Prüfen Sie", "403"} {
		if !strings.Contains(body, part) {
			t.Errorf("no %q: %s", part, body)
		}
	}
	if body := render(t, s, "en", ErrorCode{}).Body.String(); !strings.Contains(body, "no error of that code") || strings.Contains(body, "HTTP status") {
		t.Error(body)
	}
}

// Ensure that the page for a refusal has its status, says what happened in the reader's
// language, and links to nothing but the explanation.
func TestRefusal(t *testing.T) {
	s := newSet(t, Config{})
	for status, titles := range map[int][2]string{
		401: {"This page is protected", "Diese Seite ist geschützt"}, 403: {"You may not open this page", "Diese Seite dürfen Sie nicht öffnen"}, 418: {"This page cannot be opened", "Diese Seite lässt sich nicht öffnen"},
	} {
		for i, language := range []string{"fr", "de-AT, en;q=0.5"} {
			w := httptest.NewRecorder()
			if err := s.Render(w, request(language), status, Refusal{Status: status, Code: "x", Summary: "No.", More: "http://auth.localhost/oauth/errors/x"}); err != nil {
				t.Fatal(err)
			}
			body := w.Body.String()
			if w.Code != status || !strings.Contains(body, "<h1>"+titles[i]+"</h1>") || !strings.Contains(body, `<span lang="en">No.</span>`) ||
				strings.Count(body, "href=") != 1 || !strings.Contains(body, `href="http://auth.localhost/oauth/errors/x"`) {
				t.Errorf("%d %s", w.Code, body)
			}
		}
	}
	for _, bad := range []string{"javascript:alert(1)", "/oauth/errors/x", "//evil.example", ""} {
		if body := render(t, s, "en", Refusal{Status: 401, Code: "x", More: bad}).Body.String(); strings.Contains(body, "href") {
			t.Errorf("%q: %s", bad, body)
		}
	}
}

// Ensure that a page that is shown at other hosts carries brand, colours and style
// itself: its policy allows them, byte for byte, and nothing else, and it asks for
// nothing else.
func TestRefusalStandsAlone(t *testing.T) {
	folder := folderOf(t, map[string]string{"logo.svg": `<svg xmlns="http://www.w3.org/2000/svg"/>`, "dark.png": square(t), "style.css": "h1 > code {\r\ncolor: rebeccapurple }"})
	brand := Brand{Name: "Ada & Co", Accent: "#0a7f3f", Logo: filepath.Join(folder, "logo.svg"), LogoDark: filepath.Join(folder, "dark.png")}
	for name, s := range map[string]*Set{"plain": newSet(t, Config{}), "branded": newSet(t, Config{Brand: brand, Folder: folder})} {
		w := render(t, s, "en", Refusal{Status: 403, Code: "denied", Summary: "No."})
		body := w.Body.String()
		style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(body)
		if style == nil || style[1] != s.style {
			t.Fatalf("%s: no style sheet: %s", name, body)
		}
		digest := sha256.Sum256([]byte(style[1]))
		want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		if got := w.Header().Get("Content-Security-Policy"); got != want {
			t.Errorf("%s: policy\n %s\nwant\n %s", name, got, want)
		}
		pictures := regexp.MustCompile(`(src|srcset)="data:image/(svg\+xml|svg&#43;xml|png);base64,[A-Za-z0-9+/=&#;]+"`)
		rest := pictures.ReplaceAllString(body, "")
		if found := regexp.MustCompile(`(?i)src=|srcset=|href=|url\(|@import|<script|<link|<form| on[a-z]+=|/oauth`).FindString(rest); found != "" {
			t.Errorf("%s: the page has %q: %s", name, found, rest)
		}
		if got, want := len(pictures.FindAllString(body, -1)), map[string]int{"plain": 0, "branded": 2}[name]; got != want {
			t.Errorf("%s: %d pictures", name, got)
		}
		if name == "branded" && (!strings.Contains(style[1], "--accent:#0a7f3f") || !strings.HasSuffix(style[1], "{\ncolor: rebeccapurple }") || !strings.Contains(body, `alt="Ada &amp; Co"`)) {
			t.Error(body)
		}
	}
}

// Ensure that a large logo is not sent to everybody who is refused: the name is.
func TestRefusalCarriesSmallLogosOnly(t *testing.T) {
	small, large := "<svg/>", "<svg>"+strings.Repeat(" ", maxCarried)+"</svg>"
	folder := folderOf(t, map[string]string{"small.svg": small, "large.svg": large})
	for _, names := range [][2]string{{"large.svg", "small.svg"}, {"small.svg", "large.svg"}} {
		s := newSet(t, Config{Brand: Brand{Name: "Ada", Logo: filepath.Join(folder, names[0]), LogoDark: filepath.Join(folder, names[1])}})
		if body := render(t, s, "en", Refusal{Status: 403}).Body.String(); !strings.Contains(body, `<span class="name">Ada</span>`) || strings.Contains(body, "<img") {
			t.Errorf("%q: %s", names, body)
		}
		if body := render(t, s, "en", ErrorCode{}).Body.String(); !strings.Contains(body, "<img") || !strings.Contains(body, "srcset") {
			t.Errorf("%q: %s", names, body)
		}
	}
}

// Ensure that templates of one's own take the place of these pages too.
func TestFolderReplacesPagesOfErrors(t *testing.T) {
	const template = `{{template "card" .}}{{define "title"}}No{{end}}{{define "main"}}<h1>Ours: {{.Code}}</h1>{{end}}`
	s := newSet(t, Config{Folder: folderOf(t, map[string]string{"errorcode.html": template, "refusal.html": template})})
	for _, page := range []Page{ErrorCode{Code: "denied"}, Refusal{Code: "denied"}} {
		w := httptest.NewRecorder()
		if err := s.Render(w, request("en"), http.StatusForbidden, page); err != nil || !strings.Contains(w.Body.String(), "<h1>Ours: denied</h1>") {
			t.Errorf("%T: %v %s", page, err, w.Body)
		}
	}
	if _, err := New(Config{Prefix: testPrefix, Folder: folderOf(t, map[string]string{"style.css": "h1{} </STYLE><script>"})}); err == nil || !strings.Contains(err.Error(), "style.css") {
		t.Errorf("a style sheet that ends early: %v", err)
	}
}
