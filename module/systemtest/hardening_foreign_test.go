// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"crypto"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Ensure that tokens which are not for us, not access tokens, or say too little
// are refused, though their issuer signed them. Rows S01, S02, S05, S07, S19.
func TestForeignTokensForOthers(t *testing.T) {
	t.Parallel()
	f := newForeignIssuer(t)
	g, u := startAbroad(t, f)
	own := "http://localhost:" + g.port
	for name, claims := range map[string]map[string]any{
		"S02, for another service": {"aud": []string{"other", "http://api.localhost:" + g.port}}, "S02, for our issuer": {"aud": own}, "S02, for nobody": {"aud": nil},
		"S07, without client": {"client_id": nil}, "S07, without subject": {"sub": nil}, "without end": {"exp": nil}, "ended": {"exp": 1_700_000_000},
		"S19, of us": {"iss": own}, "S19, of its staging": {"iss": "https://staging.example"}, "S19, of nobody": {"iss": nil},
		"bound to a key": {"cnf": map[string]any{"jkt": "x"}},
	} {
		if status := g.call("api.localhost", "/x", f.issue(g, claims)); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, status)
		}
	}
	if a := g.get("api.localhost", "/admin", "Authorization: Bearer "+f.issue(g, map[string]any{"scope": nil})); a.status != http.StatusForbidden {
		t.Errorf("S07, without scopes: %d", a.status)
	}
	for _, typ := range []any{nil, "JWT", "jwt", "logout+jwt", "secevent+jwt", "client-authentication+jwt", "dpop+jwt"} {
		header := map[jose.HeaderKey]any{}
		if typ != nil {
			header["typ"] = typ
		}
		if status := g.call("api.localhost", "/x", f.sign(g, f.grant(nil), header)); status != http.StatusUnauthorized {
			t.Errorf("S01 and S05, typ %v: %d", typ, status)
		}
	}
	if n := u.count(); n != 0 {
		t.Fatalf("%d requests reached the service", n)
	}
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"} {
		if status := g.call("api.localhost", "/x", f.sign(g, f.grant(nil), map[jose.HeaderKey]any{"typ": typ})); status != http.StatusOK {
			t.Errorf("S05, typ %s: %d", typ, status)
		}
	}
}

// Ensure that no forged or altered signature passes, and none whose text could be read
// in two ways. Rows J01, J02, J04, J05, J07, J08, J09, J11, J16, J18, S05, S08.
func TestForgedForeignTokens(t *testing.T) {
	t.Parallel()
	f := newForeignIssuer(t)
	g, u := startAbroad(t, f)
	good := f.issue(g, nil)
	if status := g.call("api.localhost", "/x", good); status != http.StatusOK {
		t.Fatal(status)
	}
	g.refuses(u, altered(t, good))
	g.refuses(u, forged(g, jose.JSONWebKey{Key: f.key.(crypto.Signer).Public(), KeyID: f.kid}, f.grant(nil)))
	plain, ambiguous := f.ambiguous(g, f.grant(nil))
	g.refuses(u, ambiguous)
	if status := g.call("api.localhost", "/x", plain); status != http.StatusOK {
		t.Errorf("what these are made of: %d", status)
	}
	if n := f.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want one: a header's URL is never fetched", n)
	}
}

// Ensure that tokens with made-up key ids, however many, cost the issuer one
// fetch a minute, and nobody else's requests anything. Row J12.
func TestMadeUpKeysDoNotReachTheIssuer(t *testing.T) {
	t.Parallel()
	f, stranger := newForeignIssuer(t), newAsserter(t, "login")
	g, _ := startAbroad(t, f)
	good := f.issue(g, nil)
	began := time.Now()
	if status := g.call("api.localhost", "/x", good); status != http.StatusOK {
		t.Fatal(status)
	}
	forged := make([]string, 500)
	for i := range forged {
		stranger.kid = fmt.Sprint("made-up-", i)
		forged[i] = stranger.sign(g, f.grant(nil), accessToken)
	}
	var all sync.WaitGroup
	for part := range 10 {
		all.Go(func() {
			for _, raw := range forged[part*50 : part*50+50] {
				if status := g.call("api.localhost", "/x", raw); status != http.StatusUnauthorized {
					t.Errorf("a made-up key: %d", status)
				}
				if status := g.call("api.localhost", "/x", good); status != http.StatusOK {
					t.Errorf("a good token meanwhile: %d", status)
				}
			}
		})
	}
	all.Wait()
	if n, took := f.fetches.Load(), time.Since(began); n < 1 || n > 1+int32(took/time.Minute) {
		t.Errorf("%d fetches within %v", n, took)
	}
}

// Ensure that an issuer's enormous or foreign answers hold up its own
// tokens only, and for seconds. Row J13.
func TestBadKeySetsHoldUpNobodyElse(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"a page":        "<html><body>Sign in</body></html>",
		"an empty set":  `{"keys":[]}`,
		"10,000 keys":   `{"keys":[` + strings.Repeat(`{"kty":"EC"},`, 10_000) + `{}]}`,
		"ten megabytes": `{"keys":[` + strings.Repeat(" ", 10<<20) + `]}`,
	} {
		f := newForeignIssuer(t)
		f.set(answer, "")
		g, _ := startAbroad(t, f)
		if status := g.call("api.localhost", "/x", f.issue(g, nil)); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", name, status)
		}
		if status := g.call("api.localhost", "/x", g.shopToken("user")); status != http.StatusOK {
			t.Errorf("%s, our own token: %d", name, status)
		}
		f.set("", "")
		eventually(t, "its tokens pass", func() bool { return g.call("api.localhost", "/x", f.issue(g, nil)) == http.StatusOK })
		g.stop()
	}
}

// Ensure that an issuer whose answer has no end, but never stops either, holds up its
// own tokens only, and for seconds. Row J13.
func TestKeySetThatDripsHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	f := newForeignIssuer(t)
	f.set(dripping, "")
	g, _ := startAbroad(t, f)
	foreign := f.issue(g, nil)
	waits := make(chan int, 1)
	go func() { waits <- g.call("api.localhost", "/x", foreign) }()
	eventually(t, "its keys are fetched", func() bool { return f.fetches.Load() > 0 })
	if status := g.call("api.localhost", "/x", g.shopToken("user")); status != http.StatusOK {
		t.Errorf("our own token meanwhile: %d", status)
	}
	if status := <-waits; status != http.StatusServiceUnavailable {
		t.Errorf("its token: %d", status)
	}
	f.set("", "")
	eventually(t, "its tokens pass", func() bool { return g.call("api.localhost", "/x", foreign) == http.StatusOK })
}
