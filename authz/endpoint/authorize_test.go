// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that a person who says yes brings the client a code, and that to tokens
// which know who said yes to what.
func TestAuthorizationCodeFlow(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	page := b.authorize("client_id=web&scope=b+a&state=" + escape(`<"\é> &+`) + "&redirect_uri=" + escape(webURI) + pkce)
	page.page(t, "consent", 200)
	for _, text := range []string{"The Web", "Do a", "Do b", "The ann", "web.example.com"} {
		if !strings.Contains(page.body, text) {
			t.Errorf("the page does not say %q: %s", text, page.body)
		}
	}
	if strings.Contains(page.header.Get("Content-Security-Policy"), "form-action") {
		t.Error("browsers would not follow the answer to the form")
	}
	answer := b.press(page, "allow", "")
	code := answer.code(t, webURI+"?code=")
	to, _ := url.Parse(answer.header.Get("Location"))
	if to.Query().Get("state") != `<"\é> &+` || answer.header.Get("Cache-Control") != "no-store" || answer.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", answer.header)
	}
	if e := h.events.last(); e.Type != authz.EventCodeIssued || e.Subject != "ann" || e.Client != "web" || e.Grant == "" {
		t.Errorf("%+v", e)
	}
	issued := h.redeem(code)
	if issued.status != 200 || issued.field("scope") != "a b" || issued.field("refresh_token") == "" || issued.field("token_type") != "Bearer" {
		t.Fatalf("%d %s", issued.status, issued.body)
	}
	p, err := h.verifier.Authenticate(t.Context(), authz.Credential{Scheme: authz.SchemeBearer, Value: issued.field("access_token")})
	if err != nil || p.Subject != "ann" || p.Client != "web" || p.Session != "session-of-ann" || p.ACR != "1" || p.AuthTime.IsZero() || p.Audience[0] != issuer || p.Grant == "" {
		t.Errorf("%+v %v", p, err)
	}
	if h.signedIn != 1 {
		t.Errorf("the session signed in %d clients", h.signedIn)
	}
}

