// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
)

// operator runs commands against the admin API of the Caddy in this process.
type operator struct {
	t       *testing.T
	address string
}

func newOperator(t *testing.T) operator {
	t.Helper()
	runCaddy(t, adminConfig(t.TempDir()))
	return operator{t, adminEndpoint(t)}
}

// does runs a command that must succeed, and returns its standard output.
func (o operator) does(stdin string, args ...string) string {
	o.t.Helper()
	e := command(o.t, stdin, append(args, "--address", o.address)...)
	if e.code != exitDone {
		o.t.Fatalf("%v: exit code %d, %s", args, e.code, e.err)
	}
	return strings.TrimSpace(e.out)
}

// fails runs a command that must end with code, and say something.
func (o operator) fails(code int, says, stdin string, args ...string) {
	o.t.Helper()
	e := command(o.t, stdin, append(args, "--address", o.address)...)
	if e.code != code || !strings.Contains(e.err, says) {
		o.t.Errorf("%v: exit code %d, want %d; %q should hold %q", args, e.code, code, e.err, says)
	}
	if e.out != "" {
		o.t.Errorf("%v: failed, but printed %q", args, e.out)
	}
}

// inspects reports what the server knows of a token.
func (o operator) inspects(token string) tokenView {
	o.t.Helper()
	var view tokenView
	if err := json.Unmarshal([]byte(o.does(token, "token", "inspect", "-", "--json")), &view); err != nil {
		o.t.Fatal(err)
	}
	return view
}

// Ensure that a client's life can be led from the command line: added, shown,
// changed, given a new secret, removed; and that removal ends its tokens, also
// for a later client of the same id.
func TestAClientsLife(t *testing.T) {
	o := newOperator(t)
	secret := o.does("", "client", "add", "shop", "--name", "Shop", "--scopes", "orders:read orders:write", "--access-token-lifetime", "10m")
	if !strings.HasPrefix(secret, "co2cs_") {
		t.Errorf("the secret is %q", secret)
	}
	o.fails(exitRefused, `there is a client "shop" already`, "", "client", "add", "shop")
	list := o.does("", "client", "list")
	if !strings.Contains(list, "written  caddyfile") || !strings.Contains(list, "shop     store") {
		t.Errorf("the list is\n%s", list)
	}
	token := o.does("", "token", "issue", "shop", "--scopes", "orders:read")
	if v := o.inspects(token); !v.Active || v.Client != "shop" || words(v.Scopes) != "orders:read" || v.Kind != "access_token" || v.Expires.Sub(*v.IssuedAt).Round(time.Minute) != 10*time.Minute {
		t.Errorf("the token is %+v", v)
	}

	o.does("", "client", "edit", "shop", "--name", "", "--scopes", "orders:read")
	shown := o.does("", "client", "show", "shop")
	if strings.Contains(shown, "Shop") || strings.Contains(shown, "orders:write") || !strings.Contains(shown, "10m0s") {
		t.Errorf("after the edit it is\n%s", shown)
	}
	o.fails(exitRefused, "may not have a scope", "", "token", "issue", "shop", "--scopes", "orders:write")

	second := o.does("", "client", "rotate-secret", "shop", "--overlap", "1h")
	if second == secret || !strings.HasPrefix(second, "co2cs_") {
		t.Errorf("the new secret is %q", second)
	}
	if shown := o.does("", "client", "show", "shop"); !strings.Contains(shown, "old, holds until") {
		t.Errorf("after the rotation it is\n%s", shown)
	}
	o.does("", "client", "rotate-secret", "shop", "--overlap", "0s")
	if shown := o.does("", "client", "show", "shop"); strings.Contains(shown, "old, holds until") {
		t.Errorf("after a rotation without overlap it is\n%s", shown)
	}

	o.does("", "client", "edit", "shop", "--disabled")
	if o.inspects(token).Active {
		t.Error("the token of a disabled client is active")
	}
	o.does("", "client", "edit", "shop", "--disabled=false")
	if !o.inspects(token).Active {
		t.Error("the token of an enabled client is not active")
	}

	o.does("", "client", "remove", "shop")
	if o.inspects(token).Active {
		t.Error("the token of a removed client is active")
	}
	o.does("", "client", "add", "shop", "--scopes", "orders:read")
	if o.inspects(token).Active {
		t.Error("the token of a removed client is active again")
	}
	o.does("", "client", "remove", "shop")
	for _, args := range [][]string{{"show", "shop"}, {"remove", "shop"}, {"rotate-secret", "shop"}, {"edit", "shop", "--name", "x"}} {
		o.fails(exitNotFound, `there is no client "shop"`, "", append([]string{"client"}, args...)...)
	}
}

