// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Passwords of tests, which no log may hold.
const (
	zoePassword   = "zoe's first passphrase"
	otherPassword = "zoe's other passphrase"
)

// enters reports whether a name and a password let a fresh browser in.
func (g *gateway) enters(name, password string) bool {
	g.t.Helper()
	s := newPerson(g).at("/oauth/signin").signIn(name, password)
	return s.url.Path == "/oauth/account"
}

// Ensure that users are managed on the command line: each change is in force at once,
// nothing shows a password, and what does not exist is told by the exit code.
func TestUsersOnTheCommandLine(t *testing.T) {
	t.Parallel()
	g := start(t, peopled)
	g.canary(zoePassword)
	g.canary(otherPassword)
	shown, said := g.cli(0, zoePassword+"\n", "user", "add", "Zoe", "--email", "zoe@example.com", "--name", "Zoë", "--group", "staff", "--claim", "level=3", "--json")
	var view struct {
		Subject  string
		Username string
		Groups   []string
		Claims   map[string]any
	}
	if err := json.Unmarshal([]byte(shown), &view); err != nil || view.Username != "zoe" || view.Groups[0] != "staff" || view.Claims["level"] != 3.0 {
		t.Fatalf("added as %s, %v", shown, err)
	}
	g.cli(1, zoePassword, "user", "add", "ZOE")
	g.cli(1, "short", "user", "add", "bob")
	if !g.enters("ZOE@example.com", zoePassword) || g.enters("zoe", otherPassword) {
		t.Error("the password is another")
	}
	signedIn := newPerson(g)
	signedIn.at("/oauth/signin").signIn("zoe", zoePassword)
	g.cli(0, otherPassword, "user", "passwd", "zoe")
	if signedIn.signedIn() || g.enters("zoe", zoePassword) || !g.enters("zoe", otherPassword) {
		t.Error("after another password the old one goes on")
	}
	signedIn.at("/oauth/signin").signIn("zoe", otherPassword)
	g.cli(0, "", "user", "disable", view.Subject)
	if signedIn.signedIn() || g.enters("zoe", otherPassword) {
		t.Error("a disabled user is let in")
	}
	g.cli(1, "", "user", "reset-link", "zoe")
	g.cli(0, "", "user", "enable", "zoe")
	g.cli(0, "", "user", "edit", "zoe", "--username", "zoe.smith", "--claim", "level=", "--group", "")
	if g.enters("zoe", otherPassword) || !g.enters("zoe.smith", otherPassword) {
		t.Error("the user name is another")
	}
	all, more := g.cli(0, "", "user", "list")
	one, _ := g.cli(0, "", "user", "show", "zoe@example.com")
	if !strings.Contains(all, "zoe.smith") || !strings.Contains(one, view.Subject) || strings.Contains(one, "level") || strings.Contains(one, "staff") {
		t.Errorf("listed as\n%s\nshown as\n%s", all, one)
	}
	for _, text := range []string{shown, said, all, more, one} {
		if strings.Contains(text, "argon2") || strings.Contains(text, zoePassword) {
			t.Errorf("a password or its hash is shown:\n%s", text)
		}
	}
	g.cli(0, "", "user", "remove", "zoe.smith")
	g.cli(3, "", "user", "show", view.Subject)
	if g.enters("zoe.smith", otherPassword) {
		t.Error("a removed user is let in")
	}
	audit, _ := g.cli(0, "", "audit")
	for _, event := range []string{"user_added", "user_edited", "user_disabled", "user_removed", "password_changed"} {
		if !strings.Contains(audit, event) {
			t.Errorf("the audit ring has no %s", event)
		}
	}
	if strings.Contains(audit, "factor_removed") {
		t.Error("the audit ring has second factors removed that nobody had")
	}
}

// Ensure that a user who has lost all second factors gets in by the password again once
// the administrator says so, and that who was signed in is not.
func TestSecondFactorsThatWereLost(t *testing.T) {
	t.Parallel()
	g := startScratch(t)
	signedIn := newPerson(g)
	signedIn.at("/oauth/signin").signIn("ann", annPassword)
	signedIn.enrol()
	newPerson(g).at("/oauth/signin").signIn("ann", annPassword).is(http.StatusOK, factorTitle)
	g.cli(3, "", "user", "reset-factors", "nobody")
	if !signedIn.signedIn() {
		t.Error("somebody else's reset ends a session")
	}
	if shown, _ := g.cli(0, "", "user", "reset-factors", "ann", "--json"); !strings.Contains(shown, `"username": "ann"`) {
		t.Errorf("answered with %s", shown)
	}
	if signedIn.signedIn() {
		t.Error("who was signed in by the lost factor is still")
	}
	back := newPerson(g)
	if back.at("/oauth/signin").signIn("ann", annPassword); !back.signedIn() {
		t.Error("the password alone does not sign in")
	}
	if audit, _ := g.cli(0, "", "audit"); strings.Count(audit, "factor_removed") != 1 {
		t.Errorf("the audit ring has\n%s", audit)
	}
}

