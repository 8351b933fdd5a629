// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that a machine gets a token in the form of RFC 6749 §5.1, and that the
// token states what the answer says.
func TestClientCredentials(t *testing.T) {
	w := newWorld(t)
	r := w.send("/oauth/token", "job", "grant_type=client_credentials&scope=orders%3Awrite+orders%3Aread")
	if r.status != 200 || r.field("token_type") != "Bearer" || r.field("expires_in") != "3600" || r.field("scope") != "orders:read orders:write" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r.field("refresh_token") != "" { // §4.4.3
		t.Error("a machine got a refresh token")
	}
	h := r.header
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers: %v", h)
	}
	p, err := w.verifier.Authenticate(t.Context(), authz.Credential{Scheme: authz.SchemeBearer, Value: r.field("access_token")})
	if err != nil {
		t.Fatal(err)
	}
	if p.Client != "job" || p.Subject != "" || p.Scopes.String() != "orders:read orders:write" || len(p.Audience) != 1 || p.Audience[0] != issuer || p.Grant == "" {
		t.Errorf("%+v", p)
	}
	e := w.events.last()
	if e.Type != authz.EventTokenIssued || e.Outcome != authz.Allowed || e.Client != "job" || e.Grant != p.Grant || e.GrantType != "client_credentials" || e.Took <= 0 {
		t.Errorf("%+v", e)
	}
	log, err := w.db.AuditLog(t.Context(), 0, 10)
	if err != nil || len(log) != 1 || log[0].Type != string(authz.EventTokenIssued) || log[0].Grant != p.Grant || !log[0].Routine {
		t.Errorf("audit: %+v, %v", log, err)
	}
	grant, err := tokenstore.Load[token.Grant](t.Context(), w.db, tokenstore.GrantKey(p.Grant))
	if err != nil || grant.Value.Client != "job" || grant.Value.Type != "client_credentials" || grant.Value.Scopes.String() != "orders:read orders:write" {
		t.Errorf("grant: %+v, %v", grant, err)
	}
}

