// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const legacy = "https://" + legacyHost

// Ensure that a browser that opens a page of a guarded site signs in at the issuer and
// comes back to that very page, and that the next site asks nothing.
func TestBrowserComesBackToTheSamePage(t *testing.T) {
	w := newWorld(t)
	b := w.browser(t, "ann's")
	const deep = "/orders/17?q=a%20b&to=//evil.example&x=%2f%2e"
	if p := b.open(legacy + deep); p.body != "please sign in" {
		t.Fatalf("%d %s", p.StatusCode, p.body)
	}
	// The person signs in, and the browser goes where the sign-in was told to send it.
	b.signIn(w.account(t, "ann", "s1", authz.ACROneFactor))
	p := b.open("https://" + issuerHost + w.demands[0].Return)
	if want := "for ann at " + deep; p.body != want {
		t.Fatalf("%d %s, want %s", p.StatusCode, p.body, want)
	}
	if p := b.open(legacy + "/next"); len(b.trail) != 0 || p.body != "for ann at /next" {
		t.Errorf("the next page: %v %s", b.trail, p.body)
	}
	if p := b.open("https://" + otherHost + "/"); p.body != "for ann at /" {
		t.Errorf("another site: %d %s", p.StatusCode, p.body)
	}
	if b.cookie(legacyHost, siteCookie) == b.cookie(otherHost, siteCookie) {
		t.Error("two sites share a cookie")
	}
	if w.hidden.Load() != 2 {
		t.Errorf("%d tickets may be in a log", w.hidden.Load()-2)
	}
}

// Ensure that the site's cookie is the site's alone, that no script reads it, and that
// no other site's form sends it (row U06).
func TestSiteCookieIsBoundToItsHost(t *testing.T) {
	w := newWorld(t)
	b := w.browser(t, "ann's")
	b.signIn(w.account(t, "ann", "s1", authz.ACROneFactor))
	arrival, _ := b.stop(authz.PathSiteSession, legacy+"/")
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p := b.open(arrival.String())
	for _, c := range p.Cookies() {
		if c.Name != siteCookie || !c.Secure || !c.HttpOnly || c.Domain != "" || c.Path != "/" || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 0 {
			t.Errorf("%v", c)
		}
	}
	if len(p.Cookies()) != 1 || p.StatusCode != http.StatusSeeOther || p.Header.Get("Cache-Control") != "no-store" || p.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%d %v", p.StatusCode, p.Header)
	}
}

// Ensure that rounds that are begun and never ended leave one cookie in the browser and
// nothing in the store.
func TestBegunRoundsDoNotPileUp(t *testing.T) {
	w := newWorld(t)
	b := w.browser(t, "somebody's")
	before := records(t, w)
	b.open(legacy + "/a")
	first := b.cookie(legacyHost, browserCookie)
	for range 50 {
		b.open(legacy + "/a")
	}
	jar := b.Jar.Cookies(&url.URL{Scheme: "https", Host: legacyHost, Path: "/"})
	if len(jar) != 1 || jar[0].Name != browserCookie || jar[0].Value != first {
		t.Errorf("the browser has %v", jar)
	}
	if after := records(t, w); after != before {
		t.Errorf("the store had %d records and has %d", before, after)
	}
}

// records counts what the store has of what a round may need.
func records(t *testing.T, w *world) int {
	t.Helper()
	count := 0
	for _, kind := range []tokenstore.Kind{tokenstore.KindTicket, tokenstore.KindSpent, tokenstore.KindCredential, tokenstore.KindSealed} {
		list, _, err := tokenstore.List[any](t.Context(), w.db, "", kind, "", tokenstore.MaxList)
		if err != nil {
			t.Fatal(err)
		}
		count += len(list)
	}
	return count
}

