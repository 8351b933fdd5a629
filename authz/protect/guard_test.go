// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Ensure that a credential is judged by this guard, this resource, this
// client and this moment, and that refusals say what is needed.
func TestDecisions(t *testing.T) {
	config := testConfig(t, "allow /any", "allow /one user", "allow /two write read | admin", "optional /opt", "deny /no")
	config.Realm = `say "hi"`
	config.ErrorURI = func(code string) string { return testIssuer + "/errors/" + code }
	config.Authenticator = tokens{
		"user":    principal("user"),
		"read":    principal("read"),
		"foreign": changed(func(p *authz.Principal) { p.Issuer = "https://staging.example.com" }, "user"),
		"other":   changed(func(p *authz.Principal) { p.Audience = []string{"https://other.example.com"} }, "user"),
		"issuer":  changed(func(p *authz.Principal) { p.Audience = []string{testIssuer} }, "user"),
		"both":    changed(func(p *authz.Principal) { p.Audience = []string{"https://other.example.com", testResource + "/"} }, "user"),
		"longer": changed(func(p *authz.Principal) {
			p.Audience = []string{testResource + "/x", testResource + ".evil", "https://api.example.co"}
		}, "user"),
		"nobody":     changed(func(p *authz.Principal) { p.Audience = nil }, "user"),
		"expired":    changed(func(p *authz.Principal) { p.Expires = testTime }, "user"),
		"eternal":    changed(func(p *authz.Principal) { p.Expires = time.Time{} }, "user"),
		"bound":      changed(func(p *authz.Principal) { p.ConfirmationKey = "thumbprint" }, "user"),
		"gone":       changed(func(p *authz.Principal) { p.Client = "gone" }, "user"),
		"clientless": changed(func(p *authz.Principal) { p.Client = "" }, "user"),
		"unscoped":   principal(),
		"fallen":     principal("once"), // the client may no longer have it
		"lost":       changed(func(p *authz.Principal) { p.Client = "trouble" }, "user"),
	}
	config.Clients = registry{"shop": scope.Of("user", "admin", "read", "write"), "": scope.Of("user")}
	metadata := `resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"`
	realm := `Bearer realm="say \"hi\""`
	invalid := realm + `, error="invalid_token", error_description=`
	scoped := func(s string) string {
		return realm + `, error="insufficient_scope", error_description="The request requires higher privileges than the access token provides.", error_uri="https://auth.example.com/errors/insufficient_scope", scope="` + s + `", ` + metadata
	}
	for request, want := range map[string]struct {
		status    int
		challenge string
	}{
		"/any user":       {200, ""},
		"/any unscoped":   {200, ""},
		"/any both":       {200, ""},
		"/any issuer":     {200, ""},
		"/any ":           {401, realm + ", " + metadata},
		"/one ":           {401, realm + `, scope="user", ` + metadata},
		"/any bogus":      {401, invalid},
		"/any foreign":    {401, invalid},
		"/any other":      {401, invalid + `"The access token is meant for another resource."`},
		"/any longer":     {401, invalid + `"The access token is meant for another resource."`},
		"/any nobody":     {401, invalid},
		"/any expired":    {401, invalid + `"The access token has expired."`},
		"/any eternal":    {401, invalid},
		"/any bound":      {401, invalid + `"The access token is bound to a key`},
		"/any gone":       {401, invalid},
		"/any clientless": {401, invalid},
		"/one user":       {200, ""},
		"/one unscoped":   {403, scoped("user")},
		"/one fallen":     {403, scoped("user")},
		"/two read":       {403, scoped("read write")},
		"/two user":       {403, scoped("admin")},
		"/opt ":           {200, ""},
		"/opt user":       {200, ""},
		"/opt bogus":      {401, invalid},
		"/opt expired":    {401, invalid},
		"/no user":        {403, ""},
		"/no ":            {403, ""},
		"/no bogus":       {403, ""},
		"/nowhere user":   {403, ""},
		"/nowhere ":       {403, ""},
	} {
		target, token, _ := strings.Cut(request, " ")
		w, seen, err := serve(t, get("GET", target, token), newGuard(t, config))
		challenge := w.Header().Get("WWW-Authenticate")
		if err != nil || w.Code != want.status || (seen != nil) != (w.Code == 200) || !strings.HasPrefix(challenge, want.challenge) || (challenge == "") != (want.challenge == "") {
			t.Errorf("%s: %d %s %v", request, w.Code, challenge, err)
		}
		if w.Code != 200 {
			var body map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body["error"] == "" || body["error_uri"] != testIssuer+"/errors/"+body["error"] {
				t.Errorf("%s: %s", request, w.Body)
			}
		}
	}
	config.StrictAudience = true
	if w, _, _ := serve(t, get("GET", "/any", "issuer"), newGuard(t, config)); w.Code != 401 {
		t.Error("a strict guard accepts the issuer as audience")
	}
	config.StrictAudience, config.Resource = false, nil
	for token, status := range map[string]int{"issuer": 200, "user": 401} {
		if w, _, _ := serve(t, get("GET", "/any", token), newGuard(t, config)); w.Code != status {
			t.Errorf("a site without identity answers a token for %s with %d", token, w.Code)
		}
	}
	config.Schemes = []string{"DPoP"}
	if w, _, _ := serve(t, get("GET", "/any", "issuer"), newGuard(t, config)); w.Code != 401 {
		t.Error("a scheme that is not accepted here passes")
	}
}

