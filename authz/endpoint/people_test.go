// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // and its challenge
	pkce      = "&code_challenge_method=S256&code_challenge=" + challenge
	webURI    = "https://web.example.com/cb"
)

// house is a world with people in it: who is signed in says the cookie "who" of a
// browser, a list of names, the active one first.
type house struct {
	*world
	mu       sync.Mutex
	gone     map[string]bool // users who may not act
	left     map[string]bool // and those of whom only their source knows
	trouble  error           // of the source
	acr      string
	authTime time.Time // zero: a minute ago
	chosen   time.Time // zero: the same
	demand   signin.Demand
	signedIn int
}

// peopled are the clients that people use.
func peopled(t testing.TB) []*client.Client {
	code := []string{"authorization_code", "refresh_token"}
	var built []*client.Client
	for _, d := range []client.Declaration{
		{Client: client.Client{ID: "web", Name: "The Web", GrantTypes: code, Scopes: scope.Set{"a", "b", "c", "openid"}, DefaultScopes: scope.Set{"a"}, OptionalScopes: scope.Set{"c"}, RedirectURIs: []string{webURI}}},
		{Client: client.Client{ID: "spa", AuthMethod: "none", GrantTypes: code, Scopes: scope.Set{"a", "b", "openid"}, RedirectURIs: []string{"https://spa.example.com/cb", "https://spa.example.com/q?x=1"}}},
		{Client: client.Client{ID: "native", AuthMethod: "none", GrantTypes: code, Scopes: scope.Set{"a"}, RedirectURIs: []string{"http://127.0.0.1/cb", "com.example.app:/cb"}}},
		{Client: client.Client{ID: "first", GrantTypes: code, Scopes: scope.Set{"a", "b"}, FirstParty: true, RedirectURIs: []string{"https://first.example.com/cb"}}},
		{Client: client.Client{ID: "own", AuthMethod: "none", GrantTypes: code, Scopes: scope.Set{"a"}, FirstParty: true, RedirectURIs: []string{"http://127.0.0.1/own"}}},
		{Client: client.Client{ID: "old", GrantTypes: []string{"authorization_code"}, Scopes: scope.Set{"a", "openid"}, PKCE: "optional", RedirectURIs: []string{"https://old.example.com/cb"}}},
		{Client: client.Client{ID: "plain", GrantTypes: []string{"authorization_code"}, Scopes: scope.Set{"a"}, PKCE: "plain", RedirectURIs: []string{"https://plain.example.com/cb"}}},
		{Client: client.Client{ID: "pushy", GrantTypes: []string{"authorization_code"}, Scopes: scope.Set{"a", "b"}, RequirePAR: true, RedirectURIs: []string{"https://pushy.example.com/cb"}}},
		{Client: client.Client{ID: "still", GrantTypes: code, Scopes: scope.Set{"a", "b"}, RefreshRotation: "off", RedirectURIs: []string{"https://still.example.com/cb"}}},
		{Client: client.Client{ID: "machine", GrantTypes: []string{"client_credentials"}, Scopes: scope.Set{"a"}, RedirectURIs: []string{"https://machine.example.com/cb"}}},
		{Client: client.Client{ID: "off", GrantTypes: code, Disabled: true, RedirectURIs: []string{"https://off.example.com/cb"}}},
	} {
		if d.AuthMethod != "none" {
			d.Secret = []string{secret}
		}
		c, err := d.Build()
		if err != nil {
			t.Fatal(err)
		}
		built = append(built, c)
	}
	return built
}

// set is all pages; making it takes a while.
var set = sync.OnceValues(func() (*pages.Set, error) { return pages.New(pages.Config{Prefix: "/oauth"}) })

func newHouse(t testing.TB, change ...func(*endpoint.Config)) *house {
	t.Helper()
	h := &house{gone: map[string]bool{}, left: map[string]bool{}, acr: authz.ACROneFactor}
	people := func(c *endpoint.Config) {
		var err error
		if c.Clients, err = client.NewRegistry(peopled(t), c.Store); err != nil {
			t.Fatal(err)
		}
		c.GrantTypes["authorization_code"] = granttype.AuthorizationCode{}
		c.GrantTypes["refresh_token"] = granttype.RefreshToken{}
		c.SignIn, c.Users = h, h
		c.Handles = &handle.Keeper{Store: c.Store}
		c.ScopeText = func(word string) string { return "Do " + word }
	}
	h.world = newWorld(t, append([]func(*endpoint.Config){people}, change...)...)
	for _, name := range []string{"ann", "bob"} {
		for _, anchor := range []tokenstore.Key{tokenstore.UserAnchorKey(name), tokenstore.SessionAnchorKey("session-of-" + name)} {
			if _, err := h.db.EnsureAnchor(t.Context(), anchor); err != nil {
				t.Fatal(err)
			}
		}
	}
	return h
}

