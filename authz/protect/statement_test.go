// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// notary signs by putting a word before the claims, and counts.
type notary struct {
	signed int
	fail   error
}

func (n *notary) sign(_ context.Context, claims []byte, _ time.Time) (string, error) {
	n.signed++
	return "signed:" + string(claims), n.fail
}

// stating is a configuration whose upstream is told by tokens.
func stating(t testing.TB, n *notary, token Token, rows ...string) Config {
	c := testConfig(t, rows...)
	c.Sign, c.Upstream = n.sign, Upstream{Token: &token}
	return c
}

// claimsOf returns what a header says, which must be signed.
func claimsOf(t testing.TB, value string) map[string]any {
	t.Helper()
	text, signed := strings.CutPrefix(value, "signed:")
	var claims map[string]any
	if err := json.Unmarshal([]byte(text), &claims); err != nil || !signed {
		t.Fatalf("%q: %v", value, err)
	}
	return claims
}

// Ensure that the service is told who calls, for itself alone and for a minute,
// in place of the caller's credential, and that a machine is nobody's subject.
func TestStatement(t *testing.T) {
	n := new(notary)
	c := stating(t, n, Token{Format: "jwt"}, "allow /* user")
	c.Authenticator.(tokens)["brief"] = changed(func(p *authz.Principal) {
		p.Expires, p.AuthTime, p.ACR, p.Session = testTime.Add(20*time.Second), testTime.Add(-time.Hour), "two", "s-1"
		p.Username = "Ann, née Öz" // which only a header would need in another form
		p.Claims = map[string]any{"groups": []string{"staff"}, "sub": "root", "aud": "x", "scope": "admin", "jti": "1", "cnf": "k"}
	}, "user", "more")
	g := newGuard(t, c)
	common := map[string]any{
		"iss": testIssuer, "origin_iss": testIssuer, "aud": []any{testResource}, "client_id": "shop", "scope": "user",
		"iat": float64(testTime.Unix()), "exp": float64(testTime.Add(time.Minute).Unix()),
	}
	with := func(more map[string]any) map[string]any {
		all := map[string]any{}
		for _, m := range []map[string]any{common, more} {
			for name, value := range m {
				all[name] = value
			}
		}
		return all
	}
	for token, want := range map[string]map[string]any{
		"user":    with(map[string]any{"sub": "u-17", "preferred_username": "ann"}),
		"machine": with(nil),
		"brief": with(map[string]any{
			"sub": "u-17", "preferred_username": "Ann, née Öz", "exp": float64(testTime.Add(20 * time.Second).Unix()),
			"auth_time": float64(testTime.Add(-time.Hour).Unix()), "acr": "two", "sid": "s-1", "groups": []any{"staff"},
		}),
	} {
		_, seen, err := serve(t, get("GET", "/", token), g)
		if err != nil || seen == nil {
			t.Fatalf("%s does not pass: %v", token, err)
		}
		value, bearer := strings.CutPrefix(seen.request.Header.Get("Authorization"), "Bearer ")
		if got := claimsOf(t, value); !bearer || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", token, got, want)
		}
		if seen.request.Header.Get("X-Auth-Client") != "shop" {
			t.Errorf("%s: the other headers are not there", token)
		}
	}
}