// Ensure that a code takes an account that its source still has: nobody gets one while
// that has trouble, though every page is there, and whom it has no more signs in.
func TestSourcesAreAskedBeforeACode(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	request := "client_id=web&scope=a&redirect_uri=" + escape(webURI) + pkce
	h.set(func() { h.trouble = authz.ErrTemporarilyUnavailable })
	page := b.authorize(request)
	page.page(t, "consent", 200)
	b.press(page, "allow", "").trouble(t, "allowed")
	h.set(func() { h.trouble = nil })
	b.press(page, "allow", "").code(t, webURI)
	h.set(func() { h.trouble = authz.ErrTemporarilyUnavailable })
	b.authorize(request).trouble(t, "allowed before")
	b.press(b.authorize(request+"&prompt=consent"), "deny", "").refused(t, "deny", webURI, "access_denied")
	h.set(func() { h.trouble, h.left["ann"] = nil, true })
	b.authorize(request+"&prompt=none").refused(t, "silently", webURI, "login_required")
	h.set(func() { h.gone["ann"] = false })
	if r := b.authorize(request); r.body != "SIGN IN" || h.demand.Return == "" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// Ensure that who is not signed in signs in first, that nothing is written before
// that, and that the browser comes back to the very request, but no other browser.
func TestSignInComesFirst(t *testing.T) {
	h := newHouse(t)
	b := h.browser("")
	before := h.engine.applied.Load()
	if r := b.authorize("client_id=web&login_hint=ann&redirect_uri=" + escape(webURI) + pkce); r.body != "SIGN IN" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if h.engine.applied.Load() != before {
		t.Error("something was written for somebody unknown")
	}
	back := h.demand.Return
	if !strings.HasPrefix(back, "/oauth/authorize?handle=") || h.demand.Application != "The Web" || h.demand.Hint != "ann" {
		t.Fatalf("%+v", h.demand)
	}
	h.browser("ann").get(back).page(t, "another browser", 400)
	b.is("ann")
	page := b.get(back)
	page.page(t, "back", 200)
	b.press(page, "allow", "").code(t, webURI)
	b.get(back[:len(back)-2]).page(t, "a damaged handle", 400)
	h.later(2 * time.Hour)
	b.get(back).page(t, "too late", 400)
}

// Ensure that a consent is remembered, asked for again for more, for other resources
// and on demand, and gone when it was ended.
func TestConsentIsRemembered(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	const web = "client_id=web&redirect_uri=https://web.example.com/cb" + pkce
	asked := func(name, params string, want bool) reply {
		t.Helper()
		r := b.authorize(web + params)
		if (r.status == 200) != want {
			t.Fatalf("%s: asked is %v: %d %v", name, !want, r.status, r.header)
		}
		return r
	}
	b.press(asked("first", "&scope=a", true), "allow", "")
	asked("the same", "&scope=a", false)
	asked("the default", "", false)
	asked("more", "&scope=a+b", true)
	asked("elsewhere", "&scope=a&resource=urn:reports", true)
	asked("on demand", "&scope=a&prompt=consent", true)
	b.press(asked("more", "&scope=b", true), "allow", "")
	asked("both", "&scope=a+b", false)
	b.press(asked("elsewhere", "&scope=a&resource=urn:reports", true), "allow", "")
	asked("the same elsewhere", "&scope=a&resource=urn:reports", false)
	asked("what was allowed here, elsewhere", "&scope=a+b&resource=urn:reports", true)
	if other := h.browser("bob").authorize(web + "&scope=a"); other.status != 200 {
		t.Errorf("bob is not asked: %d", other.status)
	}

	code := asked("no page", "&scope=a", false).code(t, webURI)
	access := h.redeem(code).field("access_token")
	pending := asked("no page", "&scope=a", false).code(t, webURI)
	if err := consent.End(t.Context(), h.db, "ann", "ann", "web"); err != nil {
		t.Fatal(err)
	}
	if h.alive(access) {
		t.Error("a token outlives the consent")
	}
	h.redeem(pending).want(t, "C09: a code outlives the consent", 400, "invalid_grant")
	asked("ended", "&scope=a", true)
}

// Ensure that after all that a client had was revoked its users are asked anew, and
// that this works.
func TestConsentIsForOneGenerationOfAClient(t *testing.T) {
	h := newHouse(t)
	h.tokens()
	change := h.db.NewChange()
	change.Revoke(tokenstore.ClientAnchorKey("web"))
	if _, err := h.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	h.browser("ann").authorize("client_id=web&scope=a+b&redirect_uri="+escape(webURI)+pkce).page(t, "asked anew", 200)
	access := h.tokens().field("access_token")
	if !h.alive(access) {
		t.Fatal("not alive")
	}
	list, next, err := consent.List(t.Context(), h.db, "ann", "", 10)
	if err != nil || len(list) != 1 || next != "" || list[0].Client != "web" || list[0].Scopes().String() != "a b" {
		t.Fatalf("%v %v", list, err)
	}
	if err := consent.End(t.Context(), h.db, "ann", "ann", "web"); err != nil || h.alive(access) {
		t.Error("the consent shown is not the one that counts", err)
	}
}

// Ensure that users can untick what the client can do without, are not asked for that
// each time, and can allow it later.
func TestScopesCanBeUnticked(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	const params = "client_id=web&scope=a+c&redirect_uri=https://web.example.com/cb" + pkce
	page := b.authorize(params)
	granted := func(r reply) string { return h.redeem(r.code(t, webURI)).field("scope") }
	// Only what may be unticked can be; and nothing can be ticked that was not asked for.
	if s := granted(b.press(page, "allow", "&scope=b&scope=openid")); s != "a" {
		t.Errorf("unticked: %q", s)
	}
	if r := b.authorize(params); granted(r) != "a" {
		t.Error("unticked once, asked again")
	}
	page = b.authorize(params + "&prompt=consent")
	if s := granted(b.press(page, "allow", "&scope=c")); s != "a c" {
		t.Errorf("ticked: %q", s)
	}
	if r := b.authorize(params); granted(r) != "a c" {
		t.Error("ticked, and asked again")
	}
	page = b.authorize("client_id=web&scope=c&prompt=consent&redirect_uri=https://web.example.com/cb" + pkce)
	b.press(page, "allow", "").refused(t, "nothing left", webURI, "access_denied")
}

// Ensure that native applications' users are asked each time, and first-party ones'
// never unless the request wants it, and that the consents are there to be ended all the same.
func TestWhoIsAsked(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	for _, uri := range []string{"http://127.0.0.1:4711/cb", "com.example.app:/cb"} {
		for range 2 {
			page := b.authorize("client_id=native&redirect_uri=" + escape(uri) + pkce)
			page.page(t, uri, 200)
			b.press(page, "allow", "").code(t, uri+"?code=")
		}
		b.authorize("client_id=native&prompt=none&redirect_uri="+escape(uri)+pkce).refused(t, uri, uri, "consent_required")
	}
	for range 2 {
		b.authorize("client_id=first"+pkce).code(t, "https://first.example.com/cb")
		b.authorize("client_id=own"+pkce).page(t, "the operator's own, which any program can pretend to be", 200)
	}
	page := b.authorize("client_id=first&prompt=consent" + pkce)
	page.page(t, "first party, with prompt=consent", 200)
	b.press(page, "allow", "").code(t, "https://first.example.com/cb")
	list, _, err := consent.List(t.Context(), h.db, "ann", "", 10)
	if err != nil || len(list) != 2 {
		t.Errorf("%v %v", list, err)
	}
}

// Ensure that saying no tells the client so, once, and changes nothing else.
func TestDeny(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	page := b.authorize("client_id=web&state=xyz&redirect_uri=" + escape(webURI) + pkce)
	q := b.press(page, "deny", "").refused(t, "deny", webURI, "access_denied")
	if q.Get("state") != "xyz" {
		t.Errorf("state %q", q.Get("state"))
	}
	if e := h.events.last(); e.Type != authz.EventConsentDenied || e.Subject != "ann" {
		t.Errorf("%+v", e)
	}
	if list, _, _ := consent.List(t.Context(), h.db, "ann", "", 10); len(list) != 0 {
		t.Error("a consent without a yes")
	}
	b.press(page, "allow", "").page(t, "yes after no", 400)
}

// Ensure that answers travel as asked for, with what the redirect URI has already.
func TestResponseModes(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	b.press(b.authorize("client_id=spa&redirect_uri="+escape("https://spa.example.com/q?x=1")+"&scope=a"+pkce), "allow", "").code(t, "https://spa.example.com/q?x=1&code=")
	const params = "client_id=spa&state=s&scope=a&redirect_uri=https://spa.example.com/cb" + pkce
	fragment := b.authorize(params + "&response_mode=fragment").header.Get("Location")
	to, fields, _ := strings.Cut(fragment, "#")
	if q, err := url.ParseQuery(fields); err != nil || to != "https://spa.example.com/cb" || q.Get("code") == "" || q.Get("state") != "s" || q.Get("iss") != issuer {
		t.Errorf("fragment: %q", fragment)
	}
	page := b.authorize(strings.Replace(params, "state=s", "state="+escape(`"><script>x`), 1) + "&response_mode=form_post")
	page.page(t, "form_post", 200)
	if strings.Contains(page.body, "<script>x") || !strings.Contains(page.body, `action="https://spa.example.com/cb"`) || !strings.Contains(page.body, `name="code" value="co2ac_`) {
		t.Errorf("form_post: %s", page.body)
	}
	b.authorize(params+"&response_mode=query.jwt").refused(t, "unknown mode", "https://spa.example.com/cb", "invalid_request")
	b.authorize("client_id=native&response_mode=form_post&redirect_uri=com.example.app:/cb"+pkce).refused(t, "nobody can post there", "com.example.app:/cb", "invalid_request")
}

// Ensure that the walk-through of Authlib's example works: one registered redirect URI
// that is not named, no state, no challenge where the client goes without, and a
// scope at the token endpoint, where it means nothing.
func TestWalkThroughOfTheExample(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	answer := b.press(b.authorize("client_id=old&scope=a"), "allow", "")
	code := answer.code(t, "https://old.example.com/cb?code=")
	if strings.Contains(answer.header.Get("Location"), "state") {
		t.Error("a state from nowhere")
	}
	if r := h.send("/oauth/token", "old", "grant_type=authorization_code&scope=a&code="+code); r.status != 200 || r.field("scope") != "a" || r.field("refresh_token") != "" {
		t.Errorf("%d %s", r.status, r.body)
	}
	b.authorize("client_id=old&scope=openid").page(t, "openid names its redirect URI", 400)
	b.authorize("client_id=spa&scope=a"+pkce).page(t, "two are registered", 400)
}

// Ensure that HEAD is answered and hands out nothing, that a form leads on to the same
// request, and that other methods are refused.
func TestMethodsOfTheAuthorizationEndpoint(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	const params = "response_type=code&client_id=first&state=s" + pkce
	if r := b.do(h.request("HEAD", "/oauth/authorize?"+params, "")); r.status != 200 || r.header.Get("Location") != "" {
		t.Errorf("HEAD: %d %v", r.status, r.header)
	}
	r := b.do(h.request("POST", "/oauth/authorize", params))
	if r.status != http.StatusSeeOther || !strings.HasPrefix(r.header.Get("Location"), "/oauth/authorize?") {
		t.Fatalf("POST: %d %v", r.status, r.header)
	}
	b.get(r.header.Get("Location")).code(t, "https://first.example.com/cb")
	for name, r := range map[string]reply{
		"both":      b.do(h.request("POST", "/oauth/authorize?client_id=web", params)),
		"twice":     b.do(h.request("POST", "/oauth/authorize", params+"&state=t")),
		"long":      b.do(h.request("POST", "/oauth/authorize", params+"&x="+strings.Repeat("x", 13<<10))),
		"JSON":      b.do(h.request("POST", "/oauth/authorize", "{}", header("Content-Type", "application/json"))),
		"DELETE":    b.do(h.request("DELETE", "/oauth/authorize?"+params, "")),
		"get form":  b.get("/oauth/consent"),
		"long line": b.authorize("client_id=first&state=" + strings.Repeat("x", 13<<10) + pkce),
	} {
		if r.status < 400 || r.status > 499 || r.header.Get("Location") != "" || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %v", name, r.status, r.header)
		}
	}
}

