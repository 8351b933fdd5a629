// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// TestMain checks that nothing leaks a goroutine. Those of a store's cache end
// with a garbage collection.
func TestMain(m *testing.M) { goleak.VerifyTestMain(collected{m}) }

type collected struct{ m *testing.M }

func (c collected) Run() int {
	code := c.m.Run()
	for deadline := time.Now().Add(time.Minute); ; {
		runtime.GC()
		if goleak.Find() == nil || time.Now().After(deadline) {
			return code
		}
	}
}

const (
	issuer = "https://auth.example.com"
	secret = "0123456789abcdef0123456789abcdef"
)

// world is a server on a real socket above a real store.
type world struct {
	t        testing.TB
	db       *tokenstore.DB
	engine   *engine
	ahead    atomic.Int64 // how far the clock is ahead of the machine's
	events   *events
	registry *client.Registry
	verifier token.Verifier
	server   *endpoint.Server
	url      string
	http     *http.Client
}

// engine is a store that can be made to fail.
type engine struct {
	tokenstore.Store
	failReads, failWrites atomic.Pointer[error]
	applied               atomic.Int64
	beforeApply           atomic.Pointer[func()] // called once
}

func (e *engine) Get(ctx context.Context, keys ...tokenstore.Key) ([]tokenstore.Item, error) {
	if err := e.failReads.Load(); err != nil {
		return nil, *err
	}
	return e.Store.Get(ctx, keys...)
}

func (e *engine) Apply(ctx context.Context, b tokenstore.Batch) (tokenstore.Revision, error) {
	if err := e.failWrites.Load(); err != nil {
		return 0, *err
	}
	if f := e.beforeApply.Swap(nil); f != nil {
		(*f)()
	}
	e.applied.Add(1)
	return e.Store.Apply(ctx, b)
}

// events keeps what was recorded.
type events struct {
	mu   sync.Mutex
	kept []authz.Event
}

func (e *events) Record(_ context.Context, event authz.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kept = append(e.kept, event)
}

// last returns the latest event.
func (e *events) last() authz.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.kept) == 0 {
		return authz.Event{}
	}
	return e.kept[len(e.kept)-1]
}

// clients are those of the configuration in every test.
func clients(t testing.TB) []*client.Client {
	var built []*client.Client
	for _, d := range []client.Declaration{
		{Client: client.Client{ID: "job", GrantTypes: []string{"client_credentials"}, Scopes: scope.Set{"orders:read", "orders:write"}, DefaultScopes: scope.Set{"orders:read"}}},
		{Client: client.Client{ID: "other", GrantTypes: []string{"client_credentials"}, AuthMethod: "client_secret_post", Scopes: scope.Set{"a"}, AccessTokenLifetime: client.Duration(5 * time.Minute)}},
		{Client: client.Client{ID: "api", Introspects: []string{"https://api.example.com"}}},
		{Client: client.Client{ID: "app", AuthMethod: "none", GrantTypes: []string{"client_credentials2"}, RedirectURIs: []string{"https://app.example.com/cb"}}},
		{Client: client.Client{ID: "spa", GrantTypes: []string{"client_credentials"}, Origins: []string{"https://spa.example.com"}}},
		{Client: client.Client{ID: "off", GrantTypes: []string{"client_credentials"}, Disabled: true}},
	} {
		if d.AuthMethod != "none" {
			d.Secret = []string{secret}
		}
		c, err := d.Build()
		if err != nil {
			t.Fatal(err)
		}
		built = append(built, c)
	}
	return built
}

