// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// C01: a code presented again by its client with all its proofs, at once and later, is
// refused, and what it gave is gone; the user is shown it.
func TestReplayedCodeRevokesItsGrant(t *testing.T) {
	for name, wait := range map[string]time.Duration{"at once": 0, "after 30 s": 30 * time.Second, "after its own time": 10 * time.Minute} {
		h := newHouse(t)
		code := h.webCode()
		issued := h.redeem(code)
		other := h.tokens()
		h.later(wait)
		h.redeem(code).want(t, name, 400, "invalid_grant")
		if h.alive(issued.field("access_token")) {
			t.Errorf("%s: the access token lives", name)
		}
		h.refresh(issued.field("refresh_token"), "").want(t, name+": refresh", 400, "invalid_grant")
		if !h.alive(other.field("access_token")) {
			t.Errorf("%s: another grant of the same user ended too", name)
		}
		list, _, err := consent.List(t.Context(), h.db, "ann", "", 10)
		if err != nil || len(list) != 1 || list[0].Replayed == 0 {
			t.Errorf("%s: not noted: %+v %v", name, list, err)
		}
		if !h.recorded(authz.EventGrantReplayed) {
			t.Errorf("%s: not told", name)
		}
		h.redeem(code).want(t, name+": a third time", 400, "invalid_grant")
	}
}

// recorded reports whether there was an event of a type.
func (h *house) recorded(event authz.EventType) bool {
	h.events.mu.Lock()
	defer h.events.mu.Unlock()
	for _, e := range h.events.kept {
		if e.Type == event {
			return true
		}
	}
	return false
}

// at sends n requests at a time and returns the answers.
func (h *house) at(n int, send func() reply) []reply {
	replies := make([]reply, n)
	var all sync.WaitGroup
	for i := range replies {
		all.Go(func() { replies[i] = send() })
	}
	all.Wait()
	return replies
}

// C02: of many who redeem a code at a time exactly one gets tokens.
func TestCodeIsRedeemedOnce(t *testing.T) {
	h := newHouse(t)
	code := h.webCode()
	won := 0
	for _, r := range h.at(30, func() reply { return h.redeem(code) }) {
		if r.status == http.StatusOK {
			won++
		} else {
			r.want(t, "loser", 400, "invalid_grant")
		}
	}
	if won != 1 {
		t.Errorf("%d got tokens", won)
	}
}

// C03, C05, R18 and C07: who is not the rightful client with all its proofs gets
// nothing and harms nobody, before the code is spent and after.
func TestStrangersWithACodeChangeNothing(t *testing.T) {
	h := newHouse(t)
	code := h.webCode()
	uri := "&redirect_uri=" + escape(webURI)
	const grant = "grant_type=authorization_code&code="
	strangers := map[string]func() reply{
		"C03 other client": func() reply { return h.send("/oauth/token", "old", grant+code+uri+"&code_verifier="+verifier) },
		"C03 public client": func() reply {
			return h.do(h.request("POST", "/oauth/token", grant+code+uri+"&client_id=spa&code_verifier="+verifier))
		},
		"R18 other URI": func() reply {
			return h.send("/oauth/token", "web", grant+code+"&redirect_uri="+escape(webURI+"/")+"&code_verifier="+verifier)
		},
		"R18 no URI": func() reply { return h.send("/oauth/token", "web", grant+code+"&code_verifier="+verifier) },
		"C07 other verifier": func() reply {
			return h.send("/oauth/token", "web", grant+code+uri+"&code_verifier="+strings.Repeat("v", 43))
		},
		"P03 no verifier":     func() reply { return h.send("/oauth/token", "web", grant+code+uri) },
		"P04 empty verifier":  func() reply { return h.send("/oauth/token", "web", grant+code+uri+"&code_verifier=") },
		"P03 challenge as it": func() reply { return h.send("/oauth/token", "web", grant+code+uri+"&code_verifier="+challenge) },
		"C08 truncated":       func() reply { return h.redeem(code[:len(code)-1]) },
		"C08 extended":        func() reply { return h.redeem(code + "0") },
		"C08 other case":      func() reply { return h.redeem(strings.ToUpper(code)) },
		"C08 encoded twice":   func() reply { return h.redeem("%2563" + code[1:]) },
	}
	for name, send := range strangers {
		send().want(t, name, 400, "invalid_grant")
	}
	h.do(h.request("POST", "/oauth/token", grant+code+uri+"&client_id=web&client_secret=wrong&code_verifier="+verifier)).want(t, "wrong secret", 401, "invalid_client")

	issued := h.redeem(code)
	if issued.status != 200 {
		t.Fatalf("the client itself: %d %s", issued.status, issued.body)
	}
	for name, send := range strangers {
		send().want(t, "spent, "+name, 400, "invalid_grant")
	}
	if !h.alive(issued.field("access_token")) || h.refresh(issued.field("refresh_token"), "").status != 200 {
		t.Error("a stranger ended the grant")
	}
}

