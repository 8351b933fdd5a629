// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// assertions has a client of each kind that authenticates by assertions.
const assertions = `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		scope user
		client ledger {
			auth_method private_key_jwt
			jwks {file.{$KEYS}}
			grant_types client_credentials
			scopes user
		}
		client other {
			auth_method private_key_jwt
			jwks {file.{$OTHER_KEYS}}
			grant_types client_credentials
			scopes user
		}
		client shared {
			auth_method client_secret_jwt
			secret {env.SHARED_SECRET}
			grant_types client_credentials
			scopes user
		}
		client basic {
			secret basic-secret-0123456789abcdefghijklmn
			grant_types client_credentials
			scopes user
		}
	}
}

http://localhost:{$PORT} {
	log
	oauth2_server
}
`

const sharedSecret = "shared-secret-0123456789abcdefghijklm"

// startAssertions starts a gateway behind a proxy with the [assertions]
// configuration, and returns its clients "ledger" and "other".
func startAssertions(t *testing.T) (g *gateway, ledger, other asserter) {
	t.Helper()
	ledger, other = newAsserter(t, "ledger"), newAsserter(t, "other")
	g = prepare(t, behindProxy(assertions))
	g.env = append(g.env, "SHARED_SECRET="+sharedSecret,
		"KEYS="+g.write("ledger.jwks", ledger.public()), "OTHER_KEYS="+g.write("other.jwks", other.public()))
	g.canary(sharedSecret)
	g.start()
	return g, ledger, other
}

// Ensure that an assertion gets one answer: of many requests at once, at every
// endpoint, after a reload and after a crash. Row A11.
func TestReplayedAssertionIsRefused(t *testing.T) {
	t.Parallel()
	g, ledger, _ := startAssertions(t)
	assertion := ledger.fresh(g)
	var answered, refused atomic.Int32
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			switch status, code := g.assert("token", assertion, nil); {
			case status == http.StatusOK:
				answered.Add(1)
			case status == http.StatusUnauthorized && code == "invalid_client":
				refused.Add(1)
			default:
				t.Errorf("%d %s", status, code)
			}
		})
	}
	all.Wait()
	if answered.Load() != 1 || refused.Load() != 31 {
		t.Fatalf("of 32 at once, %d were answered and %d refused", answered.Load(), refused.Load())
	}
	sameID := ledger.sign(g, ledger.claims(g, map[string]any{"jti": "used"}), nil)
	if status, code := g.assert("revoke", sameID, nil); status != http.StatusOK {
		t.Fatalf("%d %s", status, code)
	}
	nobody := func(when string) {
		t.Helper()
		for _, endpoint := range []string{"token", "introspect", "revoke"} {
			again := ledger.sign(g, ledger.claims(g, map[string]any{"jti": "used"}), nil)
			for name, spent := range map[string]string{"the token's": assertion, "the revocation's": sameID, "the jti of another": again} {
				if status, code := g.assert(endpoint, spent, nil); status != http.StatusUnauthorized || code != "invalid_client" {
					t.Errorf("%s, %s at %s: %d %s", when, name, endpoint, status, code)
				}
			}
		}
		if status, code := g.assert("token", ledger.fresh(g), nil); status != http.StatusOK {
			t.Errorf("%s, a new one: %d %s", when, status, code)
		}
	}
	nobody("at once")
	g.mustReload(assertions + "\n# changed\n")
	nobody("after a reload")
	g.kill()
	g.start()
	nobody("after a crash")
}

