// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Ensure that neither the answer nor the time tells whether a client exists. Row
// A07.
func TestUnknownClientLooksLikeWrongSecret(t *testing.T) {
	g := start(t, behindProxy(clients))
	conn := g.dial()
	ask := func(id, address string) (time.Duration, string) {
		request := g.head("POST", "localhost", "/oauth/token", "grant_type=client_credentials", formType, "X-Forwarded-For: "+address,
			"Authorization: Basic "+basic(id, "wrong-secret-0123456789abcdefghijklm"), "Connection: keep-alive") + "grant_type=client_credentials"
		began := time.Now()
		if err := conn.send(request); err != nil {
			t.Fatal(err)
		}
		resp, err := conn.response()
		if err != nil {
			t.Fatal(err)
		}
		body, err := drain(resp)
		took := time.Since(began)
		if err != nil || resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%d %v", resp.StatusCode, err)
		}
		resp.Header.Del("Date")
		return took, strings.Join([]string{body, resp.Header.Get("WWW-Authenticate"), resp.Header.Get("Content-Type"), resp.Header.Get("Content-Length")}, "\n")
	}
	const rounds, series = 300, 5
	answers := map[string]bool{}
	// told is which client's answers take longer than a known one's, or less long, and
	// how much in each series. What a machine does besides may make one such difference,
	// but not the same one again and again.
	var told map[string][]time.Duration
	for n := 0; n == 0 || n < series && len(told) > 0; n++ {
		times := map[string][]time.Duration{}
		for i := range rounds {
			address := fmt.Sprintf("198.51.%d.%d", n, i/10)                  // who fails ten times need not wait
			for _, id := range []string{"basic", "bas1c", "off", "public"} { // in turns, so that noise hits all alike
				took, text := ask(id, address)
				times[id] = append(times[id], took)
				answers[text] = true
			}
		}
		for id := range times {
			slices.Sort(times[id])
		}
		// The quartile is steadier than the median on a machine that does other things.
		known, again := times["basic"][rounds/4], map[string][]time.Duration{}
		for id, sorted := range times {
			for way, d := range map[string]time.Duration{"longer": sorted[rounds/4] - known, "less long": known - sorted[rounds/4]} {
				who := id + " takes " + way
				if before, suspect := told[who]; d > known/4+50*time.Microsecond && (suspect || n == 0) {
					again[who] = append(before, d)
				}
			}
		}
		told = again
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers", len(answers))
	}
	for who, differences := range told {
		t.Errorf("%s than a known client, by %v", who, differences)
	}
}

// Ensure that a client revokes its own tokens and nobody else's, and learns
// nothing about others'. Rows A21 and S16.
func TestForeignTokensCanNeitherBeRevokedNorSeen(t *testing.T) {
	g, _ := startGuarded(t)
	token := g.shopToken("user")
	for _, body := range []url.Values{{"token": {token}}, {"token": {"nonsense"}}, {"token": {"co2at_unknown-but-a-canary"}}, {"token": {token}, "token_type_hint": {"refresh_token"}}} {
		resp, content := g.post("/oauth/revoke", "reporter", reporterSecret, body)
		// Refused, as RFC 7009 §2.1 wants it for a token that exists; 200 for one
		// that does not.
		if want := map[bool]int{true: http.StatusBadRequest, false: http.StatusOK}[body.Get("token") == token]; resp.StatusCode != want {
			t.Errorf("revocation by another client: %s %s", resp.Status, content)
		}
		if got := g.introspect("reporter", reporterSecret, body.Get("token")); len(got) != 1 || got["active"] != false {
			t.Errorf("introspection by another client: %v", got)
		}
	}
	if got := g.call("api.localhost", "/x", token); got != http.StatusOK {
		t.Errorf("the token ended by another client's request: %d", got)
	}
	own := g.introspect("shop", shopSecret, token)
	if own["active"] != true || own["client_id"] != "shop" || own["scope"] != "user" || own["sub"] != nil && own["sub"] == "shop" {
		t.Errorf("introspection by its own client: %v", own)
	}
	for _, endpoint := range []string{"/oauth/introspect", "/oauth/revoke"} {
		for _, lines := range [][]string{nil, {"Authorization: Bearer " + token}, {"Authorization: Basic " + basic("shop", "wrong")}} {
			a := g.request("POST", "localhost", endpoint, "token="+token, append(lines, formType)...)
			if a.status != http.StatusUnauthorized {
				t.Errorf("%s with %d credentials: %d", endpoint, len(lines), a.status)
			}
		}
	}
	// A wrong hint does not keep a client's own token alive (RFC 7009 §2.1).
	if resp, body := g.post("/oauth/revoke", "shop", shopSecret, url.Values{"token": {token}, "token_type_hint": {"refresh_token"}}); resp.StatusCode != http.StatusOK {
		t.Errorf("own revocation: %s %s", resp.Status, body)
	}
	if got := g.call("api.localhost", "/x", token); got != http.StatusUnauthorized {
		t.Errorf("after revocation: %d", got)
	}
	if resp, _ := g.post("/oauth/revoke", "shop", shopSecret, url.Values{"token": {token}}); resp.StatusCode != http.StatusOK {
		t.Errorf("revoked twice: %s", resp.Status)
	}
}

// Ensure that refusals for what exists and what does not are the same. Row S20.
func TestRefusalsTellNothingAboutTheUpstream(t *testing.T) {
	u := newUpstream(t)
	u.answer = missingUnlessKnown
	g := start(t, guarded, u.env())
	var bodies []string
	for _, path := range []string{"/known", "/unknown"} {
		a := g.get("api.localhost", path)
		bodies = append(bodies, a.body+a.header.Get("WWW-Authenticate"))
	}
	if bodies[0] != bodies[1] || u.count() != 0 {
		t.Errorf("%q, %d at the upstream", bodies, u.count())
	}
}
