// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	tokens "github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/module"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

func init() {
	caddy.RegisterModule(new(guestStore))
}

// guestStore is a store of somebody else's: the built-in one, which fails where a
// test tells it to.
type guestStore struct {
	module.BoltStore
	// Trouble is the beginning of the names of two files: while the one that ends in
	// .reads is there, nothing can be read, and nothing written while .writes is.
	Trouble string `json:"trouble,omitempty"`
	// Panics is where it panics: at provision or cleanup.
	Panics string `json:"panics,omitempty"`
}

func (*guestStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: module.StoreNamespace + ".systemtest", New: func() caddy.Module { return new(guestStore) }}
}

// UnmarshalCaddyfile reads
//
//	systemtest trouble|panics <what>
func (s *guestStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	var name, what string
	if d.Next(); !d.Args(&name, &what) {
		return d.ArgErr()
	}
	switch name {
	case "trouble":
		s.Trouble = what
	case "panics":
		s.Panics = what
	default:
		return d.ArgErr()
	}
	return nil
}

func (s *guestStore) Provision(ctx caddy.Context) error {
	if s.Panics == "provision" {
		panic("the guest does not want to begin")
	}
	return s.BoltStore.Provision(ctx)
}

func (s *guestStore) Cleanup() error {
	if s.Panics == "cleanup" {
		panic("the guest does not want to end")
	}
	return nil
}

func (s *guestStore) Open(ctx context.Context, lockWait time.Duration, waiting func()) (tokenstore.Store, error) {
	store, err := s.BoltStore.Open(ctx, lockWait, waiting)
	return &troubledStore{store, s.Trouble}, err
}

// troubledStore is a store that fails while certain files are there: see
// [guestStore].
type troubledStore struct {
	tokenstore.Store
	trouble string
}

func (s *troubledStore) Get(ctx context.Context, keys ...tokenstore.Key) ([]tokenstore.Item, error) {
	if _, err := os.Stat(s.trouble + ".reads"); err == nil {
		return nil, fmt.Errorf("%w: the test says so", tokenstore.ErrUnavailable)
	}
	return s.Store.Get(ctx, keys...)
}

func (s *troubledStore) Apply(ctx context.Context, b tokenstore.Batch) (tokenstore.Revision, error) {
	if _, err := os.Stat(s.trouble + ".writes"); err == nil {
		return 0, fmt.Errorf("%w: the test says so", tokenstore.ErrUnavailable)
	}
	return s.Store.Apply(ctx, b)
}

// withStore is the Caddyfile of most tests with another store.
func withStore(store string) string {
	return strings.Replace(guarded, "\toauth2 {\n", "\toauth2 {\n\t\tstore "+store+"\n", 1)
}

// Ensure that a store that cannot be read lets no token pass that it would have to be
// asked about, and says so as trouble of ours, to whoever sends, introspects or
// revokes one; that it neither stops those who are known already nor is remembered
// when it is over. Row V09.
func TestStoreThatCannotBeReadFailsClosed(t *testing.T) {
	t.Parallel()
	g, u := startWith(t, withStore("systemtest trouble {$TROUBLE}"), "TROUBLE=trouble")
	known, fresh := g.shopToken("user"), g.shopToken("user")
	if got := g.call("api.localhost", "/x", known); got != http.StatusOK {
		t.Fatalf("a good token: %d", got)
	}
	trouble := g.write("trouble.reads", "")
	client := "Authorization: Basic " + basic("shop", shopSecret)
	untouched(t, u, func() {
		for range 3 {
			for name, a := range map[string]answer{
				"a token":         g.get("api.localhost", "/x", "Authorization: Bearer "+fresh),
				"introspection":   g.request("POST", "localhost", "/oauth/introspect", "token="+fresh, formType, client),
				"a made-up token": g.get("api.localhost", "/x", "Authorization: Bearer "+tokens.New(tokens.Access)),
				"a revocation":    g.request("POST", "localhost", "/oauth/revoke", "token="+fresh, formType, client),
			} {
				if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
					t.Errorf("%s: %d, Retry-After %q", name, a.status, a.header.Get("Retry-After"))
				}
			}
		}
	})
	if got := g.call("api.localhost", "/x", known); got != http.StatusOK {
		t.Errorf("a known token, meanwhile: %d", got)
	}
	if err := os.Remove(trouble); err != nil {
		t.Fatal(err)
	}
	if got := g.call("api.localhost", "/x", fresh); got != http.StatusOK {
		t.Errorf("the token, once the store can be read again: %d", got)
	}
	g.shopToken("user")
}

// Ensure that while nothing can be written, as on a disk that has become read-only, no
// token is issued and no revocation acknowledged, that live tokens go on, and that all
// is well afterwards. Row FK09, as far as a gateway sees it.
func TestStoreThatTakesNoWritesFailsClosed(t *testing.T) {
	t.Parallel()
	g, _ := startWith(t, withStore("systemtest trouble {$TROUBLE}"), "TROUBLE=trouble")
	token, doomed := g.shopToken("user"), g.shopToken("user")
	trouble := g.write("trouble.writes", "")
	client := "Authorization: Basic " + basic("shop", shopSecret)
	for range 3 {
		for name, a := range map[string]answer{
			"a token request": g.request("POST", "localhost", "/oauth/token", "grant_type=client_credentials", formType, client),
			"a revocation":    g.request("POST", "localhost", "/oauth/revoke", "token="+doomed, formType, client),
		} {
			if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
				t.Errorf("%s: %d, Retry-After %q", name, a.status, a.header.Get("Retry-After"))
			}
		}
		if got := g.call("api.localhost", "/x", token); got != http.StatusOK {
			t.Errorf("a live token, meanwhile: %d", got)
		}
	}
	if err := os.Remove(trouble); err != nil {
		t.Fatal(err)
	}
	g.shopToken("user")
	g.revoke(doomed)
	for token, want := range map[string]int{token: http.StatusOK, doomed: http.StatusUnauthorized} {
		if got := g.call("api.localhost", "/x", token); got != want {
			t.Errorf("afterwards: %d, want %d", got, want)
		}
	}
}

// Ensure that a guest which panics while a configuration is loaded, or let go of,
// takes nothing with it: what serves goes on serving, the store is open once, and the
// next reload is taken. Row N10.
func TestGuestThatPanicsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	token := g.shopToken("user")
	still := func(when string) {
		t.Helper()
		g.settle()
		if got := g.call("api.localhost", "/x", token); got != http.StatusOK {
			t.Errorf("%s: a token from before: %d", when, got)
		}
		if n := g.descriptors("tokens.db"); n != 1 {
			t.Errorf("%s: the store is open %d times", when, n)
		}
	}
	for range 3 {
		// Caddy ends the admin connection on which a panic came.
		if err := g.reload(withStore("systemtest panics provision")); err == nil {
			t.Error("a configuration whose guest panics was taken")
		}
		still("after a panic at Provision")
		g.mustReload(guarded)
		still("after the next reload")

		g.mustReload(withStore("systemtest panics cleanup"))
		still("with a guest that will panic")
		if err := g.reload(guarded); err == nil {
			t.Error("the guest did not panic at Cleanup")
		}
		still("after a panic at Cleanup")
		g.mustReload(guarded + "# again\n")
		g.shopToken("user")
		still("after the next reload but one")
	}
}
