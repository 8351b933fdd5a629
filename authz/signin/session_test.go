// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const signInPage = `value="signin"`

// Ensure that a session ends when nobody uses it, and in the end even if somebody
// does; and that its use is noted every few minutes, not at each request.
func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	w.add("ann")
	b := w.signedIn("ann")
	before := w.engine.commits.Load()
	for range 10 {
		b.open("/app").want(200, "/app ann")
	}
	if n := w.engine.commits.Load() - before; n != 0 {
		t.Errorf("10 requests write %d times", n)
	}
	for range 35 { // 30 days less a few hours, no day of them without a visit
		w.pass(20 * time.Hour)
		b.open("/app").want(200, "/app ann")
	}
	w.pass(21 * time.Hour)
	b.open("/app").want(200, signInPage)
	b = w.signedIn("ann")
	w.pass(24*time.Hour - time.Second)
	b.open("/app").want(200, "/app ann")
	w.pass(24 * time.Hour)
	b.open("/app").want(200, signInPage)
}

// Ensure that a user's sessions are listed with what they are recognised by, and end
// one by one; also one that was left alone for too long takes with it what depends on it.
func TestListAndEnd(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	w.add("anna")
	w.signedIn("anna")
	laptop, phone := w.signedIn("ann"), w.signedIn("ann")
	all, err := w.Sessions(t.Context(), ann.Subject)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d sessions, %v", len(all), err)
	}
	if s := all[0]; s.Agent != "Firefox, Linux" || s.Address != "127.0.0.0/24" || !s.AuthTime.Equal(w.db.Now()) || !s.Expires.Equal(w.db.Now().Add(24*time.Hour)) || s.ACR != "1" {
		t.Errorf("%+v", s)
	}
	for _, client := range []string{"shop", "mail", "shop"} {
		w.commit(func(change *tokenstore.Change) error { w.SignedInto(change, all[0], client); return nil })
	}
	listed, err := w.Sessions(t.Context(), ann.Subject)
	if err != nil || !slices.ContainsFunc(listed, func(s *signin.Session) bool {
		return s.ID == all[0].ID && strings.Join(s.Clients, " ") == "mail shop"
	}) {
		t.Errorf("%+v, %v", listed, err)
	}
	if err := w.End(t.Context(), ann.Subject, "nonsense", "admin"); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("ending what is not there: %v", err)
	}
	if err := w.End(t.Context(), ann.Subject, all[0].ID, ann.Subject); err != nil {
		t.Fatal(err)
	}
	_, err = w.db.Generations(t.Context(), tokenstore.SessionAnchorKey(all[0].ID))
	if !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("what depends on the session lives on: %v", err)
	}
	in := 0
	for _, b := range []*browser{laptop, phone} {
		if !strings.Contains(b.open("/app").body, signInPage) {
			in++
		}
	}
	if in != 1 {
		t.Errorf("%d of two browsers are signed in", in)
	}
	w.pass(25 * time.Hour)
	if left, err := w.Sessions(t.Context(), ann.Subject); err != nil || len(left) != 0 {
		t.Errorf("%+v, %v", left, err)
	}
	w.commit(func(change *tokenstore.Change) error {
		return w.EndAll(t.Context(), w.db, change, ann.Subject, "", "admin")
	})
	if _, err = w.db.Generations(t.Context(), tokenstore.SessionAnchorKey(all[1].ID)); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("what depends on a session that nobody uses lives on: %v", err)
	}
}

