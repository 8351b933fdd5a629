// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// scripted is text that runs where a page takes any of it for its own: as an element, in
// an attribute, as a title, as an address, as a template.
const scripted = `"'></title><script>ran=1</script><img src=x onerror=ran=1> onfocus=ran=1 autofocus {{.}}<!--`

// scriptedNames is [staffed] with such a text wherever its operator may write one.
var scriptedNames = strings.NewReplacer("\"See your orders\"", "`"+scripted+"`", "developers everybody", `developers everybody
		client pad {
			name `+"`"+scripted+"`"+`
			auth_method none
			grant_types authorization_code refresh_token
			redirect_uris https://app.test:{$PORT}/callback
			scopes orders:read
		}`).Replace(staffed)

// inert fails the test if a script of somebody else ran on the page in the tab. That
// Chromium complains of nothing, such as a policy that kept one from running, is looked
// at in every tab.
func (b *tab) inert(where string) *tab {
	b.t.Helper()
	if evaluate[bool](b, "'ran' in window") {
		b.t.Errorf("%s: a script ran: %s", where, b)
	}
	return b
}

// Row U09: no text of a client, a user, a scope or a request runs in a browser, or makes
// one complain, on any page that shows it; and it is shown, and sent on, as it is.
func TestBrowserHostileText(t *testing.T) {
	g := prepareInternal(t, scriptedNames)
	g.startInternal()
	g.addUser("ann", annPassword, "--group", "staff", "--name", scripted)
	g.addUser("<script>ran=1</script>", zoePassword)
	ann := chromium(t)
	at := func(path string) *tab {
		t.Helper()
		return ann.open(g.tls(authHost, path)).inert(path)
	}
	text := url.QueryEscape(scripted)
	request := func(more string) string {
		return "/oauth/authorize?response_type=code&client_id=pad&scope=orders:read&code_challenge_method=S256&code_challenge=" + codeChallenge +
			"&redirect_uri=" + url.QueryEscape(g.tls(appHost, "/callback")) + "&state=" + text + more
	}
	if typed := evaluate[string](at(request("&login_hint="+text)).is(http.StatusOK, signInPage), "document.querySelector('[name=username]').value"); typed != scripted {
		t.Errorf("the hint is shown as %q", typed)
	}
	ann.sees(scripted).fill("Password", annPassword).press("Sign in").is(http.StatusForbidden, signInPage).inert("a user name of that kind")
	ann.fill("User name", "ann").fill("Password", annPassword).press("Sign in").inert("the question")
	if shown := strings.Count(ann.text(), scripted); shown < 3 { // the application, the user and the scope
		t.Errorf("the question shows %d of the texts: %s", shown, ann)
	}
	ann.press("Allow").is(http.StatusOK, "My application")
	if state := ann.url().Query().Get("state"); state != scripted {
		t.Errorf("the application gets the state %q", state)
	}
	at(request("&response_mode=form_post&prompt=consent")).press("Allow").is(http.StatusOK, "My application")

	at("/oauth/account").sees(scripted)
	at("/oauth/developer/new").sees(scripted).fill("Name", scripted).fill("Redirect URIs", g.tls(appHost, "/callback")).press("Register").inert("a new client").sees(scripted)
	g.canary(ann.shows("client-secret"))
	for _, path := range []string{
		"/account/security", "/account/sessions", "/developer", "/signin/choose", "/signout", "/errors/" + url.PathEscape(scripted),
		"/authorize?client_id=" + text, "/signin?handle=" + text, "/admin/users", "/admin/clients", "/admin/grants", "/admin/sessions", "/admin/audit",
		"/admin/users?search=" + text, "/admin/clients?search=" + text, "/admin/grants?search=" + text, "/admin/audit?search=" + text,
	} {
		at("/oauth" + path)
	}
	at("/oauth/admin/users").sees("<script>ran=1</script>").press("ann").inert("the user to administrators").sees(scripted)
}