// Ensure that neighbours cannot have the guard answer with errors that are
// not about the credential.
func TestErrorsOfNeighboursAreTrouble(t *testing.T) {
	for _, err := range []error{authz.ErrInvalidGrant, authz.ErrInsufficientScope, errors.New("disk on fire")} {
		if got := refusalOf(err); !errors.Is(got, authz.ErrTemporarilyUnavailable) || !errors.Is(got, err) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
	for _, err := range []*authz.Error{authz.ErrInvalidToken.Describe("Other words."), authz.ErrServer} {
		if got := refusalOf(fmt.Errorf("wrapped: %w", err)); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}

// Ensure that trouble passes nothing, is returned for others to answer, and
// leaves nothing in the request for error routes to forward (H12, V09).
func TestTroubleFailsClosed(t *testing.T) {
	config := testConfig(t, "allow /*", "optional /o")
	config.Authenticator = tokens{"lost": changed(func(p *authz.Principal) { p.Client = "trouble" })}
	events := &record{}
	config.Recorder = events
	for _, target := range []string{"/", "/o"} {
		for _, token := range []string{"trouble", "lost"} {
			r := get("GET", target, token)
			r.Header.Set("X-Auth-Subject", "eve")
			w, seen, err := serve(t, r, newGuard(t, config))
			if !errors.Is(err, authz.ErrTemporarilyUnavailable) || seen != nil || w.Body.Len() > 0 {
				t.Errorf("%s %s: passed %v, %v", target, token, seen != nil, err)
			}
			if len(r.Header) > 0 {
				t.Errorf("%s %s: headers left: %v", target, token, r.Header)
			}
		}
	}
	for _, e := range events.events {
		if e.Outcome != authz.Failed || e.Reason != "temporarily_unavailable" {
			t.Errorf("%+v", e)
		}
	}
}

// Ensure that an error from further in leaves neither identity nor credential
// for error routes (H12), and comes back unchanged.
func TestErrorRoutesLearnNothing(t *testing.T) {
	for _, keep := range []bool{false, true} {
		config := testConfig(t, "allow /*")
		config.Upstream.KeepCredential = keep
		r, failure := get("GET", "/", "user"), errors.New("upstream is down")
		err := newGuard(t, config).ServeHTTP(nil, r, func(_ http.ResponseWriter, r *http.Request) error {
			if r.Header.Get("X-Auth-Subject") == "" || (r.Header.Get("Authorization") != "") != keep {
				t.Errorf("next got %v", r.Header)
			}
			return failure
		})
		if err != failure || len(r.Header) > 0 {
			t.Errorf("%v, headers left: %v", err, r.Header)
		}
	}
}

// Ensure that refusals are handed on where the configuration says so, with
// the challenge set and the credential gone.
func TestErrorsCanBePassed(t *testing.T) {
	config := testConfig(t, "allow /* admin")
	config.PassErrors = true
	r := get("GET", "/", "user")
	w, seen, err := serve(t, r, newGuard(t, config))
	if !errors.Is(err, authz.ErrInsufficientScope) || seen != nil || w.Body.Len() > 0 || !strings.Contains(w.Header().Get("WWW-Authenticate"), `scope="admin"`) || len(r.Header) > 0 {
		t.Errorf("%v, %v, %v", err, w.Header(), r.Header)
	}
}

// Ensure that a WebSocket handshake by extended CONNECT meets the rows of GET
// over HTTP/2 and HTTP/3, and that no other CONNECT passes.
func TestExtendedConnectMatchesAsGet(t *testing.T) {
	g := newGuard(t, testConfig(t, "allow GET /ws user", "deny /ws"))
	for _, c := range []struct {
		major    int
		proto    string
		protocol []string
		status   int
	}{
		{2, "HTTP/2.0", []string{"websocket"}, 200},
		{3, "websocket", nil, 200},
		{2, "HTTP/2.0", []string{"connect-udp"}, 405},
		{2, "HTTP/2.0", []string{"websocket", "x"}, 405},
		{2, "HTTP/2.0", nil, 405},
		{3, "webtransport", nil, 405},
		{1, "HTTP/1.1", []string{"websocket"}, 405},
	} {
		r := get("GET", "/ws", "user")
		r.Method, r.ProtoMajor, r.Proto = http.MethodConnect, c.major, c.proto
		if c.protocol != nil {
			r.Header[":protocol"] = c.protocol
		}
		w, seen, err := serve(t, r, g)
		if err != nil || w.Code != c.status || (w.Code == 405) != (w.Header().Get("Allow") != "") {
			t.Errorf("%+v: %d, %v", c, w.Code, err)
		}
		if c.major == 2 && seen != nil && len(seen.request.Header[":protocol"]) != 1 {
			t.Error("the proxy cannot tell that it is a WebSocket")
		}
	}
}

// Ensure that every decision is recorded once, and nothing for those that
// need none.
func TestDecisionsAreRecorded(t *testing.T) {
	events := &record{}
	config := testConfig(t, "allow /* admin", "public /p")
	config.Recorder = events
	g := newGuard(t, config)
	for _, c := range []struct {
		target, token string
		want          authz.Event
	}{
		{"/", "admin", authz.Event{Outcome: authz.Allowed, Client: "shop", Subject: "u-17", Grant: "g-1"}},
		{"/", "user", authz.Event{Outcome: authz.Denied, Reason: "insufficient_scope", Client: "shop", Subject: "u-17", Grant: "g-1"}},
		{"/", "bogus", authz.Event{Outcome: authz.Denied, Reason: "invalid_token"}},
		{"/", "", authz.Event{Outcome: authz.Denied, Reason: "credential_required"}},
		{"/p", "user", authz.Event{Outcome: authz.Allowed}},
		{"/a;b", "user", authz.Event{Outcome: authz.Denied, Reason: "ambiguous_request"}},
	} {
		if _, _, err := serve(t, get("GET", c.target, c.token), g); err != nil {
			t.Fatal(err)
		}
		if len(events.events) != 1 || events.events[0].Took <= 0 {
			t.Fatalf("%s %s: %+v", c.target, c.token, events.events)
		}
		got := events.events[0]
		got.Took, c.want.Type = 0, authz.EventDecision
		if got != c.want {
			t.Errorf("%s %s: %+v", c.target, c.token, got)
		}
		events.events = nil
	}
}

// Ensure that everybody can read what this resource is and where its tokens
// come from (RFC 9728 §3), whatever the rows say.
func TestResourceMetadata(t *testing.T) {
	config := testConfig(t, "deny /*", "allow /a write | read")
	for _, c := range []struct {
		resource, method, target string
		status                   int
	}{
		{"https://api.example.com", "GET", "/.well-known/oauth-protected-resource", 200},
		{"https://api.example.com/", "GET", "/.well-known/oauth-protected-resource", 200},
		{"https://api.example.com/v1", "GET", "/.well-known/oauth-protected-resource/v1", 200},
		{"https://api.example.com/v1", "GET", "/.well-known/oauth-protected-resource", 404},
		{"https://api.example.com", "GET", "/.well-known/oauth-protected-resource/v1", 404},
		{"https://api.example.com", "GET", "/.well-known/oauth-protected-resources", 404},
		{"https://api.example.com", "HEAD", "/.well-known/oauth-protected-resource", 200},
		{"https://api.example.com", "OPTIONS", "/.well-known/oauth-protected-resource", 204},
		{"https://api.example.com", "POST", "/.well-known/oauth-protected-resource", 405},
		{"", "GET", "/.well-known/oauth-protected-resource", 404},
		{"https://api.example.com", "GET", "/.oauth2/", 404},
		{"https://api.example.com", "GET", "/.OAuth2", 404},
		{"https://api.example.com", "POST", "/.oauth2/anything", 404},
		{"https://api.example.com", "GET", "/.well-known//oauth-protected-resource", 400},
	} {
		config.Resource = func(*http.Request) string { return c.resource }
		r := get(c.method, c.target, "user")
		w, seen, err := serve(t, r, newGuard(t, config))
		if err != nil || seen != nil || w.Code != c.status {
			t.Errorf("%+v: %d, %v", c, w.Code, err)
		}
		if w.Code == 200 && w.Header().Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Authorization") != "" {
			t.Errorf("%+v: %v", c, w.Header())
		}
		if w.Code == 200 && c.method == "GET" {
			want := fmt.Sprintf(`{"resource":%q,"authorization_servers":["https://auth.example.com"],"scopes_supported":["read","write"],"bearer_methods_supported":["header"]}`+"\n", c.resource)
			if w.Body.String() != want {
				t.Errorf("%+v: %s", c, w.Body)
			}
			config.Resource = func(*http.Request) string { return c.resource }
			denied, _, _ := serve(t, get("GET", "/a", ""), newGuard(t, config))
			if named := `resource_metadata="https://api.example.com` + c.target + `"`; !strings.Contains(denied.Header().Get("WWW-Authenticate"), named) {
				t.Errorf("%+v: the challenge is %s", c, denied.Header().Get("WWW-Authenticate"))
			}
		}
	}
}

// Ensure that the guard leaves the body and the ResponseWriter alone.
func TestBodyAndWriterAreUntouched(t *testing.T) {
	body := io.NopCloser(bytes.NewBufferString("hello"))
	r := get("POST", "/", "user")
	r.Body, r.ContentLength = body, 5
	var w http.ResponseWriter = &struct{ http.ResponseWriter }{}
	config := testConfig(t, "allow /*")
	config.Connection = func(*http.Request) net.Conn { return nil }
	err := newGuard(t, config).ServeHTTP(w, r, func(got http.ResponseWriter, r *http.Request) error {
		if got != w || r.Body != body {
			t.Error("something is wrapped")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Ensure that configurations that cannot be meant are refused in words.
func TestBadConfigurationsAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"no rows":                      func(c *Config) { c.Rows = nil },
		"issuer \"\" must be":          func(c *Config) { c.Issuer = "" },
		"without user, query":          func(c *Config) { c.Issuer = "https://a.example.com?x" },
		"allow_ambiguous \"all\"":      func(c *Config) { c.AllowAmbiguous = []string{"all"} },
		"no authentication scheme":     func(c *Config) { c.Schemes = []string{"Bearer, Basic"} },
		"needs somebody to check":      func(c *Config) { c.Clients = nil },
		"needs somebody to check cred": func(c *Config) { c.Authenticator = nil },
		"takes no scopes": func(c *Config) {
			c.Rows[0] = Row{Verb: Public, Path: "/", Requirement: scope.Requirement{scope.Of("a")}}
		},
		"an alternative has no scope":  func(c *Config) { c.Rows[0].Requirement = scope.Requirement{nil} },
		"nothing that it matches goes": func(c *Config) { c.Rows[0] = Row{Verb: Deny, Path: "/", Upstream: &Upstream{}} },
		"Caddyfile:3":                  func(c *Config) { c.Rows[0] = Row{Verb: "permit", Path: "/", Source: "Caddyfile:3"} },
		"no cookie authorizes":         func(c *Config) { c.Trust = []string{"https://app.example.com"} },
		"conflict":                     func(c *Config) { c.Rows = append(c.Rows, c.Rows[0]) },
	} {
		config := testConfig(t, "allow /*")
		change(&config)
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
