// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// developers lets everybody register clients.
func developers(c *Config) {
	c.SelfService = SelfService{Who: Everybody, Scopes: scope.Of("orders"), Limit: 2}
	c.AdminGroup = "staff"
}

// with is newClient with other values of a field.
func with(field string, values ...string) []string {
	var pairs []string
	for pair := range slices.Chunk(newClient, 2) {
		if pair[0] != field {
			pairs = append(pairs, pair...)
		}
	}
	for _, value := range values {
		pairs = append(pairs, field, value)
	}
	return pairs
}

// register registers a client and returns the page with its secret.
func (b *browser) register(fields ...string) pages.DeveloperSecret {
	b.w.t.Helper()
	return shows[pages.DeveloperSecret](b.w.t, b.press("/oauth/developer/new", pages.DoSave, fields...), http.StatusOK)
}

// client is a client as it is kept.
func (w *world) client(id string) *client.Client {
	w.t.Helper()
	c, err := client.Get(w.t.Context(), w.db, id)
	must(w.t, err)
	return c
}

const editPath = "/oauth/developer/client?id="

// Ensure that those may register clients who are named, and that who may no more
// keeps what there is.
func TestWhoMayRegister(t *testing.T) {
	for name, c := range map[string]struct {
		service SelfService
		may     bool
	}{
		"nobody": {SelfService{}, false}, "nobody, named": {SelfService{Who: Nobody}, false}, "everybody": {SelfService{Who: Everybody}, true},
		"own group": {SelfService{Who: Group, Group: "makers"}, true}, "another group": {SelfService{Who: Group, Group: "staff"}, false},
	} {
		w := newWorld(t, func(config *Config) { config.SelfService = c.service })
		alice := w.signedIn("alice", "makers")
		if !c.may {
			refuses(t, alice.get("/oauth/developer"), http.StatusNotFound, "not_found")
			refuses(t, alice.get("/oauth/developer/new"), http.StatusNotFound, "not_found")
			form := alice.form("/oauth/account")
			form.Action = "/oauth/developer/new"
			refuses(t, alice.submit(form, pages.DoSave, newClient...), http.StatusNotFound, "not_found")
			if home := shows[pages.AccountHome](t, alice.get("/oauth/account"), http.StatusOK); home.Developer {
				t.Errorf("%s: there is a way to the page", name)
			}
			continue
		}
		made := alice.register(newClient...)
		w.server.config.SelfService = SelfService{}
		list := shows[pages.DeveloperList](t, alice.get("/oauth/developer"), http.StatusOK)
		if len(list.Clients) != 1 || list.MayRegister || !list.Developer {
			t.Errorf("%s: %+v", name, list)
		}
		shows[pages.DeveloperEdit](t, alice.get(editPath+made.ID), http.StatusOK)
	}
}

