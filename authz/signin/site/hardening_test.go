// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// arrival returns where somebody who is signed in is sent with a ticket for a site, and
// the browser, which has not gone there.
func (w *world) arrival(t testing.TB, name, address string) (*browser, *url.URL) {
	t.Helper()
	b := w.browser(t, name)
	b.signIn(w.account(t, name, "session-"+name, authz.ACROneFactor))
	at, _ := b.stop(authz.PathSiteSession, address)
	return b, at
}

// Ensure that a ticket does nothing in a browser in which the round did not begin: else
// somebody could sign others in as themselves, and read what they enter (login CSRF).
func TestAttackTicketInAnotherBrowser(t *testing.T) {
	w := newWorld(t)
	mallory, at := w.arrival(t, "mallory", legacy+"/")
	victim := w.browser(t, "victim")
	for _, state := range []string{"never here", "on the way", "signed in"} {
		if p := victim.open(at.String()); p.StatusCode != http.StatusBadRequest || len(p.Cookies()) > 0 {
			t.Errorf("%s: %d %v", state, p.StatusCode, p.Cookies())
		}
		if state == "on the way" {
			victim.signIn(w.account(t, "victim", "s", authz.ACROneFactor))
		}
		victim.open(legacy + "/")
	}
	if p := victim.open(legacy + "/"); p.body != "for victim at /" {
		t.Error(p.body)
	}
	// It was not even used up.
	if p := mallory.open(at.String()); p.body != "for mallory at /" {
		t.Errorf("in his own: %d %s", p.StatusCode, p.body)
	}
}

// Ensure that a stranger cannot have a victim's sign-in brought to a browser of theirs:
// the ticket that the victim's browser gets for their request is good in neither.
func TestAttackRequestInAnotherBrowser(t *testing.T) {
	w := newWorld(t)
	mallory := w.browser(t, "mallory")
	request, _ := mallory.stop("/oauth"+Path, legacy+"/")
	victim := w.browser(t, "victim")
	victim.signIn(w.account(t, "victim", "s", authz.ACROneFactor))
	at, _ := victim.stop(authz.PathSiteSession, request.String())
	if p := victim.open(at.String()); p.StatusCode != http.StatusBadRequest || victim.cookie(legacyHost, siteCookie) != "" {
		t.Errorf("in the victim's: %d", p.StatusCode)
	}
}

