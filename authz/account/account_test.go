// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// Ensure that people see what they allow which application, and end it for good.
func TestApplicationsAreShownAndRevoked(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.signedIn("alice")
	token := w.allow("alice", "shop", "orders", "profile")
	home := shows[pages.AccountHome](t, alice.get("/oauth/account"), http.StatusOK)
	if len(home.Applications) != 1 {
		t.Fatalf("%+v", home)
	}
	a := home.Applications[0]
	if a.Name != "Example Shop" || a.Host != "shop.example.com" || a.Owner != "" || a.Scopes[0].Label() != "See your orders" || a.Scopes[1].Label() != "profile" ||
		a.Since.IsZero() || !a.LastUsed.IsZero() || !a.Replayed.IsZero() {
		t.Errorf("%+v", a)
	}
	answer := alice.submit(home.Form, pages.DoRevoke, pages.FieldClient, "shop")
	leads(t, answer, "/oauth/account?done=access_revoked")
	if w.alive(token) {
		t.Error("what was allowed lives on")
	}
	home = shows[pages.AccountHome](t, alice.get(answer.Header().Get("Location")), http.StatusOK)
	if len(home.Applications) != 0 || home.Notice != pages.MessageAccessRevoked {
		t.Errorf("%+v", home)
	}
	// A page that was left open would end it again.
	leads(t, alice.submit(home.Form, pages.DoRevoke, pages.FieldClient, "shop"), "/oauth/account?done=access_revoked")
	entries, err := w.db.AuditLog(t.Context(), 0, 1)
	must(t, err)
	if e := entries[0]; e.Type != string(authz.EventConsentEnded) || e.Client != "shop" || e.Actor != w.subject("alice") {
		t.Errorf("%+v", e)
	}
}

// Row U11: where applications send their users back to is said of each as at consent,
// and no host that somebody else chose among several, or behind a private scheme.
func TestU11HostsOfApplications(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.signedIn("alice")
	for id, c := range map[string]struct {
		host pages.Host
		uris []string
	}{
		"app":     {"com.evil.app:", []string{"com.evil.app://accounts.google.com/cb"}},
		"site":    {"site.example:8443", []string{"https://site.example:8443/a", "https://site.example:8443/b"}},
		"several": {"", []string{"https://accounts.google.com/cb", "https://evil.example/cb"}},
		"machine": {"", nil},
	} {
		_, err := client.Add(t.Context(), w.db, "admin", client.Client{ID: id, RedirectURIs: c.uris}, "")
		must(t, err)
		w.allow("alice", id, "orders")
		if a := shows[pages.AccountHome](t, alice.get("/oauth/account"), http.StatusOK).Applications; a[0].ClientID != id || a[0].Host != c.host {
			t.Errorf("%s is shown as %+v", id, a[0])
		}
		alice.press("/oauth/account", pages.DoRevoke, pages.FieldClient, id)
	}
}

// Ensure that what was allowed to a client is not shown as allowed to another one
// of its id, nor after all that the client had was revoked.
func TestConsentsThatNoLongerCountAreNotShown(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.signedIn("alice")
	w.allow("alice", "shop", "orders")
	change := w.db.NewChange()
	change.Revoke(anchorOf("shop"))
	_, err := w.db.Commit(t.Context(), change)
	must(t, err)
	if home := shows[pages.AccountHome](t, alice.get("/oauth/account"), http.StatusOK); len(home.Applications) != 0 {
		t.Errorf("%+v", home)
	}
}

