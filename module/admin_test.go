// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// adminConfig is a configuration with a client of its own, a guarded site and a
// store in dir.
func adminConfig(dir string) string {
	return fmt.Sprintf(`{
		"admin": {"disabled": true, "config": {"persist": false}},
		"logging": {"logs": {"default": {"level": "ERROR"}}},
		"apps": {
			"oauth2": {
				"issuer": "https://auth.example.com",
				"scopes": [{"name": "orders:read"}, {"name": "orders:write"}],
				"store": {"module": "bolt", "path": %q},
				"clients": [{"id": "written", "secret": ["written-written-written-written-written"],
					"grant_types": ["client_credentials"], "scopes": ["orders:read"]}]
			},
			"http": {"servers": {"api": {
				"listen": ["127.0.0.1:0"],
				"automatic_https": {"disable": true},
				"routes": [{"match": [{"host": ["api.example.com"]}], "handle": [{
					"handler": "oauth2_protect",
					"resource": "https://api.example.com",
					"rows": [{"verb": "allow", "path": "/orders/*", "requirement": [["orders:read"]]}]
				}]}]
			}}}
		}
	}`, filepath.Join(dir, "tokens.db"))
}

// runCaddy loads a configuration into this process until the test ends.
func runCaddy(t *testing.T, config string) {
	t.Helper()
	if err := caddy.Load([]byte(config), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// adminEndpoint serves the routes of the admin API as Caddy does, on loopback,
// for the configuration in force.
func adminEndpoint(t *testing.T) (address string) {
	t.Helper()
	mux := http.NewServeMux()
	for _, route := range (adminAPI{}).Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			err := route.Handler.ServeHTTP(w, r)
			if err == nil {
				return
			}
			var told caddy.APIError
			if !errors.As(err, &told) {
				told = caddy.APIError{HTTPStatus: http.StatusInternalServerError, Message: err.Error()}
			}
			w.WriteHeader(told.HTTPStatus)
			json.NewEncoder(w).Encode(told)
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// ask sends a request to the admin API.
func ask(t *testing.T, address, method, path, kind, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if w.StatusCode == http.StatusOK && w.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s may be cached", method, path)
	}
	return w.StatusCode, string(text)
}

// Ensure that changes take POST with JSON and nothing else: a page in a browser
// can send no such request to another origin unasked.
func TestChangesTakeJSONByPOST(t *testing.T) {
	runCaddy(t, adminConfig(t.TempDir()))
	address := adminEndpoint(t)
	for _, c := range []struct {
		method, path, kind string
		status             int
	}{
		{"POST", "/oauth2/clients", "", 415},
		{"POST", "/oauth2/clients", "text/plain", 415},
		{"POST", "/oauth2/clients", "application/x-www-form-urlencoded", 415},
		{"POST", "/oauth2/clients", "text/plain; application/json", 415},
		{"POST", "/oauth2/tokens/revoke", "multipart/form-data; boundary=application/json", 415},
		{"GET", "/oauth2/clients/written/remove", "", 405},
		{"GET", "/oauth2/tokens/inspect", "application/json", 405},
		{"GET", "/oauth2/explain", "application/json", 405},
		{"PUT", "/oauth2/clients", "application/json", 405},
		{"DELETE", "/oauth2/clients/written", "application/json", 405},
		{"POST", "/oauth2/stats", "application/json", 405},
		{"HEAD", "/oauth2/keys/rotate", "", 405},
		{"GET", "/oauth2/secrets", "", 404},
		{"GET", "/oauth2/clients/written/secrets", "", 404},
		{"GET", "/oauth2/clients", "", 200},
		{"POST", "/oauth2/tokens/inspect", "application/json; charset=utf-8", 400},
	} {
		if status, answer := ask(t, address, c.method, c.path, c.kind, ""); status != c.status {
			t.Errorf("%s %s as %q: %d, want %d: %s", c.method, c.path, c.kind, status, c.status, answer)
		}
	}
}

// Ensure that a body is one object with known fields and of bounded size, and
// that what is wrong with it is said without repeating a value of it.
func TestBodiesAreStrict(t *testing.T) {
	runCaddy(t, adminConfig(t.TempDir()))
	address := adminEndpoint(t)
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"an unknown field":   {`{"id": "shop", "scope": "canary"}`, 400},
		"two objects":        {`{"id": "shop"} {"id": "canary"}`, 400},
		"garbage behind":     {`{"id": "shop"}canary`, 400},
		"cut short":          {`{"id": "shop", "secret": "canary`, 400},
		"a wrong type":       {`{"id": ["canary"]}`, 400},
		"no duration":        {`{"id": "shop", "access_token_lifetime": "canary"}`, 400},
		"empty":              {``, 400},
		"larger than 64 KiB": {`{"id": "shop", "name": "` + strings.Repeat("canary", 11_000) + `"}`, 413},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := ask(t, address, "POST", "/oauth2/clients", "application/json", c.body)
			if status != c.status {
				t.Errorf("%d, want %d: %s", status, c.status, answer)
			}
			if strings.Contains(answer, "canary") {
				t.Errorf("the answer repeats a value: %s", answer)
			}
		})
	}
	if _, answer := ask(t, address, "GET", "/oauth2/clients", "", ""); strings.Contains(answer, "shop") {
		t.Errorf("a refused request changed something: %s", answer)
	}
}