// Ensure each rule of the token request, by the clause that makes it.
func TestTokenRequestRules(t *testing.T) {
	w := newWorld(t)
	many := strings.TrimSuffix(strings.Repeat("resource=urn%3Areports&", 11), "&")
	for name, c := range map[string]struct {
		client, body string
		status       int
		code         string
	}{
		"RFC 6749 §4.4.2: no grant_type":              {"job", "scope=orders:read", 400, "invalid_request"},
		"RFC 6749 §3.2: empty is absent":              {"job", "grant_type=&scope=orders:read", 400, "invalid_request"},
		"RFC 6749 §3.2: unknown parameters ignored":   {"job", "grant_type=client_credentials&a[b]=c&x", 200, ""},
		"RFC 6749 §3.2: twice the same":               {"job", "grant_type=client_credentials&grant_type=client_credentials", 400, "invalid_request"},
		"RFC 6749 §3.2: unknown parameter twice":      {"job", "grant_type=client_credentials&x=1&x=2", 400, "invalid_request"},
		"RFC 6749 §3.2: twice, once empty":            {"job", "grant_type=client_credentials&scope=&scope=orders:read", 400, "invalid_request"},
		"RFC 6749 §5.2: unsupported":                  {"job", "grant_type=password&username=a&password=b", 400, "unsupported_grant_type"},
		"RFC 6749 §5.2: case matters":                 {"job", "grant_type=Client_Credentials", 400, "unsupported_grant_type"},
		"RFC 6749 §5.2: not this client":              {"api", "grant_type=client_credentials", 400, "unauthorized_client"},
		"RFC 6749 §5.2: unknown client":               {"nobody", "grant_type=client_credentials", 401, "invalid_client"},
		"RFC 6749 §3.3: beyond what it may":           {"job", "grant_type=client_credentials&scope=orders:read+admin", 400, "invalid_scope"},
		"RFC 6749 §3.3: malformed":                    {"job", "grant_type=client_credentials&scope=a%22b", 400, "invalid_scope"},
		"RFC 6749 §3.3: surplus spaces, twice a word": {"job", "grant_type=client_credentials&scope=+orders:read++orders:read+", 200, ""},
		"RFC 8707 §2: known":                          {"job", "grant_type=client_credentials&resource=https://api.example.com", 200, ""},
		"RFC 8707 §2: more than one":                  {"job", "grant_type=client_credentials&resource=https://api.example.com&resource=urn:reports", 200, ""},
		"RFC 8707 §2: the issuer":                     {"job", "grant_type=client_credentials&resource=" + escape(issuer), 200, ""},
		"RFC 8707 §2: unknown":                        {"job", "grant_type=client_credentials&resource=https://api.example.org", 400, "invalid_target"},
		"RFC 8707 §2: one of two unknown":             {"job", "grant_type=client_credentials&resource=urn:reports&resource=urn:x", 400, "invalid_target"},
		"RFC 8707 §2: relative":                       {"job", "grant_type=client_credentials&resource=/orders", 400, "invalid_target"},
		"RFC 8707 §2: fragment":                       {"job", "grant_type=client_credentials&resource=https://api.example.com%23", 400, "invalid_target"},
		"RFC 8707: more than ten resources":           {"job", "grant_type=client_credentials&" + many, 400, "invalid_target"},
		"percent sign that encodes nothing":           {"job", "grant_type=client_credentials&x=%zz", 400, "invalid_request"},
		"semicolon":                                   {"job", "grant_type=client_credentials;scope=orders:read", 400, "invalid_request"},
		"no body":                                     {"job", "", 400, "invalid_request"},
		"separators only":                             {"job", "&&&", 400, "invalid_request"},
	} {
		r := w.send("/oauth/token", c.client, c.body)
		r.want(t, name, c.status, c.code)
		e := w.events.last()
		if c.code != "" && (e.Type != authz.EventTokenRequest || e.Outcome != authz.Denied || e.Reason != c.code) {
			t.Errorf("%s: event %+v", name, e)
		}
		if c.client == "nobody" && e.Client != "" || e.GrantType != "" && e.GrantType != "client_credentials" {
			t.Errorf("%s: the event holds what the client made up: %+v", name, e)
		}
	}
}

// Ensure that a request without scope gets the client's defaults, or all that it
// may have where it has no defaults.
func TestDefaultScopes(t *testing.T) {
	w := newWorld(t)
	if r := w.send("/oauth/token", "job", "grant_type=client_credentials"); r.field("scope") != "orders:read" {
		t.Errorf("with defaults: %s", r.body)
	}
	if r := w.sendPost("/oauth/token", "grant_type=client_credentials"); r.field("scope") != "a" {
		t.Errorf("without: %s", r.body)
	}
	if r := w.send("/oauth/token", "spa", "grant_type=client_credentials"); r.status != 200 || strings.Contains(r.body, "scope") {
		t.Errorf("of none: %s", r.body)
	}
}

// Ensure that scopes are filtered where the configuration says so, and that a
// request of which nothing remains is refused even then.
func TestFilterScopes(t *testing.T) {
	w := newWorld(t, func(c *endpoint.Config) { c.FilterScopes = true })
	if r := w.send("/oauth/token", "job", "grant_type=client_credentials&scope=orders:write+admin"); r.field("scope") != "orders:write" {
		t.Errorf("%s", r.body)
	}
	w.send("/oauth/token", "job", "grant_type=client_credentials&scope=admin").want(t, "nothing left", 400, "invalid_scope")
}

// Ensure that the audience is the resources asked for, in their order.
func TestAudienceIsTheResources(t *testing.T) {
	w := newWorld(t)
	raw := w.issue("&resource=urn:reports&resource=https://api.example.com")
	p, err := w.verifier.Authenticate(t.Context(), authz.Credential{Scheme: authz.SchemeBearer, Value: raw})
	if err != nil || len(p.Audience) != 2 || p.Audience[0] != "urn:reports" || p.Audience[1] != "https://api.example.com" {
		t.Errorf("%v, %v", p.Audience, err)
	}
}