// R18: a redirect URI at the token endpoint that the authorization request did not name.
func TestExtraRedirectURIAtTheTokenEndpoint(t *testing.T) {
	h := newHouse(t)
	code := h.allow("client_id=web&scope=a"+pkce, webURI)
	h.redeem(code).want(t, "extra", 400, "invalid_grant")
	if r := h.send("/oauth/token", "web", "grant_type=authorization_code&code="+code+"&code_verifier="+verifier); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// C09: user, client or session disabled or gone between issue and exchange, and codes
// that are too old.
func TestCodesEndWithWhatTheyRestOn(t *testing.T) {
	for name, end := range map[string]func(*house){
		"user gone":     func(h *house) { h.set(func() { h.gone["ann"] = true }) },
		"user's anchor": func(h *house) { h.revoke(t, tokenstore.UserAnchorKey("ann")) },
		"signed out":    func(h *house) { h.revoke(t, tokenstore.SessionAnchorKey("session-of-ann")) },
		"client":        func(h *house) { h.revoke(t, tokenstore.ClientAnchorKey("web")) },
		"time":          func(h *house) { h.later(61 * time.Second) },
	} {
		h := newHouse(t)
		code := h.webCode()
		end(h)
		h.redeem(code).want(t, name, 400, "invalid_grant")
	}
	h := newHouse(t)
	issued := h.tokens()
	h.revoke(t, tokenstore.SessionAnchorKey("session-of-ann"))
	if !h.alive(issued.field("access_token")) || h.refresh(issued.field("refresh_token"), "").status != 200 {
		t.Error("signing out took an application's access away")
	}
}

func (h *house) revoke(t *testing.T, anchor tokenstore.Key) {
	t.Helper()
	change := h.db.NewChange()
	change.Revoke(anchor)
	if _, err := h.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}

// C10, U01 and C12: what the consent page asked is in its handle, not in the form;
// the form is taken from our own page, in its browser, for its account, once.
func TestConsentFormCannotBeForged(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	const params = "client_id=web&scope=a&redirect_uri=https://web.example.com/cb" + pkce
	page := b.authorize(params)
	for name, set := range map[string]func(*http.Request){
		"cross-site":      header("Sec-Fetch-Site", "cross-site"),
		"same-site":       header("Sec-Fetch-Site", "same-site"),
		"Origin null":     header("Origin", "null"),
		"another Origin":  header("Origin", "https://evil.example"),
		"neither of them": func(r *http.Request) { r.Header.Del("Origin") },
	} {
		b.press(page, "allow", "", set).page(t, name, 403)
	}
	h.browser("ann").press(page, "allow", "").page(t, "another browser", 400)
	b.press(reply{body: `name="handle" value="x"`}, "allow", "").page(t, "no handle", 400)
	b.press(page, "maybe", "").page(t, "no button of ours", 400)
	forged := b.press(page, "allow", "&client_id=spa&redirect_uri=https://evil.example/&scope=b&response_type=token&response_mode=fragment&state=forged")
	if s := h.redeem(forged.code(t, webURI+"?code=")).field("scope"); s != "a" || strings.Contains(forged.header.Get("Location"), "forged") {
		t.Errorf("the form counted: %q %v", s, forged.header)
	}
	b.press(page, "allow", "").page(t, "C12: a second time", 400)
	b.press(page, "deny", "").page(t, "C12: no after yes", 400)

	page = b.authorize(params + "&prompt=consent")
	b.is("bob")
	b.press(page, "allow", "").anew(t, "another account")
}

// C12: of many who submit one page at a time exactly one gets a code.
func TestConsentPageCountsOnce(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	page := b.authorize("client_id=web&redirect_uri=" + escape(webURI) + pkce)
	h.http = b.http
	won := 0
	for _, r := range h.at(10, func() reply { return h.do(h.consentRequest(page)) }) {
		if r.status == http.StatusSeeOther {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d codes of one page", won)
	}
}

func (h *house) consentRequest(page reply) *http.Request {
	handle := handleField.FindStringSubmatch(page.body)[1]
	return h.request(http.MethodPost, "/oauth/consent", "do=allow&handle="+handle, header("Origin", issuer))
}

// C11: five wrong verifiers end a code; four do not.
func TestGuessingVerifiersEndsACode(t *testing.T) {
	h := newHouse(t)
	for guesses, want := range map[int]int{4: 200, 5: 400} {
		code := h.webCode()
		for range guesses {
			h.send("/oauth/token", "web", "grant_type=authorization_code&code="+code+"&redirect_uri="+escape(webURI)+"&code_verifier="+strings.Repeat("g", 43)).
				want(t, "guess", 400, "invalid_grant")
		}
		if r := h.redeem(code); r.status != want {
			t.Errorf("after %d: %d %s", guesses, r.status, r.body)
		}
	}
}

// P01, P04, P05, P06, P08: requests without a challenge, with an empty one, of method
// plain or an unknown one, and malformed ones.
func TestChallengeIsRequired(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	for _, id := range []string{"web", "spa"} {
		uri := map[string]string{"web": webURI, "spa": "https://spa.example.com/cb"}[id]
		for row, params := range map[string]string{
			"P01":                "",
			"P04":                "&code_challenge=&code_challenge_method=S256",
			"P05 plain":          "&code_challenge_method=plain&code_challenge=" + challenge,
			"P05 omitted":        "&code_challenge=" + challenge,
			"P06 unknown":        "&code_challenge_method=S512&code_challenge=" + challenge,
			"P06 lower case":     "&code_challenge_method=s256&code_challenge=" + challenge,
			"P08 short":          "&code_challenge_method=S256&code_challenge=" + challenge[1:],
			"P08 long":           "&code_challenge_method=S256&code_challenge=" + challenge + "A",
			"P08 padded":         "&code_challenge_method=S256&code_challenge=" + challenge[:42] + "%3D",
			"P08 no base64url":   "&code_challenge_method=S256&code_challenge=" + challenge[:42] + "%2B",
			"method alone":       "&code_challenge_method=S256",
			"openid, no nonce":   "&scope=openid",
			"nonce, no openid":   "&nonce=n",
			"openid, empty once": "&scope=openid&nonce=",
		} {
			b.authorize("client_id="+id+"&state=s&redirect_uri="+escape(uri)+params).refused(t, row+" "+id, uri, "invalid_request")
		}
	}
	b.authorize("client_id=web&scope=openid&nonce=n&redirect_uri="+escape(webURI)).page(t, "a client that authenticates, with openid and nonce", 200)
	b.authorize("client_id=spa&scope=openid&nonce=n&redirect_uri=https://spa.example.com/cb").refused(t, "a public one", "https://spa.example.com/cb", "invalid_request")
	for id, refused := range map[string]bool{"old": false, "plain": true} {
		if r := b.authorize("client_id=" + id + "&scope=a"); (r.status == 200) == refused {
			t.Errorf("%s without a challenge: %d", id, r.status)
		}
	}
	// P10: where a client is excepted, plain works to the end, and only so.
	code := h.allow("client_id=plain&code_challenge="+verifier, "https://plain.example.com/cb")
	h.send("/oauth/token", "plain", "grant_type=authorization_code&code="+code+"&code_verifier="+challenge).want(t, "plain, wrong", 400, "invalid_grant")
	if r := h.send("/oauth/token", "plain", "grant_type=authorization_code&code="+code+"&code_verifier="+verifier); r.status != 200 {
		t.Errorf("plain: %d %s", r.status, r.body)
	}
}

// P02: a verifier though there was no challenge, which is what a downgrade looks like.
func TestVerifierWithoutChallenge(t *testing.T) {
	h := newHouse(t)
	code := h.allow("client_id=old&scope=a", "https://old.example.com/cb")
	h.send("/oauth/token", "old", "grant_type=authorization_code&code="+code+"&code_verifier="+verifier).want(t, "P02", 400, "invalid_grant")
	if r := h.send("/oauth/token", "old", "grant_type=authorization_code&code="+code); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// R24: a client that a user registered leads nobody anywhere before they signed in,
// whatever is wrong with its request.
func TestSelfRegisteredClientsRedirectNobodyUnknown(t *testing.T) {
	h := newHouse(t)
	const uri = "https://mallory.example/"
	if _, err := client.AddOwned(t.Context(), h.db, "bob", 10, client.Client{
		ID: "mallory", AuthMethod: "none", GrantTypes: []string{"authorization_code"}, Scopes: []string{"a"}, RedirectURIs: []string{uri},
	}, nil); err != nil {
		t.Fatal(err)
	}
	for name, params := range map[string]string{"scope": "&scope=x" + pkce, "PKCE": "", "prompt": "&prompt=none" + pkce, "mode": "&response_mode=x" + pkce} {
		h.browser("").authorize("client_id=mallory&redirect_uri="+uri+params).page(t, name, 400)
		if name != "prompt" {
			h.browser("ann").authorize("client_id=mallory&redirect_uri="+uri+params).refused(t, name, uri, map[string]string{"scope": "invalid_scope"}[name]+map[string]string{"PKCE": "invalid_request", "mode": "invalid_request"}[name])
		}
	}
	page := h.browser("ann").authorize("client_id=mallory&redirect_uri=" + uri + pkce)
	page.page(t, "asked", 200)
	if !strings.Contains(page.body, "bob") {
		t.Error("the page does not say whose client it is")
	}
}

// Ensure that a consent that was asked for under a strong sign-in is not given under a
// weaker one of the same user in the same browser.
func TestConsentUnderAWeakerSignIn(t *testing.T) {
	h := newHouse(t)
	h.set(func() { h.acr = "2" })
	b := h.browser("ann")
	page := b.authorize("client_id=web&acr_values=2&redirect_uri=" + escape(webURI) + pkce)
	page.page(t, "signed in by two factors", 200)
	h.set(func() { h.acr = "1" })
	for _, button := range []string{"allow", "deny"} {
		if r := b.press(page, button, ""); r.body != "SIGN IN" || h.demand.Subject != "ann" || strings.Join(h.demand.ACR, " ") != "2" {
			t.Errorf("%s under one factor: %d %s, %+v", button, r.status, r.body, h.demand)
		}
	}
	h.set(func() { h.acr = "2" })
	b.press(b.get(h.demand.Return), "allow", "").code(t, webURI)
}