// Ensure that what is wrong with a client is said in its own words, and that
// nothing is then added.
func TestWhatIsWrongWithAClientIsSaid(t *testing.T) {
	o := newOperator(t)
	for says, args := range map[string][]string{
		"scope reports is not declared": {"shop", "--scopes", "reports"},
		"is not part of this Caddy":     {"shop", "--grant-types", "magic"},
		"letters, digits":               {"sh op"},
		"auth_method is one of":         {"shop", "--auth-method", "telepathy"},
		"fewer than 32 characters":      {"shop", "--secret", "-"},
		"is in the Caddyfile already":   {"written"},
		"a lifetime is between":         {"shop", "--access-token-lifetime", "4000d"},
		"excludes a secret":             {"shop", "--auth-method", "none", "--grant-types", "", "--secret", "-"},
		"not an absolute URI":           {"shop", "--introspects", "nowhere"},
		"printable characters only":     {"shop", "--name", "a\u202eb"},
	} {
		stdin := "short"
		if says == "excludes a secret" {
			stdin = strings.Repeat("long", 10)
		}
		o.fails(exitRefused, says, stdin, append([]string{"client", "add"}, args...)...)
	}
	if list := o.does("", "client", "list"); strings.Contains(list, "sh") {
		t.Errorf("something was added:\n%s", list)
	}
}

// Ensure that a scope which has gone from the configuration does not hinder
// shutting a client out.
func TestAnUndeclaredScopeDoesNotHinderDisabling(t *testing.T) {
	dir := t.TempDir()
	runCaddy(t, adminConfig(dir))
	o := operator{t, adminEndpoint(t)}
	o.does("", "client", "add", "shop", "--scopes", "orders:write")
	runCaddy(t, strings.Replace(adminConfig(dir), `, {"name": "orders:write"}`, "", 1))
	o.does("", "client", "edit", "shop", "--disabled")
	o.fails(exitRefused, "is not declared", "", "client", "add", "other", "--scopes", "orders:write")
}

// Ensure that a secret which exists already is taken and never answered, that
// an id cannot be changed, and that an id with slashes is one id.
func TestASecretOfOnesOwnIsNotAnswered(t *testing.T) {
	o := newOperator(t)
	own := strings.Repeat("own-secret-", 4)
	if out := o.does(own, "client", "add", "https://app.example.com/x", "--secret", "-", "--scopes", "orders:read", "--json"); strings.Contains(out, "own-secret") {
		t.Errorf("the answer is %s", out)
	}
	if out := o.does(own+"2", "client", "rotate-secret", "https://app.example.com/x", "--secret", "-", "--json"); strings.Contains(out, "own-secret") {
		t.Errorf("the answer is %s", out)
	}
	status, answer := ask(t, o.address, "POST", "/oauth2/clients/https:%2F%2Fapp.example.com%2Fx/edit", "application/json", `{"id": "other"}`)
	if status != 400 || !strings.Contains(answer, "id cannot be changed") {
		t.Errorf("changing the id: %d %s", status, answer)
	}
	o.does("", "client", "remove", "https://app.example.com/x")
}

// Ensure that a client of the store is shown as hidden while the configuration
// has one of the same id.
func TestAHiddenClientIsShownAsSuch(t *testing.T) {
	dir := t.TempDir()
	runCaddy(t, strings.Replace(adminConfig(dir), `"written"`, `"elsewhere"`, 1))
	o := operator{t, adminEndpoint(t)}
	o.does("", "client", "add", "written")
	runCaddy(t, adminConfig(dir))
	if list := o.does("", "client", "list"); !strings.Contains(list, "written  store      hidden") {
		t.Errorf("the list is\n%s", list)
	}
}

// Ensure that a client of the Caddyfile cannot be changed here, that the way
// out is said, and that its tokens can be revoked all the same.
func TestClientsOfTheCaddyfileAreChangedThere(t *testing.T) {
	o := newOperator(t)
	for _, args := range [][]string{{"edit", "written", "--disabled"}, {"rotate-secret", "written"}, {"remove", "written"}} {
		o.fails(exitRefused, "edit it there and reload", "", append([]string{"client"}, args...)...)
	}
	token := o.does("", "token", "issue", "written")
	o.does("", "token", "revoke", "--client", "written")
	if o.inspects(token).Active {
		t.Error("the token is active")
	}
	if !o.inspects(o.does("", "token", "issue", "written")).Active {
		t.Error("the client gets no new token")
	}
	o.fails(exitNotFound, `there is no client "nobody"`, "", "token", "revoke", "--client", "nobody")
}

