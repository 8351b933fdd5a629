// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

func rendered(t *testing.T, status int, page ErrorPage) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := RenderError(w, asking("en"), status, page); err != nil {
		t.Fatal(err)
	}
	return w
}

// asking is a request for a page in a language.
func asking(language string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Language", language)
	return r
}

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

// Ensure that a page that stands alone is in the reader's language, but for what only
// exists in English, and says that it depends on that.
func TestPagesThatStandAloneSpeak(t *testing.T) {
	for language, want := range map[string][]string{
		"de-AT, en;q=0.5": {`<html lang="de">`, "Diese Seite ist geschützt", "Was das bedeutet", `<span lang="en">An access token is required.</span>`},
		"fr":              {`<html lang="en">`, "This page is protected", "What this means"},
	} {
		w := httptest.NewRecorder()
		e := authz.ErrCredentialRequired
		if err := RenderRefusal(w, asking(language), RefusalPage{Status: e.Status, Code: e.Code, Summary: e.Description, More: "https://auth.example.com/"}); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("%s: no %q: %s", language, part, w.Body)
			}
		}
		if w.Header().Get("Vary") != "Accept-Language" {
			t.Errorf("Vary: %q", w.Header()["Vary"])
		}
	}
	w := httptest.NewRecorder()
	if err := RenderError(w, asking("de"), http.StatusOK, ErrorPage{Code: "denied", Status: 403, Summary: "No."}); err != nil || !strings.Contains(w.Body.String(), "Prüfen Sie") {
		t.Error(err, w.Body)
	}
}

// Ensure that the page's policy allows its own style sheet, byte for byte, and
// nothing else, and that the page asks for nothing else.
func TestPageLoadsNothing(t *testing.T) {
	w := rendered(t, http.StatusOK, ErrorPage{Code: "denied", Status: 403, Summary: "No."})
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(w.Body.String())
	if style == nil {
		t.Fatal("no style sheet")
	}
	digest := sha256.Sum256([]byte(style[1]))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if got := w.Header().Get("Content-Security-Policy"); got != want {
		t.Errorf("policy\n %s\nwant\n %s", got, want)
	}
	if found := regexp.MustCompile(`(?i)src=|href=|url\(|@import|<script|<link|<form| on[a-z]+=`).FindString(w.Body.String()); found != "" {
		t.Errorf("the page has %q", found)
	}
	for name, value := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Type": "text/html; charset=utf-8"} {
		if w.Header().Get(name) != value {
			t.Errorf("%s: %q", name, w.Header().Get(name))
		}
	}
}

// Ensure that text is text, never markup.
func TestPageEscapes(t *testing.T) {
	const evil = `<script>alert(1)</script>`
	body := rendered(t, http.StatusOK, ErrorPage{Code: "denied", Summary: evil}).Body.String()
	if strings.Contains(body, "<script") || !strings.Contains(body, "&lt;script&gt;") {
		t.Error(body)
	}
}

// Ensure that the page for a code that does not exist shows no code.
func TestPageForAnUnknownCode(t *testing.T) {
	w := rendered(t, http.StatusNotFound, ErrorPage{})
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "no error of that code") || strings.Contains(w.Body.String(), "HTTP status") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Ensure that the page for a refusal says what happened, links to nothing but the
// explanation, and takes text for text.
func TestRefusalPage(t *testing.T) {
	const evil = `<script>alert(1)</script>`
	for status, title := range map[int]string{401: "This page is protected", 403: "You may not open this page", 418: "This page cannot be opened"} {
		w := httptest.NewRecorder()
		if err := RenderRefusal(w, asking("en"), RefusalPage{Status: status, Code: evil, Summary: evil, More: "https://auth.example.com/oauth/errors/denied"}); err != nil {
			t.Fatal(err)
		}
		body := w.Body.String()
		if w.Code != status || !strings.Contains(body, "<h1>"+title+"</h1>") || strings.Contains(body, "<script") ||
			strings.Count(body, "href=") != 1 || !strings.Contains(body, `href="https://auth.example.com/oauth/errors/denied"`) {
			t.Errorf("%d %s", w.Code, body)
		}
	}
	w := httptest.NewRecorder()
	if err := RenderRefusal(w, asking("en"), RefusalPage{Status: 401, Code: "x", More: "javascript:alert(1)"}); err != nil || strings.Contains(w.Body.String(), "javascript:") {
		t.Error(w.Body, err)
	}
}