func (h *house) Accounts(ctx context.Context, r *http.Request) (accounts []signin.Account, _ error) {
	cookie, err := r.Cookie("who")
	if err != nil {
		return nil, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range strings.SplitSeq(cookie.Value, "+") {
		gens, err := h.db.Generations(ctx, tokenstore.UserAnchorKey(name), tokenstore.SessionAnchorKey("session-of-"+name))
		if err != nil || h.gone[name] {
			continue
		}
		minuteAgo := h.db.Now().Add(-time.Minute)
		a := signin.Account{
			User:    &user.User{Subject: name, Username: name, Email: name + "@example.com", Name: "The " + name},
			Session: &signin.Session{ID: "session-of-" + name, Subject: name, AuthTime: h.authTime, ACR: h.acr},
			Anchors: gens, Chosen: h.chosen,
		}
		if h.authTime.IsZero() {
			a.Session.AuthTime = minuteAgo
		}
		if h.chosen.IsZero() {
			a.Chosen = minuteAgo
		}
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// Confirm: a source that has somebody no more ends the session.
func (h *house) Confirm(_ context.Context, a signin.Account) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trouble != nil {
		return false, h.trouble
	}
	if h.left[a.User.Subject] {
		h.gone[a.User.Subject] = true
		return false, nil
	}
	return true, nil
}

func (h *house) Satisfies(a signin.Account, d signin.Demand) bool {
	switch {
	case d.Subject != "" && d.Subject != a.User.Subject, a.Session.AuthTime.Before(d.Since), d.Choose && a.Chosen.Before(d.Asked):
		return false
	case d.MaxAge >= 0 && a.Session.AuthTime.Before(d.Asked.Add(-d.MaxAge)):
		return false
	}
	return len(d.ACR) == 0 || slices.ContainsFunc(d.ACR, func(acr string) bool { return a.Session.ACR >= acr })
}

func (h *house) Ask(w http.ResponseWriter, _ *http.Request, d signin.Demand) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.demand = d
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte("SIGN IN"))
	return nil
}

func (h *house) SignedInto(change *tokenstore.Change, s *signin.Session, clientID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.signedIn++
	change.Put(tokenstore.NewKey("", tokenstore.KindSession, s.Subject+"\x00"+s.ID+"\x00"+clientID), nil, time.Time{})
}

func (h *house) Known(ctx context.Context, subject string) (*user.User, tokenstore.Generation, error) {
	return h.Present(ctx, subject)
}

func (h *house) Present(ctx context.Context, subject string) (*user.User, tokenstore.Generation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	gens, err := h.db.Generations(ctx, tokenstore.UserAnchorKey(subject))
	if err != nil || h.gone[subject] {
		return nil, tokenstore.Generation{}, user.ErrNotFound
	}
	return &user.User{Subject: subject, Username: subject}, gens[0], nil
}

// set changes what is so of people.
func (h *house) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// browser is one person's.
type browser struct {
	h    *house
	http *http.Client
}

