// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

func administered(c *Config) { c.AdminGroup = "staff" }

// userPath is the page of a user.
func (w *world) userPath(name string) string { return "/oauth/admin/user?subject=" + w.subject(name) }

// Ensure that there are no pages for administrators where none are configured, and
// none for others.
func TestAdminPagesAreForAdministrators(t *testing.T) {
	off := newWorld(t, nil).signedIn("root", "staff")
	if a := off.get("/oauth/admin/users"); a.Code != http.StatusTeapot {
		t.Errorf("without a group: %d", a.Code)
	}
	w := newWorld(t, administered)
	alice := w.signedIn("alice", "makers")
	form := alice.form("/oauth/account")
	for path, p := range w.server.pages {
		if !p.admin {
			continue
		}
		refuses(t, alice.get(path), http.StatusNotFound, "not_found")
		form.Action = path + "?subject=" + w.subject("alice")
		for do := range p.do {
			refuses(t, alice.submit(form, do, pages.FieldSubject, w.subject("alice"), pages.FieldClient, "shop"), http.StatusNotFound, "not_found")
		}
	}
	staff := w.signedIn("root", "staff")
	page := shows[pages.AdminUsers](t, staff.get("/oauth/admin/users"), http.StatusOK)
	if len(page.Users) != 2 || !page.Admin {
		t.Errorf("%+v", page)
	}
	_, err := w.users.Edit(t.Context(), "admin", w.subject("root"), func(u *user.User) error { u.Groups = nil; return nil })
	must(t, err)
	refuses(t, staff.get("/oauth/admin/users"), http.StatusNotFound, "not_found") // at the next request
}

// Ensure that administrators change something only soon after they signed in, and
// with the second factor if they have one.
func TestAdministratorsProveMore(t *testing.T) {
	w := newWorld(t, administered)
	staff := w.signedIn("root", "staff")
	w.addUser("alice")
	form := staff.form(w.userPath("alice"))
	w.ahead.Add(int64(recentlyAdmin + time.Second))
	if a := staff.submit(form, pages.DoDisable); a.Code == http.StatusSeeOther && strings.HasPrefix(a.Header().Get("Location"), "/oauth/admin") {
		t.Error("disabled long after the sign-in")
	}
	if u, err := w.users.Find(t.Context(), "alice"); err != nil || u.Value.Disabled {
		t.Error("alice is disabled", err)
	}
	shows[pages.AdminUser](t, staff.get(w.userPath("alice")), http.StatusOK) // to look is not to change
	staff.signIn("root")
	staff.enrol()
	shows[pages.AccountHome](t, staff.get("/oauth/account"), http.StatusOK)
	if _, ok := staff.get("/oauth/admin/users").page.(pages.AdminUsers); ok {
		t.Error("without the second factor")
	}
}

// Ensure that users are found by the beginning of their names, and paged through.
func TestAdminFindsUsers(t *testing.T) {
	w := newWorld(t, administered)
	staff := w.signedIn("root", "staff")
	for i := range pageSize + 5 {
		w.addUser(fmt.Sprintf("user%03d", i))
	}
	leads(t, staff.press("/oauth/admin/users", pages.DoSearch, pages.FieldSearch, "USER00"), "/oauth/admin/users?search=USER00")
	found := shows[pages.AdminUsers](t, staff.get("/oauth/admin/users?search=USER00"), http.StatusOK)
	if len(found.Users) != 10 || found.Users[3].Username != "user003" || found.Search != "USER00" || found.Next != "" {
		t.Errorf("%+v", found)
	}
	seen := map[string]bool{}
	for path := "/oauth/admin/users"; path != ""; {
		page := shows[pages.AdminUsers](t, staff.get(path), http.StatusOK)
		if len(page.Users) > pageSize || (path != "/oauth/admin/users") != (page.First != "") {
			t.Fatalf("%+v", page.Listing)
		}
		for _, u := range page.Users {
			seen[u.Subject] = true
		}
		path = page.Next
	}
	if len(seen) != pageSize+6 {
		t.Errorf("%d users", len(seen))
	}
	for _, query := range []string{"search=%00%e2%80%ae", "search=nobody", "after=!!!", "after=AAAA", "search=" + strings.Repeat("x", 5000)} {
		shows[pages.AdminUsers](t, staff.get("/oauth/admin/users?"+query), http.StatusOK)
	}
}

// Ensure that whoever is disabled is out at once, and comes in again only after being
// enabled.
func TestAdminDisablesUsers(t *testing.T) {
	w := newWorld(t, administered)
	staff, alice := w.signedIn("root", "staff"), w.signedIn("alice")
	leads(t, staff.press(w.userPath("alice"), pages.DoDisable), w.userPath("alice")[:len("/oauth/admin/user?")])
	if _, ok := alice.get("/oauth/account").page.(pages.AccountHome); ok {
		t.Error("alice is still in")
	}
	if a := alice.press("/oauth/signin", pages.DoSignIn, pages.FieldUsername, "alice", pages.FieldPassword, password); a.Code == http.StatusSeeOther {
		t.Error("alice gets in")
	}
	staff.press(w.userPath("alice"), pages.DoEnable)
	alice.signIn("alice")
	own := shows[pages.AdminUser](t, staff.press(w.userPath("root"), pages.DoDisable), http.StatusConflict)
	if len(own.Faults) != 1 || own.User.Disabled {
		t.Errorf("%+v", own)
	}
}