// Ensure that an administrator's link lets a user choose a password once, that looking at
// it does not spend it, and that no log has it.
func TestALinkForANewPassword(t *testing.T) {
	t.Parallel()
	g := start(t, peopled)
	g.canary(zoePassword)
	g.cli(0, "", "user", "add", "zoe", "--no-password")
	link, said := g.cli(0, "", "user", "reset-link", "zoe")
	_, ticket, ok := strings.Cut(link, "?ticket=")
	if g.canary(ticket); !ok || !strings.HasPrefix(link, g.url("localhost", "/oauth/password")) || strings.Contains(said, ticket) {
		t.Fatalf("the link is %q", link)
	}
	newPerson(g).open(link)
	page := newPerson(g).open(link)
	page.submit("reset", "new_password", zoePassword, "repeat", zoePassword)
	if !g.enters("zoe", zoePassword) {
		t.Error("the password was not set")
	}
	if again := newPerson(g).open(link); again.status == http.StatusOK {
		t.Errorf("the link is good for another time: %s", again.text())
	}
}

// Ensure that many users are imported from a file in a few requests, that a fault is told
// by its line, and that a second time changes nothing.
func TestUsersAreImportedOnTheCommandLine(t *testing.T) {
	t.Parallel()
	g := start(t, peopled)
	g.canary(zoePassword)
	hash, err := bcrypt.GenerateFromPassword([]byte(zoePassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	file.WriteString("username,email,groups,password_hash\n")
	const many = 2000
	for i := range many {
		fmt.Fprintf(&file, "user%d,user%[1]d@example.com,staff;team %[1]d,%s\n", i, hash)
	}
	path := g.write("users.csv", file.String())
	for _, want := range []string{"Added 2000 users; 0 were", "Added 0 users; 2000 were"} {
		if _, said := g.cli(0, "", "user", "import", path); !strings.Contains(said, want) {
			t.Errorf("it says %s", said)
		}
	}
	if !g.enters("user1999@example.com", zoePassword) {
		t.Error("the last one is not let in")
	}
	if _, said := g.cli(1, "username,email\nnew,new@example.com\neve,user7@example.com\n", "user", "import", "-"); !strings.Contains(said, "line 3: another user has that") {
		t.Errorf("a name that is taken: %s", said)
	}
	g.cli(3, "", "user", "show", "new")
	if _, said := g.cli(1, "bob:"+string(hash)+"\neve:{SHA}x\n", "user", "import", "--htpasswd", "-"); !strings.Contains(said, "line 2: a hash is") {
		t.Errorf("a hash that is refused: %s", said)
	}
	g.cli(0, "bob:"+string(hash)+"\n", "user", "import", "--htpasswd", "-")
	if !g.enters("bob", zoePassword) {
		t.Error("bob is not let in")
	}
}

// inherited is a gateway whose users are elsewhere: in a file, and in an application that
// has a log-in of its own.
const inherited = `{
	import {$HARNESS}
	oauth2 {
		issuer https://localhost:{$PORT}
		users {
			htpasswd {$USERS}
			http {$LOGIN} {
				cookie session
			}
		}
	}
}

https://localhost:{$PORT} {
	tls {$CERT} {$KEY}
	oauth2_server
	respond /oauth/account "account"
}

https://legacy.localhost:{$PORT} {
	tls {$CERT} {$KEY}
	oauth2_protect {
		accept session
		allow /*
		allow /staff/* {
			group staff
		}
	}
	reverse_proxy {$UPSTREAM}
}
`

// Ensure that users of a file, and of an application's own log-in, use sites without
// another account; that services learn their names; that groups which they are given
// count at once; and that who is no longer in the file, or disabled, is out at once.
func TestUsersWhoAreElsewhere(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("username") == "bob" && r.FormValue("password") == otherPassword {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "s"})
		}
	}))
	t.Cleanup(app.Close)
	hash, err := bcrypt.GenerateFromPassword([]byte(zoePassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t)
	service := newUpstream(t)
	g := prepare(t, inherited, service.env(), "LOGIN="+app.URL)
	users := g.write("users", "zoe:"+string(hash)+"\n")
	g.env = append(g.env, "USERS="+users, "CERT="+g.write("cert.pem", cert), "KEY="+g.write("key.pem", key))
	g.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	g.start()
	g.canary(zoePassword)
	g.canary(otherPassword)

	site := g.tls(legacySite, "/")
	zoe, bob := newPerson(g), newPerson(g)
	for name, p := range map[string]*person{"zoe": zoe, "bob": bob} {
		password := map[string]string{"zoe": zoePassword, "bob": otherPassword}[name]
		if s := newPerson(g).open(site).signIn(name, password+"?"); s.status != http.StatusForbidden {
			t.Errorf("%s with a wrong password: %d", name, s.status)
		}
		if s := p.open(site).signIn(strings.ToUpper(name), password); s.status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, s.status, s.text())
		}
		if got := service.last().Header.Get("X-Auth-Username"); got != name {
			t.Errorf("the service is told of %q", got)
		}
	}
	staff := g.tls(legacySite, "/staff/")
	if s := zoe.open(staff); s.status != http.StatusForbidden {
		t.Errorf("in no group: %d", s.status)
	}
	g.cli(0, "", "user", "edit", "zoe", "--group", "staff")
	if s := zoe.open(staff); s.status != http.StatusOK {
		t.Errorf("in the group: %d", s.status)
	}
	g.cli(1, "new password of bob", "user", "passwd", "bob")
	g.cli(0, "", "user", "disable", "bob")
	if s := bob.open(site); s.title() != "Sign in" {
		t.Errorf("disabled, bob sees %d %s", s.status, s.text())
	}
	g.write("users", "# nobody\n")
	eventually(t, "zoe is out", func() bool { return zoe.open(site).title() == "Sign in" })
	if s := zoe.open(g.tls("localhost", "/oauth/signin")).signIn("zoe", zoePassword); s.status != http.StatusForbidden {
		t.Errorf("who is not in the file is let in: %d", s.status)
	}
}