// Ensure that a token can be revoked, once, and that a second time is no error;
// and that a text which is no token is one.
func TestATokenIsRevoked(t *testing.T) {
	o := newOperator(t)
	token, other := o.does("", "token", "issue", "written"), o.does("", "token", "issue", "written", "--lifetime", "5m")
	for _, want := range []string{`"revoked": true`, `"revoked": false`} {
		if got := o.does(token, "token", "revoke", "--json"); !strings.Contains(got, want) {
			t.Errorf("revoking says %s, want %s", got, want)
		}
	}
	if o.inspects(token).Active || !o.inspects(other).Active {
		t.Error("the wrong token is revoked")
	}
	o.fails(exitRefused, "Was it cut or mistyped?", token[:len(token)-1], "token", "revoke", "-")
	o.fails(exitRefused, "live at most 1h", "", "token", "issue", "written", "--lifetime", "2h")
	o.fails(exitRefused, "a resource is not one of this server", "", "token", "issue", "written", "--resources", "https://elsewhere.example.com")
	o.fails(exitNotFound, "there is no client", "", "token", "issue", "nobody")
	bound := o.inspects(o.does("", "token", "issue", "written", "--resources", "https://api.example.com"))
	if words(bound.Audience) != "https://api.example.com" {
		t.Errorf("the token is for %v", bound.Audience)
	}
}

// Ensure that grants are listed, of one client or page by page, and revoked.
func TestGrantsAreListedAndRevoked(t *testing.T) {
	o := newOperator(t)
	o.does("", "client", "add", "shop", "--scopes", "orders:read")
	token := o.does("", "token", "issue", "shop")
	for range 3 {
		o.does("", "token", "issue", "written")
	}
	var list grantList
	if err := json.Unmarshal([]byte(o.does("", "grant", "list", "--client", "shop", "--json")), &list); err != nil || len(list.Grants) != 1 {
		t.Fatalf("%v: the grants of shop are %+v", err, list)
	}
	g := list.Grants[0]
	if g.Client != "shop" || g.GrantType != "client_credentials" || g.ID != o.inspects(token).Grant || g.Expires == nil {
		t.Errorf("the grant is %+v", g)
	}
	seen := map[string]bool{}
	for cursor := ""; ; cursor = list.Cursor {
		list = grantList{}
		text := o.does("", "grant", "list", "--limit", "1", "--cursor", cursor, "--json")
		if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Grants) > 1 {
			t.Fatalf("%v: %s", err, text)
		}
		for _, g := range list.Grants {
			if seen[g.ID] {
				t.Errorf("grant %s is listed twice", g.ID)
			}
			seen[g.ID] = true
		}
		if list.Cursor == "" {
			break
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d grants are listed, want 4", len(seen))
	}
	o.does("", "grant", "revoke", g.ID)
	if o.inspects(token).Active {
		t.Error("the token of a revoked grant is active")
	}
	o.fails(exitNotFound, "was revoked, has expired or never was", "", "grant", "revoke", g.ID)
}