// Ensure that a client of a user's is what users may have, and its secret is shown
// once (row U25).
func TestDeveloperMakesAClient(t *testing.T) {
	w := newWorld(t, developers)
	alice := w.signedIn("alice")
	form := alice.form("/oauth/developer/new")
	made := shows[pages.DeveloperSecret](t, alice.submit(form, pages.DoSave, with(pages.FieldScope, "orders")...), http.StatusOK)
	c := w.client(made.ID)
	if c.Owner != w.subject("alice") || c.Name != "My App" || c.FirstParty || c.PKCE != client.PKCEAlways || c.Created.IsZero() ||
		!slices.Equal(c.RedirectURIs, []string{"https://app.example.com/callback"}) || !slices.Equal(c.Scopes, []string{"orders"}) {
		t.Errorf("%+v", c)
	}
	if made.Secret == "" || made.TokenEndpoint != origin+"/oauth/token" || made.RedirectURI != c.RedirectURIs[0] || made.Scope != "orders" {
		t.Errorf("%+v", made)
	}
	refuses(t, alice.submit(form, pages.DoSave, newClient...), http.StatusConflict, "conflict") // the button was pressed twice
	list := alice.get("/oauth/developer")
	if p := shows[pages.DeveloperList](t, list, http.StatusOK); len(p.Clients) != 1 || p.Clients[0].Public || !p.MayRegister {
		t.Errorf("%+v", p)
	}
	for _, a := range []*answer{list, alice.get(made.Done)} {
		if strings.Contains(a.Body.String(), made.Secret) {
			t.Error("the secret is shown again")
		}
	}
	edit := shows[pages.DeveloperEdit](t, alice.get(made.Done), http.StatusOK)
	again := shows[pages.DeveloperSecret](t, alice.submit(edit.Form, pages.DoSecretRotate), http.StatusOK)
	refuses(t, alice.submit(edit.Form, pages.DoSecretRotate), http.StatusConflict, "conflict")
	if again.Secret == "" || again.Secret == made.Secret || len(w.client(made.ID).Secrets) != 2 {
		t.Errorf("%+v", again)
	}
	leads(t, alice.press(made.Done, pages.DoSave, with(pages.FieldClientName, "Renamed")...), "/oauth/developer/client?done=saved")
	if c := w.client(made.ID); c.Name != "Renamed" || len(c.Secrets) != 2 || len(c.Scopes) != 0 || c.Owner != w.subject("alice") {
		t.Errorf("%+v", c)
	}
	public := alice.register(with(pages.FieldAuthMethod, authz.AuthNone)...)
	if public.Secret != "" || w.client(public.ID).Confidential() {
		t.Errorf("%+v", public)
	}
	full := shows[pages.DeveloperEdit](t, alice.press("/oauth/developer/new", pages.DoSave, newClient...), http.StatusConflict)
	if len(full.Faults) != 1 || full.Faults[0].Message != pages.MessageLimit || full.Name != "My App" {
		t.Errorf("a third of two: %+v", full)
	}
	leads(t, alice.press(made.Done, pages.DoDelete), "/oauth/developer/delete?id="+made.ID)
	leads(t, alice.press("/oauth/developer/delete?id="+made.ID, pages.DoDelete), "/oauth/developer?done=client_deleted")
	refuses(t, alice.get(made.Done), http.StatusNotFound, "not_found")
}

// Ensure that what a client may not be is refused beside its field, and the rest of
// the form stays as it was typed.
func TestDeveloperIsToldWhatIsWrong(t *testing.T) {
	w := newWorld(t, developers)
	alice := w.signedIn("alice")
	for name, c := range map[string]struct {
		field  string
		values []string
	}{
		"no name":                {pages.FieldClientName, nil},
		"a long name":            {pages.FieldClientName, []string{strings.Repeat("x", 10<<10)}},
		"a name turned around":   {pages.FieldClientName, []string{"moc.elpmaxe\u202e"}},
		"no redirect URI":        {pages.FieldRedirectURIs, nil},
		"a script":               {pages.FieldRedirectURIs, []string{"javascript:alert(1)"}},
		"plain http":             {pages.FieldRedirectURIs, []string{"https://app.example.com/\nhttp://app.example.com/"}},
		"a fragment":             {pages.FieldRedirectURIs, []string{"https://app.example.com/#x"}},
		"too many":               {pages.FieldRedirectURIs, []string{strings.Repeat("https://app.example.com/x\n", 60)}},
		"twice the same":         {"", []string{pages.FieldRedirectURIs, strings.Repeat("https://app.example.com/x\n", 2)}},
		"a scope of others":      {pages.FieldScope, []string{"orders", "profile"}},
		"an invented scope":      {pages.FieldScope, []string{"a b"}},
		"machine's tokens":       {pages.FieldGrantTypes, []string{authz.GrantClientCredentials}},
		"no grant type":          {pages.FieldGrantTypes, nil},
		"a MAC":                  {pages.FieldAuthMethod, []string{authz.AuthSecretJWT}},
		"no method":              {pages.FieldAuthMethod, nil},
		"keys nowhere":           {"", []string{pages.FieldAuthMethod, authz.AuthPrivateKeyJWT}},
		"a home page's script":   {pages.FieldClientURI, []string{"javascript:alert(1)"}},
		"a picture's data":       {pages.FieldLogoURI, []string{"data:image/svg+xml,<svg/>"}},
		"a policy in plain http": {pages.FieldPolicyURI, []string{"http://example.com/"}},
		"terms of nobody":        {pages.FieldTermsURI, []string{"https:///"}},
		"contacts":               {pages.FieldContacts, []string{strings.Repeat("a@example.com\n", 11)}},
		"a version":              {pages.FieldSoftwareVersion, []string{"1\u0000"}},
	} {
		fields := with(c.field, c.values...)
		if c.field == "" {
			fields = with(c.values[0], c.values[1])
		}
		page := shows[pages.DeveloperEdit](t, alice.press("/oauth/developer/new", pages.DoSave, fields...), http.StatusBadRequest)
		if len(page.Faults) == 0 || c.field != "" && page.Fault(c.field) == nil {
			t.Errorf("%s: %+v", name, page.Faults)
		}
		if page.Name != "My App" && c.field != pages.FieldClientName {
			t.Errorf("%s: the form is not as it was typed: %+v", name, page)
		}
	}
	if list := shows[pages.DeveloperList](t, alice.get("/oauth/developer"), http.StatusOK); len(list.Clients) != 0 {
		t.Errorf("%+v", list.Clients)
	}
}

