// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
)

// R01, R02, R03, R04, R05, R09, R11, R12, R13, R16, R17, R20, R22: a redirect URI
// that is not the registered one gets a page, whatever else the request says, in every
// response mode, and also when the user allowed the client everything before.
func TestUnregisteredRedirectURIsGetAPage(t *testing.T) {
	h := newHouse(t)
	h.webCode() // R17
	b := h.browser("ann")
	evil := []string{
		"https://evil.example/", webURI + "/../evil", webURI + "/x", webURI + "%2f..%2fx", webURI + "/..;/x", webURI + ";x", webURI + "/", "https://web.example.com/CB",
		webURI + "?", webURI + "?x=1", webURI + "#", webURI + "#x", "https://web.example.com@evil.example/cb", "https://web.example.com%40evil.example/cb",
		"https://wéb.example.com/cb", "https://web。example.com/cb", "http://web.example.com/cb", "http://127.0.0.1/cb", "com.web:/cb", "javascript:alert(1)",
		"//web.example.com/cb", "https:/web.example.com/cb", " " + webURI, webURI + " ", webURI + "\n", "https://" + strings.Repeat("[::", 3000), "http://[not-an-ip]/", "x",
	}
	for _, uri := range evil {
		for _, more := range []string{pkce, "", "&response_mode=fragment", "&response_mode=form_post", "&response_mode=form_post.jwt", "&response_type=token", "&scope=nope", "&request=x", "&prompt=none", "&state=s"} {
			params := "client_id=web&redirect_uri=" + escape(uri) + more
			if !strings.Contains(more, "response_type") {
				params += "&response_type=code"
			}
			b.get("/oauth/authorize?"+params).page(t, fmt.Sprintf("%.60s %s", uri, more), 400)
		}
	}
	b.authorize("client_id=web&redirect_uri="+strings.Repeat("[::", 3900)+pkce).page(t, "R20", 400)
}

// R15 and duplicates of everything else, in the query and in a form.
func TestRepeatedParametersGetAPage(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	good, evil := "&redirect_uri="+escape(webURI), "&redirect_uri=https://evil.example/"
	for _, params := range []string{
		"client_id=web" + pkce + good + evil, "client_id=web" + pkce + evil + good, "client_id=web" + pkce + good + good,
		"client_id=web&client_id=web" + pkce + good, "client_id=web&state=a&state=b" + pkce + good, "client_id=web&scope=a&scope=b" + pkce + good, "client_id=web;x" + pkce + good, "client_id=%zz" + good,
	} {
		b.authorize(params).page(t, params, 400)
		b.do(h.request("POST", "/oauth/authorize", "response_type=code&"+params)).page(t, "form "+params, 400)
	}
}

