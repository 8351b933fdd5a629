// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// legacyLogin is an application with a log-in of its own, where zoe has an account.
type legacyLogin struct {
	*httptest.Server
	// asked counts log-ins; status is what it says to who asks whether there is an account.
	asked, status atomic.Int64
}

func newLegacyLogin(t *testing.T) *legacyLogin {
	t.Helper()
	app := new(legacyLogin)
	app.status.Store(http.StatusNoContent)
	app.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/check" {
			w.WriteHeader(int(app.status.Load()))
			return
		}
		app.asked.Add(1)
		if r.FormValue("username") == "zoe" && r.FormValue("password") == zoePassword {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "s"})
		}
	}))
	t.Cleanup(app.Close)
	return app
}

// start runs a gateway whose users are the application's.
func (app *legacyLogin) start(t *testing.T) *gateway {
	t.Helper()
	config := strings.Replace(coded, "\t\t\tsign_up\n", "\t\t\thttp {$LOGIN} {\n\t\t\t\tcookie session\n\t\t\t\tcheck {$LOGIN}/check\n\t\t\t}\n", 1)
	g := start(t, config, "SECRET="+codeSecret, "REUSE=10m", "LOGIN="+app.URL)
	g.canary(zoePassword)
	return g
}

// Ensure that whoever has no account in the application any more gets no new token, and
// that its trouble is a 503 which costs nobody the refresh token.
func TestRefreshAsksTheLegacyApplication(t *testing.T) {
	t.Parallel()
	app := newLegacyLogin(t)
	g := app.start(t)
	zoe := newPerson(g)
	zoe.at("/oauth/signin").signIn("zoe", zoePassword)
	held := g.redeem(zoe.allow(challenged())).Refresh
	renewed := func(when string) {
		t.Helper()
		a := g.refresh(held)
		if a.status != http.StatusOK || g.call("api.localhost", "/", a.Access) != http.StatusOK {
			t.Fatalf("%s: %+v", when, a)
		}
		held = a.Refresh
	}
	renewed("with an account")
	for _, status := range []int64{http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusForbidden} {
		app.status.Store(status)
		resp, body := g.post("/oauth/token", "shop", codeSecret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {held}})
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("the application answers %d: %s %s", status, resp.Status, body)
		}
	}
	app.status.Store(http.StatusNoContent)
	renewed("when the trouble is over")
	for _, status := range []int64{http.StatusNotFound, http.StatusGone} {
		app.status.Store(status)
		if a := g.refresh(held); a.status != http.StatusBadRequest || a.Error != "invalid_grant" {
			t.Errorf("the application answers %d: %+v", status, a)
		}
	}
}

// Ensure that a guess which has to wait does not reach the application, whether the
// gateway knows the user or not: nobody guesses there faster than here.
func TestGuessesAreSlowedBeforeTheLegacyApplication(t *testing.T) {
	t.Parallel()
	app := newLegacyLogin(t)
	g := app.start(t)
	newPerson(g).at("/oauth/signin").signIn("zoe", zoePassword)
	for _, name := range []string{"zoe", "never-seen"} {
		// A network has 20 tries for free, an account five: 20 are enough however slow
		// the machine is, since each doubles the wait for the next.
		slowed := false
		for i := 0; i < 20 && !slowed; i++ {
			before := app.asked.Load()
			s := newPerson(g).at("/oauth/signin").signIn(name, otherPassword)
			reached := app.asked.Load() - before
			if slowed = s.status == http.StatusTooManyRequests; slowed && reached != 0 || !slowed && reached != 1 {
				t.Errorf("%s: guess %d is answered %d and reaches the application %d times", name, i, s.status, reached)
			}
		}
		if !slowed {
			t.Errorf("%s: no guess had to wait", name)
		}
	}
}
