// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// right is the password that tests use.
const right = "correct horse battery staple"

// world is the service on a store whose clock stands still unless it is moved. Beside
// its pages there is /app, which demands what the test says and then tells who is
// signed in.
type world struct {
	testing.TB
	*signin.Service
	db       *tokenstore.DB
	engine   *engine
	users    *user.Directory
	passkeys *factor.Passkeys
	origin   string
	ahead    atomic.Int64 // by how much time has passed, and the machine's clock stepped
	stepped  atomic.Int64 // by how much of that it stepped
	demand   signin.Demand
}

// engine is a store that can be made to fail.
type engine struct {
	tokenstore.Store
	failing atomic.Bool
	commits atomic.Int64
	// before is done once, before the next commit.
	before atomic.Pointer[func()]
}

func (e *engine) Get(ctx context.Context, keys ...tokenstore.Key) ([]tokenstore.Item, error) {
	if e.failing.Load() {
		return nil, errors.New("disk on fire")
	}
	return e.Store.Get(ctx, keys...)
}

func (e *engine) Apply(ctx context.Context, b tokenstore.Batch) (tokenstore.Revision, error) {
	e.commits.Add(1)
	if before := e.before.Swap(nil); before != nil {
		(*before)()
	}
	return e.Store.Apply(ctx, b)
}