// newWorld starts a server; change may change its configuration.
func newWorld(t testing.TB, change ...func(*endpoint.Config)) *world {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, engine: &engine{Store: store}, events: &events{}}
	w.db, err = tokenstore.Open(t.Context(), w.engine, tokenstore.Options{SealKeys: []tokenstore.SealKey{tokenstore.GenerateSealKey()}, CacheEntries: 1000,
		Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	open := func(context.Context) (*tokenstore.DB, error) { return w.db, nil }
	rendered, err := set()
	if err != nil {
		t.Fatal(err)
	}
	if w.registry, err = client.NewRegistry(clients(t), open); err != nil {
		t.Fatal(err)
	}
	w.verifier = token.Verifier{Issuer: issuer, Store: open, Formats: []token.Format{token.Opaque{}}}
	config := endpoint.Config{
		Issuer:     issuer,
		Clients:    w.registry,
		GrantTypes: map[string]granttype.GrantType{"client_credentials": granttype.ClientCredentials{}},
		Store:      open,
		Scopes:     scope.Of("orders:read", "orders:write"),
		KnownResource: func(resource string) bool {
			return resource == "https://api.example.com" || resource == "urn:reports"
		},
		Recorder: w.events,
		Render:   rendered.Render,
	}
	for _, f := range change {
		f(&config)
	}
	server, err := endpoint.New(config)
	if err != nil {
		t.Fatal(err)
	}
	w.server = server
	// The handler below is what the module does with what the server returns.
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		err := server.ServeHTTP(rw, r, func(rw http.ResponseWriter, _ *http.Request) error {
			rw.WriteHeader(http.StatusTeapot)
			return nil
		})
		if err == nil {
			return
		}
		var e *authz.Error
		if !errors.As(err, &e) || e.Status < 500 {
			t.Errorf("returned: %v", err)
			return
		}
		rw.Header().Set("X-Trouble", e.Code)
		rw.WriteHeader(e.Status)
	}))
	t.Cleanup(web.Close)
	w.url, w.http = web.URL, web.Client()
	return w
}

// reply is an answer of the server, read.
type reply struct {
	status int
	header http.Header
	body   string
}

// field returns a member of the answer's JSON object as text, "" when absent.
func (r reply) field(name string) string {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(r.body), &object) != nil {
		return "not a JSON object"
	}
	var text string
	if json.Unmarshal(object[name], &text) != nil {
		return string(object[name])
	}
	return text
}

// do sends a request.
func (w *world) do(r *http.Request) reply {
	w.t.Helper()
	response, err := w.http.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

// request builds a form request; set, if given, changes it.
func (w *world) request(method, path, body string, set ...func(*http.Request)) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, f := range set {
		f(r)
	}
	return r
}

// send posts a form as a client that uses HTTP Basic.
func (w *world) send(path, id, body string, set ...func(*http.Request)) reply {
	w.t.Helper()
	set = append([]func(*http.Request){func(r *http.Request) { r.SetBasicAuth(id, secret) }}, set...)
	return w.do(w.request(http.MethodPost, path, body, set...))
}

// sendPost posts a form as the client that uses client_secret_post.
func (w *world) sendPost(path, body string) reply {
	w.t.Helper()
	return w.do(w.request(http.MethodPost, path, body+"&client_id=other&client_secret="+secret))
}

// header returns a change that sets a header.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// issue returns an access token of the client "job".
func (w *world) issue(more string) string {
	w.t.Helper()
	r := w.send("/oauth/token", "job", "grant_type=client_credentials"+more)
	if r.status != http.StatusOK {
		w.t.Fatalf("%d %s", r.status, r.body)
	}
	return r.field("access_token")
}

// alive reports whether a token is valid.
func (w *world) alive(raw string) bool {
	w.t.Helper()
	_, err := w.verifier.Authenticate(context.Background(), authz.Credential{Scheme: authz.SchemeBearer, Value: raw})
	if err != nil && !errors.Is(err, authz.ErrInvalidToken) {
		w.t.Fatal(err)
	}
	return err == nil
}

// want fails the test unless the answer is the refusal described, whole and well formed.
func (r reply) want(t testing.TB, name string, status int, code string) {
	t.Helper()
	if r.status != status || r.field("error") != code {
		t.Errorf("%s: %d %s; want %d %s", name, r.status, r.body, status, code)
		return
	}
	if code == "" {
		return
	}
	if r.header.Get("Content-Type") != "application/json" || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: headers %v", name, r.header)
	}
	if r.field("error_uri") != issuer+"/oauth/errors/"+code {
		t.Errorf("%s: error_uri %q", name, r.field("error_uri"))
	}
	if challenge := r.header.Get("WWW-Authenticate"); (status == 401) != strings.HasPrefix(challenge, `Basic realm="`) {
		t.Errorf("%s: challenge %q", name, challenge)
	}
	for _, c := range r.field("error_description") {
		if c < ' ' || c > '~' || c == '"' || c == '\\' { // RFC 6749 §5.2
			t.Errorf("%s: description %q", name, r.field("error_description"))
		}
	}
}

// trouble fails the test unless the answer is 503, and not a word beside it.
func (r reply) trouble(t testing.TB, name string) {
	t.Helper()
	if r.status != http.StatusServiceUnavailable || r.header.Get("X-Trouble") != "temporarily_unavailable" || r.body != "" {
		t.Errorf("%s: %d %s", name, r.status, r.body)
	}
}

func escape(s string) string { return url.QueryEscape(s) }
