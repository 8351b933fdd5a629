// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// newAsserted starts a server with a stored client "asserted".
func newAsserted(t *testing.T, change ...func(*endpoint.Config)) *world {
	t.Helper()
	w := newWorld(t, change...)
	_, err := client.Add(t.Context(), w.db, "admin", client.Client{
		ID: "asserted", AuthMethod: authz.AuthSecretJWT, GrantTypes: []string{"client_credentials"}, Scopes: scope.Of("orders:read"),
	}, secret)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// assert returns the parameters that authenticate the client "asserted".
func assert(jti, audience, key string) string {
	return assertUntil(time.Now().Add(time.Minute), jti, audience, key)
}

func assertUntil(expires time.Time, jti, audience, key string) string {
	claims, err := json.Marshal(map[string]any{
		"iss": "asserted", "sub": "asserted", "aud": audience, "jti": jti, "exp": expires.Unix(),
	})
	if err != nil {
		panic(err) // strings and a number
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256"}`)) + "." + encode(claims)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return "&client_assertion_type=" + escape(authz.AssertionTypeJWT) + "&client_assertion=" + text + "." + encode(mac.Sum(nil))
}

// fresh is a good assertion that was never used.
func fresh() string { return assert(rand.Text(), issuer, secret) }

// sendForm posts a form that authenticates its client by itself.
func (w *world) sendForm(path, body string) reply {
	w.t.Helper()
	return w.do(w.request(http.MethodPost, path, body))
}

// Ensure that one assertion gets one answer: of many requests at once, and at
// every endpoint, whatever the first answer was. Row A11.
func TestAssertionGetsOneAnswer(t *testing.T) {
	w := newAsserted(t)
	const token = "grant_type=client_credentials"
	alive := w.sendForm("/oauth/token", token+fresh()).field("access_token")
	uses := map[string]struct {
		path, body string
		status     int
		code       string
	}{
		"a token":              {"/oauth/token", token, 200, ""},
		"too wide a scope":     {"/oauth/token", token + "&scope=orders:write", 400, "invalid_scope"},
		"no grant type":        {"/oauth/token", "x=y", 400, "invalid_request"},
		"introspection":        {"/oauth/introspect", "token=" + alive, 200, ""},
		"nothing to revoke":    {"/oauth/revoke", "token=unknown", 200, ""},
		"another one's token":  {"/oauth/revoke", "token=" + w.issue(""), 400, "invalid_grant"},
		"a token to revoke":    {"/oauth/revoke", "token=" + w.sendForm("/oauth/token", token+fresh()).field("access_token"), 200, ""},
		"a parameter too few":  {"/oauth/introspect", "x=y", 400, "invalid_request"},
		"a scope out of order": {"/oauth/token", token + "&scope=%22", 400, "invalid_scope"},
	}
	for name, use := range uses {
		assertion := fresh()
		first := w.sendForm(use.path, use.body+assertion)
		if first.status != use.status || use.code != "" && first.field("error") != use.code {
			t.Errorf("%s: %d %s", name, first.status, first.body)
		}
		for path, body := range map[string]string{"/oauth/token": token, "/oauth/introspect": "token=" + alive, "/oauth/revoke": "token=" + alive} {
			w.sendForm(path, body+assertion).want(t, name+", then "+path, 401, "invalid_client")
			if e := w.events.last(); e.Outcome != authz.Denied || e.Reason != "invalid_client" || e.Detail != "assertion_replayed" || e.Type == authz.EventTokenIssued {
				t.Errorf("%s, then %s: event %+v", name, path, e)
			}
		}
	}
	if !w.alive(alive) {
		t.Error("a replay revoked a token")
	}

	for _, path := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke"} {
		assertion := fresh()
		var answered, refused atomic.Int32
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				switch r := w.sendForm(path, token+"&token=unknown"+assertion); r.status {
				case 200:
					answered.Add(1)
				case 401:
					refused.Add(1)
				default:
					t.Errorf("%s: %d %s", path, r.status, r.body)
				}
			})
		}
		all.Wait()
		if answered.Load() != 1 || refused.Load() != 31 {
			t.Errorf("%s: of 32 at once, %d were answered and %d refused", path, answered.Load(), refused.Load())
		}
	}
}

