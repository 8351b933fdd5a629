// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"image"
	"image/color"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that a QR code is drawn module by module.
func TestQR(t *testing.T) {
	p := image.NewGray(image.Rect(3, 5, 6, 7))
	for x := 3; x < 6; x++ {
		for y := 5; y < 7; y++ {
			p.SetGray(x, y, color.Gray{255})
		}
	}
	p.SetGray(3, 5, color.Gray{0})
	p.SetGray(4, 5, color.Gray{0})
	p.SetGray(5, 6, color.Gray{0})
	if got := drawQR(QRCode(p)); got.Path != "M0 0h2v1h-2zM2 1h1v1h-1z" || got.Side != 2 || got.Size != 10 {
		t.Errorf("%+v", got)
	}
}

// Ensure that a shell takes each word as it is, whatever a developer called things.
func TestCurlSnippetIsQuoted(t *testing.T) {
	p := DeveloperSecret{
		ID: "c-1", Secret: "it's $(id) `id`", RedirectURI: "https://a.example/'$(id)\"?x=1&y=2", AuthMethod: authz.AuthSecretBasic,
		TokenEndpoint: "https://auth.example.com/oauth/token", AuthorizationEndpoint: "https://auth.example.com/oauth/authorize", Scope: "a b",
	}
	text := curl(p)
	out, err := exec.Command("sh", "-c", "curl() { printf '%s\\n' \"$@\"; }\n"+text).Output()
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(string(out), "\n")
	if words[0] != p.TokenEndpoint || words[2] != p.ID+":"+p.Secret || words[6] != "redirect_uri="+p.RedirectURI {
		t.Errorf("%q", words)
	}
	line := strings.Split(text, "\n")[1]
	u, err := url.Parse(strings.TrimPrefix(line, "# "))
	if err != nil || u.Query().Get("redirect_uri") != p.RedirectURI || u.Query().Get("scope") != "a b" {
		t.Errorf("%s: %v", line, err)
	}
	p.AuthMethod = authz.AuthSecretPost
	if text := curl(p); strings.Contains(text, "--user") || !strings.Contains(text, "client_secret=") {
		t.Error(text)
	}
	p.Secret, p.AuthMethod = "", authz.AuthPrivateKeyJWT
	if text := curl(p); strings.Contains(text, "client_secret") || !strings.Contains(text, "-d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \\\n  -d client_assertion=") {
		t.Error(text)
	}
	p.AuthMethod = authz.AuthNone
	if text := curl(p); strings.Contains(text, "client_secret") || !strings.Contains(text, "-d 'client_id=c-1'") {
		t.Error(text)
	}
}

// Ensure that text in the JavaScript is a string, and that it proves who the client
// is in the way it is registered for.
func TestJavaScriptSnippet(t *testing.T) {
	for method, want := range map[string]string{
		authz.AuthSecretBasic: "ClientSecretBasic", authz.AuthSecretPost: "ClientSecretPost", authz.AuthNone: "oauth.None()",
		authz.AuthPrivateKeyJWT: "PrivateKeyJwt({ key, kid",
	} {
		p := DeveloperSecret{ID: "c'\"</script>\n", AuthMethod: method}
		if method == authz.AuthSecretBasic || method == authz.AuthSecretPost {
			p.Secret = "s3cret"
		}
		text := javascript(p)
		if strings.Contains(text, "importKey") != (method == authz.AuthPrivateKeyJWT) {
			t.Errorf("%s: %s", method, text)
		}
		if !strings.Contains(text, want) || !strings.Contains(text, `"c'\"\u003c/script\u003e\n"`) || strings.Contains(text, "s3cret") {
			t.Errorf("%s: %s", method, text)
		}
	}
}
