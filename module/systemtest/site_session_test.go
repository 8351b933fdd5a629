// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// visited is an authorization server and two sites of people's on hosts of their own,
// all by TLS, in front of services that know nothing of signing in.
const visited = `{
	import {$HARNESS}
	oauth2 {
		issuer https://localhost:{$PORT}
		scope orders:read "See your orders"
		users {
			argon2id {
				memory 8192
				time 1
			}
			sign_up
		}
	}
}

https://localhost:{$PORT} {
	tls {$CERT} {$KEY}
	log
	oauth2_server
	respond /oauth/account "account"
}

https://legacy.localhost:{$PORT} {
	tls {$CERT} {$KEY}
	log
	oauth2_protect {
		accept bearer
		accept session orders:read
		csrf trust https://app.example.com
		allow /*
		allow /orders/* orders:read
		allow /safe/* {
			acr 2
		}
		optional /catalog/*
		public /about
	}
	reverse_proxy {$UPSTREAM}
}

https://wiki.localhost:{$PORT} {
	tls {$CERT} {$KEY}
	log
	oauth2_protect {
		accept session
		allow /*
	}
	reverse_proxy {$UPSTREAM}
}
`

// The sites, and the name of their cookie.
const (
	legacySite = "legacy.localhost"
	wikiSite   = "wiki.localhost"
	siteCookie = authz.CookieHost + authz.CookieSite
)

// startVisited runs it with one account, ann.
func startVisited(t *testing.T, upstream string) *gateway {
	t.Helper()
	cert, key := certificate(t)
	g := prepare(t, visited, "UPSTREAM="+upstream)
	g.env = append(g.env, "CERT="+g.write("cert.pem", cert), "KEY="+g.write("key.pem", key))
	g.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	g.start()
	g.canary(annPassword)
	newPerson(g).open(g.tls("localhost", "/oauth/signup")).submit("signup", "username", "ann", "new_password", annPassword, "repeat", annPassword)
	return g
}

// tls returns the address of a path at a site.
func (g *gateway) tls(host, path string) string { return "https://" + host + ":" + g.port + path }

// visit signs somebody in who opens a page, and returns that page.
func (g *gateway) visit(p *person, address string) *screen {
	g.t.Helper()
	return p.open(address).is(http.StatusOK, "Sign in").signIn("ann", annPassword)
}

// held returns the cookie that the browser has for a site, as a canary.
func (p *person) held(host string) string {
	p.g.t.Helper()
	for _, c := range p.client.Jar.Cookies(&url.URL{Scheme: "https", Host: host, Path: "/"}) {
		if c.Name == siteCookie {
			return p.g.canary(c.Value)
		}
	}
	return ""
}

