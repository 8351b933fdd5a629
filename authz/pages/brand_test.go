// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// folderOf writes files into a new folder.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func square(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Ensure that a colour that cannot be read is made darker on light pages and
// lighter on dark ones, and that one that can stays as it is.
func TestColoursAreReadable(t *testing.T) {
	for _, text := range []string{"#000000", "#ffffff", "#ffff00", "#2456c4", "#808080", "#ff0000", "#0a7f3f"} {
		c, err := parseColour(text)
		if err != nil || c.String() != text {
			t.Fatal(text, c, err)
		}
		if got := contrast(c, c.on()); got < readable {
			t.Errorf("text on %s has contrast %.2f", text, got)
		}
		for _, surface := range []string{surfaceLight, surfaceDark} {
			ground, err := parseColour(surface)
			if err != nil {
				t.Fatal(err)
			}
			made := c.readableOn(ground)
			if got := contrast(made, ground); got < readable {
				t.Errorf("%s on %s has contrast %.2f", text, surface, got)
			}
			if contrast(c, ground) >= readable && made != c {
				t.Errorf("%s on %s became %s", text, surface, made)
			}
		}
	}
	if got := contrast(colour{}, colour{1, 1, 1}); got != 21 {
		t.Errorf("black on white: %f", got)
	}
}

// Ensure that the stylesheet's own colours can be read on all that they stand on,
// and that the surfaces are those which links are made for.
func TestStylesheetContrast(t *testing.T) {
	light, dark, found := strings.Cut(sheet, "prefers-color-scheme: dark")
	if !found {
		t.Fatal("no dark colours")
	}
	for _, half := range []struct{ css, surface string }{{light, surfaceLight}, {dark, surfaceDark}} {
		variables := map[string]colour{}
		for _, m := range regexp.MustCompile(`--([a-z]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(half.css, -1) {
			c, err := parseColour(m[2])
			if err != nil {
				t.Fatal(err)
			}
			variables[m[1]] = c
		}
		if variables["surface"].String() != half.surface {
			t.Errorf("the surface is %s", variables["surface"])
		}
		for text, grounds := range map[string][]string{
			"text": {"ground", "surface", "sunken"}, "quiet": {"ground", "surface", "sunken"},
			"danger": {"surface", "wrong", "ground"}, "caution": {"warn"}, "good": {"done", "sunken", "surface"},
		} {
			for _, ground := range grounds {
				if got := contrast(variables[text], variables[ground]); got < readable {
					t.Errorf("%s: %s on %s has contrast %.2f", half.surface, text, ground, got)
				}
			}
		}
		// WCAG 2.2, 1.4.11: the outlines of fields.
		if got := contrast(variables["edge"], variables["surface"]); got < 3 {
			t.Errorf("%s: edges have contrast %.2f", half.surface, got)
		}
	}
}

// Ensure that a wrong brand is refused before anything is read.
func TestBrandValidate(t *testing.T) {
	for _, bad := range []Brand{
		{Accent: "red"}, {Accent: "#fff"}, {Accent: "#12345g"}, {AccentDark: "2456c4"}, {Accent: "#-12345"}, {Accent: "#+12345"},
		{Name: "a\nb"}, {Name: "x\u202ey"}, {Name: strings.Repeat("x", MaxName+1)}, {Name: " x"},
		{Logo: "logo.gif"}, {Logo: "logo"}, {LogoDark: "dark.svg"}, {Logo: "a.svg", LogoDark: "b.jpg"},
	} {
		if err := bad.Validate(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	good := Brand{Name: "Größe & Söhne", Accent: "#0A7F3F", AccentDark: "#7fe0a8", Logo: "/x/logo.SVG", LogoDark: "/x/dark.png"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

// Ensure that name, colours and logos appear, the logos from our own host, and
// that a picture that is opened by itself can do nothing.
func TestBrand(t *testing.T) {
	folder := folderOf(t, map[string]string{"logo.svg": `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "dark.png": square(t)})
	s := newSet(t, Config{Brand: Brand{Name: "Ada & Co", Accent: "#ffff00", Logo: filepath.Join(folder, "logo.svg"), LogoDark: filepath.Join(folder, "dark.png")}})
	body := render(t, s, "en", SignedOut{}).Body.String()
	if !strings.Contains(body, "You are signed out – Ada &amp; Co</title>") {
		t.Error(body)
	}
	for what, mediaType := range map[string]string{`<img class="logo" src="([^"]+)" alt="Ada &amp; Co">`: "image/svg+xml", `<source srcset="([^"]+)"`: "image/png"} {
		m := regexp.MustCompile(what).FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("no %s in %s", what, body)
		}
		w := fetch(s, http.MethodGet, m[1])
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != mediaType || !strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %d %v", m[1], w.Code, w.Header())
		}
	}
	if !strings.Contains(body, `<link rel="icon" href="`+string(s.brand.Logo)+`">`) {
		t.Error("the icon is not the logo")
	}
	if w := fetch(newSet(t, Config{}), http.MethodGet, string(newSet(t, Config{}).brand.Icon)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), DefaultAccent) || checkSVG(w.Body.Bytes()) != nil {
		t.Errorf("the icon without a brand: %d %s", w.Code, w.Body)
	}
	css := fetch(s, http.MethodGet, s.css).Body.String()
	if !strings.HasPrefix(css, ":root{--accent:#ffff00;--on-accent:#000000;--link:#") || !strings.Contains(css, "@media (prefers-color-scheme:dark){:root{--accent:#ffff00;") {
		t.Errorf("%.200s", css)
	}
}

