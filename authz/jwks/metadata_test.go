// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
)

// Ensure that metadata is looked for where the two standards put it.
func TestPlacesOfMetadata(t *testing.T) {
	for issuer, want := range map[string][]string{
		"https://a.example":            {"https://a.example/.well-known/oauth-authorization-server", "https://a.example/.well-known/openid-configuration"},
		"https://a.example/":           {"https://a.example/.well-known/oauth-authorization-server", "https://a.example/.well-known/openid-configuration"},
		"https://a.example:8443/r/one": {"https://a.example:8443/.well-known/oauth-authorization-server/r/one", "https://a.example:8443/r/one/.well-known/openid-configuration"},
	} {
		if got := metadataOf(issuer); !slices.Equal(got, want) {
			t.Errorf("metadataOf(%q) = %q, want %q", issuer, got, want)
		}
	}
}

// Ensure that an issuer's keys are found by its metadata, at either place, and
// that the metadata of another issuer is of no use.
func TestKeysAreFoundByMetadata(t *testing.T) {
	for name, one := range map[string]struct {
		path, issuer string
		found        bool
	}{
		"RFC 8414":                     {"/.well-known/oauth-authorization-server/realm", "/realm", true},
		"OpenID Connect":               {"/realm/.well-known/openid-configuration", "/realm", true},
		"another issuer":               {"/realm/.well-known/openid-configuration", "/other", false},
		"a slash more":                 {"/realm/.well-known/openid-configuration", "/realm/", false},
		"metadata of the whole server": {"/.well-known/openid-configuration", "/realm", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			key := w.publish("a")
			var issuer *httptest.Server
			issuer = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path != one.path {
					page(http.StatusOK, "<html>not here</html>")(rw, r)
					return
				}
				page(http.StatusOK, fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer.URL+one.issuer, w.source().URL))(rw, r)
			}))
			defer issuer.Close()
			keys := w.cache.Of(Source{Owner: issuer.URL + "/realm", By: fetch.Operator})
			_, err := keys.Verify(t.Context(), w.token(key, "a"))
			if found := err == nil; found != one.found || !found && !errors.Is(err, ErrUnavailable) {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

// Ensure that metadata cannot send us anywhere that its issuer's host is not:
// elsewhere its word is a stranger's (row F01).
func TestMetadataIsAStrangersWord(t *testing.T) {
	for keys, want := range map[string]bool{
		"https://auth.example/keys":     true,
		"https://AUTH.example:444/keys": true,
		"https://keys.example/":         true,
		"https://keys.example:444/":     false,
		"https://10.0.0.1/":             false,
		"http://auth.example/keys":      false,
		"http://127.0.0.1/":             false,
		"file:///etc/passwd":            false,
		"":                              false,
	} {
		body := fmt.Sprintf(`{"issuer":"https://auth.example","jwks_uri":%q}`, keys)
		_, err := readMetadata([]byte(body), Source{Owner: "https://auth.example", By: fetch.Operator})
		if (err == nil) != want {
			t.Errorf("jwks_uri %q: %v", keys, err)
		}
	}
}

// FuzzMetadata ensures that no document makes us panic, or leads where a URL
// may not lead.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://auth.example","jwks_uri":"https://auth.example/keys"}`))
	f.Add([]byte(`{"issuer":"https://auth.example","Issuer":"x","jwks_uri":"https://10.0.0.1/"}`))
	f.Add([]byte(`{"issuer":"https://auth.example","jwks_uri":"https://auth.example@10.0.0.1/"}`))
	f.Add([]byte("\xef\xbb\xbf{}"))
	f.Add([]byte(strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := readMetadata(body, Source{Owner: "https://auth.example", By: fetch.Operator})
		if err == nil && fetch.CheckURL(l.url, l.by) != nil {
			t.Errorf("%q leads to %q", body, l.url)
		}
	})
}