// Ensure that whatever is changed here is in the audit ring, newest first, with
// the actor.
func TestChangesAreAudited(t *testing.T) {
	o := newOperator(t)
	o.does("", "client", "add", "shop", "--scopes", "orders:read")
	o.does("", "client", "edit", "shop", "--name", "Shop")
	o.does("", "client", "rotate-secret", "shop")
	token := o.does("", "token", "issue", "shop")
	o.does(token, "token", "revoke", "-")
	o.does("", "token", "issue", "shop")
	var grants grantList
	if err := json.Unmarshal([]byte(o.does("", "grant", "list", "--client", "shop", "--json")), &grants); err != nil {
		t.Fatal(err)
	}
	o.does("", "grant", "revoke", grants.Grants[0].ID)
	o.does("", "token", "revoke", "--client", "shop")
	o.does("", "key", "rotate", "--seal")
	o.does("", "client", "remove", "shop")

	var list auditList
	if err := json.Unmarshal([]byte(o.does("", "audit", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	var events []string
	for _, e := range list.Entries {
		events = append(events, e.Event)
		if e.Actor != "admin" || e.Outcome != "allowed" || e.Time.IsZero() || e.Client != "shop" && e.Event != "key_rotated" {
			t.Errorf("an entry is %+v", e)
		}
	}
	want := "client_removed key_rotated client_revoked grant_revoked token_issued token_revoked token_issued client_secret_rotated client_edited client_added"
	if words(events) != want {
		t.Errorf("the events are %s, want %s", words(events), want)
	}
	var page auditList
	if err := json.Unmarshal([]byte(o.does("", "audit", "--limit", "2", "--json")), &page); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(o.does("", "audit", "--limit", "1", "--before", strconv.FormatUint(page.Before, 10), "--json")), &page); err != nil {
		t.Fatal(err)
	}
	if page.Entries[0].Event != "client_revoked" {
		t.Errorf("the third entry is %+v", page.Entries[0])
	}
}

// Ensure that explain names site, row and requirement, judges the path as it is
// spelt, and says which sites there are when it is none of them.
func TestExplainNamesSiteRowAndRequirement(t *testing.T) {
	o := newOperator(t)
	got := o.does("", "explain", "GET", "https://API.example.com:443/orders/7?x=1")
	want := "site         https://api.example.com\n" +
		"row          allow /orders/* orders:read\n" +
		"requirement  orders:read\n" +
		"verdict      needs a token with orders:read"
	if got != want {
		t.Errorf("it is explained as\n%s\nwant\n%s", got, want)
	}
	for target, verdict := range map[string]string{
		"https://api.example.com":               "refused: no row matches",
		"https://api.example.com/orders%2f7":    "can be read in more than one way",
		"https://api.example.com/orders/../x":   "can be read in more than one way",
		"https://api.example.com/orders/7#part": "needs a token",
	} {
		if got := o.does("", "explain", "GET", target); !strings.Contains(got, verdict) {
			t.Errorf("%s is explained as\n%s", target, got)
		}
	}
	o.fails(exitNotFound, "guarded are http", "", "explain", "GET", "https://other.example.com/")
	if got := o.does("", "explain", "GET", "http://api.example.com:8080/orders/7"); !strings.Contains(got, "needs a token") {
		t.Errorf("at another port it is explained as\n%s", got)
	}
	o.fails(exitRefused, "in full", "", "explain", "GET", "/orders/7")
	o.fails(exitRefused, "in capitals", "", "explain", "get", "https://api.example.com/orders/7")
}

// Ensure that explain knows that the endpoints come before a guard of the same
// site, and that a guard elsewhere has nothing of them.
func TestExplainKnowsTheEndpoints(t *testing.T) {
	both := strings.Replace(adminConfig(t.TempDir()), `"handle": [{`, `"handle": [{"handler": "oauth2_server"}, {`, 1)
	for config, verdict := range map[string]string{
		both:                     "answered by oauth2_server, ahead of the guard",
		adminConfig(t.TempDir()): "refused: no row matches",
	} {
		runCaddy(t, config)
		o := operator{t, adminEndpoint(t)}
		for _, path := range []string{"/oauth/token?x=1", "/oauth/errors/invalid_client", "/.well-known/oauth-authorization-server"} {
			if got := o.does("", "explain", "POST", "https://api.example.com"+path); !strings.Contains(got, verdict) {
				t.Errorf("%s is explained as\n%s\nwant %s", path, got, verdict)
			}
		}
		if got := o.does("", "explain", "GET", "https://api.example.com/orders/7"); !strings.Contains(got, "needs a token") {
			t.Errorf("a guarded path is explained as\n%s", got)
		}
	}
}

// Ensure that keys are listed by fingerprint, never shown, and rotated.
func TestKeysAreListedAndRotated(t *testing.T) {
	o := newOperator(t)
	var list keyList
	if err := json.Unmarshal([]byte(o.does("", "key", "list", "--json")), &list); err != nil || len(list.Keys) != 1 {
		t.Fatalf("%v: the keys are %+v", err, list)
	}
	if k := list.Keys[0]; k.Use != "seal" || k.State != "active" || len(k.Fingerprint) != 16 || k.Since == nil {
		t.Errorf("the key is %+v", k)
	}
	o.does("", "key", "rotate", "--seal")
	o.fails(exitRefused, "say which key", "", "key", "rotate")
}

// Ensure that figures are those of the configuration in force.
func TestStatsAreThoseInForce(t *testing.T) {
	o := newOperator(t)
	got := o.does("", "stats")
	for _, line := range []string{"https://auth.example.com", "clients in the Caddyfile  1", "guarded sites             1"} {
		if !strings.Contains(got, line) {
			t.Errorf("%q is not in\n%s", line, got)
		}
	}
}