// Ensure that what the form does not show of a client is in nobody's way: public keys
// that are kept with it, and scopes that may be unticked.
func TestDeveloperSavesWhatTheFormDoesNotShow(t *testing.T) {
	w := newWorld(t, developers)
	staff := w.signedIn("root", "staff")
	_, err := client.Add(t.Context(), w.db, "admin", client.Client{
		ID: "signing", Name: "Signing", AuthMethod: authz.AuthPrivateKeyJWT, GrantTypes: []string{authz.GrantAuthorizationCode},
		RedirectURIs: []string{"https://app.example.com/callback"}, JWKS: json.RawMessage(publicKeys),
		Scopes: scope.Of("orders", "profile"), DefaultScopes: scope.Of("orders", "profile"), OptionalScopes: scope.Of("profile"),
	}, "")
	must(t, err)
	saved := "/oauth/developer/client?done=saved"
	fields := append(with(pages.FieldAuthMethod, authz.AuthPrivateKeyJWT), pages.FieldScope, "orders")
	leads(t, staff.press(editPath+"signing", pages.DoSave, fields...), saved)
	c := w.client("signing")
	if c.Name != "My App" || len(c.JWKS) == 0 || !slices.Equal(c.Scopes, []string{"orders"}) || !slices.Equal(c.DefaultScopes, []string{"orders"}) || len(c.OptionalScopes) != 0 {
		t.Errorf("%+v", c)
	}
	fields = append(fields, pages.FieldJWKSURI, "https://app.example.com/keys")
	leads(t, staff.press(editPath+"signing", pages.DoSave, fields...), saved)
	if c := w.client("signing"); c.JWKSURI != "https://app.example.com/keys" || c.JWKS != nil {
		t.Errorf("%+v", c)
	}
	page := shows[pages.DeveloperEdit](t, staff.press(editPath+"signing", pages.DoSave, fields[:len(fields)-2]...), http.StatusBadRequest)
	if page.Fault(pages.FieldJWKSURI) == nil {
		t.Errorf("without any keys: %+v", page.Faults)
	}
}