// Ensure that what does not authenticate spends nothing: somebody else cannot use
// up a client's assertion, or its jti, before it.
func TestOnlyTheClientSpendsItsAssertion(t *testing.T) {
	w := newAsserted(t)
	const jti = "the one that is used"
	w.issue("")
	before := w.engine.applied.Load()
	for name, assertion := range map[string]string{
		"wrong key":        assert(jti, issuer, secret+"x"),
		"another audience": assert(jti, "https://other.example", secret),
		"token endpoint":   assert(jti, issuer+"/oauth/token", secret),
		"with a client_id": assert(jti, issuer, secret) + "&client_id=other",
		"with a secret":    assert(jti, issuer, secret) + "&client_secret=x",
	} {
		if r := w.sendForm("/oauth/token", "grant_type=client_credentials"+assertion); r.status < 400 || r.status > 401 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if n := w.engine.applied.Load() - before; n != 0 {
		t.Errorf("%d commits", n)
	}
	if r := w.sendForm("/oauth/token", "grant_type=client_credentials"+assert(jti, issuer, secret)); r.status != 200 {
		t.Errorf("the client itself: %d %s", r.status, r.body)
	}
}

// Ensure that a token costs one commit, however its client authenticates, and that
// a first use is not taken for a replay when something else changed meanwhile.
func TestAssertionIsSpentWithTheToken(t *testing.T) {
	w := newAsserted(t)
	const form = "grant_type=client_credentials"
	commits := func(assertion string) (int64, reply) {
		before := w.engine.applied.Load()
		r := w.sendForm("/oauth/token", form+assertion)
		return w.engine.applied.Load() - before, r
	}
	commits(fresh()) // creates the client's anchor
	if n, r := commits(fresh()); n != 1 || r.status != 200 {
		t.Errorf("%d commits: %d %s", n, r.status, r.body)
	}
	between := func(f func() error) {
		once := func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		}
		w.engine.beforeApply.Store(&once)
	}
	between(func() error { return client.Revoke(context.Background(), w.db, "admin", "asserted") })
	assertion := fresh()
	if _, r := commits(assertion); r.status != 200 || !w.alive(r.field("access_token")) {
		t.Errorf("revoked in between: %d %s", r.status, r.body)
	}
	_, r := commits(assertion)
	r.want(t, "and again", 401, "invalid_client")

	revoke := func() {
		if err := client.Revoke(context.Background(), w.db, "admin", "asserted"); err != nil {
			t.Error(err)
		}
	}
	between(func() error { // and again, after the assertion was spent by itself
		revoke()
		spending := func() { w.engine.beforeApply.Store(&revoke) }
		w.engine.beforeApply.Store(&spending)
		return nil
	})
	if n, r := commits(fresh()); r.status != 200 || n < 4 {
		t.Errorf("revoked twice in between, %d commits: %d %s", n, r.status, r.body)
	}

	assertion = fresh()
	var other reply
	between(func() error { other = w.sendForm("/oauth/token", form+assertion); return nil })
	_, r = commits(assertion)
	r.want(t, "used in between", 401, "invalid_client")
	if other.status != 200 {
		t.Errorf("the one in between: %d %s", other.status, other.body)
	}
}

// Ensure that a jti which comes again after its first assertion has expired is a
// replay as long as the store knows it, and never trouble.
func TestExpiredMarkIsAnAnswerToo(t *testing.T) {
	w := newAsserted(t)
	const form = "grant_type=client_credentials"
	if r := w.sendForm("/oauth/token", form+assert("one", issuer, secret)); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	w.ahead.Store(int64(10 * time.Minute))
	later := assertUntil(w.db.Now().Add(time.Minute), "one", issuer, secret)
	w.sendForm("/oauth/token", form+later).want(t, "expired, and still there", 401, "invalid_client")
	if _, err := w.db.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := w.sendForm("/oauth/token", form+later); r.status != 200 {
		t.Errorf("swept: %d %s", r.status, r.body)
	}
}

// Ensure that trouble of ours spends nothing, so that the request can be repeated
// as it is, and that nothing is answered while the spending is in doubt.
func TestTroubleLeavesTheAssertion(t *testing.T) {
	troubled := true
	w := newAsserted(t, func(c *endpoint.Config) {
		c.GrantTypes["client_credentials"] = guest(func(ctx context.Context, r *granttype.Request, change *tokenstore.Change) (*granttype.Authorization, error) {
			if troubled {
				return nil, errors.New("disk on fire")
			}
			return granttype.ClientCredentials{}.Authorize(ctx, r, change)
		})
	})
	body := "grant_type=client_credentials" + fresh()
	w.sendForm("/oauth/token", body).trouble(t, "trouble of the grant type")
	troubled = false
	if r := w.sendForm("/oauth/token", body); r.status != 200 {
		t.Errorf("after trouble of the grant type: %d %s", r.status, r.body)
	}
	for path, body := range map[string]string{
		"/oauth/token": "grant_type=client_credentials", "/oauth/introspect": "token=unknown", "/oauth/revoke": "token=unknown",
	} {
		body += fresh()
		for _, cause := range []error{tokenstore.ErrUnavailable, tokenstore.ErrFull} {
			w.engine.failWrites.Store(&cause)
			w.sendForm(path, body).trouble(t, path)
			w.engine.failWrites.Store(nil)
		}
		if r := w.sendForm(path, body); r.status != 200 {
			t.Errorf("%s, repeated: %d %s", path, r.status, r.body)
		}
	}
}

// Ensure that the token endpoint's URL is taken for the audience where that is
// switched on, at every endpoint.
func TestAssertionForTheTokenURL(t *testing.T) {
	w := newAsserted(t, func(c *endpoint.Config) { c.AssertionsForTokenURL = true })
	for _, audience := range []string{issuer, issuer + "/oauth/token"} {
		if r := w.sendForm("/oauth/introspect", "token=x"+assert(rand.Text(), audience, secret)); r.status != 200 {
			t.Errorf("%s: %d %s", audience, r.status, r.body)
		}
	}
	w.sendForm("/oauth/introspect", "token=x"+assert(rand.Text(), issuer+"/oauth/introspect", secret)).want(t, "another URL", 401, "invalid_client")
}
