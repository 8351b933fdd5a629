// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

const (
	issuerHost = "auth.example.com"
	legacyHost = "legacy.example.org"
	otherHost  = "other.example.net"
)

// world is an issuer and two guarded sites on hosts of their own, all by TLS, above a
// real store, and a clock. Who is signed in at the issuer is for the tests to say.
type world struct {
	*Service
	db       *tokenstore.DB
	verifier *token.Verifier
	server   *httptest.Server
	ahead    atomic.Int64 // how far the clock is ahead of the machine's
	hidden   atomic.Int64 // requests whose URL must not be logged

	mu       sync.Mutex
	signedIn map[string]Account // by the issuer's cookie
	demands  []Demand           // what people were asked for
	passed   []*http.Request    // what came to the services
}

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{signedIn: map[string]Account{}}
	w.db, err = tokenstore.Open(t.Context(), store, tokenstore.Options{
		SealKeys: []tokenstore.SealKey{tokenstore.GenerateSealKey()},
		Now:      func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	open := func(context.Context) (*tokenstore.DB, error) { return w.db, nil }
	w.verifier = &token.Verifier{Issuer: "https://" + issuerHost, Store: open, Formats: []token.Format{token.Opaque{}}}
	w.Service, err = New(Config{
		Issuer: "https://" + issuerHost, Prefix: "/oauth", Store: open, People: w,
		Guarded: func(site string) bool { return site == "https://"+legacyHost || site == "https://"+otherHost },
		Page: func(w http.ResponseWriter, _ *http.Request, refusal *authz.Error) error {
			w.WriteHeader(refusal.Status)
			_, err := io.WriteString(w, refusal.Description)
			return err
		},
		SecretInURL: func(*http.Request) { w.hidden.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[string]http.Handler{issuerHost: w.issuer(), legacyHost: w.guard(t, legacyHost), otherHost: w.guard(t, otherHost)}
	w.server = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		hosts[r.Host].ServeHTTP(rw, r)
	}))
	t.Cleanup(w.server.Close)
	return w
}

// issuer serves the issuer's part as a server does.
func (w *world) issuer() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		err := w.ServeHTTP(rw, r, func(rw http.ResponseWriter, _ *http.Request) error {
			rw.WriteHeader(http.StatusNotFound)
			return nil
		})
		if err != nil {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

// guard guards a service that notes what comes.
func (w *world) guard(t testing.TB, host string) http.Handler {
	guard, err := protect.New(protect.Config{
		Rows: []protect.Row{
			{Verb: protect.Allow, Path: "/*"},
			{Verb: protect.Allow, Path: "/orders/*", Requirement: scope.Requirement{scope.Of("orders")}},
			{Verb: protect.Allow, Path: "/strong/*", Conditions: &protect.Conditions{ACRValues: []string{authz.ACRTwoFactors}}},
			{Verb: protect.Allow, Path: "/fresh/*", Conditions: &protect.Conditions{MaxAge: 300}},
		},
		Issuer:        "https://" + issuerHost,
		Resource:      func(*http.Request) string { return "https://" + host },
		Schemes:       []string{authz.SchemeBearer},
		Sessions:      &protect.Sessions{Scopes: scope.Of("orders"), Visits: w},
		Authenticator: w.verifier,
		Clients:       nobody{},
		Now:           w.db.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		err := guard.ServeHTTP(rw, r, func(rw http.ResponseWriter, r *http.Request) error {
			w.mu.Lock()
			w.passed = append(w.passed, r.Clone(context.Background()))
			w.mu.Unlock()
			_, err := io.WriteString(rw, "for "+r.Header.Get("X-Auth-Subject")+" at "+r.URL.RequestURI())
			return err
		})
		if err != nil {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

// nobody is a registry without clients.
type nobody struct{}

func (nobody) Allowed(context.Context, string) (scope.Set, error) { return nil, authz.ErrInvalidToken }

// SignedIn implements [People].
func (w *world) SignedIn(r *http.Request, d Demand) (Account, bool, error) {
	cookie, err := r.Cookie("who")
	if err != nil {
		return Account{}, false, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a, ok := w.signedIn[cookie.Value]
	switch {
	case !ok, d.Subject != "" && a.Subject != d.Subject, a.AuthTime.Before(d.Since):
		return Account{}, false, nil
	case len(d.ACRValues) > 0 && d.ACRValues[0] != a.ACR:
		return Account{}, false, nil
	}
	if a.Subject == "trouble" {
		return Account{}, false, authz.ErrTemporarilyUnavailable.Because(errors.New("disk on fire"))
	}
	return a, true, nil
}

// Ask implements [People].
func (w *world) Ask(rw http.ResponseWriter, _ *http.Request, d Demand) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.demands = append(w.demands, d)
	_, err := io.WriteString(rw, "please sign in")
	return err
}

// account makes a user and a session.
func (w *world) account(t testing.TB, subject, session, acr string) Account {
	t.Helper()
	ctx := t.Context()
	user, err := w.db.EnsureAnchor(ctx, tokenstore.UserAnchorKey(subject))
	if err != nil {
		t.Fatal(err)
	}
	began, err := w.db.EnsureAnchor(ctx, tokenstore.SessionAnchorKey(session))
	if err != nil {
		t.Fatal(err)
	}
	store, err := w.db.Generations(ctx, w.db.StoreAnchor())
	if err != nil {
		t.Fatal(err)
	}
	return Account{
		Subject: subject, Session: session, ACR: acr, AuthTime: w.db.Now(), Until: w.db.Now().Add(24 * time.Hour),
		Anchors: append(store, user, began),
	}
}

// browser is one browser, which keeps cookies and follows redirects.
type browser struct {
	*world
	t testing.TB
	*http.Client
	name string
	// trail are the URLs that it was sent to since it was last asked.
	trail []*url.URL
}

func (w *world) browser(t testing.TB, name string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // its certificate is for other names
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, w.server.Listener.Addr().String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	b := &browser{world: w, t: t, name: name, Client: &http.Client{Jar: jar, Transport: transport}}
	b.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		b.trail = append(b.trail, r.URL)
		if len(via) >= 10 {
			return errors.New("it goes round and round")
		}
		return nil
	}
	return b
}

// signIn signs the browser in at the issuer.
func (b *browser) signIn(a Account) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.signedIn[b.name] = a
	b.Jar.SetCookies(&url.URL{Scheme: "https", Host: issuerHost}, []*http.Cookie{{Name: "who", Value: b.name, Path: "/"}})
}

// page is what a browser shows.
type page struct {
	*http.Response
	body string
}

// open opens a page as a browser does, with further headers, each "Name: value".
func (b *browser) open(address string, headers ...string) page {
	b.t.Helper()
	return b.send(http.MethodGet, address, append([]string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html"}, headers...)...)
}

func (b *browser) send(method, address string, headers ...string) page {
	b.t.Helper()
	b.trail = nil
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{resp, string(body)}
}

// stop has the browser stop where it is about to be sent to a path, and returns that
// URL when it was, and what it showed last.
func (b *browser) stop(at, address string) (*url.URL, page) {
	b.t.Helper()
	follow := b.CheckRedirect
	defer func() { b.CheckRedirect = follow }()
	var found *url.URL
	b.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if r.URL.Path == at {
			found = r.URL
			return http.ErrUseLastResponse
		}
		return follow(r, via)
	}
	shown := b.open(address)
	if found == nil {
		b.t.Fatalf("%s does not lead to %s: %d %s", address, at, shown.StatusCode, shown.body)
	}
	return found, shown
}

// cookie returns a cookie that the browser has for a host, or "".
func (b *browser) cookie(host, name string) string {
	for _, c := range b.Jar.Cookies(&url.URL{Scheme: "https", Host: host, Path: "/"}) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

const (
	siteCookie    = authz.CookieHost + authz.CookieSite
	browserCookie = authz.CookieHost + "oauth2_browser"
)
