// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Ensure that what looks like a placeholder in data that a client or an operator
// gave stays text, wherever it is put later. Row N01.
func TestPlaceholdersInDataAreNeverExpanded(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	const probe = "{env.PROBE}{file.probe}{http.request.header.X-Probe}"
	g := start(t, strings.Replace(guarded, "\t\tclient reporter {\n", "\t\tclient reporter {\n\t\t\tname \""+probe+"\"\n", 1)+`
http://probe.localhost:{$PORT} {
	oauth2_protect {
		allow /*
	}
	header X-Seen "{http.auth.oauth2.client_id} {http.auth.oauth2.scope}"
	reverse_proxy {$UPSTREAM} {
		header_up X-Seen "{http.auth.oauth2.client_id} {http.auth.oauth2.scope}"
	}
}
`, u.env(), "PROBE=expanded-environment")
	g.write("probe", "expanded-file")
	// Clients of such names are refused when they are made.
	for _, id := range []string{"{env.PROBE}", "{http.request.header.X-Probe}"} {
		if resp, _ := g.adminRequest(http.MethodPost, "/oauth2/clients", map[string]any{"id": id, "scopes": []string{"user"}}); resp.StatusCode < 400 {
			t.Errorf("client %s was added", id)
		}
	}
	secret := g.addClient("stored")
	g.administer("/oauth2/clients/stored/edit", map[string]any{"name": probe})
	token := g.token("stored", secret)
	for _, target := range []string{"/x", "/{env.PROBE}", "/x?{env.PROBE}={http.request.header.X-Probe}"} {
		a := g.get("probe.localhost", target, "Authorization: Bearer "+token, "X-Probe: expanded-header")
		for what, text := range map[string]string{"answer": a.raw, "upstream": strings.Replace(u.last().Raw, "X-Probe: expanded-header", "", 1)} {
			if strings.Contains(text, "expanded") {
				t.Errorf("%s: %s has an expanded placeholder: %s", target, what, text)
			}
		}
	}
	for _, params := range []string{"&scope=%7Benv.PROBE%7D", "&resource=http%3A%2F%2F%7Benv.PROBE%7D", "&client_id=%7Benv.PROBE%7D"} {
		a := g.request("POST", "localhost", "/oauth/token", "grant_type=client_credentials"+params, formType, "Authorization: Basic "+basic("shop", shopSecret))
		if strings.Contains(a.raw, "expanded") || a.status == http.StatusOK {
			t.Errorf("%s: %s", params, a.raw)
		}
	}
	if strings.Contains(g.logs.String(), "expanded-environment") || strings.Contains(g.logs.String(), "expanded-file") {
		t.Error("a placeholder was expanded in a log")
	}
}