// Ensure that a caller's statement is made once and used for most of its life, by
// nobody else, and never longer than the credential lasts.
func TestStatementIsMadeOnce(t *testing.T) {
	n := new(notary)
	c := stating(t, n, Token{Format: "jwt", Header: "X-Caller"}, "allow /* user")
	now := testTime
	c.Now = func() time.Time { return now }
	resource := testResource
	c.Resource = func(*http.Request) string { return resource }
	all := c.Authenticator.(tokens)
	shared, equal := map[string]any{"a": 1}, map[string]any{"a": 1}
	for name, change := range map[string]func(*authz.Principal){
		"same": func(*authz.Principal) {}, "scope": func(p *authz.Principal) { p.Scopes = principal("read", "user").Scopes },
		"subject": func(p *authz.Principal) { p.Subject = "u-18" }, "session": func(p *authz.Principal) { p.Session = "s" },
		"later":  func(p *authz.Principal) { p.Expires = p.Expires.Add(time.Second) },
		"claims": func(p *authz.Principal) { p.Claims = shared }, "others": func(p *authz.Principal) { p.Claims = equal },
		"brief": func(p *authz.Principal) { p.Expires = testTime.Add(statementReuse + 20*time.Second) },
	} {
		all[name] = changed(change, "user")
	}
	g := newGuard(t, c)
	say := func(token string) string {
		t.Helper()
		w, seen, err := serve(t, get("GET", "/", token), g)
		if seen == nil {
			t.Fatalf("%s does not pass: %d, %v", token, w.Code, err)
		}
		return seen.request.Header.Get("X-Caller")
	}
	made := func(want int, what string) {
		t.Helper()
		if n.signed != want {
			t.Errorf("%s: %d signed, want %d", what, n.signed, want)
		}
		n.signed = 0
	}
	for range 5 {
		say("user")
		say("same")
		say("later")
	}
	made(1, "one caller by three tokens")
	now = testTime.Add(statementReuse - time.Second)
	say("user")
	made(0, "before it is worn")
	now = testTime.Add(statementReuse)
	if left := claimsOf(t, say("user"))["exp"].(float64) - float64(now.Unix()); left != StatementLifetime.Seconds() {
		t.Errorf("worn, it is replaced by one that lasts %v s", left)
	}
	made(1, "once it is worn")
	// From here on other callers may have taken its place.
	for _, token := range []string{"scope", "subject", "session", "claims", "others", "machine"} {
		say(token)
	}
	made(6, "other callers")
	say("brief")
	now = now.Add(19 * time.Second)
	if exp := claimsOf(t, say("brief"))["exp"].(float64); exp != float64(testTime.Add(statementReuse+20*time.Second).Unix()) {
		t.Errorf("it outlives the credential: %v", exp)
	}
	made(1, "a credential that ends soon")
	resource = "https://other.example.com"
	all["user"] = changed(func(p *authz.Principal) { p.Audience = []string{testIssuer} }, "user")
	if aud := claimsOf(t, say("user"))["aud"]; !reflect.DeepEqual(aud, []any{resource}) {
		t.Errorf("at another resource it is for %v", aud)
	}
}

// Ensure that what a client sends under the token's name does not arrive, in no
// spelling, whatever the row, and that an inner guard does not take the outer's for
// a credential nor hand it on.
func TestStatementCannotBeForged(t *testing.T) {
	n := new(notary)
	c := stating(t, n, Token{Format: "jwt", Header: "X-Caller"}, "allow /* user", "public /open", "optional /maybe")
	g := newGuard(t, c)
	for path, token := range map[string]string{"/": "user", "/open": "", "/maybe": ""} {
		r := get("GET", path, token)
		for _, name := range []string{"X-Caller", "x-caller", "X_Caller", "X.Caller", "x_CALLER"} {
			r.Header[name] = []string{"forged"}
		}
		_, seen, _ := serve(t, r, g)
		if seen == nil {
			t.Fatalf("%s does not pass", path)
		}
		for name, values := range seen.request.Header {
			if strings.Contains(strings.Join(values, " "), "forged") {
				t.Errorf("%s: %s arrived", path, name)
			}
		}
	}
	outer := newGuard(t, stating(t, n, Token{Format: "jwt"}, "allow /* user"))
	_, seen, err := serve(t, get("GET", "/", "user"), outer, newGuard(t, testConfig(t, "allow /* user")))
	if seen == nil || seen.request.Header.Get("Authorization") != "" {
		t.Errorf("through an inner guard: %v, %v", seen, err)
	}
	_, seen, err = serve(t, get("GET", "/", "user"), newGuard(t, testConfig(t, "allow /* user")), outer)
	if seen == nil || !strings.HasPrefix(seen.request.Header.Get("Authorization"), "Bearer signed:") {
		t.Errorf("through an outer guard: %v, %v", seen, err)
	}
}

