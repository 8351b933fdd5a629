// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strings"
	"testing"
)

// conditional is a configuration of guards that demand more than scopes, share
// with scripts, and have an account of their own at the service.
var conditional = guarded + `
http://cond.localhost:{$PORT} {
	log
	oauth2_protect {
		allow /client/* user {
			claim client_id shop brief
		}
		allow /cel/* {
			expression ` + "`{http.auth.oauth2.client_id} == 'shop' && {path}.startsWith('/cel/a') && !header({'X-Not': '*'}) && {http.auth.user.id} == ''`" + `
		}
		allow /group/* {
			group staff
		}
		allow /recent/* user {
			max_age 5m
			acr urn:two urn:three
		}
		optional /o
		public /p
		allow /own/* {
			upstream {
				header X-Key static {file.` + "{$KEY}" + `}
				header X-Until expires_at
				basic gateway {env.LEGACY_PASSWORD}
			}
		}
		challenge support "mail us"
		cors {
			origins https://app.example.com
			methods DELETE
			max_age 1m
		}
	}
	reverse_proxy {$UPSTREAM}
}
`

// startConditional starts a gateway with that configuration.
func startConditional(t *testing.T) (*gateway, *upstream) {
	u := newUpstream(t)
	g := prepare(t, conditional, u.env(), "LEGACY_PASSWORD=legacy-password")
	g.env = append(g.env, "KEY="+g.write("key", "the-key-at-the-service\n"))
	g.canary("legacy-password")
	g.start()
	return g, u
}

// Ensure that conditions on the principal decide beside scopes: who fails claims,
// groups or an expression is the wrong one, and who signed in too long ago or too
// weakly is asked for more (B7, RFC 9470).
func TestConditionsBesideScopes(t *testing.T) {
	t.Parallel()
	g, u := startConditional(t)
	shop, reporter := g.shopToken("user"), g.token("reporter", reporterSecret)
	wrong := []string{`error="insufficient_scope"`, `support="mail us"`}
	for request, want := range map[string]struct {
		status    int
		challenge []string
	}{
		"/client/x shop":     {200, nil},
		"/client/x reporter": {403, []string{`scope="user"`}}, // scopes come first
		"/cel/a shop":        {200, nil},
		"/cel/b shop":        {403, wrong},
		"/cel/a reporter":    {403, wrong},
		"/cel/a ":            {401, nil},
		"/group/x shop":      {403, wrong},
		"/recent/x shop":     {401, []string{`error="insufficient_user_authentication"`, `acr_values="urn:two urn:three"`, `max_age="300"`, `error_uri="`}},
	} {
		path, who, _ := strings.Cut(request, " ")
		var lines []string
		if who != "" {
			lines = []string{"Authorization: Bearer " + map[string]string{"shop": shop, "reporter": reporter}[who]}
		}
		before := u.count()
		a := g.get("cond.localhost", path, lines...)
		if a.status != want.status || (u.count() > before) != (want.status == 200) {
			t.Errorf("%s: %d %s", request, a.status, a.body)
		}
		for _, part := range want.challenge {
			if !strings.Contains(a.header.Get("WWW-Authenticate"), part) {
				t.Errorf("%s: %s", request, a.header.Get("WWW-Authenticate"))
			}
		}
	}
	if a := g.get("cond.localhost", "/cel/a", "Authorization: Bearer "+shop, "X-Not: x"); a.status != 403 {
		t.Errorf("an expression on a header: %d", a.status)
	}
	out, _ := g.cli(0, "", "explain", "GET", g.url("cond.localhost", "/recent/x"))
	if !strings.Contains(out, "acr urn:two urn:three, max_age 5m0s") {
		t.Error(out)
	}
}

