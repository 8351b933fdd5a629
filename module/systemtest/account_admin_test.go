// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// startAdministered runs selfServed with root, of the group staff, signed in.
func startAdministered(t *testing.T) (*gateway, *person) {
	t.Helper()
	g := start(t, selfServed)
	g.cli(0, annPassword+"\n", "user", "add", "root", "--group", "staff")
	root := newPerson(g)
	root.at("/oauth/signin").signIn("root", annPassword)
	return g, root
}

// userPage is the page that administrators have of a user.
func (p *person) userPage(name string) *screen {
	p.g.t.Helper()
	return p.at("/oauth/admin/users?search=" + url.QueryEscape(name)).follow(name)
}

// Ensure that an administrator shuts a user out, whose sessions and tokens end at
// once, and removes the user with all that the user had.
func TestAdministratorShutsAUserOut(t *testing.T) {
	t.Parallel()
	g, root := startAdministered(t)
	ann := newPerson(g)
	ann.signUp("ann", annPassword)
	app := ann.register("Order Pad")
	token := ann.authorize(app)
	root.userPage("ann").submit("disable")
	if status := g.call("api.localhost", "/", token); status != http.StatusUnauthorized {
		t.Errorf("a disabled user's token: %d", status)
	}
	if s := ann.at("/oauth/account"); s.title() != "Sign in" {
		t.Errorf("a disabled user sees %q", s.title())
	}
	root.userPage("ann").submit("enable")
	newPerson(g).at("/oauth/signin").signIn("ann", annPassword)
	if s := root.userPage("ann").submit("delete", "username", "somebody"); !strings.Contains(root.userPage("ann").text(), "ann") || s.status != http.StatusBadRequest {
		t.Errorf("removed without the name: %d", s.status)
	}
	if s := root.userPage("ann").submit("delete", "username", "ann"); s.url.Path != "/oauth/admin/users" {
		t.Errorf("removed: %s, %d: %s", s.url, s.status, s.text())
	}
	if resp, _ := g.adminRequest(http.MethodGet, "/oauth2/clients/"+app.id, nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the client of a removed user: %s", resp.Status)
	}
	var actor struct{ Subject string }
	if shown, _ := g.cli(0, "", "user", "show", "root", "--json"); json.Unmarshal([]byte(shown), &actor) != nil || actor.Subject == "" {
		t.Fatal(shown)
	}
	ring, _ := g.cli(0, "", "audit")
	for line := range strings.Lines(ring) {
		if strings.Contains(line, "client_removed") && !strings.Contains(line, actor.Subject) {
			t.Errorf("who removed the client: %s", line)
		}
	}
	for _, event := range []string{"client_removed", "user_disabled", "user_removed", "client_added", "consent_given"} {
		if s := root.at("/oauth/admin/audit?search=" + event); !strings.Contains(s.text(), event) || strings.Contains(s.text(), "Nothing found.") {
			t.Errorf("the audit ring has no %s: %s", event, s.text())
		}
	}
}

// Ensure that a link for a new password, which an administrator makes, lets its user
// in once.
func TestAdministratorMakesALinkForANewPassword(t *testing.T) {
	t.Parallel()
	g, root := startAdministered(t)
	ann := newPerson(g)
	ann.signUp("ann", annPassword)
	s := root.userPage("ann").submit("reset_link")
	link := ""
	for n := range s.doc.Descendants() {
		if n.Type == html.TextNode && strings.Contains(n.Data, "/oauth/password?ticket=") {
			link = g.canary(strings.TrimSpace(n.Data))
		}
	}
	const another = "another horse battery"
	g.canary(another)
	newPerson(g).open(link).submit("reset", "new_password", another, "repeat", another)
	if s := newPerson(g).open(link); s.status == http.StatusOK {
		t.Errorf("the link works twice: %s", s.text())
	}
	newPerson(g).at("/oauth/signin").signIn("ann", another)
	if s := ann.at("/oauth/account"); s.title() != "Sign in" {
		t.Errorf("who knew the old password sees %q", s.title())
	}
}

// Ensure that every page for administrators opens on a real gateway, and shows no key.
func TestAdministratorLooksAround(t *testing.T) {
	t.Parallel()
	_, root := startAdministered(t)
	for path, want := range map[string]string{
		"users": "root", "clients": "", "grants": "", "sessions": "root", "keys": "seal", "audit": "signed_in",
	} {
		s := root.at("/oauth/admin/" + path)
		if s.status != http.StatusOK || !strings.Contains(strings.ToLower(s.text()), want) {
			t.Errorf("%s: %d: %s", path, s.status, s.text())
		}
	}
}