// Ensure that nothing happens unless one of our own pages, opened in the same
// browser by the same user in the same session, says so (rows U01 and U02).
func TestFormsOfOthersDoNothing(t *testing.T) {
	w := newWorld(t, nil)
	alice, mallory := w.signedIn("alice"), w.signedIn("mallory")
	token := w.allow("alice", "shop", "orders")
	own := alice.form("/oauth/account")
	other := mallory.form("/oauth/account")
	another := w.signedIn("alice") // the same user in another session
	again := another.form("/oauth/account")
	revoke := func(b *browser, handle string) *answer {
		return b.post("/oauth/account", pages.FieldHandle, handle, pages.FieldDo, pages.DoRevoke, pages.FieldClient, "shop")
	}
	for name, header := range map[string]http.Header{
		"cross-site": {"Sec-Fetch-Site": {"cross-site"}}, "same site": {"Sec-Fetch-Site": {"same-site"}}, "nothing said": {},
		"no origin": {"Origin": {"null"}}, "another origin": {"Origin": {"https://evil.example.com"}},
		"two origins": {"Origin": {origin, origin}}, "cross-site with our origin": {"Sec-Fetch-Site": {"cross-site"}, "Origin": {origin}},
	} {
		b := alice.clone()
		b.header = header
		refuses(t, revoke(b, own.Handle), http.StatusForbidden, "cross_origin")
		if !w.alive(token) {
			t.Fatal(name)
		}
	}
	for name, handle := range map[string]string{"none": "", "another user's": other.Handle, "another session's": again.Handle, "made up": "AAAA"} {
		refuses(t, revoke(alice, handle), http.StatusForbidden, "expired")
		if !w.alive(token) {
			t.Fatal(name)
		}
	}
	refuses(t, revoke(mallory, own.Handle), http.StatusForbidden, "expired")
	leads(t, revoke(mallory, other.Handle), "/oauth/account?done=access_revoked") // mallory's own, which was none
	if !w.alive(token) {
		t.Fatal("mallory ended what alice allows")
	}
	for kind, status := range map[string]int{"text/plain": 415, "application/json": 415, "multipart/form-data; boundary=x": 415, "": 415} {
		r := httptest.NewRequest(http.MethodPost, origin+own.Action, strings.NewReader(url.Values{
			pages.FieldHandle: {own.Handle}, pages.FieldDo: {pages.DoRevoke}, pages.FieldClient: {"shop"},
		}.Encode()))
		r.Header["Content-Type"] = []string{kind}
		refuses(t, alice.send(r), status, "unsupported_media_type")
	}
	refuses(t, alice.submit(own, "invented"), http.StatusBadRequest, "invalid_request")
	refuses(t, alice.submit(own, pages.DoRevoke, pages.FieldClient, "shop", pages.FieldClient, "shop"), http.StatusBadRequest, "invalid_request")
	refuses(t, alice.submit(own, pages.DoRevoke, pages.FieldClient, strings.Repeat("x", maxBody)), http.StatusRequestEntityTooLarge, "request_too_large")
	refuses(t, alice.send(httptest.NewRequest(http.MethodPut, origin+"/oauth/account", nil)), http.StatusMethodNotAllowed, "method_not_allowed")
	w.ahead.Add(int64(formLasts))
	refuses(t, revoke(alice, own.Handle), http.StatusForbidden, "expired")
	if !w.alive(token) {
		t.Error("the consent has ended")
	}
	leads(t, revoke(alice, alice.form("/oauth/account").Handle), "/oauth/account?done=")
}

// Ensure that a page that was opened by one account, or in one session, does nothing
// after another has come in the same browser.
func TestFormsOfAnotherSessionDoNothing(t *testing.T) {
	w := newWorld(t, nil)
	browser := w.signedIn("alice")
	token := w.allow("alice", "shop", "orders")
	w.addUser("bob")
	w.allow("bob", "shop", "orders")
	first := browser.form("/oauth/account")
	browser.signIn("bob")
	refuses(t, browser.submit(first, pages.DoRevoke, pages.FieldClient, "shop"), http.StatusForbidden, "expired")
	browser.signIn("alice") // who goes on with the session there is
	second := browser.form("/oauth/account")
	leads(t, w.signedIn("alice").press("/oauth/account/sessions", pages.DoEndOthers), "/oauth/account/sessions?done=")
	browser.signIn("alice")
	refuses(t, browser.submit(second, pages.DoRevoke, pages.FieldClient, "shop"), http.StatusForbidden, "expired")
	if !w.alive(token) {
		t.Error("the consent has ended")
	}
	leads(t, browser.press("/oauth/account", pages.DoRevoke, pages.FieldClient, "shop"), "/oauth/account?done=")
}

// Ensure that GET and HEAD change nothing, whatever they say.
func TestReadingChangesNothing(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.AdminGroup = "staff" })
	alice := w.signedIn("alice", "staff")
	w.allow("alice", "shop", "orders")
	handle := alice.form("/oauth/account").Handle
	before := w.db.Stats().Commits
	for path := range w.server.pages {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			q := url.Values{
				pages.FieldHandle: {handle}, pages.FieldDo: {pages.DoRevoke}, pages.FieldClient: {"shop"}, querySubject: {w.subject("alice")},
			}
			if a := alice.send(httptest.NewRequest(method, origin+path+"?"+q.Encode(), nil)); a.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s lets other origins read", method, path)
			}
		}
	}
	if n := w.db.Stats().Commits - before; n != 0 {
		t.Errorf("%d changes", n)
	}
}

