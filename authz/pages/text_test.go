// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Ensure that text that others chose is shown as one short line without anything
// invisible, so that no two look the same that differ only in that (U11).
func TestU11Untrusted(t *testing.T) {
	for text, want := range map[Untrusted]string{
		"Example Shop":                     "Example Shop",
		"  two \t\r\n lines\u2028 ":        "two lines",
		"gpj.exe\u202egnp":                 "gpj.exegnp",
		"\u2066a\u2069\u200b\u200d\ufeffb": "ab",
		"a\x00\x1b[31mb\u0085c":            "a[31mb c",
		"\u3164\u2800\u115f":               "",
		"x\ufe0f\U000e0101y":               "xy",
		"a" + Untrusted(strings.Repeat("\u0301", 50)) + "b\u0301": "a\u0301\u0301\u0301b\u0301",
		"\xff\xfe":                                "",
		"Größe 漢字 עברית 🙂":                        "Größe 漢字 עברית 🙂",
		Untrusted(strings.Repeat("ä", 100)):       strings.Repeat("ä", 100),
		Untrusted(strings.Repeat("ä", 99) + " ä"): strings.Repeat("ä", 99) + "…",
		Untrusted(strings.Repeat("ä", 101)):       strings.Repeat("ä", 100) + "…",
		Untrusted(strings.Repeat("x", 10_000)):    strings.Repeat("x", 100) + "…",
	} {
		if got := text.String(); got != want {
			t.Errorf("%q: %q", string(text), got)
		}
	}
}

// Ensure that a host is shown whole, and no letter of another script passes for a
// Latin one.
func TestU11Host(t *testing.T) {
	long := strings.Repeat("login.bank.example.", 12) + "evil.example"
	for host, want := range map[Host]string{
		"shop.example.com:8443": "shop.example.com:8443",
		"[::1]":                 "[::1]",
		"com.example.app:":      "com.example.app:",
		"b\u0430nk.example":     "xn--bnk-6cd.example",
		"a\u202eb":              "xn--ab-g4t",
		"a b":                   "a b",
		Host(long):              long,
	} {
		if got := host.String(); got != want {
			t.Errorf("%q: %q, want %q", string(host), got, want)
		}
	}
	body := render(t, newSet(t, Config{}), "en", Consent{RedirectHost: "b\u0430nk.example"}).Body.String()
	if !strings.Contains(body, "<strong>xn--bnk-6cd.example</strong>") {
		t.Error(body)
	}
}

// Row U11: an application on the user's machine has no host to show, whatever it writes
// into its redirect URI.
func TestU11HostOfARedirectURI(t *testing.T) {
	for uri, want := range map[string]string{
		"https://shop.example.com:8443/cb":            "shop.example.com:8443",
		"http://127.0.0.1/cb":                         "127.0.0.1",
		"com.evil.app://accounts.google.com/callback": "com.evil.app:",
		"com.example.app:/callback":                   "com.example.app:",
		"":                                            "",
		"https://%":                                   "",
	} {
		if got := HostOf(uri).String(); got != want {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
}

// Ensure that templates need not think of it: a text is made fit to be shown
// wherever a template writes it.
func TestUntrustedInTemplates(t *testing.T) {
	s := newSet(t, Config{})
	for _, page := range []Page{
		Consent{Client: "Shop\u202e\nX", Owner: "\u200bO"},
		SignIn{Application: "Shop\u202e\nX", Username: "\u202eO"},
		AccountSessions{Sessions: []Session{{Agent: "\u202eO", Applications: []Untrusted{"Shop\u202e\nX"}}}},
		DeveloperDelete{Name: "Shop\u202e\nX\u200bO"},
	} {
		body := render(t, s, "en", page).Body.String()
		if strings.ContainsAny(body, "\u202e\u200b") || !strings.Contains(body, "Shop X") || !strings.Contains(body, "O") {
			t.Errorf("%T: %s", page, body)
		}
	}
}

// FuzzRender gives pages any text and any language.
func FuzzRender(f *testing.F) {
	f.Add("Example Shop", "de-AT, en;q=0.5")
	f.Add("a\u202eb\u200b\x00"+canaries[0], ";;;q=")
	s := newSet(f, Config{})
	f.Fuzz(func(t *testing.T, name, language string) {
		shown := Untrusted(name).String()
		if utf8.RuneCountInString(shown) > MaxShown+1 || strings.ContainsFunc(shown, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) || !utf8.ValidString(shown) {
			t.Fatalf("%q is shown as %q", name, shown)
		}
		w := httptest.NewRecorder()
		page := Consent{Client: Untrusted(name), RedirectHost: Host(name), TermsURI: name, Scopes: []Scope{{Word: name, Optional: true}}, Form: Form{Handle: name}}
		if err := s.Render(w, request(language), http.StatusOK, page); err != nil {
			t.Fatal(err)
		}
		if fault := harm(parse(t, w.Body.String())); fault != "" {
			t.Fatal(fault)
		}
	})
}