// Ensure that no assertion gets in but the client's own, made for this server, now
// and for this purpose, and that all others get one and the same answer. Rows A01,
// A02, A08 to A10, J01, J02, J04 and J07.
func TestForgedAssertionIsRefused(t *testing.T) {
	t.Parallel()
	g, ledger, other := startAssertions(t)
	issuer := "http://localhost:" + g.port
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	with := func(others map[string]any) string { return ledger.sign(g, ledger.claims(g, others), nil) }
	headed := func(a asserter, header map[jose.HeaderKey]any) string { return a.sign(g, a.claims(g, nil), header) }
	as := func(a asserter, id string) asserter { a.id = id; return a }
	mac := func(id, key string) string {
		return headed(asserter{id: id, key: []byte(key), alg: jose.HS256, kid: "ledger-1"}, nil)
	}
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	parts := strings.Split(ledger.fresh(g), ".")

	for name, assertion := range map[string]string{
		"as it should be": ledger.fresh(g), "list of one audience": with(map[string]any{"aud": []string{issuer}}),
		"nbf and iat 8 s ahead": with(map[string]any{"nbf": in(8 * time.Second), "iat": in(8 * time.Second)}),
		"another client":        other.fresh(g), "a MAC": mac("shared", sharedSecret),
	} {
		if status, code := g.assert("token", assertion, nil); status != http.StatusOK {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	for name, assertion := range map[string]string{
		"token endpoint as audience":   with(map[string]any{"aud": issuer + "/oauth/token"}),
		"issuer and token endpoint":    with(map[string]any{"aud": []string{issuer, issuer + "/oauth/token"}}),
		"another server":               with(map[string]any{"aud": "https://other.example"}),
		"another server too":           with(map[string]any{"aud": []string{issuer, "https://other.example"}}),
		"no exp":                       with(map[string]any{"exp": nil}),
		"expired":                      with(map[string]any{"exp": in(-5 * time.Minute), "iat": in(-6 * time.Minute)}),
		"valid for years":              with(map[string]any{"exp": in(10 * 365 * 24 * time.Hour)}),
		"made 61 s ahead":              with(map[string]any{"iat": in(61 * time.Second), "exp": in(2 * time.Minute)}),
		"valid from 61 s ahead":        with(map[string]any{"nbf": in(61 * time.Second), "exp": in(2 * time.Minute)}),
		"no jti":                       with(map[string]any{"jti": nil}),
		"long jti":                     with(map[string]any{"jti": strings.Repeat("j", 257)}),
		"no sub":                       with(map[string]any{"sub": nil}),
		"another iss":                  with(map[string]any{"iss": "other"}),
		"key of another client":        headed(as(other, "ledger"), nil),
		"kid of another client":        headed(as(other, "ledger"), map[jose.HeaderKey]any{"kid": "ledger-1"}),
		"kid that is a path":           headed(ledger, map[jose.HeaderKey]any{"kid": "../../../../dev/null"}),
		"kid that is a placeholder":    headed(ledger, map[jose.HeaderKey]any{"kid": "{env.SHARED_SECRET}"}),
		"own key in the header":        headed(as(other, "ledger"), map[jose.HeaderKey]any{"jwk": other.key, "jku": "https://evil.example/"}),
		"typ of an access token":       headed(ledger, map[jose.HeaderKey]any{"typ": "at+jwt"}),
		"MAC under the public key":     mac("ledger", ledger.public()),
		"MAC under no key":             mac("ledger", strings.Repeat("\x00", 32)),
		"MAC under another's secret":   mac("ledger", sharedSecret),
		"MAC under a wrong secret":     mac("shared", sharedSecret+"x"),
		"MAC of a basic client":        mac("basic", basicSecret),
		"signature for the MAC client": headed(as(ledger, "shared"), nil),
		"unknown client":               headed(as(ledger, "nobody"), nil),
		"client that is no id":         headed(as(ledger, "{env.SHARED_SECRET}"), nil),
		"no signature":                 encode(`{"alg":"none"}`) + "." + parts[1] + ".",
		"nOnE, signed":                 encode(`{"alg":"nOnE"}`) + "." + parts[1] + "." + parts[2],
		"claims of another":            parts[0] + "." + encode(`{"iss":"other","sub":"other"}`) + "." + parts[2],
		"longer than any":              strings.Repeat("A", 9000),
		"dots":                         strings.Repeat(".", 9000),
		"no token at all":              "x",
	} {
		for _, endpoint := range []string{"token", "introspect", "revoke"} {
			if status, code := g.assert(endpoint, assertion, nil); status != http.StatusUnauthorized || code != "invalid_client" {
				t.Errorf("%s at %s: %d %s", name, endpoint, status, code)
			}
		}
	}
	// The audit log says why, to whom it concerns.
	eventually(t, "a refused assertion is in the log", func() bool { return strings.Contains(g.logs.String(), `"detail":"assertion_`) })
	for name, params := range map[string]url.Values{
		"a secret beside it":         {"client_id": {"ledger"}, "client_secret": {"x"}},
		"another client_id":          {"client_id": {"other"}},
		"a request without its type": {"client_assertion_type": nil},
	} {
		if status, code := g.assert("token", ledger.fresh(g), params); status != http.StatusBadRequest && status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	// A decoy beside what would be right, and what is weaker than what is registered.
	good := "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="
	for name, c := range map[string]struct{ params, line string }{
		"Basic beside it":    {"&" + good + ledger.fresh(g), "Authorization: Basic " + basic("basic", basicSecret)},
		"two assertions":     {"&" + good + ledger.fresh(g) + "&client_assertion=" + ledger.fresh(g), "X-None: 1"},
		"only the id":        {"&client_id=ledger", "X-None: 1"},
		"secret, not MAC":    {"&client_id=shared&client_secret=" + sharedSecret, "X-None: 1"},
		"Basic, not MAC":     {"", "Authorization: Basic " + basic("shared", sharedSecret)},
		"Basic, not the key": {"", "Authorization: Basic " + basic("ledger", "")},
	} {
		if a, code := g.tokenRequest(c.params, c.line); a.status != http.StatusBadRequest && a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.status, code)
		}
	}
}

// Ensure that the token endpoint's URL is an audience where the operator says so,
// and that this is named among what is less strict.
func TestAssertionForTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	g, ledger, _ := startAssertions(t)
	old := func() string {
		return ledger.sign(g, ledger.claims(g, map[string]any{"aud": "http://localhost:" + g.port + "/oauth/token"}), nil)
	}
	if status, _ := g.assert("token", old(), nil); status != http.StatusUnauthorized {
		t.Errorf("before: %d", status)
	}
	g.mustReload(strings.Replace(assertions, "scope user\n", "scope user\n\t\tassertion_audience token_url\n", 1))
	for _, assertion := range []string{old(), ledger.fresh(g)} {
		if status, code := g.assert("token", assertion, nil); status != http.StatusOK {
			t.Errorf("%d %s", status, code)
		}
	}
	if said, _ := g.cli(0, "", "stats"); !strings.Contains(said, "assertion_audience token_url") {
		t.Errorf("not among what is less strict:\n%s", said)
	}
}

