// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// workshop is an authorization server at which people register clients, an API, and the
// host of the application that is being made.
const workshop = `{
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
			sign_up
		}
		developers everybody
		self_service_scopes orders:read
	}
}

https://auth.example.test:{$PORT} {
	tls internal
	log
	oauth2_server
}

https://api.example.test:{$PORT} {
	tls internal
	oauth2_protect orders:read
	respond "orders"
}

https://app.test:{$PORT} {
	tls internal
	header Content-Type "text/html; charset=utf-8"
	respond "<!doctype html><html lang=en><title>App</title><link rel=icon href=data:,><h1>My application</h1></html>"
}
`

const appHost = "app.test"

// authorizes sends whoever is in the tab to allow a client something, and returns the
// code that comes to the application.
func (b *tab) authorizes(g *gateway, id string) string {
	b.t.Helper()
	challenge := sha256.Sum256([]byte(appVerifier))
	b.open(g.tls(authHost, "/oauth/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {g.tls(appHost, "/callback")}, "scope": {"orders:read"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()))
	if b.headline() != "My application" { // it was allowed before
		b.is(http.StatusOK, "Order Pad asks for access to your account").press("Allow")
	}
	return b.is(http.StatusOK, "My application").url().Query().Get("code")
}

// exchange exchanges a code for an access token.
func (g *gateway) exchange(id, secret, code string) (status int, access string) {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodPost, g.tls(authHost, "/oauth/token"), strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {g.tls(appHost, "/callback")}, "code_verifier": {appVerifier},
	}.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, secret)
	resp, err := g.client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	body, err := drain(resp)
	if err != nil {
		g.t.Fatal(err)
	}
	var issued token
	if err := json.Unmarshal([]byte(body), &issued); err != nil {
		g.t.Fatalf("%s: %v: %s", resp.Status, err, body)
	}
	if issued.AccessToken != "" {
		g.canary(issued.AccessToken)
	}
	return resp.StatusCode, issued.AccessToken
}

// reaches is the status that a token gets at the API.
func (g *gateway) reaches(access string) int {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, g.tls(apiHost, "/"), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+access)
	resp, err := g.client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := drain(resp); err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode
}

// shows is the text of the element with that id.
func (b *tab) shows(id string) string {
	b.t.Helper()
	return evaluate[string](b, fmt.Sprintf("document.getElementById(%q).innerText", id))
}

// secret is the client secret that the page shows, this once.
func (b *tab) secret(g *gateway) string {
	b.t.Helper()
	return g.canary(b.is(http.StatusOK, "Order Pad").shows("client-secret"))
}

// Ensure that somebody comes to the server for the first time, makes an account and a
// client, and that the client works with what the page shows: its secret too after a new
// one was made, for one such change and no longer, and nothing of it when it is deleted.
func TestBrowserDeveloper(t *testing.T) {
	g := prepareInternal(t, workshop)
	g.startInternal()
	g.canary(annPassword)
	dora := chromium(t)
	dora.open(g.tls(authHost, "/oauth/developer/new")).is(http.StatusOK, "Sign in").press("Create an account").screenshot("signup")
	dora.fill("User name", "dora").fill("Password", annPassword).fill("Password again", annPassword).press("Create account")
	dora.is(http.StatusOK, "Register a client").fill("Name", "Order Pad").fill("Redirect URIs", g.tls(appHost, "/callback"))
	dora.tick("See your orders orders:read", true).press("Register").is(http.StatusOK, "Order Pad").screenshot("developer-secret")

	id, first := dora.shows("client-id"), dora.secret(g)
	dora.press("I have kept it").is(http.StatusOK, "Edit client").screenshot("developer-edit")
	page := evaluate[string](dora, "location.href")
	status, access := g.exchange(id, first, dora.authorizes(g, id))
	if status != http.StatusOK || g.reaches(access) != http.StatusOK {
		t.Fatalf("the new client: %d, %d at the API", status, g.reaches(access))
	}

	second := dora.open(page).press("Make a new secret").secret(g)
	for _, secret := range []string{first, second} {
		if status, _ := g.exchange(id, secret, dora.authorizes(g, id)); status != http.StatusOK {
			t.Errorf("after one change: %d", status)
		}
	}
	third := dora.open(page).press("Make a new secret").secret(g)
	for secret, want := range map[string]int{first: http.StatusUnauthorized, second: http.StatusOK, third: http.StatusOK} {
		if status, _ := g.exchange(id, secret, dora.authorizes(g, id)); status != want {
			t.Errorf("after two changes: %d, want %d", status, want)
		}
	}

	dora.open(page).press("Delete client").is(http.StatusOK, "Delete Order Pad?").screenshot("developer-delete").press("Delete for ever")
	dora.is(http.StatusOK, "Your clients").sees("You have no client yet.")
	if got := g.reaches(access); got != http.StatusUnauthorized {
		t.Errorf("a token of the deleted client: %d", got)
	}
	dora.open(page).is(http.StatusNotFound, "There is nothing here")
}