var epoch = time.Unix(1_900_000_005, 0)

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "store"), bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, engine: &engine{Store: store}, demand: signin.Demand{Return: "/app", MaxAge: -1}}
	w.db, err = tokenstore.Open(t.Context(), w.engine, tokenstore.Options{
		SealKeys:     []tokenstore.SealKey{tokenstore.GenerateSealKey()},
		CacheEntries: -1,
		Now:          func() time.Time { return epoch.Add(time.Duration(w.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(func() { server.Close(); _ = w.db.Close() })
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.origin = "http://localhost:" + at.Port()
	open := func(context.Context) (*tokenstore.DB, error) { return w.db, nil }
	w.users, err = user.New(user.Config{Store: open, Params: user.Params{Memory: 64, Time: 1, Threads: 1}, SignUp: true, Recorder: authz.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if w.passkeys, err = factor.NewPasskeys(w.origin, ""); err != nil {
		t.Fatal(err)
	}
	set, err := pagesOnce()
	if err != nil {
		t.Fatal(err)
	}
	limits := guess.New()
	limits.Now = func() time.Time { return epoch.Add(time.Duration(w.ahead.Load() - w.stepped.Load())) }
	w.Service, err = signin.New(signin.Config{
		Store: open, Directory: w.users, Passkeys: w.passkeys, Handles: &handle.Keeper{Store: open}, Render: set.Render,
		Limits: func(context.Context) (*guess.Limits, error) { return limits, nil },
		Origin: w.origin, Prefix: "/oauth",
		EarlyData: func(r *http.Request) bool { return r.Header.Get("Test-Early") != "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// pagesOnce are the pages, which take long to read.
var pagesOnce = sync.OnceValues(func() (*pages.Set, error) { return pages.New(pages.Config{Prefix: "/oauth"}) })

// serve is the server: the pages, and /app.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	err := w.ServeHTTP(rw, r, func(rw http.ResponseWriter, r *http.Request) error {
		accounts, err := w.Accounts(r.Context(), r)
		if err != nil {
			return err
		}
		if len(accounts) == 0 || !w.Satisfies(accounts[0], w.demand) {
			return w.Ask(rw, r, w.demand)
		}
		a := accounts[0]
		_, err = fmt.Fprintf(rw, "%s %s %s acr=%s amr=%s", r.URL.Path, a.User.Username, a.Session.ID, a.Session.ACR, strings.Join(a.Session.AMR, ","))
		return err
	})
	if err == nil {
		return
	}
	status := http.StatusInternalServerError
	if e := (*authz.Error)(nil); errors.As(err, &e) {
		status = e.Status
	}
	http.Error(rw, err.Error(), status)
}

// pass moves the clock.
func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

// step sets the machine's clock forward, in no time.
func (w *world) step(d time.Duration) {
	w.ahead.Add(int64(d))
	w.stepped.Add(int64(d))
}

// add makes an account.
func (w *world) add(name string) *user.User {
	w.Helper()
	rec, err := w.users.Create(w.Context(), "admin", user.Addition{Username: name, Password: right})
	if err != nil {
		w.Fatal(err)
	}
	return &rec.Value
}

// commit commits what do puts into a change.
func (w *world) commit(do func(change *tokenstore.Change) error) {
	w.Helper()
	change := w.db.NewChange()
	err := do(change)
	if err == nil {
		_, err = w.db.Commit(w.Context(), change)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// set loads a user's factors.
func (w *world) set(subject string) *factor.Set {
	w.Helper()
	set, err := factor.Load(w.Context(), w.db, subject)
	if err != nil {
		w.Fatal(err)
	}
	return set
}

// browser is a browser without scripts.
type browser struct {
	w   *world
	jar *cookiejar.Jar
	http.Client
}

// screen is what it shows.
type screen struct {
	b      *browser
	status int
	header http.Header
	body   string
	path   string
}

func (w *world) browser() *browser {
	w.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, strings.Replace(address, "localhost", "127.0.0.1", 1))
	}}
	w.Cleanup(transport.CloseIdleConnections)
	return &browser{w: w, jar: jar, Client: http.Client{Jar: jar, Transport: transport}}
}

// open goes to a path.
func (b *browser) open(path string) *screen {
	b.w.Helper()
	req, err := http.NewRequest(http.MethodGet, b.w.origin+path, nil)
	if err != nil {
		b.w.Fatal(err)
	}
	return b.send(req)
}

func (b *browser) send(req *http.Request) *screen {
	b.w.Helper()
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	resp, err := b.Do(req)
	if err != nil {
		b.w.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.Fatal(err)
	}
	return &screen{b, resp.StatusCode, resp.Header, string(body), resp.Request.URL.Path}
}

// cookie is the value of the session's cookie.
func (b *browser) cookie() string {
	at, err := url.Parse(b.w.origin)
	if err != nil {
		b.w.Fatal(err)
	}
	for _, c := range b.jar.Cookies(at) {
		if c.Name == signin.CookieName {
			return c.Value
		}
	}
	return ""
}

// setCookie gives the browser another cookie for the session.
func (b *browser) setCookie(value string) {
	at, err := url.Parse(b.w.origin)
	if err != nil {
		b.w.Fatal(err)
	}
	b.jar.SetCookies(at, []*http.Cookie{{Name: signin.CookieName, Value: value, Path: "/"}})
}

// find returns what stands in an attribute of the page.
func (s *screen) find(attribute string) string {
	s.b.w.Helper()
	found := regexp.MustCompile(attribute + `="([^"]*)"`).FindStringSubmatch(s.body)
	if found == nil {
		s.b.w.Fatalf("%d, %s: no %s:\n%s", s.status, s.path, attribute, s.body)
	}
	return html.UnescapeString(found[1])
}

// submit sends the page's form: button, and then names and values of fields.
func (s *screen) submit(button string, fields ...string) *screen {
	s.b.w.Helper()
	return s.b.send(s.request(button, fields...))
}

func (s *screen) request(button string, fields ...string) *http.Request {
	s.b.w.Helper()
	form := url.Values{"handle": {s.find(`name="handle" value`)}, "do": {button}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, s.b.w.origin+s.find("action"), strings.NewReader(form.Encode()))
	if err != nil {
		s.b.w.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", s.b.w.origin)
	return req
}

func (s *screen) signIn(name string) *screen {
	s.b.w.Helper()
	return s.submit("signin", "username", name, "password", right)
}

// want fails the test unless the page has that status and holds that text.
func (s *screen) want(status int, text string) *screen {
	s.b.w.Helper()
	if s.status != status || !strings.Contains(s.body, text) {
		s.b.w.Fatalf("%s: %d, want %d and %q:\n%s", s.path, s.status, status, text, s.body)
	}
	return s
}

// signedIn is a browser in which a user has signed in.
func (w *world) signedIn(name string) *browser {
	w.Helper()
	b := w.browser()
	b.open("/app").signIn(name).want(http.StatusOK, "/app "+name)
	return b
}
