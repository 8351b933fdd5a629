// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
)

const pushyURI = "https://pushy.example.com/cb"

// push pushes a request of the client "pushy" and returns its name.
func (h *house) push(params string) string {
	h.t.Helper()
	r := h.send("/oauth/par", "pushy", "response_type=code"+params)
	name := r.field("request_uri")
	if r.status != 201 || r.field("expires_in") != "90" || !strings.HasPrefix(name, "urn:ietf:params:oauth:request_uri:co2pr_") || r.header.Get("Cache-Control") != "no-store" {
		h.t.Fatalf("%d %s", r.status, r.body)
	}
	return "client_id=pushy&request_uri=" + escape(name)
}

// A23, A24, P09: of a pushed request only what was pushed counts; it may be opened
// again until it is answered, and is answered once, for its client.
func TestPushedRequest(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	name := h.push("&scope=a&state=pushed" + pkce)
	more := "&scope=b&state=forged&redirect_uri=https://evil.example/&response_mode=fragment&code_challenge_method=S256&code_challenge=" + challengeOf(strings.Repeat("f", 43))
	b.authorize(name).page(t, "opened once", 200)
	page := b.authorize(name + more)
	other := b.authorize(name)
	answer := b.press(page, "allow", "")
	code := answer.code(t, pushyURI+"?code=")
	if !strings.Contains(answer.header.Get("Location"), "state=pushed") {
		t.Error(answer.header)
	}
	if r := h.send("/oauth/token", "pushy", "grant_type=authorization_code&code="+code+"&code_verifier="+verifier); r.status != 200 || r.field("scope") != "a" {
		t.Errorf("%d %s", r.status, r.body)
	}
	b.authorize(name).page(t, "answered", 400)
	b.press(other, "allow", "").page(t, "answered in another window", 400)

	name = h.push("&scope=a" + pkce)
	b.authorize(strings.Replace(name, "pushy", "web", 1)).page(t, "another client", 400)
	b.authorize("client_id=pushy&request_uri=https://pushy.example.com/request.jwt").page(t, "a request somewhere else", 400)
	b.authorize(name+"0").page(t, "another name", 400)
	h.later(91 * time.Second)
	b.authorize(name).page(t, "too late", 400)
}

// Ensure that who has come in time has time to sign in.
func TestPushedRequestOutlivesTheSignIn(t *testing.T) {
	h := newHouse(t)
	b := h.browser("")
	if r := b.authorize(h.push("&scope=a" + pkce)); r.body != "SIGN IN" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	h.later(10 * time.Minute)
	b2 := h.browser("ann")
	for _, u := range b.http.Jar.Cookies(h.request("GET", "/", "").URL) {
		b2.http.Jar.SetCookies(h.request("GET", "/", "").URL, append(b2.http.Jar.Cookies(h.request("GET", "/", "").URL), u))
	}
	b2.press(b2.get(h.demand.Return), "allow", "").code(t, pushyURI)
}

// Ensure that what is wrong is said when it is pushed, and that who must push does.
func TestPushErrors(t *testing.T) {
	h := newHouse(t)
	for params, code := range map[string]string{
		"response_type=code&scope=x" + pkce:                                                        "invalid_scope",
		"response_type=token" + pkce:                                                               "unsupported_response_type",
		"response_type=code":                                                                       "invalid_request",
		"response_type=code&redirect_uri=https://evil.example/" + pkce:                             "invalid_request",
		"response_type=code&request=x" + pkce:                                                      "request_not_supported",
		"response_type=code&request_uri=urn:ietf:params:oauth:request_uri:x" + pkce:                "invalid_request",
		"response_type=code&resource=https://unknown.test/" + pkce:                                 "invalid_target",
		"response_type=code&scope=a&scope=b" + pkce:                                                "invalid_request",
		"response_type=code&acr_values=x" + pkce:                                                   "unmet_authentication_requirements",
		"response_type=code&code_challenge_method=plain&code_challenge=" + strings.Repeat("x", 43): "invalid_request",
	} {
		h.send("/oauth/par", "pushy", params).want(t, params, 400, code)
	}
	h.send("/oauth/par", "machine", "response_type=code"+pkce).want(t, "machine", 400, "unauthorized_client")
	h.do(h.request("POST", "/oauth/par", "client_id=pushy&response_type=code"+pkce)).want(t, "not authenticated", 401, "invalid_client")
	h.send("/oauth/par?x=1", "pushy", "response_type=code"+pkce).want(t, "query", 400, "invalid_request")
	h.do(h.request("GET", "/oauth/par", "")).want(t, "A19", 405, "method_not_allowed")
	h.send("/oauth/par", "pushy", "response_type=code&state="+strings.Repeat("x", 20<<10)+pkce).want(t, "long", 400, "invalid_request")

	b := h.browser("ann")
	b.authorize("client_id=pushy&scope=a"+pkce).refused(t, "the client must push", pushyURI, "invalid_request")
	all := newHouse(t, func(c *endpoint.Config) { c.RequirePAR = true })
	all.browser("ann").authorize("client_id=web&redirect_uri="+escape(webURI)+pkce).refused(t, "all must push", webURI, "invalid_request")
}

// A01, A06, A15, A18, A19, B05, B09: what every other endpoint that takes a form
// refuses, this one does too, before it looks at the request that is pushed.
func TestPushIsStrictAboutForms(t *testing.T) {
	h := newHouse(t)
	good := "response_type=code" + pkce
	h.send("/oauth/par", "pushy", good).want(t, "a good one", 201, "")
	h.send("/oauth/par", "pushy", good+"&client_id=pushy&client_secret="+secret).want(t, "header and body", 400, "invalid_request")
	h.send("/oauth/par", "pushy", good+"&client_assertion=a.b.c").want(t, "header and assertion", 400, "invalid_request")
	h.send("/oauth/par?client_secret="+secret, "pushy", good).want(t, "a secret in the URL", 400, "invalid_request")
	h.send("/oauth/par", "off", good).want(t, "a disabled client", 401, "invalid_client")
	for _, media := range []string{"application/json", "multipart/form-data; boundary=x", "text/plain", ""} {
		h.send("/oauth/par", "pushy", good, header("Content-Type", media)).want(t, "media type "+media, 415, "unsupported_media_type")
	}
	h.send("/oauth/par", "pushy", good, header("Content-Type", "Application/X-WWW-Form-URLEncoded; charset=utf-8")).want(t, "another spelling", 201, "")
	for _, encoding := range []string{"gzip", "deflate", "br"} {
		h.send("/oauth/par", "pushy", good, header("Content-Encoding", encoding)).want(t, "encoding "+encoding, 415, "unsupported_media_type")
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post"} {
		if r := h.do(h.request(method, "/oauth/par", good)); r.status != 405 || r.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, r.status, r.header.Get("Allow"))
		}
	}
	h.send("/oauth/par", "pushy", good+"&x="+strings.Repeat("a", endpoint.MaxBody)).want(t, "too long", 413, "request_too_large")
	for name, framed := range map[string]string{
		"declared": "Content-Length: 10737418240\r\n\r\n",
		"chunked":  fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", endpoint.MaxBody+1, strings.Repeat("a", endpoint.MaxBody+1)),
	} {
		if status := h.raw("POST /oauth/par HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" + framed); status != 413 {
			t.Errorf("%s: %d", name, status)
		}
	}
}