// Ensure that requests of clients that are not known get a page, and that a client
// which is known is told what is wrong, with the state and the issuer (M04), and
// nothing of the request in the text (fault 1 of Authlib).
func TestAuthorizationErrors(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann")
	for _, id := range []string{"", "nobody", "off", "web%00", `"><script>`, strings.Repeat("x", 300)} {
		b.authorize("client_id="+escape(id)+"&redirect_uri="+escape(webURI)+pkce).page(t, id, 400)
	}
	base := "client_id=web&state=" + escape(`é"\<`) + "&redirect_uri=" + escape(webURI)
	for params, code := range map[string]string{
		"response_type=code&scope=nope" + pkce:             "invalid_scope",
		"response_type=code&scope=" + escape(`"é\`) + pkce: "invalid_scope",
		"scope=a" + pkce:                                           "invalid_request",
		"response_type=" + pkce:                                    "invalid_request",
		"response_type=token" + pkce:                               "unsupported_response_type", // A25
		"response_type=id_token" + pkce:                            "unsupported_response_type",
		"response_type=" + escape("code id_token") + pkce:          "unsupported_response_type",
		"response_type=" + escape(`"é\`) + pkce:                    "unsupported_response_type",
		"response_type=code&resource=https://unknown.test/" + pkce: "invalid_target",
		"response_type=code&resource=nonsense" + pkce:              "invalid_target",
		"response_type=code&request=e30.e30." + pkce:               "request_not_supported",
		"response_type=code&prompt=dance" + pkce:                   "invalid_request",
		"response_type=code&prompt=none+login" + pkce:              "invalid_request",
		"response_type=code&max_age=soon" + pkce:                   "invalid_request",
		"response_type=code&max_age=-1" + pkce:                     "invalid_request",
		"response_type=code&acr_values=urn:gold" + pkce:            "unmet_authentication_requirements",
		"response_type=code&prompt=none" + pkce:                    "consent_required",
	} {
		q := b.get("/oauth/authorize?"+base+"&"+params).refused(t, params, webURI, code)
		if q.Get("state") != `é"\<` {
			t.Errorf("%s: state %q", params, q.Get("state"))
		}
	}
	b.authorize("client_id=machine&redirect_uri=https://machine.example.com/cb"+pkce).refused(t, "not for this grant type", "https://machine.example.com/cb", "unauthorized_client")
}

// U22: what prompt, max_age and acr_values want of the user is asked of them, and
// refused where they must not be asked.
func TestPrompts(t *testing.T) {
	h := newHouse(t)
	h.webCode()
	const web = "client_id=web&scope=a&redirect_uri=https://web.example.com/cb" + pkce
	h.browser("").authorize(web+"&prompt=none").refused(t, "nobody", webURI, "login_required")
	b := h.browser("ann")
	b.authorize(web+"&prompt=none").code(t, webURI)
	b.authorize(web+"&prompt=none&max_age=10").refused(t, "too long ago", webURI, "login_required")
	b.authorize(web+"&prompt=none&acr_values=2").refused(t, "too weak", webURI, "interaction_required")
	b.authorize(web+"&prompt=none&max_age=99999999999999999999").refused(t, "no number", webURI, "invalid_request")
	b.authorize(web+"&prompt=none&max_age=999999999999").code(t, webURI)
	for _, params := range []string{"&prompt=login", "&max_age=10", "&max_age=0", "&acr_values=urn:gold+2", "&prompt=select_account"} {
		if r := b.authorize(web + params); r.body != "SIGN IN" {
			t.Errorf("%s: %d %s", params, r.status, r.body)
			continue
		}
		// Once the user has done so, and chosen, the browser comes back and is let on.
		back := h.demand.Return
		h.set(func() { h.authTime = h.db.Now(); h.chosen = h.authTime; h.acr = "2" })
		h.later(time.Minute)
		b.get(back).code(t, webURI)
		h.set(func() { h.authTime, h.chosen, h.acr = time.Time{}, time.Time{}, "1" })
	}
}

// Ensure that with several people in one browser it is asked who is meant, unless
// the client says it or must not ask.
func TestSeveralAccounts(t *testing.T) {
	h := newHouse(t)
	b := h.browser("ann+bob")
	const first = "client_id=first" + pkce
	if r := b.authorize(first); r.body != "SIGN IN" || !h.demand.Choose {
		t.Fatalf("%d %s %+v", r.status, r.body, h.demand)
	}
	back := h.demand.Return
	h.set(func() { h.chosen = h.db.Now() })
	b.get(back).code(t, "https://first.example.com/cb")
	h.set(func() { h.chosen = time.Time{} })
	for params, who := range map[string]string{
		"&login_hint=bob": "bob", "&login_hint=+BOB": "bob", "&login_hint=Bob@Example.com": "bob", "&prompt=none": "ann",
		"&prompt=none&login_hint=bob": "bob", "&prompt=none&login_hint=eve": "ann",
	} {
		b.authorize(first+params).code(t, "https://first.example.com/cb")
		if e := h.events.last(); e.Subject != who {
			t.Errorf("%s: %s", params, e.Subject)
		}
	}
	b = h.browser("ann")
	b.authorize(first+"&login_hint=Ann").code(t, "https://first.example.com/cb")
	if r := b.authorize(first + "&login_hint=bob"); r.body != "SIGN IN" || !h.demand.Choose || h.demand.Hint != "bob" {
		t.Errorf("a hint at somebody else: %d %s %+v", r.status, r.body, h.demand)
	}
	back = h.demand.Return
	h.set(func() { h.chosen = h.db.Now() })
	b.get(back).code(t, "https://first.example.com/cb") // as ann all the same
	h.set(func() { h.chosen = time.Time{} })
	page := b.authorize("client_id=web&redirect_uri=" + escape(webURI) + pkce)
	if r := b.press(page, "another", ""); r.body != "SIGN IN" || !h.demand.Choose || h.demand.Return == "" {
		t.Errorf("another account: %d %s", r.status, r.body)
	}
}

// Ensure that the metadata say what there is for people, and without people nothing of it.
func TestMetadataOfTheCodeFlow(t *testing.T) {
	h := newHouse(t, func(c *endpoint.Config) { c.RequirePAR = true })
	var m map[string]any
	if err := json.Unmarshal([]byte(h.do(h.request(http.MethodGet, "/.well-known/oauth-authorization-server", "")).body), &m); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"authorization_endpoint": `"https://auth.example.com/oauth/authorize"`, "pushed_authorization_request_endpoint": `"https://auth.example.com/oauth/par"`,
		"require_pushed_authorization_requests": "true", "authorization_response_iss_parameter_supported": "true",
		"response_types_supported": `["code"]`, "response_modes_supported": `["query","fragment","form_post"]`, "code_challenge_methods_supported": `["S256"]`,
		"grant_types_supported": `["authorization_code","client_credentials","refresh_token"]`, "acr_values_supported": `["1","2"]`,
	} {
		if got, _ := json.Marshal(m[name]); string(got) != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	w := newWorld(t)
	r := w.do(w.request(http.MethodGet, "/.well-known/oauth-authorization-server", ""))
	for _, name := range []string{"authorization", "pushed", "challenge", "refresh_token", "response_modes"} {
		if strings.Contains(r.body, name) {
			t.Errorf("without people: %s", r.body)
		}
	}
	if r := w.do(w.request(http.MethodGet, "/oauth/authorize", "")); r.status != http.StatusTeapot {
		t.Errorf("without people: %d", r.status)
	}
}