// Ensure that without a signature, or an audience, nothing passes, that a refused
// request has none, and that what is too long is refused.
func TestStatementTrouble(t *testing.T) {
	n := &notary{fail: errors.New("no key")}
	c := stating(t, n, Token{Format: "jwt"}, "allow /* user", "allow /admin admin")
	g := newGuard(t, c)
	_, seen, err := serve(t, get("GET", "/", "user"), g)
	if !errors.Is(err, authz.ErrTemporarilyUnavailable) || seen != nil {
		t.Errorf("without a key: %v", err)
	}
	n.signed = 0
	if w, seen, _ := serve(t, get("GET", "/admin", "user"), g); seen != nil || w.Code != http.StatusForbidden || n.signed > 0 {
		t.Errorf("a refused request: %d, %d signed", w.Code, n.signed)
	}
	n.fail = nil
	c.Authenticator.(tokens)["long"] = changed(func(p *authz.Principal) { p.Claims = map[string]any{"x": strings.Repeat("x", MaxValue)} }, "user")
	if w, seen, _ := serve(t, get("GET", "/", "long"), g); seen != nil || w.Code != http.StatusForbidden {
		t.Errorf("too long: %d", w.Code)
	}
	c.Resource = nil
	c.Authenticator.(tokens)["user"] = changed(func(p *authz.Principal) { p.Audience = []string{testIssuer} }, "user")
	if _, seen, err := serve(t, get("GET", "/", "user"), newGuard(t, c)); seen != nil || !errors.Is(err, authz.ErrServer) {
		t.Errorf("for nobody: %v", err)
	}
	c.Upstream.Token.Audience = []string{"urn:orders"}
	if _, seen, err := serve(t, get("GET", "/", "user"), newGuard(t, c)); seen == nil {
		t.Errorf("for somebody by name: %v", err)
	}
	failing := newGuard(t, c)
	r := get("GET", "/", "user")
	err = failing.ServeHTTP(httptest.NewRecorder(), r, func(http.ResponseWriter, *http.Request) error { return errors.New("proxy trouble") })
	if err == nil || r.Header.Get("Authorization") != "" {
		t.Errorf("after an error the request has %v", r.Header)
	}
}

// Ensure that what cannot work does not load.
func TestStatementConfiguration(t *testing.T) {
	for name, u := range map[string]Upstream{
		"format":        {Token: &Token{Format: "saml"}},
		"no format":     {Token: &Token{}},
		"header":        {Token: &Token{Format: "jwt", Header: "Cookie"}},
		"no header":     {Token: &Token{Format: "jwt", Header: "X Y"}},
		"audience":      {Token: &Token{Format: "jwt", Audience: []string{""}}},
		"many":          {Token: &Token{Format: "jwt", Audience: make([]string, maxAudience+1)}},
		"with basic":    {Token: &Token{Format: "jwt"}, Basic: &Basic{Username: "a", Password: "b"}},
		"with the rest": {Token: &Token{Format: "jwt"}, KeepCredential: true},
		"twice":         {Token: &Token{Format: "jwt", Header: "X-Auth-Client"}},
		"static":        {Token: &Token{Format: "jwt", Header: "X-Key"}, Static: map[string]string{"X-Key": "k"}},
	} {
		if u.Validate() == nil {
			t.Errorf("%s is allowed", name)
		}
	}
	c := testConfig(t, "allow /* user")
	c.Upstream.Token = &Token{Format: "jwt"}
	if _, err := New(c); err == nil {
		t.Error("nobody signs, and it loads")
	}
}

// Ensure that telling again what was told before allocates nothing.
func TestStatementDoesNotAllocate(t *testing.T) {
	n := new(notary)
	g := newGuard(t, stating(t, n, Token{Format: "jwt"}, "allow /* user"))
	r, p, s := get("GET", "/", "user"), principal("user"), g.table.find("GET", "/").dress.statement
	if cost := testing.AllocsPerRun(100, func() {
		if _, refusal := g.state(r, s, &p); refusal != nil {
			t.Error(refusal)
		}
	}); cost != 0 {
		t.Errorf("%v allocations", cost)
	}
}

func BenchmarkStatement(b *testing.B) {
	g := newGuard(b, stating(b, new(notary), Token{Format: "jwt"}, "allow /* user"))
	r, p, s := get("GET", "/", "user"), principal("user"), g.table.find("GET", "/").dress.statement
	b.ReportAllocs()
	for b.Loop() {
		g.state(r, s, &p)
	}
}
