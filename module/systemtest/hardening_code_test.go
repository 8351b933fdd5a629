// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// R01–R05, R09, R11, R13, R15–R17, R20, R22: whatever is said beside it, a redirect
// URI that is not registered is never gone to, also when all was allowed before.
func TestWrongRedirectURIsLeadNowhere(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t)
	ann.allow(challenged())
	for _, uri := range []string{
		"https://evil.example/", codeCallback + "/../evil", codeCallback + "%2f..%2fx", codeCallback + ";x", codeCallback + "/", codeCallback + "?x=1", codeCallback + "#",
		"https://shop.example.com@evil.example/callback", "https://shop。example.com/callback", "http://shop.example.com/callback", "javascript:alert(1)", "//shop.example.com/callback",
		"https://" + strings.Repeat("[::", 1000), "http://[not-an-ip]/",
	} {
		for _, more := range [][]string{nil, {"response_mode", "fragment"}, {"response_mode", "form_post"}, {"response_type", "token"}, {"scope", "nope"}, {"prompt", "none"}, {"code_challenge", ""}} {
			s := ann.at(challenged(append([]string{"redirect_uri", uri}, more...)...))
			if s.status != http.StatusBadRequest || s.url.Port() != g.port || s.header.Get("Location") != "" {
				t.Errorf("%.60s %v: %d, at %s", uri, more, s.status, s.url)
			}
		}
	}
	for _, twice := range []string{"&redirect_uri=https://evil.example/", "&redirect_uri=" + url.QueryEscape(codeCallback), "&client_id=pad", "&state=b"} {
		if s := ann.at(challenged() + twice); s.status != http.StatusBadRequest || s.url.Port() != g.port {
			t.Errorf("R15 %s: %d, at %s", twice, s.status, s.url)
		}
	}
}

// P01, P04, P05, P06, P08, A25 and the like: what is wrong with a request is told to
// the client, with the state and the issuer, and nothing of the request in the text.
func TestWrongRequestsAreToldToTheClient(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t)
	for _, c := range []struct{ name, value, code string }{
		{"code_challenge", "", "invalid_request"}, {"code_challenge_method", "plain", "invalid_request"}, {"code_challenge_method", "", "invalid_request"},
		{"code_challenge_method", "s256", "invalid_request"}, {"code_challenge", "short", "invalid_request"},
		{"response_type", "token", "unsupported_response_type"}, {"response_type", `"é\`, "unsupported_response_type"}, {"scope", `"é\`, "invalid_scope"},
		{"scope", "<script>alert(1)</script>", "invalid_scope"}, {"resource", "https://unknown.example", "invalid_target"}, {"prompt", "none login", "invalid_request"},
	} {
		s := ann.at(challenged("state", `<"'é\>`, c.name, c.value))
		q := s.url.Query()
		if s.url.Host != "shop.example.com" || q.Get("error") != c.code || q.Get("state") != `<"'é\>` || q.Get("iss") != g.issuer() || q.Has("error_uri") || strings.ContainsAny(q.Get("error_description"), `"\<`) {
			t.Errorf("%+v: %s", c, s.url)
		}
	}
	for _, id := range []string{"nobody", `"><script>alert(1)</script>`, strings.Repeat("x", 10_000), "\u202egnp.exe"} {
		s := ann.at(challenged("client_id", id))
		if s.status != http.StatusBadRequest || s.url.Port() != g.port || strings.Contains(s.body, "<script>alert") {
			t.Errorf("%.40q: %d, at %s", id, s.status, s.url)
		}
	}
}

// C02 and T02: of many who redeem a code at a time one gets tokens; many who use one
// refresh token at a time get the same ones.
func TestParallelRedeemers(t *testing.T) {
	g, ann := startCoded(t)
	all := func(send func() grantAnswer) map[string]int {
		var mu sync.Mutex
		var group sync.WaitGroup
		answers := map[string]int{}
		for range 50 {
			group.Go(func() {
				a := send()
				mu.Lock()
				defer mu.Unlock()
				answers[a.Refresh+a.Error]++
			})
		}
		group.Wait()
		return answers
	}
	// The losers hold the code with all its proofs, so its grant ends (C01): the one
	// answer is what counts here.
	code := ann.allow(challenged())
	if answers := all(func() grantAnswer { return g.redeem(code) }); len(answers) != 2 || answers["invalid_grant"] != 49 {
		t.Errorf("codes: %d kinds of answers, %d refused", len(answers), answers["invalid_grant"])
	}
	raw := g.redeem(ann.allow(challenged())).Refresh
	if answers := all(func() grantAnswer { return g.refresh(raw) }); len(answers) != 1 || answers["invalid_grant"] != 0 {
		t.Errorf("refresh tokens: %d kinds of answers, %d refused", len(answers), answers["invalid_grant"])
	}
}