// Ensure that strangers are asked to sign in and come back to where they were.
func TestStrangersAreAskedToSignIn(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.AdminGroup, c.SelfService.Who = "staff", Everybody })
	for path := range w.server.pages {
		a := w.browser().get(path)
		if a.Code == http.StatusSeeOther {
			leads(t, a, "/oauth/signin")
		} else {
			shows[pages.SignIn](t, a, http.StatusOK)
		}
	}
}

// Ensure that a notice is one of ours, never text from the URL.
func TestNoticesAreOurs(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.signedIn("alice")
	for code, want := range map[string]pages.Message{
		"saved": pages.MessageSaved, "refused": "", "<script>alert(1)</script>": "", "saved&done=saved": "",
	} {
		home := shows[pages.AccountHome](t, alice.get("/oauth/account?done="+strings.ReplaceAll(url.QueryEscape(code), "%26", "&")), http.StatusOK)
		if want == "" && home.Notice != "" && code != "saved&done=saved" || want != "" && home.Notice != want {
			t.Errorf("%s: %q", code, home.Notice)
		}
	}
}

// Ensure that people see where they are signed in, and end that.
func TestSessions(t *testing.T) {
	w := newWorld(t, nil)
	laptop, phone, stolen, bob := w.signedIn("alice"), w.signedIn("alice"), w.signedIn("alice"), w.signedIn("bob")
	sessions := shows[pages.AccountSessions](t, laptop.get("/oauth/account/sessions"), http.StatusOK)
	var others []string
	for _, s := range sessions.Sessions {
		if !s.Current {
			others = append(others, s.ID)
		}
	}
	if len(sessions.Sessions) != 3 || len(others) != 2 {
		t.Fatalf("%+v", sessions.Sessions)
	}
	refuses(t, bob.press("/oauth/account/sessions", pages.DoEnd, pages.FieldSession, others[0]), http.StatusNotFound, "not_found")
	leads(t, laptop.submit(sessions.Form, pages.DoEnd, pages.FieldSession, others[0]), "/oauth/account/sessions?done=session_ended")
	signedIn := func(b *browser) bool { _, ok := b.get("/oauth/account").page.(pages.AccountHome); return ok }
	if phone, stolen := signedIn(phone), signedIn(stolen); phone == stolen || !signedIn(laptop) || !signedIn(bob) {
		t.Error("not exactly the one session has ended")
	}
	leads(t, laptop.press("/oauth/account/sessions", pages.DoEndOthers), "/oauth/account/sessions?done=sessions_ended")
	if signedIn(phone) || signedIn(stolen) || !signedIn(laptop) || !signedIn(bob) {
		t.Error("not exactly the other sessions have ended")
	}
}

// Ensure that the export has all that people would look for, and no secret.
func TestExport(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.SelfService = SelfService{Who: Everybody} })
	alice := w.signedIn("alice", "readers")
	w.allow("alice", "shop", "orders")
	secret := shows[pages.DeveloperSecret](t, alice.press("/oauth/developer/new", pages.DoSave, newClient...), http.StatusOK)
	w.ahead.Add(int64(time.Minute))
	a := alice.press("/oauth/account/security", pages.DoExport)
	var data exported
	must(t, json.Unmarshal(a.Body.Bytes(), &data))
	if data.Account.Username != "alice" || data.Account.Groups[0] != "readers" || len(data.Consents) != 1 || data.Consents[0].Client != "shop" ||
		len(data.Sessions) != 1 || len(data.Clients) != 1 || data.Clients[0].ID != secret.ID || data.Clients[0].RedirectURIs[0] != "https://app.example.com/callback" {
		t.Errorf("%s", a.Body)
	}
	if c := data.Consents[0]; len(c.Sites) != 1 || c.Sites[0] != (exportedSite{origin, "orders", ""}) || c.Since.IsZero() || c.Changed.IsZero() {
		t.Errorf("what was allowed is %+v", c)
	}
	u, err := w.users.Find(t.Context(), "alice")
	must(t, err)
	for _, hidden := range []string{secret.Secret, string(u.Value.Password), "argon2", alice.cookies["__Host-oauth2_session"], "digest"} {
		if strings.Contains(a.Body.String(), hidden) {
			t.Errorf("the export has %q", hidden)
		}
	}
	if kind := a.Header().Get("Content-Disposition"); !strings.HasPrefix(kind, "attachment") || a.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v", a.Header())
	}
}