// Ensure that a user is removed when the name was typed, and not otherwise.
func TestAdminRemovesUsers(t *testing.T) {
	w := newWorld(t, administered)
	staff, path := w.signedIn("root", "staff"), ""
	w.addUser("alice")
	path = w.userPath("alice")
	page := shows[pages.AdminUser](t, staff.press(path, pages.DoDelete, pages.FieldUsername, "bob"), http.StatusBadRequest)
	if page.Fault(pages.FieldUsername) == nil {
		t.Errorf("%+v", page.Faults)
	}
	leads(t, staff.press(path, pages.DoDelete, pages.FieldUsername, " Alice"), "/oauth/admin/users?done=user_removed")
	refuses(t, staff.get(path), http.StatusNotFound, "not_found")
	refuses(t, staff.get("/oauth/admin/user?subject="+strings.Repeat("x", 200)), http.StatusNotFound, "not_found")
}

// Ensure that a link for a new password is shown once, and works once.
func TestAdminMakesResetLinks(t *testing.T) {
	w := newWorld(t, administered)
	staff := w.signedIn("root", "staff")
	w.addUser("alice")
	a := staff.press(w.userPath("alice"), pages.DoResetLink)
	page := shows[pages.AdminUser](t, a, http.StatusOK)
	path, ok := strings.CutPrefix(page.ResetLink, origin)
	if !ok || !strings.HasPrefix(path, "/oauth/password?ticket=") || page.ResetUntil.IsZero() {
		t.Fatalf("%q", page.ResetLink)
	}
	if strings.Contains(staff.get(w.userPath("alice")).Body.String(), path) {
		t.Error("the link is shown again")
	}
	reset := shows[pages.PasswordReset](t, w.browser().get(path), http.StatusOK)
	if reset.Username != "alice" {
		t.Errorf("%+v", reset)
	}
}

// Ensure that lost factors are removed, and sessions end.
func TestAdminRemovesFactors(t *testing.T) {
	w := newWorld(t, administered)
	staff, alice := w.signedIn("root", "staff"), w.signedIn("alice")
	alice.enrol()
	if page := shows[pages.AdminUser](t, staff.get(w.userPath("alice")), http.StatusOK); !page.TOTP || len(page.Sessions) != 1 || !page.Local {
		t.Errorf("%+v", page)
	}
	leads(t, staff.press(w.userPath("alice"), pages.DoRemoveFactors), "/oauth/admin/user?done=factors_removed")
	if page := shows[pages.AdminUser](t, staff.get(w.userPath("alice")), http.StatusOK); page.TOTP || len(page.Sessions) != 0 {
		t.Errorf("%+v", page)
	}
	alice.signIn("alice")
	leads(t, staff.press(w.userPath("alice"), pages.DoEndAll), "/oauth/admin/user?done=sessions_ended")
	if _, ok := alice.get("/oauth/account").page.(pages.AccountHome); ok {
		t.Error("alice is still in")
	}
}

// Ensure that clients of the store are disabled, those of the configuration not, and
// tokens of both revoked.
func TestAdminMindsClients(t *testing.T) {
	w := newWorld(t, administered)
	staff := w.signedIn("root", "staff")
	w.addUser("alice")
	_, err := client.Add(t.Context(), w.db, "admin", client.Client{ID: "reports", Name: "Night reports"}, "")
	must(t, err)
	token := w.allow("alice", "shop", "orders")
	page := shows[pages.AdminClients](t, staff.get("/oauth/admin/clients"), http.StatusOK)
	if len(page.Clients) != 2 || !page.Clients[0].Configured || page.Clients[0].Edit != "" || page.Clients[1].Configured || page.Clients[1].Edit == "" {
		t.Errorf("%+v", page.Clients)
	}
	for search, n := range map[string]int{"night": 1, "SHOP": 1, "nothing": 0, "": 2} {
		if page := shows[pages.AdminClients](t, staff.get("/oauth/admin/clients?search="+search), http.StatusOK); len(page.Clients) != n {
			t.Errorf("%q: %+v", search, page.Clients)
		}
	}
	leads(t, staff.submit(page.Form, pages.DoDisable, pages.FieldClient, "reports"), "/oauth/admin/clients?done=saved")
	if !w.client("reports").Disabled {
		t.Error("the client is not disabled")
	}
	leads(t, staff.submit(page.Form, pages.DoEnable, pages.FieldClient, "reports"), "/oauth/admin/clients?done=saved")
	refuses(t, staff.submit(page.Form, pages.DoDisable, pages.FieldClient, "shop"), http.StatusConflict, "conflict")
	leads(t, staff.submit(page.Form, pages.DoRevoke, pages.FieldClient, "shop"), "/oauth/admin/clients?done=access_revoked")
	refuses(t, staff.submit(page.Form, pages.DoRevoke, pages.FieldClient, "gone"), http.StatusNotFound, "not_found")
	if anchor, err := w.db.Generations(t.Context(), anchorOf("shop")); err != nil || !w.alive(token) {
		// The consent's own anchor is as it was; that of the client is what moved.
		t.Error(anchor, err)
	}
	if page := shows[pages.AdminGrants](t, staff.get("/oauth/admin/grants"), http.StatusOK); len(page.Grants) != 0 {
		t.Errorf("%+v", page.Grants)
	}
}

