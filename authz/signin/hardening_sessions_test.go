// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that whoever knows a password and signs in again and again ends but the
// oldest sessions by it, and cannot make them too many to be ended at once by a new
// password: neither by their number, nor by that of the clients they sign in.
func TestHardeningSessionsWithoutEnd(t *testing.T) {
	w := newWorld(t)
	ann := w.add("ann")
	first := w.signedIn("ann")
	w.pass(time.Minute)
	own := w.signedIn("ann")
	w.pass(time.Second)
	// Few enough at a time that new browsers need not wait for their turn to guess.
	const abreast = 4
	var all sync.WaitGroup
	for range abreast {
		all.Go(func() {
			for range signin.MaxSessions/abreast + 1 {
				w.signedIn("ann")
			}
		})
	}
	all.Wait()
	// Of two who come at a time neither sees the other's.
	sessions, err := w.Sessions(t.Context(), ann.Subject)
	if err != nil || len(sessions) > signin.MaxSessions+abreast {
		t.Fatalf("%d sessions, %v", len(sessions), err)
	}
	w.pass(time.Second)
	own.open("/oauth/signin").signIn("ann").want(200, "/oauth/account ann")
	if sessions, err = w.Sessions(t.Context(), ann.Subject); err != nil || len(sessions) > signin.MaxSessions {
		t.Errorf("%d sessions, %v", len(sessions), err)
	}
	first.open("/app").want(200, signInPage)
	for _, session := range sessions[:2] {
		w.commit(func(change *tokenstore.Change) error {
			for i := range tokenstore.MaxChange/2 + 1 {
				w.SignedInto(change, session, "client"+strconv.Itoa(i))
			}
			return nil
		})
	}
	const next = "another good passphrase"
	own.open("/oauth/password").submit("change", "password", right, "new_password", next, "repeat", next).want(200, "/oauth/account ann")
	own.open("/app").want(200, "/app ann")
	if sessions, err = w.Sessions(t.Context(), ann.Subject); err != nil || len(sessions) != 1 {
		t.Errorf("a new password leaves %d sessions, %v", len(sessions), err)
	}
}

// Ensure that a form that came before the TLS handshake was over, and so may be a copy,
// does nothing.
func TestHardeningFormsInEarlyData(t *testing.T) {
	w := newWorld(t)
	w.add("ann")
	b := w.signedIn("ann")
	for path, button := range map[string]string{"/oauth/signin": "signin", "/oauth/signout": "signout", "/oauth/password": "change"} {
		req := b.open(path).request(button, "username", "ann", "password", right)
		req.Header.Set("Test-Early", "1")
		b.send(req).want(http.StatusTooEarly, "")
	}
	b.open("/app").want(200, "/app ann")
}