// Ensure that what ends the session, the user's access, or everything, ends that at the
// site with the very next request, and not that of others.
func TestSignOutElsewhereEndsTheSiteAtOnce(t *testing.T) {
	for name, anchor := range map[string]func(*world) tokenstore.Key{
		"session": func(*world) tokenstore.Key { return tokenstore.SessionAnchorKey("s1") },
		"user":    func(*world) tokenstore.Key { return tokenstore.UserAnchorKey("ann") },
		"store":   func(w *world) tokenstore.Key { return w.db.StoreAnchor() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ann, bob := w.browser(t, "ann's"), w.browser(t, "bob's")
			ann.signIn(w.account(t, "ann", "s1", authz.ACROneFactor))
			bob.signIn(w.account(t, "bob", "s2", authz.ACROneFactor))
			if a, b := ann.open(legacy+"/"), bob.open(legacy+"/"); a.body != "for ann at /" || b.body != "for bob at /" {
				t.Fatal(a.body, b.body)
			}
			delete(w.signedIn, "ann's")
			change := w.db.NewChange()
			change.Revoke(anchor(w))
			if _, err := w.db.Commit(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			if p := ann.send(http.MethodGet, legacy+"/", "Sec-Fetch-Mode: cors"); p.StatusCode != http.StatusUnauthorized {
				t.Errorf("a script of hers: %d", p.StatusCode)
			}
			if p := ann.open(legacy + "/"); p.body != "please sign in" {
				t.Errorf("a page of hers: %d %s", p.StatusCode, p.body)
			}
			if p := bob.send(http.MethodGet, legacy+"/", "Sec-Fetch-Mode: cors"); (p.StatusCode == http.StatusOK) != (name != "store") {
				t.Errorf("his: %d", p.StatusCode)
			}
		})
	}
}

// Ensure that a session at the site ends where the one at the issuer would, and is
// renewed on the way there by a page, so that nobody who works is interrupted.
func TestSiteSessionIsRenewedAndEnds(t *testing.T) {
	w := newWorld(t)
	b := w.browser(t, "ann's")
	a := w.account(t, "ann", "s1", authz.ACROneFactor)
	b.signIn(a)
	b.open(legacy + "/")
	first := b.cookie(legacyHost, siteCookie)
	w.ahead.Store(int64(11 * time.Hour))
	if b.open(legacy + "/"); b.cookie(legacyHost, siteCookie) != first {
		t.Error("renewed before half of its time")
	}
	w.ahead.Store(int64(13 * time.Hour))
	if p := b.send(http.MethodPost, legacy+"/", "Sec-Fetch-Site: same-origin"); p.body != "for ann at /" || len(b.trail) > 0 {
		t.Errorf("a form: %d %s %v", p.StatusCode, p.body, b.trail)
	}
	a.Until = w.db.Now().Add(24 * time.Hour) // the issuer has seen it meanwhile
	b.signIn(a)
	if p := b.open(legacy + "/x?y"); p.body != "for ann at /x?y" || b.cookie(legacyHost, siteCookie) == first {
		t.Errorf("after half of its time: %s", p.body)
	}
	delete(w.signedIn, "ann's")
	w.ahead.Store(int64(38 * time.Hour))
	if p := b.open(legacy + "/"); p.body != "please sign in" {
		t.Errorf("at its end: %s", p.body)
	}
}

