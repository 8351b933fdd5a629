// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that a refresh token is replaced at each use, as often as one likes, and that
// older access tokens live on.
func TestRefreshRotates(t *testing.T) {
	h := newHouse(t)
	first := h.tokens()
	raw := first.field("refresh_token")
	for range 5 {
		r := h.refresh(raw, "")
		if r.status != 200 || r.field("scope") != "a b" || r.field("refresh_token") == raw || !h.alive(r.field("access_token")) {
			t.Fatalf("%d %s", r.status, r.body)
		}
		raw = r.field("refresh_token")
		h.later(time.Minute)
	}
	if !h.alive(first.field("access_token")) {
		t.Error("the first access token is gone")
	}
	p, err := h.verifier.Authenticate(t.Context(), authz.Credential{Scheme: authz.SchemeBearer, Value: h.refresh(raw, "").field("access_token")})
	if err != nil || p.Subject != "ann" || p.Session != "session-of-ann" || p.ACR != "1" || p.AuthTime.IsZero() {
		t.Errorf("%+v %v", p, err)
	}
}

// longWindow gives answers again for longer than any machine takes for a test.
func longWindow(c *endpoint.Config) {
	c.GrantTypes["refresh_token"] = granttype.RefreshToken{ReuseWindow: 10 * time.Minute}
}

// T12 and S4: a client whose answer was lost gets the same one again, as long as it has
// not used it, and as it asked before.
func TestLostAnswerIsGivenAgain(t *testing.T) {
	h := newHouse(t, longWindow)
	raw := h.tokens().field("refresh_token")
	first := h.refresh(raw, "&scope=a")
	h.later(5 * time.Minute)
	again := h.refresh(raw, "&scope=a")
	if again.status != 200 || again.field("access_token") != first.field("access_token") || again.field("refresh_token") != first.field("refresh_token") || again.field("scope") != "a" {
		t.Fatalf("%d %s after %s", again.status, again.body, first.body)
	}
	before, _ := strconv.Atoi(first.field("expires_in"))
	after, _ := strconv.Atoi(again.field("expires_in"))
	if before-after < 300 || before-after > 600 {
		t.Errorf("expires_in %d, then %d", before, after)
	}
	h.refresh(raw, "&scope=b").want(t, "asked otherwise", 400, "invalid_grant")
	h.refresh(raw, "").want(t, "asked otherwise", 400, "invalid_grant")
	h.do(h.request("POST", "/oauth/token", "grant_type=refresh_token&scope=a&client_id=spa&refresh_token="+raw)).want(t, "T03", 400, "invalid_grant")
	h.do(h.request("POST", "/oauth/token", "grant_type=refresh_token&scope=a&client_id=web&client_secret=wrong&refresh_token="+raw)).want(t, "T08", 401, "invalid_client")

	// The successor was used: the answer did arrive, and nobody is harmed.
	second := h.refresh(first.field("refresh_token"), "")
	h.refresh(raw, "&scope=a").want(t, "successor spent", 400, "invalid_grant")
	if second.status != 200 || !h.alive(second.field("access_token")) || h.refresh(second.field("refresh_token"), "").status != 200 {
		t.Error("a repetition within the window ended the grant")
	}
}

// T01: a token that was replaced and comes after the window ends the grant: all its
// access and refresh tokens, and the user is shown it.
func TestReplayedRefreshTokenRevokesItsGrant(t *testing.T) {
	for name, used := range map[string]bool{"successor used": true, "successor unspent": false} {
		h := newHouse(t)
		issued, other := h.tokens(), h.tokens()
		stolen := issued.field("refresh_token")
		next := h.refresh(stolen, "")
		if used {
			next = h.refresh(next.field("refresh_token"), "")
		}
		h.later(31 * time.Second)
		// Strangers change nothing, now either.
		h.do(h.request("POST", "/oauth/token", "grant_type=refresh_token&client_id=spa&refresh_token="+stolen)).want(t, name, 400, "invalid_grant")
		if !h.alive(next.field("access_token")) {
			t.Fatalf("%s: another client ended the grant", name)
		}
		h.refresh(stolen, "").want(t, name, 400, "invalid_grant")
		for _, r := range []reply{issued, next} {
			if h.alive(r.field("access_token")) {
				t.Errorf("%s: an access token lives", name)
			}
			h.refresh(r.field("refresh_token"), "").want(t, name+": family", 400, "invalid_grant")
		}
		if !h.alive(other.field("access_token")) || h.refresh(other.field("refresh_token"), "").status != 200 {
			t.Errorf("%s: another grant of the same user ended too", name)
		}
		list, _, err := consent.List(t.Context(), h.db, "ann", "", 10)
		if err != nil || len(list) != 1 || list[0].Replayed == 0 || !h.recorded(authz.EventGrantReplayed) {
			t.Errorf("%s: not told: %+v %v", name, list, err)
		}
	}
}