// Ensure that trouble is never told as if the request were at fault, and that the
// same request succeeds afterwards.
func TestAuthorizationInTrouble(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	page := b.authorize("client_id=web&redirect_uri=" + escape(webURI) + pkce)
	full := error(tokenstore.ErrFull)
	h.engine.failWrites.Store(&full)
	b.press(page, "allow", "").trouble(t, "full disk")
	h.engine.failWrites.Store(nil)
	b.press(page, "allow", "").code(t, webURI)
}

// Ensure that nothing is issued on the strength of what was revoked before the commit.
func TestRevocationBeatsTheCode(t *testing.T) {
	for name, end := range map[string]func(*house){
		"session": func(h *house) { h.revoke(t, tokenstore.SessionAnchorKey("session-of-ann")) },
		"user": func(h *house) {
			h.set(func() { h.gone["ann"] = true })
			h.revoke(t, tokenstore.UserAnchorKey("ann"))
		},
	} {
		h := newHouse(t)
		b := h.browser("ann")
		page := b.authorize("client_id=web&redirect_uri=" + escape(webURI) + pkce)
		revoke := func() { end(h) }
		h.engine.beforeApply.Store(&revoke)
		b.press(page, "allow", "").anew(t, name)
	}
}

// Ensure that a consent page of somebody who is no longer signed in begins the request
// anew, with another page for whoever is signed in then, whatever that one allowed
// before; and that saying no takes nobody.
func TestConsentPageOutlivesTheSession(t *testing.T) {
	h := newHouse(t)
	b := h.browser("bob")
	const params = "client_id=web&redirect_uri=" + webURI + pkce
	b.press(b.authorize(params), "allow", "").code(t, webURI)

	b = h.browser("ann")
	page, another := b.authorize(params), b.authorize(params)
	b.is("bob")
	to := b.press(page, "allow", "").anew(t, "allowed as ann")
	asked := b.get(to)
	if asked.status != 200 || !strings.Contains(asked.body, "bob") {
		t.Errorf("%d %s", asked.status, asked.body)
	}
	b.press(asked, "allow", "").code(t, webURI)
	b.press(another, "deny", "").refused(t, "denied as ann", webURI, "access_denied")
	b.press(another, "allow", "").page(t, "C12: yes after no", 400)
}
