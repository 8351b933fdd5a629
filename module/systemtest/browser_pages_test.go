// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
)

// staffed is an authorization server with pages for everybody.
const staffed = `{
	import {$HARNESS}
	import {$AUTHORITY}
	oauth2 {
		issuer https://auth.example.test:{$PORT}
		scope orders:read "See your orders"
		users {
			argon2id {
				memory 8192
				time 1
			}
		}
		developers everybody
		self_service_scopes orders:read
		access_token {
			format jwt
		}
	}
}

https://auth.example.test:{$PORT} {
	tls internal
	log
	oauth2_server {
		admin staff
	}
}

https://app.test:{$PORT} {
	tls internal
	header Content-Type "text/html; charset=utf-8"
	respond "<!doctype html><html lang=en><title>App</title><link rel=icon href=data:,><h1>My application</h1></html>"
}
`

// legible fails the test unless whoever uses a screen reader finds the way about the
// page in the tab (one main part, one headline, names on all that can be used), and
// whoever uses a phone need not move it to and fro.
func (b *tab) legible(name string) *tab {
	b.t.Helper()
	count := map[string]int{}
	for _, node := range call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		role := said(node.Role)
		if node.Ignored {
			continue
		}
		if role == "heading" {
			for _, p := range node.Properties {
				if p.Name == accessibility.PropertyNameLevel && said(p.Value) == "1" {
					role = "headline"
				}
			}
		}
		count[role]++
		switch role {
		case "button", "link", "checkbox", "radio", "textbox", "searchbox", "combobox", "heading", "headline", "navigation", "region", "img", "image", "DisclosureTriangle":
			if strings.TrimSpace(said(node.Name)) == "" {
				b.t.Errorf("%s: a %s without a name", name, role)
			}
		}
	}
	if count["headline"] != 1 || count["main"] != 1 {
		b.t.Errorf("%s: %d headlines, %d main parts", name, count["headline"], count["main"])
	}
	if title := evaluate[string](b, "document.title"); !strings.Contains(title, b.headline()) && !strings.Contains(title, "–") {
		b.t.Errorf("%s: the title is %q", name, title)
	}
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 2, Mobile: true})
	if wide := evaluate[int](b, "document.documentElement.scrollWidth"); wide > 390 {
		b.t.Errorf("%s: %d wide on a phone", name, wide)
	}
	call(b, emulation.ClearDeviceMetricsOverride, cdp.Empty{})
	return b.screenshot(name)
}

// Ensure that every page of the server that a browser comes by can be read and used
// with a screen reader and on a phone.
func TestBrowserPagesAreLegible(t *testing.T) {
	g := prepareInternal(t, staffed)
	g.startInternal()
	g.addUser("ann", annPassword, "--group", "staff", "--name", "Ann of the Very Long Name, Who Administers the Whole of It")
	ann := chromium(t)
	at := func(path string) *tab {
		t.Helper()
		return ann.open(g.tls(authHost, path))
	}
	at("/oauth/errors/invalid_grant").is(http.StatusOK, "invalid_grant").legible("error")
	at("/oauth/authorize?client_id=nobody").legible("problem")
	at("/oauth/developer/new").signIn().is(http.StatusOK, "Register a client").legible("developer-new")
	ann.fill("Name", "Order Pad").press("Register").is(http.StatusBadRequest, "Register a client").legible("developer-faults")
	ann.fill("Redirect URIs", g.tls(appHost, "/callback")).tick("See your orders orders:read", true).press("Register").is(http.StatusOK, "Order Pad").legible("developer-secret")
	g.canary(ann.shows("client-secret"))
	id := ann.shows("client-id")
	ann.press("I have kept it").legible("developer-edit")
	ann.press("Delete client").legible("developer-delete")
	at("/oauth/developer").is(http.StatusOK, "Your clients").legible("developer-list")
	ann.authorizes(g, id)
	at("/oauth/admin/users").press("ann").legible("admin-user")
	for path, name := range map[string]string{
		"/oauth/account": "account", "/oauth/account/sessions": "sessions", "/oauth/account/security": "security", "/oauth/password": "password",
		"/oauth/admin/users": "admin-users", "/oauth/admin/clients": "admin-clients", "/oauth/admin/grants": "admin-grants",
		"/oauth/admin/sessions": "admin-sessions", "/oauth/admin/keys": "admin-keys", "/oauth/admin/audit": "admin-audit",
		"/oauth/signin/choose": "chooser",
	} {
		if at(path).legible(name).status() != http.StatusOK {
			t.Errorf("%s: %s", path, ann)
		}
	}
	at("/oauth/signout").legible("signout").press("Sign out").legible("signedout")
	at("/oauth/signin").legible("signin")
	ann.fill("User name", "ann").fill("Password", "not the password").press("Sign in").is(http.StatusForbidden, "Sign in").legible("signin-fault")
}

// Ensure that a browser that prefers German gets German pages, times too, and that what
// it sends forms with says where they come from, even to servers that know nothing of
// Sec-Fetch-Site, while no page's address goes anywhere.
func TestBrowserLanguageAndReferrer(t *testing.T) {
	g, _ := startShop(t)
	anna := chromium(t)
	agent := evaluate[string](anna, "navigator.userAgent")
	call(anna, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: "de-AT,de,en"})
	anna.open(g.tls(shopHost, "/")).press("Connect your account").is(http.StatusOK, "Anmelden").screenshot("german-signin")
	anna.fill("Benutzername", "ann").fill("Passwort", annPassword).press("Anmelden").is(http.StatusOK, "Example Shop bittet um Zugriff auf Ihr Konto").screenshot("german-consent")
	anna.press("Ablehnen").is(http.StatusOK, "Example Shop").sees("Refused: access_denied")
	anna.open(g.tls(authHost, "/oauth/account/sessions")).is(http.StatusOK, "Wo Sie angemeldet sind").screenshot("german-sessions")
	if language := evaluate[string](anna, "document.documentElement.lang"); language != "de" {
		t.Errorf("the page says that it is in %q", language)
	}
	if when := evaluate[string](anna, "document.querySelector('time').innerText"); !strings.Contains(when, ".") || strings.Contains(when, "M") {
		t.Errorf("a time is %q", when)
	}
	logs, origin := g.logs.String(), "https://"+authHost+":"+g.port
	if !strings.Contains(logs, `"Origin":["`+origin+`"]`) || strings.Contains(logs, `"Origin":["null"]`) {
		t.Error("forms come from nowhere")
	}
	if strings.Contains(logs, `"Referer":["`+origin+`/oauth`) {
		t.Error("the address of a page goes to the next")
	}
}