// script sends a request as a script of a page does, with headers in pairs.
func (p *person) script(method, address string, headers ...string) (int, http.Header) {
	p.g.t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		p.g.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Mode", "cors")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := p.client.Do(req)
	if err != nil {
		p.g.t.Fatal(err)
	}
	if _, err := drain(resp); err != nil {
		p.g.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header
}

// Ensure that a person who opens a page of a legacy site signs in and comes back to it,
// that the service learns who it is and no secret of ours, that the next site asks
// nothing, and that signing out ends all of it at the very next request.
func TestSiteSession(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := startVisited(t, u.address)
	p := newPerson(g)
	if status, _ := p.script(http.MethodGet, g.tls(legacySite, "/orders/17")); status != http.StatusUnauthorized {
		t.Fatalf("a script without a session: %d", status)
	}
	if s := p.open(g.tls(legacySite, "/catalog/1")); s.body != "legacy\n" {
		t.Fatalf("where nobody need sign in: %d", s.status)
	}
	before := u.count()
	address := g.tls(legacySite, "/orders/17?q=a%20b&next=//evil.example")
	if s := g.visit(p, address); s.url.String() != address || s.body != "legacy\n" {
		t.Fatalf("came to %s: %d", s.url, s.status)
	}
	if came := u.count() - before; came != 1 {
		t.Fatalf("%d requests reached the service", came)
	}
	h := u.last()
	if h.Header.Get("X-Auth-Username") != "ann" || h.Header.Get("X-Auth-Subject") == "" || h.Header.Get("X-Auth-Scope") != "orders:read" || h.Header.Get("Cookie") != "" {
		t.Errorf("the service learns %v", h.Header)
	}
	own := p.held(legacySite)
	if own == "" || p.held(wikiSite) != "" {
		t.Fatal("not the cookie of the site that was visited")
	}
	p.client.Jar.SetCookies(&url.URL{Scheme: "https", Host: legacySite, Path: "/"}, []*http.Cookie{{Name: "sid", Value: "theirs", Secure: true, Path: "/"}})
	if s := p.open(g.tls(legacySite, "/orders/18")); s.body != "legacy\n" || u.last().Header.Get("Cookie") != "sid=theirs" {
		t.Error("the service's own cookie does not come through alone")
	}
	if s := p.open(g.tls(wikiSite, "/page")); s.body != "legacy\n" || p.held(wikiSite) == "" || p.held(wikiSite) == own {
		t.Errorf("the next site: %d %s", s.status, s.url)
	}
	if status, _ := p.script(http.MethodGet, g.tls(legacySite, "/orders/17")); status != http.StatusOK {
		t.Errorf("a script with a session: %d", status)
	}
	p.open(g.tls("localhost", "/oauth/signout")).submit("signout")
	for _, site := range []string{legacySite, wikiSite} {
		if status, _ := p.script(http.MethodGet, g.tls(site, "/x")); status != http.StatusUnauthorized {
			t.Errorf("%s after signing out: %d", site, status)
		}
	}
	p.open(g.tls(legacySite, "/x")).is(http.StatusOK, "Sign in")
}

// arrive signs somebody in and returns where the browser is sent to with its ticket,
// without going there. The ticket is a canary.
func (g *gateway) arrive(p *person) *url.URL {
	g.t.Helper()
	form := p.open(g.tls(legacySite, "/orders/1")).is(http.StatusOK, "Sign in").request("signin", "username", "ann", "password", annPassword)
	for s := p.send(form); ; {
		to, err := s.url.Parse(s.header.Get("Location"))
		if err != nil || s.status != http.StatusSeeOther {
			g.t.Fatalf("%s: %d %v", s.url, s.status, err)
		}
		if to.Path == authz.PathSiteSession {
			g.canary(to.Query().Get(authz.ParamTicket))
			return to
		}
		req, err := http.NewRequest(http.MethodGet, to.String(), nil)
		if err != nil {
			g.t.Fatal(err)
		}
		s = p.send(req)
	}
}

// Ensure that a ticket signs nobody in in another browser (login CSRF), nor at another
// site, nor twice, and is in no log, and neither is the cookie that it buys (row U06).
func TestAttackSiteTickets(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := startVisited(t, u.address)
	mallory, victim := newPerson(g), newPerson(g)
	at := g.arrive(mallory)
	victim.open(g.tls(legacySite, "/orders/1")) // has a cookie of its own
	if s := victim.open(at.String()); s.status != http.StatusBadRequest || victim.held(legacySite) != "" {
		t.Errorf("in another browser: %d", s.status)
	}
	elsewhere := *at
	elsewhere.Host = wikiSite + ":" + g.port
	if s := mallory.open(elsewhere.String()); s.status != http.StatusBadRequest || mallory.held(wikiSite) != "" {
		t.Errorf("at another site: %d", s.status)
	}
	if s := mallory.open(at.String()); s.url.Path != "/orders/1" || s.body != "legacy\n" || mallory.held(legacySite) == "" {
		t.Errorf("in its own: %d %s", s.status, s.url)
	}
	mallory.open(g.tls("localhost", "/oauth/signout")).submit("signout")
	mallory.open(at.String()).is(http.StatusOK, "Sign in")
	cookie := mallory.held(legacySite)
	for _, header := range []string{"Authorization: Bearer " + cookie, "Cookie: " + siteCookie + "=" + at.Query().Get(authz.ParamTicket)} {
		name, value, _ := strings.Cut(header, ": ")
		if status, _ := newPerson(g).script(http.MethodGet, g.tls(legacySite, "/x"), name, value); status != http.StatusUnauthorized {
			t.Errorf("%.22s: %d", header, status)
		}
	}
}

// Ensure that a session does nothing for pages of other sites, but for those that are
// trusted, and that a service cannot sign anybody in or out (rows U01, H13).
func TestAttackSiteSessionFromElsewhere(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	u.answer = func(_ *http.Request, conn net.Conn, _ *bufio.Reader) bool {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: sid=1\r\nSet-Cookie: %s=evil; Path=/; Secure\r\nSet-Cookie: __Host-oauth2_browser=evil; Path=/; Secure\r\n\r\n", siteCookie)
		return true
	}
	g := startVisited(t, u.address)
	p := newPerson(g)
	s := g.visit(p, g.tls(legacySite, "/x"))
	if set := s.header["Set-Cookie"]; s.status != http.StatusOK || len(set) != 1 || set[0] != "sid=1" {
		t.Fatalf("%d, the service sets %q", s.status, set)
	}
	p.held(legacySite)
	before := u.count()
	socket := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	for headers, want := range map[string]int{
		"Sec-Fetch-Site same-origin":                               http.StatusOK,
		"Origin https://legacy.localhost:" + g.port:                http.StatusOK,
		"Sec-Fetch-Site cross-site Origin https://app.example.com": http.StatusOK,
		"Sec-Fetch-Site cross-site":                                http.StatusForbidden,
		"Sec-Fetch-Site same-site":                                 http.StatusForbidden,
		"Origin https://wiki.localhost:" + g.port:                  http.StatusForbidden,
		"Origin null":    http.StatusForbidden,
		"X-Nothing said": http.StatusForbidden,
	} {
		for _, path := range []string{"/x", authz.PathSiteSignOut} {
			if path == authz.PathSiteSignOut && want == http.StatusOK {
				continue // it would
			}
			if status, _ := p.script(http.MethodPost, g.tls(legacySite, path), strings.Fields(headers)...); status != want {
				t.Errorf("POST %s with %s: %d", path, headers, status)
			}
		}
		if want == http.StatusForbidden {
			if status, _ := p.script(http.MethodGet, g.tls(legacySite, "/x"), append(strings.Fields(headers), socket...)...); status != want {
				t.Errorf("a WebSocket with %s: %d", headers, status)
			}
		}
	}
	if came := u.count() - before; came != 3 {
		t.Errorf("%d requests reached the service", came)
	}
	// A form of the site's own signs out.
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	status, header := p.script(http.MethodPost, g.tls(legacySite, authz.PathSiteSignOut), "Sec-Fetch-Site", "same-origin")
	if status != http.StatusSeeOther || header.Get("Location") != g.tls("localhost", "/oauth/signout") || p.held(legacySite) != "" {
		t.Errorf("signing out: %d %v", status, header)
	}
}

// Ensure that a page that wants two factors asks for the second, and that a script
// there is told what it takes.
func TestSiteSessionStepsUp(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := startVisited(t, u.address)
	p := newPerson(g)
	g.visit(p, g.tls(legacySite, "/x"))
	p.held(legacySite)
	status, header := p.script(http.MethodGet, g.tls(legacySite, "/safe/1"))
	if challenge := header.Get("WWW-Authenticate"); status != http.StatusUnauthorized || !strings.Contains(challenge, `acr_values="2"`) {
		t.Errorf("a script: %d %s", status, challenge)
	}
	if s := p.open(g.tls(legacySite, "/safe/1")); s.url.Hostname() != "localhost" {
		t.Errorf("a page: %s %d %s", s.url, s.status, s.text())
	}
}

// Ensure that what lasts is cut when the session ends.
func TestSiteSessionCutsStreams(t *testing.T) {
	t.Parallel()
	service := newStreamService(t)
	g := startVisited(t, service.address)
	p := newPerson(g)
	// The page that the sign-in leads to would never end.
	at := g.arrive(p)
	if req, err := http.NewRequest(http.MethodGet, at.String(), nil); err != nil || p.send(req).status != http.StatusSeeOther {
		t.Fatal(err)
	}
	p.held(legacySite)
	resp, err := p.client.Get(g.tls(legacySite, "/events"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	if _, err := in.ReadByte(); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	p.open(g.tls("localhost", "/oauth/signout")).submit("signout")
	var late net.Error
	if _, err := io.Copy(io.Discard, in); err == nil || errors.As(err, &late) && late.Timeout() {
		t.Errorf("the stream looks complete, or goes on: %v", err)
	}
}

// Ensure that a configuration by which nobody could sign in, or find back, does not start.
func TestSiteSessionsNeedTheirParts(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	for name, change := range map[string][]string{
		"nothing serves the pages": {"\toauth2_server\n\trespond /oauth/account \"account\"\n", "\trespond hello\n"},
		"find back here":           {"https://wiki.localhost:", "https://*.localhost:"},
		"is no address of a site":  {"\t\taccept session\n", "\t\taccept session\n\t\tresource urn:example:wiki\n"},
	} {
		cert, key := certificate(t)
		g := prepare(t, strings.Replace(visited, change[0], change[1], 1), u.env())
		g.env = append(g.env, "CERT="+g.write("cert.pem", cert), "KEY="+g.write("key.pem", key))
		if said := g.refusesToStart(); !strings.Contains(said, name) {
			t.Errorf("%s: says %s", name, said)
		}
	}
}
