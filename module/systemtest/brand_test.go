// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"html"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// branded is an authorization server with a brand and templates of its own.
const branded = `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		prefix /as
		brand {
			name "Ada & Co"
			accent "#ffff00"
			logo {$BRAND}/logo.svg
		}
		pages {$BRAND}
	}
}

http://localhost:{$PORT} {
	oauth2_server
}
http://api.localhost:{$PORT} {
	oauth2_protect {
		allow /*
	}
	respond ok
}
`

// startBranded runs it, and returns the folder with logo and templates.
func startBranded(t *testing.T) (*gateway, string) {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{
		"logo.svg":       `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 50"><rect width="200" height="50" rx="9" fill="#0a7f3f"/></svg>`,
		"signedout.html": `{{template "card" .}}{{define "title"}}Bye{{end}}{{define "main"}}<h1>Bye from {{brand.Name}}</h1>{{end}}`,
		"style.css":      "h1 {\r\ncolor: rebeccapurple }",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return start(t, branded, "BRAND="+folder), folder
}

// Ensure that pages bear the brand, in the language that the browser prefers, and
// that all they ask for comes from the issuer, to be kept for ever.
func TestBrand(t *testing.T) {
	t.Parallel()
	g, _ := startBranded(t)
	p := newPerson(g)
	p.language = "de-AT,de;q=0.9,en;q=0.5"
	s := p.at("/as/signin").is(http.StatusOK, "Anmelden")
	var assets []string
	for _, source := range []struct{ element, attribute string }{{"link", "href"}, {"script", "src"}, {"img", "src"}} {
		for n := range elements(s.doc, source.element) {
			assets = append(assets, attribute(n, source.attribute))
		}
	}
	if len(assets) != 4 { // stylesheet, icon, script and logo
		t.Fatalf("the page asks for %q", assets)
	}
	for _, path := range assets {
		if !strings.HasPrefix(path, "/as/assets/") {
			t.Fatalf("the page asks for %s", path)
		}
		a := p.at(path)
		if a.status != http.StatusOK || a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
		if strings.HasSuffix(path, ".css") && (!strings.Contains(a.body, "--accent:#ffff00") || !strings.HasSuffix(a.body, "rebeccapurple }")) {
			t.Error("the stylesheet is another's")
		}
	}
	p.language = "en"
	p.at("/as/signout").is(http.StatusOK, "Bye from Ada & Co")
}

// Ensure that brand, stylesheet and templates reach what refuses to open a page too, at
// a site that has none of our files, and the page that explains the error.
func TestBrandOfRefusals(t *testing.T) {
	t.Parallel()
	g, folder := startBranded(t)
	refused := func() answer {
		return g.get("api.localhost", "/x", "Accept: text/html", "Sec-Fetch-Mode: navigate")
	}
	a := refused()
	for _, part := range []string{"This page is protected", `src="data:image/svg+xml;base64,`, "--accent:#ffff00", "rebeccapurple"} {
		if !strings.Contains(html.UnescapeString(a.body), part) {
			t.Errorf("no %q: %d %s", part, a.status, a.body)
		}
	}
	if strings.Contains(a.body, "/as/assets/") {
		t.Errorf("the page asks the site for files that it has not: %s", a.body)
	}
	newPerson(g).at("/as/errors/denied").is(http.StatusOK, "denied")
	own := `{{template "card" .}}{{define "title"}}No{{end}}{{define "main"}}<h1>Ask Ada: {{.Code}}</h1>{{end}}`
	for _, name := range []string{"refusal.html", "errorcode.html"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(own), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.reload(branded); err != nil {
		t.Fatal(err)
	}
	if a := refused(); a.status != http.StatusUnauthorized || !strings.Contains(a.body, "<h1>Ask Ada: credential_required</h1>") {
		t.Errorf("%d %s", a.status, a.body)
	}
	newPerson(g).at("/as/errors/denied").is(http.StatusOK, "Ask Ada: denied")
}

// Ensure that pages cannot be framed, kept, or made to run what is no file of ours,
// and say nothing of where they are to others (security.md U04, U09, U30), and that no origin may
// read them (U26).
func TestU04U26U30PageHeaders(t *testing.T) {
	t.Parallel()
	g, _ := startBranded(t)
	for request, status := range map[string]int{"GET /as/signin": 200, "GET /as/signout": 200, "POST /as/signin": 403} {
		method, path, _ := strings.Cut(request, " ")
		req, err := http.NewRequest(method, g.url("localhost", path), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "https://evil.example")
		s := newPerson(g).send(req)
		if s.status != status {
			t.Errorf("%s: %d", request, s.status)
		}
		policy := s.header.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, directive) {
				t.Errorf("%s: no %s in %q", request, directive, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || s.header.Get("X-Frame-Options") != "DENY" || s.header.Get("Cache-Control") != "no-store" ||
			s.header.Get("Referrer-Policy") != "strict-origin" || s.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", request, s.header)
		}
	}
}

// Ensure that a template which is broken stops the reload, naming file and line, and
// the pages stay as they were; and that one which is mended comes into force.
func TestBrokenTemplateStopsTheReload(t *testing.T) {
	t.Parallel()
	g, folder := startBranded(t)
	page := filepath.Join(folder, "signedout.html")
	write := func(content string) {
		if err := os.WriteFile(page, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("{{template \"card\" .}}\n{{define \"title\"}}x{{end}}\n{{define \"main\"}}<h1>{{.NoSuchField}}</h1>{{end}}")
	err := g.reload(branded)
	if err == nil || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "signedout.html:3") {
		t.Fatalf("the reload: %v", err)
	}
	newPerson(g).at("/as/signout").is(http.StatusOK, "Bye from Ada & Co")
	write(`{{template "card" .}}{{define "title"}}x{{end}}{{define "main"}}<h1>Farewell</h1>{{end}}`)
	g.mustReload(branded)
	newPerson(g).at("/as/signout").is(http.StatusOK, "Farewell")
}