// Ensure that consents and sessions of users are found and ended.
func TestAdminEndsGrantsAndSessions(t *testing.T) {
	w := newWorld(t, administered)
	staff, alice, bob := w.signedIn("root", "staff"), w.signedIn("alice"), w.signedIn("robert")
	token := w.allow("alice", "shop", "orders")
	w.allow("robert", "shop", "orders")
	w.addUser("shop") // who hides no client
	for search, n := range map[string]int{"": 2, "Alice": 1, w.subject("alice"): 1, "shop": 2, w.subject("shop"): 0, "nothing": 0} {
		if page := shows[pages.AdminGrants](t, staff.get("/oauth/admin/grants?search="+search), http.StatusOK); len(page.Grants) != n {
			t.Errorf("grants of %q: %+v", search, page.Grants)
		}
	}
	for search, n := range map[string]int{"": 3, "Alice": 1, w.subject("alice"): 1, "nobody": 0} {
		if page := shows[pages.AdminSessions](t, staff.get("/oauth/admin/sessions?search="+search), http.StatusOK); len(page.Sessions) != n {
			t.Errorf("sessions of %q: %+v", search, page.Sessions)
		}
	}
	form := staff.form("/oauth/admin/grants")
	leads(t, staff.submit(form, pages.DoRevoke, pages.FieldSubject, w.subject("alice"), pages.FieldClient, "shop"), "/oauth/admin/grants?done=access_revoked")
	if w.alive(token) {
		t.Error("what was allowed lives on")
	}
	sessions := shows[pages.AdminSessions](t, staff.get("/oauth/admin/sessions?search=alice"), http.StatusOK)
	if s := sessions.Sessions[0]; s.Username != "alice" || s.Current {
		t.Errorf("%+v", s)
	}
	leads(t, staff.submit(sessions.Form, pages.DoEnd, pages.FieldSubject, w.subject("alice"), pages.FieldSession, sessions.Sessions[0].ID),
		"/oauth/admin/sessions?done=session_ended&search=alice")
	if _, ok := alice.get("/oauth/account").page.(pages.AccountHome); ok {
		t.Error("alice is still in")
	}
	shows[pages.AccountHome](t, bob.get("/oauth/account"), http.StatusOK)
}

// Ensure that what happened is paged through, the latest first, and searched.
func TestAdminReadsTheAuditRing(t *testing.T) {
	w := newWorld(t, administered)
	staff := w.signedIn("root", "staff")
	alice := w.addUser("alice")
	for range pageSize {
		must(t, client.Revoke(t.Context(), w.db, "admin", "shop"))
	}
	first := shows[pages.AdminAudit](t, staff.get("/oauth/admin/audit"), http.StatusOK)
	if len(first.Events) != pageSize || first.Next == "" || first.Events[0].Client != "shop" || first.Events[0].Actor != "admin" {
		t.Fatalf("%d events, %+v", len(first.Events), first.Listing)
	}
	rest := shows[pages.AdminAudit](t, staff.get(first.Next), http.StatusOK)
	if len(rest.Events) == 0 || rest.Next != "" || rest.First == "" || rest.Events[0].Username != "alice" || rest.Events[0].Type != string(authz.EventUserAdded) {
		t.Errorf("%+v", rest)
	}
	for search, n := range map[string]int{"client_revoked": pageSize, "ALICE": 1, alice: 1, "signed_in": 1, "nothing": 0} {
		if page := shows[pages.AdminAudit](t, staff.get("/oauth/admin/audit?search="+url.QueryEscape(search)), http.StatusOK); len(page.Events) != n {
			t.Errorf("%q: %d events", search, len(page.Events))
		}
	}
}

// Ensure that keys are shown and rotated, the sealing ones not.
func TestAdminRotatesKeys(t *testing.T) {
	w := newWorld(t, administered)
	staff := w.signedIn("root", "staff")
	page := shows[pages.AdminKeys](t, staff.get("/oauth/admin/keys"), http.StatusOK)
	if len(page.Keys) != 2 || !page.MayRotate {
		t.Errorf("%+v", page)
	}
	refuses(t, staff.submit(page.Form, pages.DoRotate, pages.FieldKey, "seal"), http.StatusBadRequest, "invalid_request")
	leads(t, staff.submit(page.Form, pages.DoRotate, pages.FieldKey, "signing"), "/oauth/admin/keys?done=keys_rotated")
	if n := w.keys.rotated.Load(); n != 1 {
		t.Errorf("rotated %d times", n)
	}
}