// Ensure that keys which a client publishes are fetched when its first assertion
// comes and not before, and serve on through a reload and when nobody answers there
// any more. Row FD11.
func TestPublishedKeysOutliveTheirServer(t *testing.T) {
	t.Parallel()
	ledger := newAsserter(t, "ledger")
	var fetches atomic.Int32
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		_, _ = w.Write([]byte(ledger.public()))
	}))
	defer keys.Close()
	caddyfile := strings.Replace(assertions, "jwks {file.{$KEYS}}", "jwks_uri "+keys.URL, 1)
	g := prepare(t, caddyfile)
	g.env = append(g.env, "SHARED_SECRET="+sharedSecret, "OTHER_KEYS="+g.write("other.jwks", ledger.public()))
	g.start()
	if n := fetches.Load(); n != 0 {
		t.Errorf("%d fetches before anybody asked", n)
	}
	works := func(when string) {
		t.Helper()
		if status, code := g.assert("token", ledger.fresh(g), nil); status != http.StatusOK {
			t.Errorf("%s: %d %s", when, status, code)
		}
	}
	works("at first")
	g.mustReload(caddyfile + "\n# changed\n")
	works("after a reload")
	for range 10 {
		made := ledger.sign(g, ledger.claims(g, nil), map[jose.HeaderKey]any{"kid": "made-up"})
		if status, _ := g.assert("token", made, nil); status != http.StatusUnauthorized {
			t.Errorf("a kid that is not published: %d", status)
		}
	}
	if n := fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	keys.Close()
	works("when nobody answers there")
}

// Ensure that clients of the store authenticate by assertions too, come to it by
// commands, and that the secret behind a MAC lasts and is nowhere to be read.
func TestStoredClientsAssert(t *testing.T) {
	t.Parallel()
	g, _, _ := startAssertions(t)
	stored := newAsserter(t, "stored")
	file := g.write("stored.jwks", stored.public())
	g.cli(0, "", "client", "add", "stored", "--auth-method", "private_key_jwt", "--jwks", file, "--scopes", "user")
	if status, code := g.assert("token", stored.fresh(g), nil); status != http.StatusOK {
		t.Errorf("by its key: %d %s", status, code)
	}
	if shown, _ := g.cli(0, "", "client", "show", "stored"); !strings.Contains(shown, stored.kid) {
		t.Errorf("the key is not shown:\n%s", shown)
	}
	next := newAsserter(t, "stored")
	g.cli(0, next.public(), "client", "edit", "stored", "--jwks", "-")
	if status, _ := g.assert("token", stored.fresh(g), nil); status != http.StatusUnauthorized {
		t.Errorf("by a key that was replaced: %d", status)
	}
	if status, code := g.assert("token", next.fresh(g), nil); status != http.StatusOK {
		t.Errorf("by its new key: %d %s", status, code)
	}

	first, _ := g.cli(0, "", "client", "rotate-secret", "stored", "--auth-method", "client_secret_jwt")
	second, _ := g.cli(0, "", "client", "rotate-secret", "stored")
	if status, _ := g.assert("token", next.fresh(g), nil); status != http.StatusUnauthorized {
		t.Errorf("by its key, after it came to a secret: %d", status)
	}
	g.kill()
	g.start()
	for name, secret := range map[string]string{"older": first, "newer": second} {
		g.canary(secret)
		by := asserter{id: "stored", key: []byte(secret), alg: jose.HS256}
		if status, code := g.assert("token", by.fresh(g), nil); status != http.StatusOK {
			t.Errorf("by its %s secret: %d %s", name, status, code)
		}
		if g.authenticates("stored", secret) {
			t.Errorf("its %s secret is enough by itself", name)
		}
	}
	g.stop()
	content, err := os.ReadFile(g.storeFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{first, second} {
		if bytes.Contains(content, []byte(secret)) {
			t.Error("the secret stands in the store's file")
		}
	}
}