// Ensure that several accounts are in one browser, that its user chooses among
// them, signs them out one by one, and that there is a limit.
func TestSeveralAccounts(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	bob := w.add("bob")
	b := w.signedIn("ann")
	b.open("/oauth/signin").signIn("bob").want(200, "/oauth/account bob")
	b.open("/app").want(200, "/app bob")
	w.demand.Choose, w.demand.Asked = true, w.db.Now().Add(time.Second)
	w.pass(time.Second)
	s := b.open("/app").want(200, `value="choose"`)
	s.submit("choose", "account", ann.Subject).want(200, "/app ann")
	b.open("/app").want(200, "/app ann")
	s.submit("choose", "account", "nobody").want(http.StatusForbidden, `value="choose"`)
	s.submit("another").want(200, signInPage)
	// Who is picked, and has to sign in anew, is not asked to pick for ever.
	w.demand = signin.Demand{Return: "/app", MaxAge: -1, Choose: true, Asked: w.db.Now().Add(time.Second), Since: w.db.Now().Add(time.Second)}
	w.pass(time.Second)
	b.open("/app").submit("choose", "account", ann.Subject).want(200, signInPage).want(200, `value="ann"`).signIn("ann").want(200, "/app ann")
	w.demand = signin.Demand{Return: "/app", MaxAge: -1}
	old := b.cookie()
	b.open("/oauth/signout").want(200, "ann").submit("signout")
	b.open("/app").want(200, "/app bob")
	if b.cookie() == old {
		t.Error("signing out leaves the cookie")
	}
	b.open("/oauth/signin").signIn("ann")
	b.open("/oauth/signout").submit("signout_all").want(200, "signed out")
	if left, err := w.Sessions(t.Context(), bob.Subject); err != nil || len(left) != 0 {
		t.Errorf("%d sessions are left, %v", len(left), err)
	}
	for i := range signin.MaxAccounts {
		name := "user" + string(rune('a'+i))
		w.add(name)
		b.open("/oauth/signin").signIn(name)
	}
	b.open("/oauth/signin").signIn("ann")
	first, err := w.users.Find(t.Context(), "usera")
	if err != nil {
		t.Fatal(err)
	}
	if left, err := w.Sessions(t.Context(), first.Value.Subject); err != nil || len(left) != 0 {
		t.Errorf("one account more than the limit leaves the oldest signed in: %d, %v", len(left), err)
	}
}

// Ensure that who signs in again goes on with the session, under another cookie, and
// that of two at once with one cookie each gets one that counts.
func TestSignInAgain(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	b := w.signedIn("ann")
	before, old := b.open("/app").body, b.cookie()
	w.pass(time.Minute)
	w.demand.Since = w.db.Now()
	s := b.open("/app").want(200, signInPage)
	if after := s.signIn("ann").want(200, "/app ann"); after.body != before || b.cookie() == old {
		t.Errorf("%s, before %s; cookie %v", after.body, before, b.cookie() == old)
	}
	thief := w.browser()
	thief.setCookie(old)
	w.demand = signin.Demand{Return: "/app", MaxAge: -1}
	thief.open("/app").want(200, signInPage)
	s = b.open("/oauth/signin")
	requests := []*http.Request{s.request("signin", "username", "ann", "password", right), s.request("signin", "username", "ann", "password", right)}
	var both sync.WaitGroup
	for _, r := range requests {
		both.Go(func() {
			if s := b.send(r); s.path != "/oauth/account" {
				t.Errorf("%d %s", s.status, s.path)
			}
		})
	}
	both.Wait()
	b.open("/app").want(200, "/app ann")
	if all, err := w.Sessions(t.Context(), ann.Subject); err != nil || len(all) > 2 {
		t.Errorf("%d sessions, %v", len(all), err)
	}
}

// Ensure that trouble is told as such, and takes nobody for signed out.
func TestTrouble(t *testing.T) {
	w := newWorld(t)
	w.add("ann")
	b := w.signedIn("ann")
	s := b.open("/oauth/signin")
	w.engine.failing.Store(true)
	for _, path := range []string{"/app", "/oauth/signin", "/oauth/signout", "/oauth/password"} {
		b.open(path).want(http.StatusServiceUnavailable, "")
	}
	s.signIn("ann").want(http.StatusServiceUnavailable, "")
	w.engine.failing.Store(false)
	b.open("/app").want(200, "/app ann")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Sessions(ctx, "nobody"); err == nil {
		t.Error("a list in spite of trouble")
	}
}
