// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

func init() {
	caddy.RegisterModule(eventWriter{})
}

// eventWriter is an event handler that writes events where the gateway's log
// goes, for tests to read.
type eventWriter struct{}

func (eventWriter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.systemtest", New: func() caddy.Module { return new(eventWriter) }}
}

func (*eventWriter) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func (*eventWriter) Handle(_ context.Context, e caddy.Event) error {
	data, err := json.Marshal(e.Data)
	if err == nil {
		fmt.Fprintf(os.Stderr, "event %s %s\n", e.Name(), data)
	}
	return err
}

// matching has sites that go by scopes beside the guard's table.
const matching = guarded + `
http://match.localhost:{$PORT} {
	@admin oauth2_scope admin | read write
	@reader expression oauth2_scope('read')
	@others not oauth2_scope user
	oauth2_protect {
		optional /catalog/*
		allow /*
	}
	respond @admin admin
	respond @reader reader
	respond @others others
	respond user
}

http://asking.localhost:{$PORT} {
	route {
		oauth2_protect {
			public /*
		}
		oauth2_protect {
			allow /has {
				expression "oauth2_scope('user')"
			}
			allow /not {
				expression "!oauth2_scope('admin')"
			}
		}
		respond in
	}
}

http://early.localhost:{$PORT} {
	@others not oauth2_scope admin
	@expression expression !oauth2_scope('admin')
	header /cel @expression X-Early yes
	@plain {
		path /plain
		not oauth2_scope admin
	}
	header @plain X-Early yes
	oauth2_protect {
		allow /* user
	}
	respond user
}
`