// Ensure that a ticket counts once, however many present it at a time (rule S3).
func TestAttackTicketTwice(t *testing.T) {
	w := newWorld(t)
	b, at := w.arrival(t, "ann", legacy+"/")
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.AddCookie(&http.Cookie{Name: browserCookie, Value: b.cookie(legacyHost, browserCookie)})
	var mu sync.Mutex
	var all sync.WaitGroup
	won := 0
	for range 12 {
		all.Go(func() {
			resp, err := b.Transport.RoundTrip(request.Clone(t.Context()))
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			won += len(resp.Cookies())
			if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != legacy+"/" {
				t.Errorf("%d %v", resp.StatusCode, resp.Header)
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("%d got a session", won)
	}
}

// Ensure that a ticket is good for the site and the request that it was made for, for
// a minute, and for nothing that looks like it.
func TestAttackForgedTickets(t *testing.T) {
	w := newWorld(t)
	b, at := w.arrival(t, "ann", legacy+"/")
	_, foreign := w.arrival(t, "eve", "https://"+otherHost+"/")
	access := token.New(token.Access)
	change := w.db.NewChange()
	change.Create(tokenstore.CredentialKey(token.Digest(access)), token.Record{Kind: token.Access, Subject: "ann", Audience: []string{legacy}}, w.db.Now().Add(time.Hour))
	if _, err := w.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	ticket, request := at.Query().Get("ticket"), at.Query().Get("request")
	for name, try := range map[string]url.Values{
		"made up":                 {"ticket": {token.New(token.Ticket)}, "request": {request}},
		"an access token":         {"ticket": {access}, "request": {request}},
		"cut off":                 {"ticket": {ticket[:len(ticket)-1]}, "request": {request}},
		"nothing":                 {"ticket": {""}, "request": {request}},
		"two":                     {"ticket": {ticket, ticket}, "request": {request}},
		"of another request":      {"ticket": {foreign.Query().Get("ticket")}, "request": {request}},
		"for another site":        {"ticket": {foreign.Query().Get("ticket")}, "request": {foreign.Query().Get("request")}},
		"with another's request":  {"ticket": {ticket}, "request": {foreign.Query().Get("request")}},
		"with no request":         {"ticket": {ticket}},
		"with a cut off request":  {"ticket": {ticket}, "request": {request[:len(request)-4]}},
		"with two requests":       {"ticket": {ticket}, "request": {request, request}},
		"with a plain request":    {"ticket": {ticket}, "request": {"https://evil.example/"}},
		"with an endless request": {"ticket": {ticket}, "request": {strings.Repeat("A", handle.MaxLength/4)}},
	} {
		follow := b.CheckRedirect
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		p := b.open(legacy + authz.PathSiteSession + "?" + try.Encode())
		b.CheckRedirect = follow
		refused := p.StatusCode == http.StatusBadRequest || p.StatusCode == http.StatusSeeOther && p.Header.Get("Location") == legacy+"/"
		if !refused || b.cookie(legacyHost, siteCookie) != "" {
			t.Errorf("%s: %d %v", name, p.StatusCode, p.Header)
		}
	}
	// Even where the other site knows the browser by the same name.
	b.Jar.SetCookies(&url.URL{Scheme: "https", Host: otherHost}, []*http.Cookie{{Name: browserCookie, Value: b.cookie(legacyHost, browserCookie), Path: "/"}})
	if p := b.open("https://" + otherHost + authz.PathSiteSession + "?" + at.RawQuery); p.StatusCode != http.StatusBadRequest || b.cookie(otherHost, siteCookie) != "" {
		t.Errorf("at another site: %d", p.StatusCode)
	}
	w.ahead.Store(int64(TicketLifetime))
	b.stop("/oauth"+Path, at.String())
	if b.cookie(legacyHost, siteCookie) != "" {
		t.Error("after its time")
	}
}

// Ensure that a ticket whose session has ended since is worth nothing.
func TestAttackTicketOfAnEndedSession(t *testing.T) {
	w := newWorld(t)
	b, at := w.arrival(t, "ann", legacy+"/")
	delete(w.signedIn, "ann")
	change := w.db.NewChange()
	change.Revoke(tokenstore.SessionAnchorKey("session-ann"))
	if _, err := w.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if p := b.open(at.String()); p.body != "please sign in" || b.cookie(legacyHost, siteCookie) != "" {
		t.Errorf("%d %s", p.StatusCode, p.body)
	}
}

// Ensure that the issuer sends browsers only to sites that the serving configuration
// guards so, and answers everything else with a page (row R23).
func TestAttackRequestsToTheIssuer(t *testing.T) {
	w := newWorld(t)
	b := w.browser(t, "ann")
	b.signIn(w.account(t, "ann", "s1", authz.ACROneFactor))
	seal := func(purpose, binding string, value any, lifetime time.Duration) string {
		text, err := w.keeper(true).Seal(t.Context(), purpose, binding, lifetime, value)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := round{Site: legacy, Back: "/"}
	for name, query := range map[string]string{
		"nothing":                 "",
		"empty":                   "request=",
		"an address":              "request=" + url.QueryEscape("https://evil.example/"),
		"twice":                   "request=a&request=b",
		"another purpose":         "request=" + seal("consent", "", good, time.Hour),
		"of a browser":            "request=" + seal(purpose, strings.Repeat("A", 26), good, time.Hour),
		"expired":                 "request=" + seal(purpose, "", good, 0),
		"a site that is not ours": "request=" + seal(purpose, "", round{Site: "https://evil.example", Back: "/"}, time.Hour),
		"a site without a host":   "request=" + seal(purpose, "", round{Site: "urn:x", Back: "/"}, time.Hour),
		"broken encoding":         "request=%zz",
	} {
		if p := b.open("https://" + issuerHost + "/oauth" + Path + "?" + query); p.StatusCode != http.StatusBadRequest || len(b.trail) > 0 || p.Header.Get("Location") != "" {
			t.Errorf("%s: %d %v", name, p.StatusCode, b.trail)
		}
	}
	for _, method := range []string{"POST", "HEAD", "PUT"} {
		p := b.send(method, "https://"+issuerHost+"/oauth"+Path+"?request="+seal(purpose, "", good, time.Hour))
		if p.StatusCode != http.StatusMethodNotAllowed || p.Header.Get("Allow") != http.MethodGet {
			t.Errorf("%s: %d", method, p.StatusCode)
		}
	}
}

// Ensure that no URL leads a browser anywhere but back to the site (row R23).
func TestAttackReturnAddresses(t *testing.T) {
	for target, want := range map[string]string{
		"/":                                  "/",
		"/a?b=c&d":                           "/a?b=c&d",
		"/a?next=https://evil.example":       "/a?next=https://evil.example",
		"":                                   "/",
		"a":                                  "/",
		"//evil.example":                     "/",
		"///evil.example":                    "/",
		`/\evil.example`:                     "/",
		"https://evil.example/":              "/",
		"https:evil.example":                 "/",
		"/\t/evil.example":                   "/",
		"/a\r\nSet-Cookie: x=y":              "/",
		"/a b":                               "/",
		"/ä":                                 "/",
		"/a#b":                               "/",
		"/" + strings.Repeat("a", 4095):      "/" + strings.Repeat("a", 4095),
		"/" + strings.Repeat("a", 4096):      "/",
		"/a?" + strings.Repeat("b=c&", 1024): "/a",
	} {
		if got := local(target); got != want {
			t.Errorf("%.60q: %.60q", target, got)
		}
	}
}

// Ensure that where a round began does not get into its handle unseen.
func TestAttackReturnAddressOfARound(t *testing.T) {
	w := newWorld(t)
	answer := httptest.NewRecorder()
	if err := w.Begin(answer, httptest.NewRequest(http.MethodGet, legacy, nil), protect.Visit{Site: legacy, Back: "//evil.example"}); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(answer.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if began, err := w.open(httptest.NewRequest(http.MethodGet, legacy, nil), to.Query().Get(authz.ParamRequest)); err != nil || began.Back != "/" {
		t.Errorf("%+v, %v", began, err)
	}
}

func FuzzLocal(f *testing.F) {
	for _, seed := range []string{"/", "//e", `/\e`, "/a?b", "/%2f", "https://e/", "/a\n", "?", "/.//e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		back := local(target)
		u, err := url.Parse(legacy + back)
		if err != nil {
			return // no browser goes there
		}
		if u.Host != legacyHost || u.Scheme != "https" || u.User != nil || u.Fragment != "" || len(back) > MaxReturn {
			t.Errorf("%q leads to %v", target, u)
		}
	})
}

// Ensure that no secret passes for another: the site's cookie is no bearer token, and
// no token, ticket or cookie of the issuer's is the site's cookie (rows S01, S10).
func TestAttackSecretsInThePlaceOfOthers(t *testing.T) {
	w := newWorld(t)
	b, at := w.arrival(t, "ann", legacy+"/")
	ticket := at.Query().Get("ticket")
	b.open(legacy + "/")
	session := b.cookie(legacyHost, siteCookie)
	access, refresh := token.New(token.Access), token.New(token.Refresh)
	change := w.db.NewChange()
	for raw, kind := range map[string]token.Kind{access: token.Access, refresh: token.Refresh} {
		change.Create(tokenstore.CredentialKey(token.Digest(raw)), token.Record{Kind: kind, Client: "c", Subject: "ann", Audience: []string{legacy}}, w.db.Now().Add(time.Hour))
	}
	if _, err := w.db.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	thief := w.browser(t, "thief")
	for _, header := range []string{
		"Authorization: Bearer " + session, "Authorization: Session " + session, "Authorization: session " + session,
		"Cookie: " + siteCookie + "=" + access, "Cookie: " + siteCookie + "=" + refresh, "Cookie: " + siteCookie + "=" + ticket,
		"Cookie: " + siteCookie + "=" + session[:len(session)-1], "Cookie: " + siteCookie + `="` + session + `"`,
		"Cookie: " + authz.CookieSite + "=" + session, "Cookie: __host-" + authz.CookieSite + "=" + session,
		"Cookie: " + browserCookie + "=" + session, "X-Cookie: " + siteCookie + "=" + session,
	} {
		if p := thief.send(http.MethodGet, legacy+"/", header); p.StatusCode != http.StatusUnauthorized {
			t.Errorf("%.40s: %d", header, p.StatusCode)
		}
	}
	// At the wrong site, and twice (row U07).
	if p := thief.send(http.MethodGet, "https://"+otherHost+"/", "Cookie: "+siteCookie+"="+session); p.StatusCode != http.StatusUnauthorized {
		t.Errorf("at another site: %d", p.StatusCode)
	}
	twice := siteCookie + "=" + session + "; " + siteCookie + "=" + session
	if p := thief.send(http.MethodGet, legacy+"/", "Cookie: "+twice); p.StatusCode != http.StatusBadRequest {
		t.Errorf("twice: %d", p.StatusCode)
	}
	// One that is explicit counts, even when it is wrong.
	if p := thief.send(http.MethodGet, legacy+"/", "Cookie: "+siteCookie+"="+session, "Authorization: Bearer "+access); p.StatusCode != http.StatusUnauthorized {
		t.Errorf("beside a token: %d", p.StatusCode)
	}
	if p := thief.send(http.MethodGet, legacy+"/", "Cookie: "+siteCookie+"="+session); p.body != "for ann at /" {
		t.Errorf("as it is: %d", p.StatusCode)
	}
}

// Ensure that trouble of ours is no answer about anybody: nobody is let in, and nobody
// is signed out.
func TestTroubleLetsNobodyIn(t *testing.T) {
	w := newWorld(t)
	b := w.browser(t, "ann")
	b.signIn(w.account(t, "trouble", "s1", authz.ACROneFactor))
	if p := b.open(legacy + "/"); p.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("people: %d", p.StatusCode)
	}
	c, at := w.arrival(t, "eve", legacy+"/")
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{legacy + "/", at.String(), "https://" + issuerHost + "/oauth" + Path + "?request=" + at.Query().Get("request")} {
		if p := c.open(address); p.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%.50s: %d %s", address, p.StatusCode, p.body)
		}
	}
}

// Ensure that a configuration that lacks something is refused.
func TestServiceNeedsItsParts(t *testing.T) {
	if _, err := New(Config{Issuer: "https://auth.example.com"}); err == nil {
		t.Error("taken")
	}
	w := newWorld(t)
	for _, visit := range []protect.Visit{{Site: "urn:x"}, {Site: "://"}} {
		if err := w.Begin(nil, nil, visit); err == nil {
			t.Errorf("%+v: begun", visit)
		}
	}
}
