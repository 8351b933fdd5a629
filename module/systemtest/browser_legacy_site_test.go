// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// legacyHost is a site of people's that knows nothing of signing in, neighbourHost one
// beside it that somebody else runs. To a browser they are the same site, not the same
// origin.
const (
	legacyHost    = "legacy.example.test"
	neighbourHost = "neighbour.example.test"
)

// inheritedSite is an authorization server and, on hosts of their own, a legacy site behind
// its sign-in and a neighbour without.
const inheritedSite = `{
	import {$HARNESS}
	import {$AUTHORITY}
	oauth2 {
		issuer https://auth.example.test:{$PORT}
		users {
			argon2id {
				memory 8192
				time 1
			}
			sign_up
		}
	}
}

https://auth.example.test:{$PORT} {
	tls internal
	log
	oauth2_server
}

https://legacy.example.test:{$PORT} {
	tls internal
	log
	oauth2_protect {
		accept session
		allow /*
	}
	reverse_proxy {$LEGACY}
}

https://neighbour.example.test:{$PORT} {
	tls internal
	reverse_proxy {$LEGACY}
}
`

// legacy is the service behind both. It greets whom the gateway names, and its pages
// have the forms of a site.
type legacy struct {
	g *gateway
	// changed counts the requests that change something.
	changed atomic.Int64
}

func (l *legacy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		l.changed.Add(1)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Orders</title><link rel="icon" href="data:,"><h1>Hello %s</h1><p>%s %s</p>
<form method="post" action="%s"><button>Sign out here</button></form>
<form method="post" action="%s"><button>Order</button></form>
</html>`, html.EscapeString(r.Header.Get("X-Auth-Username")), r.Method, html.EscapeString(r.RequestURI), authz.PathSiteSignOut, l.g.tls(legacyHost, "/orders"))
}

// startLegacy runs the gateway with the service behind it, and an account ann.
func startLegacy(t *testing.T) (*gateway, *legacy) {
	t.Helper()
	l := new(legacy)
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	g := prepareInternal(t, inheritedSite, "LEGACY="+server.Listener.Addr().String())
	l.g = g
	g.startInternal()
	g.canary(annPassword)
	newPerson(g).open(g.tls(authHost, "/oauth/signup")).submit("signup", "username", "ann", "new_password", annPassword, "repeat", annPassword)
	return g, l
}

// fetched is the status that a script of the page in the tab gets. What the browser
// says of a refusal is none of its complaints.
func (b *tab) fetched(address string) int {
	b.t.Helper()
	call := fmt.Sprintf(`(() => { const r = new XMLHttpRequest(); r.open("GET", %q, false); r.send(); return r.status })()`, address)
	status := evaluate[int](b, call)
	if status >= http.StatusBadRequest {
		b.excuse(fmt.Sprintf("Failed to load resource: the server responded with a status of %d", status))
	}
	return status
}

// excuse waits for a complaint of that, and forgets it.
func (b *tab) excuse(what string) {
	b.t.Helper()
	b.until("the browser complains: "+what, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		i := slices.IndexFunc(b.complaints, func(complaint string) bool { return strings.Contains(complaint, what) })
		if i >= 0 {
			b.complaints = slices.Delete(b.complaints, i, i+1)
		}
		return i >= 0
	})
}

// Ensure that in a real browser somebody who opens a page of a legacy site signs in on
// another host and is back at that very page, that the site's forms and scripts then
// work, and that signing out at the site ends all that, scripts first.
func TestBrowserLegacySite(t *testing.T) {
	g, l := startLegacy(t)
	ann := chromium(t)
	address := g.tls(legacyHost, "/orders/17?q=a%20b&next=//elsewhere.test")
	ann.open(address).signIn().is(http.StatusOK, "Hello ann").sees("GET /orders/17?q=a%20b&next=//elsewhere.test")
	if got := evaluate[string](ann, "location.href"); got != address {
		t.Fatalf("came to %s", got)
	}
	ann.press("Order").is(http.StatusOK, "Hello ann").sees("POST /orders")
	if changed := l.changed.Load(); changed != 1 {
		t.Fatalf("%d changes", changed)
	}
	orders := g.tls(legacyHost, "/orders")
	if status := ann.fetched(orders); status != http.StatusOK {
		t.Fatalf("a script: %d", status)
	}
	behind := ann.another().open(orders).is(http.StatusOK, "Hello ann")
	ann.press("Sign out here").is(http.StatusOK, "Sign out?").press("Sign out").is(http.StatusOK, "You are signed out")
	if status := behind.fetched(orders); status != http.StatusUnauthorized {
		t.Errorf("a script, after signing out: %d", status)
	}
	behind.open(address).is(http.StatusOK, "Sign in")
}

// Ensure that a form of another site's does nothing at a legacy site for whoever is
// signed in there, not even one of a site beside it, which the browser sends the cookie
// with (row U01).
func TestAttackBrowserFormsFromElsewhere(t *testing.T) {
	g, l := startLegacy(t)
	ann := chromium(t)
	ann.open(g.tls(legacyHost, "/")).signIn().is(http.StatusOK, "Hello ann")
	ann.open(g.tls(neighbourHost, "/")).press("Order").is(http.StatusForbidden, "This came from another site").screenshot("refusal")
	ann.press("What this means").is(http.StatusOK, "cross_origin").screenshot("error-code")
	if changed := l.changed.Load(); changed != 0 {
		t.Errorf("%d changes", changed)
	}
	ann.open(g.tls(legacyHost, "/")).is(http.StatusOK, "Hello ann")
}