// Ensure that a client to which the answer of a refresh was never delivered can end the
// grant with the token that it has, and nobody else can.
func TestRevokeWithTheReplacedToken(t *testing.T) {
	h := newHouse(t)
	issued, other := h.tokens(), h.tokens()
	replaced := issued.field("refresh_token")
	next := h.refresh(replaced, "")
	h.do(h.request("POST", "/oauth/revoke", "client_id=spa&token="+replaced)).want(t, "another client", 400, "invalid_grant")
	if !h.alive(next.field("access_token")) {
		t.Fatal("another client ended the grant")
	}
	for range 2 {
		h.send("/oauth/revoke", "web", "token="+replaced).want(t, "its client", 200, "")
	}
	for _, r := range []reply{issued, next} {
		if h.alive(r.field("access_token")) {
			t.Error("an access token lives")
		}
		h.refresh(r.field("refresh_token"), "").want(t, "family", 400, "invalid_grant")
	}
	if !h.alive(other.field("access_token")) {
		t.Error("another grant of the same user ended too")
	}
}

// T02: of many who use one refresh token at a time all get the same successor.
func TestParallelRefreshesGetOneSuccessor(t *testing.T) {
	h := newHouse(t, longWindow)
	raw := h.tokens().field("refresh_token")
	successors := map[string]bool{}
	for _, r := range h.at(30, func() reply { return h.refresh(raw, "") }) {
		if r.status != http.StatusOK {
			t.Errorf("%d %s", r.status, r.body)
		}
		successors[r.field("refresh_token")] = true
	}
	if len(successors) != 1 {
		t.Errorf("%d successors", len(successors))
	}
}

