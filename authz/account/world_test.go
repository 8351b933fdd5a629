// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

const (
	origin   = "https://auth.example.com"
	password = "correct horse battery staple"
)

// world is the pages above a real store, real users and a real sign-in.
type world struct {
	t      testing.TB
	db     *tokenstore.DB
	ahead  atomic.Int64 // how far the clock is ahead of the machine's
	users  *user.Directory
	signIn *signin.Service
	server *Server
	set    *pages.Set
	keys   *someKeys
}

// someKeys are keys that count how often they were rotated.
type someKeys struct{ rotated atomic.Int32 }

func (k *someKeys) List(context.Context) ([]pages.AdminKeyRow, error) {
	return []pages.AdminKeyRow{{ID: "seal-1", Use: "seal", State: "active"}, {ID: "sign-1", Use: "access_tokens", State: "active", Algorithm: "ES256"}}, nil
}

func (k *someKeys) Rotate(context.Context, string) error {
	k.rotated.Add(1)
	return nil
}

// templates are read once for all tests.
var templates = sync.OnceValues(func() (*pages.Set, error) { return pages.New(pages.Config{Prefix: "/oauth"}) })

// newWorld builds the pages; edit may change how they are configured.
func newWorld(t testing.TB, edit func(*Config)) *world {
	t.Helper()
	engine, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	w := &world{t: t, keys: &someKeys{}}
	w.db, err = tokenstore.Open(t.Context(), engine, tokenstore.Options{
		SealKeys: []tokenstore.SealKey{tokenstore.GenerateSealKey()}, CacheEntries: 1000, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	})
	must(t, err)
	t.Cleanup(func() { _ = w.db.Close() })
	store := func(context.Context) (*tokenstore.DB, error) { return w.db, nil }
	w.set, err = templates()
	must(t, err)
	w.users, err = user.New(user.Config{Store: store, Params: user.Params{Memory: 64, Time: 1, Threads: 1}, Recorder: authz.Discard})
	must(t, err)
	passkeys, err := factor.NewPasskeys(origin, "Example")
	must(t, err)
	handles := &handle.Keeper{Store: store, Secure: true}
	limits := guess.New()
	w.signIn, err = signin.New(signin.Config{
		Limits: func(context.Context) (*guess.Limits, error) { return limits, nil },
		Store:  store, Directory: w.users, Passkeys: passkeys, Handles: handles, Render: w.render, Origin: origin, Prefix: "/oauth",
	})
	must(t, err)
	clients, err := client.NewRegistry([]*client.Client{build(t, client.Declaration{Client: client.Client{
		ID: "shop", Name: "Example Shop", AuthMethod: authz.AuthNone, GrantTypes: []string{authz.GrantAuthorizationCode},
		RedirectURIs: []string{"https://shop.example.com/callback"}, Scopes: scope.Of("orders", "profile"),
	}})}, store)
	must(t, err)
	config := Config{
		Issuer: origin, Origin: origin, Prefix: "/oauth", Store: store, SignIn: w.signIn, Users: w.users, Passkeys: passkeys,
		Handles: handles, Render: w.render, Clients: clients, ScopeTexts: map[string]string{"orders": "See your orders"}, Keys: w.keys,
	}
	if edit != nil {
		edit(&config)
	}
	w.server, err = New(config)
	must(t, err)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func build(t testing.TB, d client.Declaration) *client.Client {
	t.Helper()
	c, err := d.Build()
	must(t, err)
	return c
}

// answer is what a browser got: the page as it was rendered, and from what.
type answer struct {
	*httptest.ResponseRecorder
	page pages.Page
}

func (w *world) render(rw http.ResponseWriter, r *http.Request, status int, page pages.Page) error {
	rw.(*answer).page = page
	return w.set.Render(rw, r, status, page)
}

// browser keeps cookies, and does what a page tells it to.
type browser struct {
	w       *world
	cookies map[string]string
	// header is added to each request.
	header http.Header
}

func (w *world) browser() *browser {
	return &browser{w: w, cookies: map[string]string{}, header: http.Header{"Sec-Fetch-Site": {"same-origin"}}}
}

// clone is a browser with the same cookies, such as somebody who stole them has.
func (b *browser) clone() *browser {
	c := b.w.browser()
	for name, value := range b.cookies {
		c.cookies[name] = value
	}
	return c
}

func (b *browser) send(r *http.Request) *answer {
	b.w.t.Helper()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	a := &answer{ResponseRecorder: httptest.NewRecorder()}
	notFound := func(rw http.ResponseWriter, _ *http.Request) error {
		rw.WriteHeader(http.StatusTeapot)
		return nil
	}
	err := b.w.server.ServeHTTP(a, r, func(rw http.ResponseWriter, r *http.Request) error { return b.w.signIn.ServeHTTP(rw, r, notFound) })
	if err != nil {
		b.w.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	for _, c := range a.Result().Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return a
}

func (b *browser) get(path string) *answer {
	b.w.t.Helper()
	return b.send(httptest.NewRequest(http.MethodGet, origin+path, nil))
}

// post sends a form: pairs of names and values.
func (b *browser) post(action string, pairs ...string) *answer {
	b.w.t.Helper()
	fields := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		fields.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, origin+action, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", authz.MediaTypeForm)
	return b.send(r)
}

// form returns action and handle of the page at path.
func (b *browser) form(path string) pages.Form {
	b.w.t.Helper()
	return formOf(b.w.t, b.get(path))
}

// press opens a page and presses one of its buttons.
func (b *browser) press(path, do string, pairs ...string) *answer {
	b.w.t.Helper()
	return b.submit(b.form(path), do, pairs...)
}

// submit presses a button of a page that is open.
func (b *browser) submit(f pages.Form, do string, pairs ...string) *answer {
	b.w.t.Helper()
	return b.post(f.Action, append([]string{pages.FieldHandle, f.Handle, pages.FieldDo, do}, pairs...)...)
}

// formOf returns the form of a page.
func formOf(t testing.TB, a *answer) pages.Form {
	t.Helper()
	switch p := a.page.(type) {
	case pages.SignIn:
		return p.Form
	case pages.SecondFactor:
		return p.Form
	case pages.AccountHome:
		return p.Form
	case pages.AccountSessions:
		return p.Form
	case pages.AccountSecurity:
		return p.Form
	case pages.AccountTOTP:
		return p.Form
	case pages.AccountRecovery:
		return p.Form
	case pages.DeveloperList:
		return p.Form
	case pages.DeveloperEdit:
		return p.Form
	case pages.DeveloperSecret:
		return p.Form
	case pages.DeveloperDelete:
		return p.Form
	case pages.AdminUsers:
		return p.Form
	case pages.AdminUser:
		return p.Form
	case pages.AdminClients:
		return p.Form
	case pages.AdminGrants:
		return p.Form
	case pages.AdminSessions:
		return p.Form
	case pages.AdminKeys:
		return p.Form
	case pages.AdminAudit:
		return p.Form
	}
	t.Fatalf("%d %T %s has no form", a.Code, a.page, a.Header().Get("Location"))
	return pages.Form{}
}

// addUser adds a user who is in the groups, and returns the subject.
func (w *world) addUser(name string, groups ...string) string {
	w.t.Helper()
	u, err := w.users.Create(w.t.Context(), "admin", user.Addition{Username: name, Password: password, Groups: groups})
	must(w.t, err)
	return u.Value.Subject
}

// signedIn is a browser in which a user, who may be new, has signed in.
func (w *world) signedIn(name string, groups ...string) *browser {
	w.t.Helper()
	if _, err := w.users.Find(w.t.Context(), name); err != nil {
		w.addUser(name, groups...)
	}
	b := w.browser()
	b.signIn(name)
	return b
}

// signIn signs a user in who has a password and nothing else.
func (b *browser) signIn(name string) {
	b.w.t.Helper()
	a := b.press("/oauth/signin", pages.DoSignIn, pages.FieldUsername, name, pages.FieldPassword, password)
	if a.Code != http.StatusSeeOther {
		b.w.t.Fatalf("sign-in of %s: %d %+v", name, a.Code, a.page)
	}
}

// subject is that of a user.
func (w *world) subject(name string) string {
	w.t.Helper()
	u, err := w.users.Find(w.t.Context(), name)
	must(w.t, err)
	return u.Value.Subject
}

// allow has a user allow a client some scopes, and returns a key of something that
// depends on it, as a token does.
func (w *world) allow(name, clientID string, words ...string) tokenstore.Key {
	w.t.Helper()
	anchor, err := w.db.EnsureAnchor(w.t.Context(), tokenstore.ClientAnchorKey(clientID))
	must(w.t, err)
	held, err := consent.Find(w.t.Context(), w.db, w.subject(name), anchor)
	must(w.t, err)
	change := w.db.NewChange()
	generation := held.Give(change, w.db.Now(), scope.Of(words...), scope.Of(words...), []string{origin})
	key := tokenstore.CredentialKey([32]byte{byte(len(name)), byte(len(clientID))})
	change.Put(key, "token", time.Time{}, generation)
	_, err = w.db.Commit(w.t.Context(), change)
	must(w.t, err)
	return key
}

// alive reports whether what allow has returned still counts.
func (w *world) alive(key tokenstore.Key) bool {
	_, err := tokenstore.Load[string](w.t.Context(), w.db, key)
	return err == nil
}

// shows is the page that an answer is, of the type that is expected.
func shows[P pages.Page](t testing.TB, a *answer, status int) P {
	t.Helper()
	p, ok := a.page.(P)
	if !ok || a.Code != status {
		t.Fatalf("%d %T, expected %d %T; %+v", a.Code, a.page, status, p, a.page)
	}
	return p
}

// refuses checks that an answer is a page that says why not.
func refuses(t testing.TB, a *answer, status int, code string) {
	t.Helper()
	if p := shows[pages.Problem](t, a, status); p.Code != code {
		t.Errorf("%q, expected %q", p.Code, code)
	}
}

// leads checks that an answer leads to a path.
func leads(t testing.TB, a *answer, path string) {
	t.Helper()
	if to := a.Header().Get("Location"); a.Code != http.StatusSeeOther || !strings.HasPrefix(to, path) {
		t.Fatalf("%d to %q, expected 303 to %s; %+v", a.Code, to, path, a.page)
	}
}

func anchorOf(clientID string) tokenstore.Key { return tokenstore.ClientAnchorKey(clientID) }

// newClient are the fields of a client that anybody may register.
var newClient = []string{
	pages.FieldClientName, "My App", pages.FieldRedirectURIs, "https://app.example.com/callback\n",
	pages.FieldAuthMethod, authz.AuthSecretBasic, pages.FieldGrantTypes, authz.GrantAuthorizationCode, pages.FieldGrantTypes, authz.GrantRefreshToken,
}