// browser returns one in which the people of who are signed in.
func (h *house) browser(who string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	b := &browser{h, &http.Client{Jar: jar, Transport: h.http.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if who != "" {
		b.is(who)
	}
	return b
}

// is signs those people in, in place of whoever was.
func (b *browser) is(who string) {
	b.h.t.Helper()
	u, err := url.Parse(b.h.url)
	if err != nil {
		b.h.t.Fatal(err)
	}
	b.http.Jar.SetCookies(u, []*http.Cookie{{Name: "who", Value: who}})
}

func (b *browser) do(r *http.Request) reply {
	b.h.t.Helper()
	before := b.h.http
	b.h.http = b.http
	defer func() { b.h.http = before }()
	return b.h.do(r)
}

func (b *browser) get(path string) reply {
	b.h.t.Helper()
	return b.do(b.h.request(http.MethodGet, path, ""))
}

// authorize opens an authorization request.
func (b *browser) authorize(params string) reply {
	b.h.t.Helper()
	return b.get("/oauth/authorize?response_type=code&" + params)
}

var handleField = regexp.MustCompile(`name="handle" value="([^"]+)"`)

// press sends the form of a consent page.
func (b *browser) press(page reply, button, more string, set ...func(*http.Request)) reply {
	b.h.t.Helper()
	field := handleField.FindStringSubmatch(page.body)
	if field == nil {
		b.h.t.Fatalf("no form: %d %s %v", page.status, page.body, page.header)
	}
	set = append([]func(*http.Request){header("Origin", issuer)}, set...)
	return b.do(b.h.request(http.MethodPost, "/oauth/consent", "do="+button+"&handle="+escape(html.UnescapeString(field[1]))+more, set...))
}

// code is the code in an answer that leads to uri.
func (r reply) code(t testing.TB, uri string) string {
	t.Helper()
	to, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != http.StatusSeeOther || !strings.HasPrefix(to.String(), uri) || to.Query().Get("iss") != issuer {
		t.Fatalf("%d %q %s", r.status, r.header.Get("Location"), r.body)
	}
	code := to.Query().Get("code")
	if code == "" {
		t.Fatalf("no code: %s", to)
	}
	return code
}

// refused fails the test unless the answer tells the client of an error.
func (r reply) refused(t testing.TB, name, uri, code string) url.Values {
	t.Helper()
	location := r.header.Get("Location")
	to, err := url.Parse(location)
	if err != nil || r.status != http.StatusSeeOther || !strings.HasPrefix(location, uri) || to.Query().Get("error") != code || to.Query().Get("iss") != issuer {
		t.Errorf("%s: %d %q %s; want %s", name, r.status, location, r.body, code)
		return nil
	}
	q := to.Query()
	for _, c := range q.Get("error_description") {
		if c < ' ' || c > '~' || c == '"' || c == '\\' { // RFC 6749 §4.1.2.1
			t.Errorf("%s: description %q", name, q.Get("error_description"))
		}
	}
	if q.Has("code") || q.Has("error_uri") {
		t.Errorf("%s: %s", name, location)
	}
	return q
}

// page fails the test unless the answer is a page of the given status that leads nowhere.
func (r reply) page(t testing.TB, name string, status int) {
	t.Helper()
	if r.status != status || r.header.Get("Location") != "" || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") ||
		r.header.Get("X-Frame-Options") != "DENY" || r.header.Get("Cache-Control") != "no-store" || strings.Contains(r.body, "http-equiv") {
		t.Errorf("%s: %d %q %.300s", name, r.status, r.header, r.body)
	}
}

// anew fails the test unless the answer leads back to the request, and returns where.
func (r reply) anew(t testing.TB, name string) string {
	t.Helper()
	to := r.header.Get("Location")
	if r.status != http.StatusSeeOther || !strings.HasPrefix(to, "/oauth/authorize?handle=") {
		t.Errorf("%s: %d %q %.300s", name, r.status, r.header, r.body)
	}
	return to
}

// allow has ann allow a client what it asks for, unless she did before, and returns
// the code.
func (h *house) allow(params, uri string) string {
	h.t.Helper()
	b := h.browser("ann")
	answer := b.authorize(params)
	if answer.status == http.StatusOK {
		answer = b.press(answer, "allow", "")
	}
	return answer.code(h.t, uri)
}

// webCode is a code of the client "web".
func (h *house) webCode() string {
	h.t.Helper()
	return h.allow("client_id=web&scope=a+b&state=s&redirect_uri="+escape(webURI)+pkce, webURI)
}

// redeem sends a code of the client "web" with all its proofs.
func (h *house) redeem(code string) reply {
	h.t.Helper()
	return h.send("/oauth/token", "web", "grant_type=authorization_code&code="+code+"&redirect_uri="+escape(webURI)+"&code_verifier="+verifier)
}

// tokens are those of a fresh grant of the client "web".
func (h *house) tokens() reply {
	h.t.Helper()
	r := h.redeem(h.webCode())
	if r.status != http.StatusOK || r.field("refresh_token") == "" {
		h.t.Fatalf("%d %s", r.status, r.body)
	}
	return r
}

// refresh uses a refresh token of the client "web".
func (h *house) refresh(raw, more string) reply {
	h.t.Helper()
	return h.send("/oauth/token", "web", "grant_type=refresh_token&refresh_token="+raw+more)
}

// later moves the clock.
func (h *house) later(d time.Duration) { h.ahead.Add(int64(d)) }

func challengeOf(verifier string) string {
	digest := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}