// T03, T08, T10: another client, a client that does not authenticate, and a refresh
// token where an access token belongs.
func TestRefreshTokensAreBoundToTheirClient(t *testing.T) {
	h := newHouse(t)
	raw := h.tokens().field("refresh_token")
	h.do(h.request("POST", "/oauth/token", "grant_type=refresh_token&client_id=spa&refresh_token="+raw)).want(t, "T03", 400, "invalid_grant")
	h.do(h.request("POST", "/oauth/token", "grant_type=refresh_token&client_id=web&refresh_token="+raw)).want(t, "T08", 401, "invalid_client")
	h.send("/oauth/token", "machine", "grant_type=refresh_token&refresh_token="+raw).want(t, "not for this grant type", 400, "unauthorized_client")
	if h.alive(raw) {
		t.Error("T10: a refresh token opens a route")
	}
	for name, text := range map[string]string{"empty": "", "nonsense": "x", "access": h.tokens().field("access_token"), "cut": raw[:len(raw)-1]} {
		r := h.refresh(text, "")
		if r.status != 400 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if h.refresh(raw, "").status != 200 {
		t.Error("strangers ended the grant")
	}
}

// T05 and T09: scopes are narrowed, never widened, and the refresh token keeps all;
// resources likewise, and those that are gone are refused.
func TestRefreshNarrows(t *testing.T) {
	unknown := false
	h := newHouse(t, func(c *endpoint.Config) {
		known := c.KnownResource
		c.KnownResource = func(resource string) bool { return known(resource) && !(unknown && resource == "urn:reports") }
	})
	code := h.allow("client_id=web&scope=a+b&resource=urn:reports&resource=https://api.example.com&redirect_uri="+escape(webURI)+pkce, webURI)
	issued := h.redeem(code)
	h.refresh(issued.field("refresh_token"), "&scope=a+c").want(t, "T05 wider", 400, "invalid_scope")
	h.refresh(issued.field("refresh_token"), "&resource="+escape(issuer)).want(t, "wider audience", 400, "invalid_target")
	r := h.refresh(issued.field("refresh_token"), "&scope=a&resource=urn:reports")
	p, err := h.verifier.Authenticate(t.Context(), authz.Credential{Scheme: authz.SchemeBearer, Value: r.field("access_token")})
	if err != nil || r.field("scope") != "a" || len(p.Audience) != 1 || p.Audience[0] != "urn:reports" {
		t.Fatalf("%d %s %+v", r.status, r.body, p)
	}
	unknown = true
	h.refresh(r.field("refresh_token"), "").want(t, "T09", 400, "invalid_target")
	if r = h.refresh(r.field("refresh_token"), "&resource=https://api.example.com"); r.status != 200 || r.field("scope") != "a b" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// Ensure that refresh tokens end when they are not used, and some time after the
// consent in any case.
func TestRefreshTokensEnd(t *testing.T) {
	policy := func(c *endpoint.Config) {
		c.Refresh = granttype.RefreshPolicy{Idle: time.Hour, Absolute: 3 * time.Hour}
	}
	h := newHouse(t, policy)
	raw := h.tokens().field("refresh_token")
	h.later(61 * time.Minute)
	h.refresh(raw, "").want(t, "idle", 400, "invalid_grant")

	raw = h.tokens().field("refresh_token")
	for range 3 {
		h.later(50 * time.Minute)
		r := h.refresh(raw, "")
		if r.status != 200 {
			t.Fatalf("in use: %d %s", r.status, r.body)
		}
		raw = r.field("refresh_token")
	}
	h.later(31 * time.Minute)
	h.refresh(raw, "").want(t, "absolute", 400, "invalid_grant")
}

// Ensure that refresh tokens end with user, client and consent (C09 for refreshes, A15),
// and that revoking one ends its grant (RFC 7009 §2.1).
func TestRefreshTokensEndWithWhatTheyRestOn(t *testing.T) {
	for name, end := range map[string]func(*house, reply){
		"user gone":     func(h *house, _ reply) { h.set(func() { h.gone["ann"] = true }) },
		"user's anchor": func(h *house, _ reply) { h.revoke(t, tokenstore.UserAnchorKey("ann")) },
		"client":        func(h *house, _ reply) { h.revoke(t, tokenstore.ClientAnchorKey("web")) },
		"consent": func(h *house, _ reply) {
			if err := consent.End(t.Context(), h.db, "ann", "ann", "web"); err != nil {
				t.Error(err)
			}
		},
		"revocation": func(h *house, r reply) {
			if answer := h.send("/oauth/revoke", "web", "token="+r.field("refresh_token")); answer.status != 200 || h.alive(r.field("access_token")) {
				t.Error("the grant outlives its refresh token")
			}
		},
	} {
		h := newHouse(t)
		issued := h.tokens()
		end(h, issued)
		h.refresh(issued.field("refresh_token"), "").want(t, name, 400, "invalid_grant")
	}
}

// Ensure that introspection knows refresh tokens, spent ones for what they are.
func TestIntrospectionOfRefreshTokens(t *testing.T) {
	h := newHouse(t)
	raw := h.tokens().field("refresh_token")
	r := h.send("/oauth/introspect", "web", "token="+raw)
	if r.field("active") != "true" || r.field("sub") != "ann" || r.field("scope") != "a b" || r.field("token_type") != "" {
		t.Errorf("%s", r.body)
	}
	h.refresh(raw, "")
	if r := h.send("/oauth/introspect", "web", "token="+raw); r.field("active") != "false" {
		t.Errorf("spent: %s", r.body)
	}
}

// Ensure that a client that goes without rotation keeps its one token for as long as it
// uses it, in many requests at a time too.
func TestRefreshWithoutRotation(t *testing.T) {
	h := newHouse(t, func(c *endpoint.Config) {
		c.Refresh = granttype.RefreshPolicy{Idle: time.Hour, Absolute: 10 * time.Hour}
	})
	code := h.allow("client_id=still&scope=a"+pkce, "https://still.example.com/cb")
	issued := h.send("/oauth/token", "still", "grant_type=authorization_code&code="+code+"&code_verifier="+verifier)
	raw := issued.field("refresh_token")
	refresh := func() reply { return h.send("/oauth/token", "still", "grant_type=refresh_token&refresh_token="+raw) }
	for range 5 {
		h.later(50 * time.Minute)
		for _, r := range h.at(8, refresh) {
			if r.status != 200 || r.field("refresh_token") != "" || !h.alive(r.field("access_token")) {
				t.Fatalf("%d %s", r.status, r.body)
			}
		}
	}
	h.later(61 * time.Minute)
	refresh().want(t, "idle", 400, "invalid_grant")
}

// Ensure that what is kept of a refresh token does not open without it (S4).
func TestKeptAnswersAreSealed(t *testing.T) {
	h := newHouse(t)
	r := h.refresh(h.tokens().field("refresh_token"), "")
	kept := new(strings.Builder)
	if err := h.db.Snapshot(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"access_token", "refresh_token"} {
		if strings.Contains(kept.String(), r.field(name)) {
			t.Errorf("the store has the %s", name)
		}
	}
}