// Ensure that secrets are handed out on this machine only, as far as can be
// told, and that not knowing refuses.
func TestSecretsStayOnThisMachine(t *testing.T) {
	runCaddy(t, adminConfig(t.TempDir()))
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 2019} }
	for name, c := range map[string]struct {
		at     net.Addr
		status int
	}{
		"loopback":          {tcp("127.0.0.1"), 200},
		"loopback, another": {tcp("127.8.9.1"), 200},
		"loopback, IPv6":    {tcp("::1"), 200},
		"a unix socket":     {&net.UnixAddr{Name: "/run/caddy/admin.sock", Net: "unix"}, 200},
		"a private address": {tcp("10.0.0.7"), 403},
		"a public address":  {tcp("2001:db8::1"), 403},
		"who knows":         {nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			post := func(path, body string) error {
				ctx := context.Background()
				if c.at != nil {
					ctx = context.WithValue(ctx, http.LocalAddrContextKey, c.at)
				}
				r := httptest.NewRequestWithContext(ctx, "POST", path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				r.SetPathValue("id", "shop")
				w := httptest.NewRecorder()
				for pattern, resource := range adminResources {
					if pattern == strings.Replace(path, "/shop/", "/{id}/", 1) {
						return resource.serve(w, r)
					}
				}
				t.Fatalf("no resource at %s", path)
				return nil
			}
			for path, body := range map[string]string{
				"/oauth2/tokens/issue": `{"client": "written"}`,
				"/oauth2/backup":       `{}`,
				"/oauth2/clients":      `{"id": "` + strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", "") + `"}`,
			} {
				err := post(path, body)
				var told caddy.APIError
				switch {
				case c.status == 200 && err != nil:
					t.Errorf("%s: %v", path, err)
				case c.status != 200 && (!errors.As(err, &told) || told.HTTPStatus != c.status):
					t.Errorf("%s: %v, want a refusal", path, err)
				}
			}
			for _, path := range []string{"/oauth2/clients/shop/rotate-secret", "/oauth2/users/shop/reset-link"} {
				// Here there is neither client nor user: on this machine that is what is wrong.
				var told caddy.APIError
				if err := post(path, `{}`); !errors.As(err, &told) || (told.HTTPStatus == 403) != (c.status != 200) {
					t.Errorf("%s: %v", path, err)
				}
			}
		})
	}
}

// Ensure that the API speaks for the configuration in force: none, one, and
// after a reload that failed still the one before (caddy provisions these
// routes before the apps).
func TestTheConfigurationInForceAnswers(t *testing.T) {
	address := adminEndpoint(t)
	dir := t.TempDir()
	runCaddy(t, `{"admin": {"disabled": true, "config": {"persist": false}}}`)
	if status, answer := ask(t, address, "GET", "/oauth2/stats", "", ""); status != 409 || !strings.Contains(answer, "oauth2 {") {
		t.Errorf("without the app: %d %s", status, answer)
	}
	runCaddy(t, adminConfig(dir))
	if status, answer := ask(t, address, "GET", "/oauth2/stats", "", ""); status != 200 {
		t.Errorf("with the app: %d %s", status, answer)
	}
	broken := strings.Replace(adminConfig(dir), `"id": "written"`, `"id": "not written"`, 1)
	if err := caddy.Load([]byte(broken), true); err == nil {
		t.Fatal("a client id with a space is accepted")
	}
	if status, answer := ask(t, address, "GET", "/oauth2/clients/written", "", ""); status != 200 {
		t.Errorf("after a failed reload: %d %s", status, answer)
	}
}

// Ensure that no list takes a cursor of another one, nor a size without bound.
func TestListsTakeOnlyTheirOwnCursors(t *testing.T) {
	runCaddy(t, adminConfig(t.TempDir()))
	address := adminEndpoint(t)
	for _, query := range []string{
		"cursor=" + cursorOut(tokenstore.NewKey("", tokenstore.KindSealed, "")),
		"cursor=" + cursorOut(tokenstore.NewKey("other", tokenstore.KindGrant, "")),
		"cursor=x", "cursor=%00", "limit=0", "limit=-1", "limit=501", "limit=many",
	} {
		if status, answer := ask(t, address, "GET", "/oauth2/grants?"+query, "", ""); status != 400 {
			t.Errorf("%s: %d %s", query, status, answer)
		}
	}
}

// Ensure that trouble is told from faults of the request, and that an error of
// the rooms below tells its public sentence and not its cause.
func TestErrorsGetTheirStatus(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{tokenstore.ErrConflict, 409}, {tokenstore.ErrUnknown, 503}, {tokenstore.ErrUnavailable, 503},
		{context.DeadlineExceeded, 503}, {tokenstore.ErrDamaged, 500}, {errors.New("x"), 500},
		{authz.ErrTemporarilyUnavailable.Because(errors.New("x")), 503},
		{clientError("shop", errors.New("x")), 400}, {clientError("shop", tokenstore.ErrFull), 503},
	} {
		err := adminError(fmt.Errorf("doing it: %w", c.err))
		var told caddy.APIError
		if !errors.As(err, &told) || told.HTTPStatus != c.status {
			t.Errorf("%v: %#v, want %d", c.err, err, c.status)
		}
	}
	err := adminError(authz.ErrInvalidScope.Because(errors.New("canary")))
	if told := err.(caddy.APIError); strings.Contains(told.Message, "canary") {
		t.Errorf("the cause is told: %s", told.Message)
	}
}

// Ensure that no answer but the one that makes it shows a secret, in clear or
// as a digest.
func TestSecretsAreShownOnce(t *testing.T) {
	runCaddy(t, adminConfig(t.TempDir()))
	address := adminEndpoint(t)
	_, answer := ask(t, address, "POST", "/oauth2/clients", "application/json", `{"id": "shop", "grant_types": ["client_credentials"], "scopes": ["orders:read"]}`)
	var made clientSecret
	if err := json.Unmarshal([]byte(answer), &made); err != nil || !strings.HasPrefix(string(made.Secret), "co2cs_") {
		t.Fatalf("%v: %s", err, answer)
	}
	_, answer = ask(t, address, "POST", "/oauth2/tokens/issue", "application/json", `{"client": "shop"}`)
	var token tokenIssued
	if err := json.Unmarshal([]byte(answer), &token); err != nil || token.AccessToken == "" {
		t.Fatalf("%v: %s", err, answer)
	}
	var later bytes.Buffer
	for _, path := range []string{"/oauth2/clients", "/oauth2/clients/shop", "/oauth2/clients/written", "/oauth2/grants", "/oauth2/audit", "/oauth2/stats", "/oauth2/keys"} {
		status, answer := ask(t, address, "GET", path, "", "")
		if status != 200 {
			t.Errorf("%s: %d %s", path, status, answer)
		}
		later.WriteString(answer)
	}
	_, answer = ask(t, address, "POST", "/oauth2/clients/shop/edit", "application/json", `{"name": "Shop"}`)
	later.WriteString(answer)
	for _, secret := range []string{string(made.Secret), string(token.AccessToken), "written-written", "igest"} {
		if strings.Contains(later.String(), secret) {
			t.Errorf("%.12s… is shown again in %s", secret, later.String())
		}
	}
	if !strings.Contains(later.String(), token.Grant) {
		t.Errorf("the grant is nowhere: %s", later.String())
	}
}

// Ensure that no way of printing a document shows a secret in it.
func TestDocumentsHideTheirSecrets(t *testing.T) {
	const canary = "canary"
	for _, document := range []any{
		clientAddition{Secret: canary}, clientSecret{Secret: canary}, secretRotation{Secret: canary},
		tokenIssued{AccessToken: canary}, tokenNamed{canary},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, document); strings.Contains(text, canary) {
				t.Errorf("%T prints with %s as %s", document, verb, text)
			}
		}
	}
}

// Ensure that times in documents are in UTC, and absent when there are none.
func TestTimesInDocuments(t *testing.T) {
	if moment(time.Time{}) != nil {
		t.Error("the zero time is a moment")
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	if got := moment(at); got.Location() != time.UTC || !got.Equal(at) {
		t.Errorf("%v is %v", at, got)
	}
}