// Ensure that what a browser can be made to send does nothing at the admin
// endpoint, and that reading changes nothing. Row N02.
func TestAdminEndpointRefusesBrowsersAndReadsThatChange(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	conn := func(request string) int {
		site := g.port
		_, g.port, _ = strings.Cut(g.admin, ":")
		defer func() { g.port = site }()
		return g.wire(request).status
	}
	body := `{"id":"evil","scopes":["user"],"grant_types":["client_credentials"]}`
	post := func(path string, lines ...string) int {
		return conn("POST " + path + " HTTP/1.1\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
	}
	host, json := "Host: "+g.admin, "Content-Type: application/json"
	for name, got := range map[string]int{
		"foreign host":   post("/oauth2/clients", "Host: evil.example", json),
		"foreign origin": post("/oauth2/clients", host, json, "Origin: http://evil.example"),
		"null origin":    post("/oauth2/clients", host, json, "Origin: null"),
		"simple type":    post("/oauth2/clients", host, "Content-Type: text/plain"),
		"form type":      post("/oauth2/clients", host, formType),
		"no type":        post("/oauth2/clients", host),
		"fetch mode":     post("/oauth2/clients", host, json, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Site: cross-site", "Origin: http://evil.example"),
		"by GET":         conn("GET /oauth2/clients?id=evil HTTP/1.1\r\nConnection: close\r\n" + host + "\r\n\r\n"),
		"by PUT":         conn("PUT /oauth2/clients HTTP/1.1\r\nConnection: close\r\n" + host + "\r\n" + json + "\r\nContent-Length: 0\r\n\r\n"),
	} {
		if got < 400 && name != "by GET" {
			t.Errorf("%s: %d", name, got)
		}
	}
	if _, list := g.adminRequest(http.MethodGet, "/oauth2/clients", nil); strings.Contains(string(list), "evil") || !strings.Contains(string(list), "shop") {
		t.Errorf("a client was made: %s", list)
	}
	huge := `{"id":"` + strings.Repeat("a", 8<<20) + `"}`
	req, err := http.NewRequest(http.MethodPost, "http://"+g.admin+"/oauth2/clients", strings.NewReader(huge))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if resp, err := g.client.Do(req); err == nil { // an early refusal may cut the connection
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("a body of 8 MiB: %d", resp.StatusCode)
		}
	}
}

// Ensure that the guard stands before whatever serves content, in whichever order
// and nesting a configuration is written. (A redir is ahead of it in Caddy's
// order, and reaches no service.) Rows N04 and N11.
func TestGuardStandsFirstInEveryArrangement(t *testing.T) {
	t.Parallel()
	arrangements := map[string]string{
		"after the proxy":   "reverse_proxy {$UPSTREAM}\n\toauth2_protect admin",
		"in a handle":       "handle {\n\t\treverse_proxy {$UPSTREAM}\n\t\toauth2_protect admin\n\t}",
		"in handle_path":    "handle_path /x/* {\n\t\toauth2_protect admin\n\t\treverse_proxy {$UPSTREAM}\n\t}",
		"in a route":        "route {\n\t\toauth2_protect admin\n\t\treverse_proxy {$UPSTREAM}\n\t}",
		"before a route":    "oauth2_protect admin\n\troute {\n\t\treverse_proxy {$UPSTREAM}\n\t}",
		"before handles":    "handle /x/* {\n\t\treverse_proxy {$UPSTREAM}\n\t}\n\thandle {\n\t\treverse_proxy {$UPSTREAM}\n\t}\n\toauth2_protect admin",
		"beside respond":    "respond \"open\"\n\toauth2_protect admin",
		"beside files":      "file_server\n\troot {$HOME}\n\toauth2_protect admin",
		"two guards":        "oauth2_protect user\n\troute {\n\t\toauth2_protect admin\n\t\treverse_proxy {$UPSTREAM}\n\t}",
		"by a named route":  "invoke guarded",
		"with intercept":    "intercept {\n\t\t@any status 4xx\n\t\thandle_response @any {\n\t\t\trespond \"dressed\" 403\n\t\t}\n\t}\n\toauth2_protect admin\n\treverse_proxy {$UPSTREAM}",
		"with encode":       "encode\n\toauth2_protect admin\n\treverse_proxy {$UPSTREAM}",
		"with try_files":    "try_files {path} /x/index\n\toauth2_protect admin\n\treverse_proxy {$UPSTREAM}",
		"with forward_auth": "forward_auth {$AUTHORIZER} {\n\t\turi /\n\t}\n\toauth2_protect admin\n\treverse_proxy {$UPSTREAM}",
		"with errors":       "oauth2_protect admin\n\treverse_proxy {$UPSTREAM}\n\thandle_errors {\n\t\trespond \"trouble\" 500\n\t}",
	}
	u, authorizer := newUpstream(t), newUpstream(t)
	sites := "\n&(guarded) {\n\toauth2_protect admin\n\treverse_proxy {$UPSTREAM}\n}\n"
	hosts := map[string]string{}
	for name, directives := range arrangements {
		hosts[name] = strings.ReplaceAll(name, " ", "-") + ".arranged.localhost"
		hosts[name] = strings.ReplaceAll(hosts[name], "_", "-")
		sites += "\nhttp://" + hosts[name] + ":{$PORT} {\n\t" + directives + "\n}\n"
	}
	// Snippets and named routes come before the sites that use them.
	end := strings.Index(guarded, "\n}\n") + 3
	g := start(t, guarded[:end]+sites+guarded[end:], u.env(), "AUTHORIZER="+authorizer.address)
	user, admin := g.shopToken("user"), g.shopToken("admin user")
	for name, host := range hosts {
		untouched(t, u, func() {
			for what, token := range map[string]string{"no": "", "a made-up": "made-up-token", "a narrow": user} {
				got := g.call(host, "/x/y", token)
				if got != http.StatusUnauthorized && got != http.StatusForbidden {
					t.Errorf("%s with %s token: %d", name, what, got)
				}
			}
		})
		if got := g.call(host, "/x/y", admin); got == http.StatusUnauthorized || got == http.StatusForbidden {
			t.Errorf("%s with the right token: %d", name, got)
		}
	}
}

// Ensure that a configuration which would leave something open, or say nothing,
// is refused with file and line. Rows N04, N05 and N06.
func TestConfigurationsThatFailOpenAreRefused(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	token := g.shopToken("user")
	site := func(directives string) string {
		return guarded + "\nhttp://wrong.localhost:{$PORT} {\n\t" + directives + "\n\treverse_proxy {$UPSTREAM}\n}\n"
	}
	in := func(old, replacement string) string { return strings.Replace(guarded, old, replacement, 1) }
	for name, config := range map[string]string{
		"a matcher":              site("@x path /x\n\toauth2_protect @x user"),
		"an unknown scope":       site("oauth2_protect {\n\t\tallow /* no-such-scope\n\t}"),
		"a path without slash":   site("oauth2_protect {\n\t\tallow x user\n\t}"),
		"a row twice":            site("oauth2_protect {\n\t\tallow /x user\n\t\tpublic /x\n\t}"),
		"an empty alternative":   site("oauth2_protect {\n\t\tallow /x user | | admin\n\t}"),
		"an unknown verb":        site("oauth2_protect {\n\t\tpermit /x\n\t}"),
		"a dot segment in a row": site("oauth2_protect {\n\t\tallow /a/../x user\n\t}"),
		"an unset secret":        in(shopSecret, "{env.NO_SUCH_SECRET}"),
		"a missing secret file":  in(shopSecret, "{file./no/such/file}"),
		"an empty secret":        in(shopSecret, `""`),
		"an unknown placeholder": in(shopSecret, "{no.such.placeholder}0123456789012345678901234567890"),
		"a short secret":         in(shopSecret, "short"),
		"a placeholder scope":    in("scope user ", "scope {env.X} "),
		"an undeclared scope":    in("scopes user admin read write", "scopes user admin read write delete"),
		"an unknown grant type":  in("grant_types client_credentials", "grant_types magic"),
		"no issuer":              in("issuer http://localhost:{$PORT}", ""),
		"an issuer by template":  in("issuer http://localhost:{$PORT}", "issuer http://{http.request.host}"),
		"an issuer with query":   in("issuer http://localhost:{$PORT}", "issuer http://localhost:{$PORT}?x"),
		"plain http":             in("issuer http://localhost:{$PORT}", "issuer http://auth.example.com"),
		"a site of plain http":   strings.Replace(site("oauth2_protect user"), "wrong.localhost", "api.example.com", 1),
		"two clients of one id":  in("client reporter", "client shop"),
		"a literal seal key":     in("issuer ", "seal_key MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n\t\tissuer "),
		"a bad seal key":         in("issuer ", "seal_key {env.PORT}\n\t\tissuer "),
		"a missing seal key":     in("issuer ", "seal_key {file./no/such/key}\n\t\tissuer "),
	} {
		if err := g.reload(config); err == nil {
			t.Errorf("%s was accepted", name)
			g.mustReload(guarded)
		} else if strings.Contains(err.Error(), shopSecret) {
			t.Errorf("%s: the error repeats a secret", name)
		}
		if got := g.call("api.localhost", "/x", token); got != http.StatusOK {
			t.Fatalf("after %s: %d", name, got)
		}
	}
	if u.count() == 0 {
		t.Error("no request reached the upstream at all")
	}
}

// Ensure that validating a configuration beside the running server works and
// leaves nothing behind.
func TestValidateBesideARunningServerCreatesNothing(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	other := prepare(t, guarded, "UPSTREAM=127.0.0.1:1")
	if _, message, code := g.caddy("", "validate", "--config", "Caddyfile", "--adapter", "caddyfile"); code != 0 {
		t.Errorf("beside the running server: %s", message)
	}
	if _, message, code := other.caddy("", "validate", "--config", "Caddyfile", "--adapter", "caddyfile"); code != 0 {
		t.Errorf("where nothing runs: %s", message)
	}
	for _, path := range []string{"data/caddy/oauth2", "data/caddy/oauth2.db"} {
		if _, err := os.Stat(other.path(path)); err == nil {
			t.Errorf("validate made %s", path)
		}
	}
}

// Ensure that the placeholders about the caller are the guard's, and empty where
// it proved nobody to call, whatever a handler before it has set. Row N07.
func TestCallerPlaceholdersAreTheGuards(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("evil"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	const seen = `"<{http.auth.user.id}|{http.auth.user.name}|{http.auth.oauth2.client_id}|{http.auth.oauth2.scope}>"`
	g := start(t, guarded+`
http://placeholders.localhost:{$PORT} {
	route {
		basic_auth /open {
			eve {$HASH}
		}
		header /open X-Before `+seen+`
		oauth2_protect {
			public /open
			allow /* user
		}
		reverse_proxy {$UPSTREAM} {
			header_up X-Seen `+seen+`
		}
	}
}
`, u.env(), "HASH="+string(hash))
	g.get("placeholders.localhost", "/x", "Authorization: Bearer "+g.shopToken("user"))
	if got := u.last().Header.Get("X-Seen"); got != "<||shop|user>" {
		t.Errorf("with a token: %s", got)
	}
	a := g.get("placeholders.localhost", "/open", "Authorization: Basic "+basic("eve", "evil"))
	if before := a.header.Get("X-Before"); !strings.HasPrefix(before, "<eve|") {
		t.Fatalf("nothing was set beforehand: %s", before)
	}
	if got := u.last().Header.Get("X-Seen"); got != "<|||>" {
		t.Errorf("without: %s", got)
	}
}

// Ensure that the access log, which Caddy writes and not we, has no credential
// when it is set up as the examples set it up. Row N09; the canaries decide.
func TestAccessLogHoldsNoCredential(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, strings.Replace(guarded, "http://api.localhost:{$PORT} {\n\tlog\n", `http://api.localhost:{$PORT} {
	log {
		output file {$LOG}
		format filter {
			request>uri query {
				replace access_token REDACTED
				replace client_assertion REDACTED
				replace client_secret REDACTED
				replace refresh_token REDACTED
				replace token REDACTED
			}
		}
	}
`, 1), u.env(), "LOG="+t.TempDir()+"/access.log")
	token := g.shopToken("user")
	for _, line := range []string{"Authorization: Bearer " + token, "Cookie: session=" + token, "Authorization: Basic " + basic("shop", shopSecret), "Proxy-Authorization: Bearer " + token} {
		g.get("api.localhost", "/x", line)
		g.get("api.localhost", "/health", line)
	}
	for _, name := range []string{"access_token", "client_assertion", "client_secret", "refresh_token", "token"} {
		g.get("api.localhost", "/x?"+name+"="+token)
	}
	g.stop()
	for _, name := range g.env {
		if path, found := strings.CutPrefix(name, "LOG="); found {
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), "/x?token=REDACTED") {
				t.Fatalf("no access log: %v", err)
			}
			g.logs.Write(text) // to be searched with the rest
		}
	}
}