// C01, C03, C05, C07, C08, C11, P02, P03, R18, T03, T05, T08, T10: codes and refresh
// tokens are worth something to their client with all its proofs, once, and who has
// less than that harms nobody.
func TestCodesAndRefreshTokensOfOthers(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t)
	code := ann.allow(challenged())
	const grant = "authorization_code"
	strangers := func(when string) {
		t.Helper()
		for name, a := range map[string]grantAnswer{
			"C03 another client":   g.grant("bank", codeSecret, "grant_type", grant, "code", code, "redirect_uri", codeCallback, "code_verifier", codeVerifier),
			"C03 a public client":  g.grant("pad", "", "grant_type", grant, "code", code, "redirect_uri", codeCallback, "code_verifier", codeVerifier),
			"R18 another URI":      g.grant("shop", codeSecret, "grant_type", grant, "code", code, "redirect_uri", codeCallback+"/", "code_verifier", codeVerifier),
			"R18 no URI":           g.grant("shop", codeSecret, "grant_type", grant, "code", code, "code_verifier", codeVerifier),
			"C07 another verifier": g.grant("shop", codeSecret, "grant_type", grant, "code", code, "redirect_uri", codeCallback, "code_verifier", strings.Repeat("v", 43)),
			"P03 no verifier":      g.grant("shop", codeSecret, "grant_type", grant, "code", code, "redirect_uri", codeCallback),
			"C08 a damaged code":   g.grant("shop", codeSecret, "grant_type", grant, "code", code+"0", "redirect_uri", codeCallback, "code_verifier", codeVerifier),
		} {
			if a.status != http.StatusBadRequest || a.Error != "invalid_grant" {
				t.Errorf("%s, %s: %+v", name, when, a)
			}
		}
		if a := g.grant("shop", "no secret of the shop at all", "grant_type", grant, "code", code, "redirect_uri", codeCallback, "code_verifier", codeVerifier); a.Error != "invalid_client" {
			t.Errorf("a wrong secret, %s: %+v", when, a)
		}
	}
	strangers("before")
	issued := g.redeem(code)
	strangers("after")
	if issued.status != http.StatusOK || g.call("api.localhost", "/", issued.Access) != http.StatusOK {
		t.Fatalf("strangers harmed the client: %+v", issued)
	}
	if a := g.grant("pad", "", "grant_type", "refresh_token", "refresh_token", issued.Refresh); a.Error != "invalid_grant" {
		t.Errorf("T03: %+v", a)
	}
	if a := g.grant("shop", "", "grant_type", "refresh_token", "refresh_token", issued.Refresh); a.Error != "invalid_client" {
		t.Errorf("T08: %+v", a)
	}
	if a := g.refresh(issued.Refresh, "scope", "orders:read orders:write"); a.Error != "invalid_scope" {
		t.Errorf("T05: %+v", a)
	}
	if status := g.call("api.localhost", "/", issued.Refresh); status != http.StatusUnauthorized {
		t.Errorf("T10: %d", status)
	}
	if a := g.redeem(code); a.Error != "invalid_grant" || g.call("api.localhost", "/", issued.Access) != http.StatusUnauthorized || g.refresh(issued.Refresh).Error != "invalid_grant" {
		t.Error("C01: what a replayed code gave lives on")
	}
	if s := ann.at("/oauth/account"); !strings.Contains(s.text(), "used twice") && !strings.Contains(s.body, `class="warning"`) {
		t.Errorf("the user is not shown it: %s", s.text())
	}
	code = ann.allow(challenged())
	for range 5 {
		g.grant("shop", codeSecret, "grant_type", grant, "code", code, "redirect_uri", codeCallback, "code_verifier", strings.Repeat("v", 43))
	}
	if a := g.redeem(code); a.Error != "invalid_grant" {
		t.Errorf("C11: %+v", a)
	}
}

// T01, T06: what was spent stays spent, and is a replay, after a restart and after a
// crash.
func TestSpentTokensStaySpent(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t, "REUSE=1ms")
	for name, end := range map[string]func(){"restart": func() { g.stop() }, "crash": g.kill} {
		code := ann.allow(challenged())
		first := g.redeem(code)
		second := g.refresh(first.Refresh)
		if second.status != http.StatusOK {
			t.Fatalf("%s: %+v", name, second)
		}
		end()
		g.start()
		if status := g.call("api.localhost", "/", second.Access); status != http.StatusOK {
			t.Errorf("%s: a live token gets %d", name, status)
		}
		if a := g.refresh(first.Refresh); a.Error != "invalid_grant" {
			t.Errorf("%s: %+v", name, a)
		}
		if g.call("api.localhost", "/", second.Access) != http.StatusUnauthorized || g.refresh(second.Refresh).Error != "invalid_grant" {
			t.Errorf("%s: the grant outlives a replay", name)
		}
	}
	if entries := strings.Join(g.auditLines(), "\n"); !strings.Contains(entries, "grant_replayed") {
		t.Error("the replay is not audited")
	}
}

// C09, C10, C12, U01: a consent is given on our own page, in its browser, by the one
// who was asked, once; and what became of user and client since then counts.
func TestConsentOfOthers(t *testing.T) {
	t.Parallel()
	g, ann := startCoded(t)
	mallory := newPerson(g)
	mallory.signUp("mallory", annPassword)
	page := ann.at(challenged())
	for name, edit := range map[string]func(*http.Request){
		"cross-site":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"same site":    func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"origin null":  func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") },
		"nothing said": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Del("Origin") },
	} {
		req := page.request("allow")
		edit(req)
		if s := ann.send(req); s.status != http.StatusForbidden {
			t.Errorf("U01 %s: %d", name, s.status)
		}
	}
	if s := mallory.send(page.request("allow")); s.status != http.StatusBadRequest || s.header.Get("Location") != "" {
		t.Errorf("another's page: %d", s.status)
	}
	forged := page.submit("allow", "client_id", "pad", "redirect_uri", "https://evil.example/", "response_type", "token", "scope", "orders:read orders:write")
	code := forged.code(codeCallback)
	for _, button := range []string{"allow", "deny"} {
		if s := page.submit(button); s.status != http.StatusBadRequest || s.url.Port() != g.port {
			t.Errorf("C12 %s: %d, at %s", button, s.status, s.url)
		}
	}
	g.cli(0, "", "user", "disable", "ann")
	if a := g.redeem(code); a.Error != "invalid_grant" {
		t.Errorf("C09: %+v", a)
	}
}