// Ensure that a page that wants a stronger or a more recent sign-in of the same person
// gets it, by one round, and that scripts are told instead.
func TestPagesAskForABetterSignIn(t *testing.T) {
	w := newWorld(t)
	b := w.browser(t, "ann's")
	b.signIn(w.account(t, "ann", "s1", authz.ACROneFactor))
	b.open(legacy + "/")
	w.ahead.Store(int64(10 * time.Minute))
	for path, want := range map[string]Demand{
		"/strong/1": {Subject: "ann", ACRValues: []string{authz.ACRTwoFactors}},
		"/fresh/1":  {Subject: "ann"},
	} {
		if p := b.send(http.MethodGet, legacy+path, "Sec-Fetch-Mode: cors"); p.StatusCode != 401 || !strings.Contains(p.Header.Get("WWW-Authenticate"), "insufficient_user_authentication") {
			t.Errorf("%s by a script: %d %v", path, p.StatusCode, p.Header)
		}
		w.demands = nil
		if p := b.open(legacy + path); p.body != "please sign in" {
			t.Fatalf("%s: %d %s", path, p.StatusCode, p.body)
		}
		got := w.demands[0]
		if got.Subject != want.Subject || strings.Join(got.ACRValues, " ") != strings.Join(want.ACRValues, " ") || (path == "/fresh/1") == got.Since.IsZero() {
			t.Errorf("%s asks for %+v", path, got)
		}
	}
	b.signIn(w.account(t, "ann", "s2", authz.ACRTwoFactors))
	for _, path := range []string{"/strong/1", "/fresh/1"} {
		if p := b.open(legacy + path); p.body != "for ann at "+path {
			t.Errorf("%s: %d %s", path, p.StatusCode, p.body)
		}
	}
}

// Ensure that a sign-in that the issuer finds good enough and the page does not is told
// to the person: the browser does not go round and round.
func TestNoEndlessRounds(t *testing.T) {
	w := newWorld(t)
	b := w.browser(t, "ann's")
	a := w.account(t, "ann", "s1", authz.ACROneFactor)
	a.AuthTime = a.AuthTime.Add(-time.Hour)
	b.signIn(a)
	b.open(legacy + "/")
	first := b.cookie(legacyHost, siteCookie)
	w.config.People = satisfied{w}
	for _, path := range []string{"/fresh/1", "/strong/1"} {
		p := b.open(legacy + path)
		if p.StatusCode != http.StatusUnauthorized || len(b.trail) != 2 || b.cookie(legacyHost, siteCookie) != first {
			t.Errorf("%s: %d by %v", path, p.StatusCode, b.trail)
		}
	}
}

// satisfied are people of whom nothing better can be had.
type satisfied struct{ *world }

func (s satisfied) SignedIn(r *http.Request, _ Demand) (Account, bool, error) {
	return s.world.SignedIn(r, Demand{})
}

// Ensure that signing out at the site ends its cookie and leads to the issuer, where
// the session itself ends, and that no other site's page does that to anybody.
func TestSignOutAtTheSite(t *testing.T) {
	w := newWorld(t)
	b := w.browser(t, "ann's")
	b.signIn(w.account(t, "ann", "s1", authz.ACROneFactor))
	b.open(legacy + "/")
	stolen := b.cookie(legacyHost, siteCookie)
	for _, from := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "X-Nothing: said"} {
		if p := b.send(http.MethodPost, legacy+authz.PathSiteSignOut, from); p.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", from, p.StatusCode)
		}
	}
	if p := b.open(legacy + authz.PathSiteSignOut); p.StatusCode != http.StatusMethodNotAllowed || p.Header.Get("Allow") != http.MethodPost {
		t.Errorf("a link: %d %v", p.StatusCode, p.Header)
	}
	if p := b.open(legacy + "/"); p.body != "for ann at /" {
		t.Fatalf("signed out by others: %s", p.body)
	}
	b.send(http.MethodPost, legacy+authz.PathSiteSignOut, "Sec-Fetch-Site: same-origin")
	if len(b.trail) != 1 || b.trail[0].String() != "https://"+issuerHost+"/oauth"+pages.PathSignOut || b.cookie(legacyHost, siteCookie) != "" {
		t.Errorf("sent to %v with %q", b.trail, b.cookie(legacyHost, siteCookie))
	}
	if p := w.browser(t, "a thief's").send(http.MethodGet, legacy+"/", "Cookie: "+siteCookie+"="+stolen); p.StatusCode != http.StatusUnauthorized {
		t.Errorf("the cookie still works: %d", p.StatusCode)
	}
}