// Ensure that the gateway's own account at the service goes with callers that
// were proved, is not shown by the admin endpoint, and that no client sends one.
// Rows H01 and H11.
func TestOwnAccountAtTheService(t *testing.T) {
	t.Parallel()
	g, u := startConditional(t)
	bearer := "Authorization: Bearer " + g.shopToken("user")
	for _, lines := range forgeries("X-Key") {
		if a := g.get("cond.localhost", "/own/x", append(lines, bearer)...); a.status != http.StatusOK {
			t.Fatalf("%d", a.status)
		}
		h := u.last()
		if got := h.lines("X-Key"); len(got) != 1 || got[0] != "X-Key: the-key-at-the-service" || h.Header.Get("Authorization") != "Basic "+basic("gateway", "legacy-password") || h.Header.Get("X-Until") == "" {
			t.Errorf("%q: %s", lines, h.Raw)
		}
		g.get("cond.localhost", "/p", append(lines, bearer)...)
		if h := u.last(); len(h.lines("X-Key"))+len(h.lines("Authorization")) > 0 {
			t.Errorf("%q on a public row: %s", lines, h.Raw)
		}
	}
	_, config := g.adminRequest("GET", "/config/", nil)
	if text := string(config); strings.Contains(text, "legacy-password") || strings.Contains(text, "the-key-at") || !strings.Contains(text, "{env.LEGACY_PASSWORD}") {
		t.Error("the admin endpoint shows a secret, or no placeholder")
	}
	if strings.Contains(g.logs.String(), "the password stands in the configuration") {
		t.Error("a placeholder is taken for a password")
	}
	g.mustReload(strings.Replace(conditional, "{env.LEGACY_PASSWORD}", "literal-password", 1))
	eventually(t, "the password in the configuration is told of", func() bool {
		return strings.Contains(g.logs.String(), "the password stands in the configuration itself")
	})
	if err := g.reload(strings.Replace(conditional, "{env.LEGACY_PASSWORD}", "{env.NO_SUCH_NAME}", 1)); err == nil || !strings.Contains(err.Error(), "{env.NO_SUCH_NAME} is empty") {
		t.Error(err)
	}
	if err := g.reload(strings.Replace(conditional, "group staff", "expression `1 +`", 1)); err == nil || !strings.Contains(err.Error(), "Syntax error") {
		t.Error(err)
	}
}

// Ensure that scripts of a listed origin get through preflights and can read
// refusals, over the real proxy; and that preflights open nothing.
func TestScriptsOfListedOrigins(t *testing.T) {
	t.Parallel()
	g, u := startConditional(t)
	asked := "Access-Control-Request-Method: DELETE"
	for origin, listed := range map[string]bool{"https://app.example.com": true, "https://evil.example": false} {
		untouched(t, u, func() {
			a := g.request("OPTIONS", "cond.localhost", "/client/x", "", "Origin: "+origin, asked, "Access-Control-Request-Headers: authorization")
			if listed != (a.status == http.StatusNoContent && a.header.Get("Access-Control-Allow-Methods") == "DELETE") || !listed && a.status != http.StatusUnauthorized {
				t.Errorf("preflight from %s: %d %q", origin, a.status, a.header)
			}
			a = g.get("cond.localhost", "/client/x", "Origin: "+origin)
			if a.status != http.StatusUnauthorized || listed != (a.header.Get("Access-Control-Allow-Origin") == origin && a.header.Get("Access-Control-Expose-Headers") == "WWW-Authenticate") {
				t.Errorf("refusal for %s: %d %q", origin, a.status, a.header)
			}
			if strings.Contains(a.raw, "evil") {
				t.Errorf("what was sent comes back: %s", a.raw)
			}
		})
		a := g.get("cond.localhost", "/p", "Origin: "+origin)
		if a.status != http.StatusOK || listed != (len(a.header["Access-Control-Allow-Origin"]) == 1) {
			t.Errorf("answer for %s: %d %q", origin, a.status, a.header)
		}
	}
	for _, site := range []string{"api.localhost", "admin.localhost"} { // nothing is shared unasked
		a := g.request("OPTIONS", site, "/x", "", "Origin: https://app.example.com", asked)
		if a.status != http.StatusUnauthorized || strings.Contains(a.raw, "Access-Control") || strings.Contains(a.raw, "Vary") {
			t.Errorf("%s: %s", site, a.raw)
		}
	}
}

// Ensure that a browser that opens a guarded page gets one to read, with the
// status and the challenge that programs get (B22).
func TestRefusalPageInABrowser(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	const accept = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	page := g.get("api.localhost", "/x", accept, "Sec-Fetch-Mode: navigate")
	program := g.get("api.localhost", "/x")
	if page.status != http.StatusUnauthorized || page.header.Get("WWW-Authenticate") != program.header.Get("WWW-Authenticate") || page.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %q", page.status, page.header)
	}
	if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || !strings.Contains(page.body, "This page is protected") ||
		!strings.Contains(page.body, g.url("localhost", "/oauth/errors/credential_required")) || page.header.Get("Content-Security-Policy") == "" {
		t.Errorf("%q %s", page.header, page.body)
	}
	if !strings.HasPrefix(program.body, `{"error":"credential_required"`) || !strings.HasPrefix(g.get("api.localhost", "/x", accept, "Sec-Fetch-Mode: cors").body, `{"error":`) {
		t.Error("a program, or a script, gets a page")
	}
}
