// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// Secrets of the Caddyfile clients. They are canaries of every gateway that
// [startGuarded] starts.
const (
	shopSecret     = "shop-secret-0123456789abcdefghijklmnop"
	reporterSecret = "reporter-secret-0123456789abcdefghij"
	briefSecret    = "brief-secret-0123456789abcdefghijklmn"
)

// guarded is the configuration of most tests: an authorization server with three
// clients, one of them with tokens of 3 s, and beside it guarded sites in front of one upstream. admin.localhost
// and open.localhost are the two policies that path attacks are tried against:
// one closes a part, the other opens a part.
const guarded = `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		scope user "Use the service"
		scope admin "Administer the service"
		scope read "Read"
		scope write "Write"
		client shop {
			secret ` + shopSecret + `
			grant_types client_credentials
			scopes user admin read write
		}
		client reporter {
			secret ` + reporterSecret + `
			grant_types client_credentials
			scopes read
		}
		client brief {
			secret ` + briefSecret + `
			grant_types client_credentials
			scopes user
			lifetime 3s
		}
	}
}

http://localhost:{$PORT} {
	oauth2_server
}

http://api.localhost:{$PORT} {
	log
	oauth2_protect {
		allow GET /orders/* read
		allow POST /orders write
		allow /reports/* read write | admin
		optional /catalog/*
		public /health
		deny /internal/*
		allow /* user
	}
	reverse_proxy {$UPSTREAM}
}

http://admin.localhost:{$PORT} {
	log
	oauth2_protect {
		allow /admin/* admin
		allow /* user
	}
	reverse_proxy {$UPSTREAM}
}

http://open.localhost:{$PORT} {
	log
	oauth2_protect {
		public /pub/*
		allow /* user
	}
	reverse_proxy {$UPSTREAM}
}
`

// token is a successful answer of the token endpoint (RFC 6749 §5.1).
type token struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
}

// token asks for a client_credentials token and fails the test without one.
// The token and the secret become canaries. Further parameters come in pairs.
func (g *gateway) token(client, secret string, params ...string) string {
	g.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Add(params[i], params[i+1])
	}
	resp, body := g.post("/oauth/token", client, secret, form)
	if resp.StatusCode != http.StatusOK {
		g.t.Fatalf("no token for %s: %s: %s", client, resp.Status, body)
	}
	var t token
	if err := json.Unmarshal(body, &t); err != nil {
		g.t.Fatalf("token answer: %v", err)
	}
	return g.canary(t.AccessToken)
}

// shopToken returns a token of client shop for a scope, "" for its default.
func (g *gateway) shopToken(scope string) string {
	g.t.Helper()
	if scope == "" {
		return g.token("shop", shopSecret)
	}
	return g.token("shop", shopSecret, "scope", scope)
}

// post sends a form to an endpoint of the authorization server, with HTTP Basic
// client authentication unless client is empty, and returns answer and body.
func (g *gateway) post(path, client, secret string, form url.Values) (*http.Response, []byte) {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodPost, g.url("localhost", path), strings.NewReader(form.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if client != "" {
		req.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(g.canary(secret)))
	}
	return g.do(req)
}

// do sends a request with an ordinary client and returns answer and body.
func (g *gateway) do(req *http.Request) (*http.Response, []byte) {
	g.t.Helper()
	resp, err := g.client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp, body
}

// revoke ends a token as client shop (RFC 7009).
func (g *gateway) revoke(token string) {
	g.t.Helper()
	if resp, body := g.post("/oauth/revoke", "shop", shopSecret, url.Values{"token": {token}}); resp.StatusCode != http.StatusOK {
		g.t.Fatalf("revocation: %s: %s", resp.Status, body)
	}
}

// introspect asks about a token (RFC 7662) and returns the answer's members.
func (g *gateway) introspect(client, secret, token string) map[string]any {
	g.t.Helper()
	resp, body := g.post("/oauth/introspect", client, secret, url.Values{"token": {token}})
	if resp.StatusCode != http.StatusOK {
		g.t.Fatalf("introspection: %s: %s", resp.Status, body)
	}
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		g.t.Fatal(err)
	}
	return members
}

// call sends GET path to a site with a bearer token ("" for none) and returns
// the status.
func (g *gateway) call(host, path, token string) int {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, g.url(host, path), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, _ := g.do(req)
	return resp.StatusCode
}

// adminRequest sends JSON (nil for no body) to the admin endpoint.
func (g *gateway) adminRequest(method, path string, body any) (*http.Response, []byte) {
	g.t.Helper()
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			g.t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequest(method, "http://"+g.admin+path, content)
	if err != nil {
		g.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet && (path == "/load" || strings.HasPrefix(path, "/config/")) {
		defer g.settle()
	}
	return g.do(req)
}

// metrics scrapes Caddy's registry: series (name and labels as printed) → value.
func (g *gateway) metrics() map[string]float64 {
	g.t.Helper()
	_, body := g.adminRequest(http.MethodGet, "/metrics", nil)
	series := map[string]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			g.t.Fatalf("metrics line %q: %v", line, err)
		}
		series[line[:at]] = value
	}
	return series
}

// sum adds up the series of a metric whose labels contain all of labels, each
// written name="value".
func sum(series map[string]float64, name string, labels ...string) float64 {
	var total float64
next:
	for s, value := range series {
		if s != name && !strings.HasPrefix(s, name+"{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(s, label) {
				continue next
			}
		}
		total += value
	}
	return total
}

// startGuarded starts a gateway with the [guarded] configuration in front of a
// new upstream.
func startGuarded(t testing.TB) (*gateway, *upstream) {
	t.Helper()
	u := newUpstream(t)
	g := start(t, guarded, u.env())
	g.canary(shopSecret)
	g.canary(reporterSecret)
	g.canary(briefSecret)
	return g, u
}

// basic returns HTTP Basic credentials with id and secret as they are.
func basic(id, secret string) string {
	return base64.StdEncoding.EncodeToString([]byte(id + ":" + secret))
}

// remember makes a canary of the token in a raw answer of the token endpoint.
func (g *gateway) remember(a answer) string {
	g.t.Helper()
	var t token
	if err := json.Unmarshal([]byte(a.body), &t); err != nil || t.AccessToken == "" {
		g.t.Errorf("no token in answer %d %.200q", a.status, a.body)
		return ""
	}
	return g.canary(t.AccessToken)
}

// addClient adds a client for user's scope to the store and returns its secret.
func (g *gateway) addClient(id string) string {
	g.t.Helper()
	var made struct {
		Secret string `json:"secret"`
	}
	order := map[string]any{"id": id, "scopes": []string{"user"}, "grant_types": []string{"client_credentials"}}
	if err := json.Unmarshal(g.administer("/oauth2/clients", order), &made); err != nil {
		g.t.Fatal(err)
	}
	return g.canary(made.Secret)
}

// administer sends a change to the admin endpoint, which must take it, and
// returns the answer.
func (g *gateway) administer(path string, body any) []byte {
	g.t.Helper()
	resp, answer := g.adminRequest(http.MethodPost, path, body)
	if resp.StatusCode >= 300 {
		g.t.Fatalf("%s: %s: %s", path, resp.Status, answer)
	}
	return answer
}