// Ensure that a logo that is none, or too large, stops the load and is named.
func TestBadLogo(t *testing.T) {
	folder := folderOf(t, map[string]string{
		"text.svg": "hello", "html.svg": "<html></html>", "fake.png": "<svg/>", "large.svg": "<svg>" + strings.Repeat(" ", MaxLogo) + "</svg>",
	})
	for _, name := range []string{"text.svg", "html.svg", "fake.png", "large.svg", "missing.png", filepath.Base(folder) + ".png"} {
		_, err := New(Config{Prefix: testPrefix, Brand: Brand{Logo: filepath.Join(folder, name)}})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ensure that a template of the folder takes the place of ours, is escaped like
// ours, and that its stylesheet follows ours.
func TestFolder(t *testing.T) {
	folder := folderOf(t, map[string]string{
		"signedout.html": `{{template "card" .}}{{define "title"}}Bye{{end}}{{define "main"}}<h1>Bye from {{brand.Name}}</h1><a href="{{.SignIn}}">again</a>{{end}}`,
		"style.css":      "h1 { color: rebeccapurple }",
		"README.md":      "notes",
	})
	s := newSet(t, Config{Folder: folder, Brand: Brand{Name: "<Ada>"}})
	body := render(t, s, "en", SignedOut{SignIn: "javascript:alert(1)"}).Body.String()
	if !strings.Contains(body, "<h1>Bye from &lt;Ada&gt;</h1>") || strings.Contains(body, "javascript:") {
		t.Error(body)
	}
	if css := fetch(s, http.MethodGet, s.css).Body.String(); !strings.HasSuffix(css, "rebeccapurple }") || !strings.Contains(css, ".single") {
		t.Error("the stylesheet does not follow")
	}
	if s.css == newSet(t, Config{}).css {
		t.Error("another stylesheet has the same address")
	}
}

// Ensure that whatever is wrong with a template is said when it is loaded, with
// file and line.
func TestBrokenFolder(t *testing.T) {
	const head = "{{template \"card\" .}}\n{{define \"title\"}}x{{end}}\n{{define \"main\"}}<h1>x</h1>\n"
	for content, want := range map[string]string{
		head + "{{if}}{{end}}":                                               "signedout.html:4",
		head + "{{.NoSuchField}}{{end}}":                                     "signedout.html:4",
		head + "{{if .SignIn}}\n{{.NoSuchField}}{{end}}{{end}}":              "signedout.html:5",
		head + "{{t \"no.such.text\"}}{{end}}":                               "signedout.html:4",
		head + "{{nosuchfunction}}{{end}}":                                   "signedout.html:4",
		head + "<script>let x = `${ {{.SignIn}} }`</script><a href='{{end}}": "signedout.html",
	} {
		folder := folderOf(t, map[string]string{"signedout.html": content})
		if _, err := New(Config{Prefix: testPrefix, Folder: folder}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), folder) {
			t.Errorf("%q: %v", content, err)
		}
	}
	for name, files := range map[string]map[string]string{
		"chooser.html:1": {"chooser.html": `{{range .Accounts}}{{.NoSuchField}}{{end}}`},
		"problem.html:1": {"problem.html": `{{if not .Code}}{{.NoSuchField}}{{end}}`},
		"singin.html":    {"singin.html": "x"},
		"parts.html":     {"parts.html": "{{"},
		"consent.html":   {"consent.html": strings.Repeat("x", maxSource+1)},
	} {
		if _, err := New(Config{Prefix: testPrefix, Folder: folderOf(t, files)}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Config{Prefix: testPrefix, Folder: filepath.Join(t.TempDir(), "nowhere")}); err == nil {
		t.Error("a folder that does not exist is taken")
	}
}

func fetch(s *Set, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Assets(w, httptest.NewRequest(method, "https://auth.example.com"+path, nil))
	return w
}

// Ensure that assets are kept for ever under their own content's name, that what a
// page of before a reload asks for is served but not kept, and that there is
// nothing else.
func TestAssets(t *testing.T) {
	s := newSet(t, Config{})
	for path, mediaType := range map[string]string{s.css: "text/css; charset=utf-8", s.js: "text/javascript; charset=utf-8"} {
		w := fetch(s, http.MethodGet, path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != mediaType || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Body.Len() == 0 {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		if w := fetch(s, http.MethodHead, path); w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
		if w := fetch(s, http.MethodPost, path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
	if w := fetch(s, http.MethodGet, testPrefix+PathAssets+"000000000000000000000000.css"); w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("of before: %d %v", w.Code, w.Header())
	}
	for _, name := range []string{"", "x", "x.svg", "../signin.html", "page.png"} {
		if w := fetch(s, http.MethodGet, testPrefix+PathAssets+name); w.Code != http.StatusNotFound {
			t.Errorf("%q: %d", name, w.Code)
		}
	}
}