// Ensure that the client's lifetime comes before the grant type's, and that
// before the server's.
func TestLifetimes(t *testing.T) {
	server := func(c *endpoint.Config) { c.Lifetime = 2 * time.Hour }
	grant := func(c *endpoint.Config) {
		c.Lifetimes = map[string]time.Duration{"client_credentials": 30 * time.Minute}
	}
	for want, w := range map[string]*world{"7200": newWorld(t, server), "1800": newWorld(t, server, grant)} {
		if r := w.send("/oauth/token", "job", "grant_type=client_credentials"); r.field("expires_in") != want {
			t.Errorf("want %s: %s", want, r.body)
		}
		if r := w.sendPost("/oauth/token", "grant_type=client_credentials"); r.field("expires_in") != "300" {
			t.Errorf("the client's own: %s", r.body)
		}
	}
}

// Ensure that a hundred requests at once all succeed, with a hundred tokens,
// although the first of them all create the client's anchor.
func TestConcurrentTokenRequests(t *testing.T) {
	w := newWorld(t)
	const n = 100
	var wg sync.WaitGroup
	raws := make([]string, n)
	for i := range n {
		wg.Go(func() {
			r := w.send("/oauth/token", "job", "grant_type=client_credentials")
			raws[i] = r.field("access_token")
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, raw := range raws {
		if seen[raw] || !w.alive(raw) {
			t.Errorf("token %.10q: seen %v", raw, seen[raw])
		}
		seen[raw] = true
	}
}

// Ensure that whatever is wrong with the store gives 503 and no token, and never
// the client's fault.
func TestTokenRequestInTrouble(t *testing.T) {
	for name, cause := range map[string]error{
		"unknown outcome": tokenstore.ErrUnknown, "full": tokenstore.ErrFull, "unavailable": tokenstore.ErrUnavailable,
		"damaged": tokenstore.ErrDamaged, "anything": errors.New("disk on fire"),
	} {
		w := newWorld(t)
		w.issue("")
		for path, failing := range map[string]func(*error){"reads": w.engine.failReads.Store, "writes": w.engine.failWrites.Store} {
			// What is known of the client is given up, so that there is something to read.
			change := w.db.NewChange()
			change.Revoke(tokenstore.ClientAnchorKey("job"))
			if _, err := w.db.Commit(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			failing(&cause)
			w.send("/oauth/token", "job", "grant_type=client_credentials").trouble(t, name+", "+path)
			if e := w.events.last(); e.Type != authz.EventTokenRequest || e.Outcome != authz.Failed || e.Reason != "temporarily_unavailable" || e.Grant != "" {
				t.Errorf("%s, %s: event %+v", name, path, e)
			}
			failing(nil)
		}
		if !w.alive(w.issue("")) {
			t.Errorf("%s: it does not recover", name)
		}
	}
	notOpen := newWorld(t, func(c *endpoint.Config) {
		c.Store = func(context.Context) (*tokenstore.DB, error) { return nil, context.DeadlineExceeded }
	})
	notOpen.send("/oauth/token", "job", "grant_type=client_credentials").trouble(t, "not open")
}

// Ensure that a request that lost a race is judged anew: a revocation of the
// client's tokens in between costs it nothing, a new secret refuses it.
func TestTokenRequestThatLosesARace(t *testing.T) {
	w := newWorld(t)
	raw, err := client.Add(t.Context(), w.db, "admin", client.Client{ID: "stored", GrantTypes: []string{"client_credentials"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	ask := func() reply {
		return w.send("/oauth/token", "stored", "grant_type=client_credentials", func(r *http.Request) { r.SetBasicAuth("stored", raw) })
	}
	between := func(f func() error) {
		before := func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		}
		w.engine.beforeApply.Store(&before)
	}
	between(func() error { return client.Revoke(context.Background(), w.db, "admin", "stored") })
	if r := ask(); r.status != 200 || !w.alive(r.field("access_token")) {
		t.Errorf("revoked in between: %d %s", r.status, r.body)
	}
	between(func() error {
		_, err := client.RotateSecret(context.Background(), w.db, "admin", "stored", client.Rotation{})
		return err
	})
	ask().want(t, "secret replaced in between", 401, "invalid_client")
}

// guest is a grant type as another module would bring it.
type guest func(context.Context, *granttype.Request, *tokenstore.Change) (*granttype.Authorization, error)

func (g guest) Authorize(ctx context.Context, r *granttype.Request, c *tokenstore.Change) (*granttype.Authorization, error) {
	return g(ctx, r, c)
}

// Ensure that a guest's grant type can do all that its contract says: spend
// something in the same change, choose the facts, lifetimes and a refresh token,
// bring anchors, refuse, fail.
func TestGrantTypeContract(t *testing.T) {
	spent := tokenstore.CredentialKey([32]byte{1})
	user := tokenstore.NewKey("", tokenstore.KindUserAnchor, "user-1")
	w := newWorld(t, func(c *endpoint.Config) {
		c.GrantTypes["client_credentials2"] = guest(func(ctx context.Context, r *granttype.Request, change *tokenstore.Change) (*granttype.Authorization, error) {
			switch r.Form.Get("do") {
			case "refuse":
				return nil, authz.ErrInvalidGrant
			case "fail":
				return nil, errors.New("no connection")
			case "widen":
				return &granttype.Authorization{Facts: token.Record{Scopes: scope.Of("admin")}}, nil
			}
			gens, err := r.DB.Generations(ctx, user)
			if err != nil {
				return nil, err
			}
			// A second redeemer finds the code there and is refused by the change.
			change.Create(spent, "spent", time.Time{})
			return &granttype.Authorization{
				Facts:   token.Record{Subject: "user-1", Session: "s", Audience: []string{"urn:mine"}},
				Anchors: gens, Lifetime: time.Minute, RefreshLifetime: time.Hour,
			}, nil
		})
	})
	if _, err := w.db.EnsureAnchor(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	ask := func(do string) reply {
		return w.do(w.request("POST", "/oauth/token", "grant_type=client_credentials2&client_id=app&do="+do))
	}
	ask("refuse").want(t, "refuse", 400, "invalid_grant")
	ask("widen").want(t, "widen", 400, "invalid_scope")
	ask("fail").trouble(t, "fail")
	r := ask("")
	if r.status != 200 || r.field("expires_in") != "60" || r.field("refresh_token") == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	p, err := w.verifier.Authenticate(t.Context(), authz.Credential{Scheme: authz.SchemeBearer, Value: r.field("access_token")})
	if err != nil || p.Subject != "user-1" || p.Session != "s" || p.Audience[0] != "urn:mine" || p.Client != "app" {
		t.Errorf("%+v, %v", p, err)
	}
	ask("").trouble(t, "spent already, whatever is tried")

	// Its refresh token ends the whole grant (RFC 7009 §2.1).
	if r := w.do(w.request("POST", "/oauth/revoke", "client_id=app&token="+r.field("refresh_token"))); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if w.alive(r.field("access_token")) {
		t.Error("the access token outlives the revoked refresh token")
	}
}

// Ensure that revoking the user ends a guest's tokens: anchors that it brings count.
func TestGrantTypeAnchorsCount(t *testing.T) {
	user := tokenstore.NewKey("", tokenstore.KindUserAnchor, "user-1")
	w := newWorld(t, func(c *endpoint.Config) {
		c.GrantTypes["client_credentials2"] = guest(func(ctx context.Context, r *granttype.Request, _ *tokenstore.Change) (*granttype.Authorization, error) {
			gens, err := r.DB.Generations(ctx, user)
			return &granttype.Authorization{Anchors: gens}, err
		})
	})
	if _, err := w.db.EnsureAnchor(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	raw := w.do(w.request("POST", "/oauth/token", "grant_type=client_credentials2&client_id=app")).field("access_token")
	if !w.alive(raw) {
		t.Fatal("not alive to begin with")
	}
	change := w.db.NewChange()
	change.Revoke(user)
	if _, err := w.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if w.alive(raw) {
		t.Error("alive after its user was revoked")
	}
}