// publicKeys is a key set with one of RFC 7517 appendix A.1.
const publicKeys = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}]}`

// Ensure that what is another's does not exist, byte for byte, whatever is done with
// it (row U24).
func TestClientsOfOthersDoNotExist(t *testing.T) {
	w := newWorld(t, developers)
	alice, mallory, staff := w.signedIn("alice"), w.signedIn("mallory"), w.signedIn("root", "staff")
	made := alice.register(newClient...)
	_, err := client.Add(t.Context(), w.db, "admin", client.Client{ID: "operators", Name: "Operators"}, "")
	must(t, err)
	before := *w.client(made.ID)
	form := mallory.form("/oauth/developer/new")
	for _, path := range []string{editPath, "/oauth/developer/delete?id="} {
		nothing := mallory.get(path + "x")
		refuses(t, nothing, http.StatusNotFound, "not_found")
		for _, id := range []string{made.ID, "operators", "shop", "", "%00", "..%2f" + made.ID} {
			a := mallory.get(path + id)
			if a.Code != nothing.Code || a.Body.String() != nothing.Body.String() {
				t.Errorf("%s%s: %d", path, id, a.Code)
			}
		}
		for _, id := range []string{made.ID, "operators", "x"} {
			form.Action = path + id
			for _, do := range []string{pages.DoSave, pages.DoSecretRotate, pages.DoDelete} {
				if a := mallory.submit(form, do, newClient...); a.Code != http.StatusNotFound && a.Code != http.StatusBadRequest || strings.Contains(a.Body.String(), "My App") {
					t.Errorf("%s of %s%s: %d", do, path, id, a.Code)
				}
			}
		}
	}
	if after := w.client(made.ID); after.Name != before.Name || len(after.Secrets) != 1 || after.Secrets[0].Digest != before.Secrets[0].Digest {
		t.Errorf("%+v", after)
	}
	if list := shows[pages.DeveloperList](t, mallory.get("/oauth/developer"), http.StatusOK); len(list.Clients) != 0 {
		t.Errorf("%+v", list.Clients)
	}
	leads(t, staff.press(editPath+made.ID, pages.DoSave, with(pages.FieldClientName, "Checked")...), "/oauth/developer/client?done=saved")
	if c := w.client(made.ID); c.Name != "Checked" || c.Owner != w.subject("alice") {
		t.Errorf("%+v", c)
	}
}

// Ensure that no text of a developer's becomes markup, wherever it is shown (rows U09
// and U11).
func TestTextsOfDevelopersStayText(t *testing.T) {
	const canary = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	w := newWorld(t, developers)
	mallory, staff, alice := w.signedIn("mallory"), w.signedIn("root", "staff"), w.signedIn("alice")
	fields := with(pages.FieldClientName, canary)
	for _, field := range []string{pages.FieldContacts, pages.FieldSoftwareID, pages.FieldSoftwareVersion} {
		fields = append(fields, field, canary)
	}
	a := mallory.press("/oauth/developer/new", pages.DoSave, append(fields, pages.FieldClientURI, "https://example.com/<script>")...)
	checkInert(t, a)
	a = mallory.press("/oauth/developer/new", pages.DoSave, fields...)
	made := shows[pages.DeveloperSecret](t, a, http.StatusOK)
	checkInert(t, a)
	w.allow("alice", made.ID, "orders")
	for path, b := range map[string]*browser{
		"/oauth/developer": mallory, editPath + made.ID: mallory, "/oauth/developer/delete?id=" + made.ID: mallory, "/oauth/account": alice,
		"/oauth/admin/clients": staff, "/oauth/admin/grants": staff, "/oauth/admin/user?subject=" + w.subject("alice"): staff, "/oauth/admin/audit": staff,
		"/oauth/admin/users?search=%3Cscript%3Ealert(1)%3C/script%3E": staff, "/oauth/account?done=%3Cscript%3E": alice,
		"/oauth/account?%22%3E%3Cscript%3Ealert(1)%3C/script%3E": alice, "/oauth/developer/client?id=%22%3E%3Cscript%3E": alice,
	} {
		checkInert(t, b.get(path))
	}
}

// checkInert checks that the canary is not part of a page as markup.
func checkInert(t *testing.T, a *answer) {
	t.Helper()
	body := a.Body.String()
	for _, live := range []string{"<script>alert", "<img src=x", "<script>\"", "\"><script"} {
		if strings.Contains(body, live) {
			t.Errorf("the page %T has %q", a.page, live)
		}
	}
	if !strings.Contains(a.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%T: %v", a.page, a.Header())
	}
}