// Ensure that the matcher goes by the present scopes of whom the guard let pass,
// as a function in expressions too.
func TestScopeMatcher(t *testing.T) {
	t.Parallel()
	g, _ := startWith(t, strings.Replace(matching, "\theader /cel @expression X-Early yes\n", "", 1))
	for _, c := range []struct{ scope, path, want string }{
		{"admin", "/", "admin"},
		{"read write", "/", "admin"},
		{"read", "/", "reader"},
		{"write", "/", "others"},
		{"user", "/", "user"},
		{"", "/catalog/x", "others"},
	} {
		req, err := http.NewRequest(http.MethodGet, g.url("match.localhost", c.path), nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.scope != "" {
			req.Header.Set("Authorization", "Bearer "+g.shopToken(c.scope))
		}
		if resp, body := g.do(req); resp.StatusCode != http.StatusOK || string(body) != c.want {
			t.Errorf("%q at %s: %s %q", c.scope, c.path, resp.Status, body)
		}
	}
}

// Ensure that the scopes that a row's expression asks for are those of whoever asks
// to pass, and not of whom a guard further out let pass: there that is nobody.
func TestAttackExpressionAboutSomebodyElse(t *testing.T) {
	t.Parallel()
	g, _ := startWith(t, matching)
	for request, status := range map[string]int{"/has user": 200, "/has read": 403, "/not user": 200, "/not admin": 403, "/not user admin": 403} {
		path, scopes, _ := strings.Cut(request, " ")
		if a := g.get("asking.localhost", path, "Authorization: Bearer "+g.shopToken(scopes)); a.status != status {
			t.Errorf("%s: %d", request, a.status)
		}
	}
}

// Ensure that a scope that is asked for before any guard is a fault of the server
// and lets nothing pass, however it is negated.
func TestScopeMatcherBeforeGuardIsAnError(t *testing.T) {
	t.Parallel()
	g, _ := startWith(t, strings.Replace(matching, "header /cel @expression X-Early yes", "header @expression X-Early yes", 1))
	token := g.shopToken("user")
	for _, path := range []string{"/plain", "/other"} {
		if status := g.call("early.localhost", path, token); status != http.StatusInternalServerError {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// Ensure that Caddy's handler `authentication` takes tokens, tells who calls, and
// refuses with a challenge what is no token, or not enough of one.
func TestAuthenticationProvider(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	g.authenticate(nil)
	revoked := g.shopToken("user")
	g.revoke(revoked)
	for _, c := range []struct {
		token  string
		status int
		want   string // of the body, or of the challenge
	}{
		{g.shopToken("user read"), http.StatusOK, "|shop|read user"},
		{g.shopToken("read"), http.StatusUnauthorized, `error="insufficient_scope"`},
		{revoked, http.StatusUnauthorized, `error="invalid_token"`},
		{"", http.StatusUnauthorized, `Bearer realm="api"`},
	} {
		req, err := http.NewRequest(http.MethodGet, g.url("provider.localhost", "/"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		resp, body := g.do(req)
		got := string(body)
		if c.status != http.StatusOK {
			got = resp.Header.Get("WWW-Authenticate")
		}
		if resp.StatusCode != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%d %q, not %d %q", resp.StatusCode, got, c.status, c.want)
		}
	}
}

// authenticate adds the site provider.localhost, which goes by Caddy's handler
// `authentication`, and by other providers of it too.
func (g *gateway) authenticate(others map[string]any) {
	g.t.Helper()
	providers := map[string]any{"oauth2": map[string]any{"requirement": [][]string{{"user"}}, "realm": "api"}}
	maps.Copy(providers, others)
	resp, body := g.adminRequest(http.MethodPut, "/config/apps/http/servers/srv0/routes/0", map[string]any{
		"match":    []any{map[string]any{"host": []string{"provider.localhost"}}},
		"terminal": true,
		"handle": []any{
			map[string]any{"handler": "authentication", "providers": providers},
			map[string]any{"handler": "static_response", "body": "{http.auth.user.id}|{http.auth.user.client_id}|{http.auth.oauth2.scope}"},
		},
	})
	if resp.StatusCode != http.StatusOK {
		g.t.Fatalf("%s: %s", resp.Status, body)
	}
}

// Ensure that trouble of ours, such as a record that is damaged on the disk, is no
// refusal by the provider either: clients that are told 401 throw their tokens away. It
// lets nobody pass, and beside other providers Caddy answers 401.
func TestAuthenticationProviderInTrouble(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	good, damaged := g.shopToken("user"), g.shopToken("user")
	g.stop()
	g.inStore(func(s tokenstore.Store) {
		v := bytes.Clone(value(t, s, keyOf(damaged)))
		v[len(v)-1] ^= 1
		put(t, s, keyOf(damaged), v)
	})
	g.start()
	g.authenticate(nil)
	if a := g.get("provider.localhost", "/", "Authorization: Bearer "+damaged); a.status != http.StatusServiceUnavailable ||
		a.header.Get("Retry-After") == "" || a.header.Get("WWW-Authenticate") != "" || a.body != "" {
		t.Errorf("trouble: %d %v %q", a.status, a.header, a.body)
	}
	if status := g.call("provider.localhost", "/", good); status != http.StatusOK {
		t.Errorf("another token: %d", status)
	}
	g.mustReload(guarded)
	g.authenticate(map[string]any{"http_basic": map[string]any{"accounts": []any{
		map[string]any{"username": "somebody", "password": "$2a$04$FMuFBYhZsNPvkI9m1gT7l.0BzQzNqNvcHhBrLmkuyeFdELgtlHoGm"},
	}}})
	if a := g.get("provider.localhost", "/", "Authorization: Bearer "+damaged); a.status != http.StatusUnauthorized || a.body != "" {
		t.Errorf("trouble beside another provider: %d %q", a.status, a.body)
	}
	if status := g.call("provider.localhost", "/", good); status != http.StatusOK {
		t.Errorf("another token beside another provider: %d", status)
	}
}

// Ensure that what is issued, revoked and refused makes Caddy events, refusals a
// bounded number, and that no event holds a secret (the log is searched).
func TestCaddyEvents(t *testing.T) {
	t.Parallel()
	names := []string{"token_issued", "token_revoked", "decision", "client_added"}
	on := ""
	for _, name := range names {
		on += "\t\ton oauth2." + name + " systemtest\n"
	}
	g, _ := startWith(t, strings.Replace(guarded, "\toauth2 {\n", "\tevents {\n"+on+"\t}\n\toauth2 {\n", 1))
	g.addClient("another")
	token := g.shopToken("user")
	g.revoke(token)
	const refused = 300
	began := time.Now()
	for range refused {
		if status := g.call("api.localhost", "/", token); status != http.StatusUnauthorized {
			t.Fatal(status)
		}
	}
	for _, name := range names {
		eventually(t, "oauth2."+name+" is told", func() bool { return strings.Contains(g.logs.String(), "event oauth2."+name+" {") })
	}
	for _, part := range []string{`"client":"shop"`, `"reason":"invalid_token"`, `"grant_type":"client_credentials"`} {
		eventually(t, "an event has "+part, func() bool { return strings.Contains(g.logs.String(), part) })
	}
	// A hundred at once, and ten a second.
	took := time.Since(began)
	if n := strings.Count(g.logs.String(), "event oauth2.decision {"); n > 101+int(10*took.Seconds()) {
		t.Errorf("%d refusals in %v make %d events", refused, took, n)
	}
}

// Ensure that the spans of Caddy's tracing say what a guard decided, and about whom.
func TestSpansSayWhatWasDecided(t *testing.T) {
	t.Parallel()
	g, _ := startWith(t, strings.Replace(guarded, "\toauth2_protect {\n", "\ttracing {\n\t\tspan api\n\t}\n\toauth2_protect {\n", 1),
		"OTEL_TRACES_EXPORTER=console", "OTEL_BSP_SCHEDULE_DELAY=50")
	token := g.shopToken("user")
	for _, bearer := range []string{token, ""} {
		g.call("api.localhost", "/", bearer)
	}
	for _, part := range []string{
		`{"Key":"oauth2.decision","Value":{"Type":"STRING","Value":"allowed"}}`, `{"Key":"oauth2.client_id","Value":{"Type":"STRING","Value":"shop"}}`,
		`"Key":"oauth2.grant_id"`, `{"Key":"oauth2.decision","Value":{"Type":"STRING","Value":"denied"}}`,
	} {
		eventually(t, "a span has "+part, func() bool { return strings.Contains(g.logs.String(), part) })
	}
}

// startWith is [startGuarded] with another Caddyfile.
func startWith(t testing.TB, caddyfile string, env ...string) (*gateway, *upstream) {
	t.Helper()
	u := newUpstream(t)
	g := start(t, caddyfile, append(env, u.env())...)
	g.canary(shopSecret)
	return g, u
}
