// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// changing is an Authenticator whose answer a test changes on the way.
type changing struct {
	answer atomic.Pointer[error]
	panics atomic.Bool
}

func (c *changing) Authenticate(context.Context, authz.Credential) (authz.Principal, error) {
	if c.panics.Load() {
		panic("a fault in an authenticator")
	}
	if err := c.answer.Load(); err != nil {
		return authz.Principal{}, *err
	}
	return changed(func(p *authz.Principal) { p.Expires = time.Now().Add(time.Hour) }, "user"), nil
}

func (c *changing) say(err error) { c.answer.Store(&err) }

// opened is how long a connection is open before something happens to it: some
// rounds of the watch, and the moment is not the watch's own.
const opened = 4*watchEvery + watchEvery/2

// openUpgrade lets a WebSocket handshake through a guard and returns how long
// after the call of then the connection was cut; 0 when it was not within wait.
func openUpgrade(t *testing.T, then func(*changing), wait time.Duration) time.Duration {
	t.Helper()
	auth := new(changing)
	c := testConfig(t, "allow /* user")
	c.Authenticator, c.Now = auth, time.Now
	g := newGuard(t, c)

	r := httptest.NewRequest("GET", "https://api.example.com/socket", nil)
	r.Header.Set("Authorization", "Bearer user")
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	var lasted time.Duration
	err := g.ServeHTTP(httptest.NewRecorder(), r, func(_ http.ResponseWriter, r *http.Request) error {
		time.Sleep(opened) // in the bubble: several rounds of the watch
		if r.Context().Err() != nil {
			t.Error("a valid connection was cut")
		}
		then(auth)
		start := time.Now()
		select {
		case <-r.Context().Done():
			lasted = time.Since(start)
		case <-time.After(wait):
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	time.Sleep(2 * watchEvery) // then the watch is over, or the bubble ends in a panic
	return lasted
}

// Ensure that an upgraded connection ends within 5 s of the revocation of what
// it was opened with, and that the watch ends with it (the bubble would not).
func TestUpgradedConnectionIsCutOnRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lasted := openUpgrade(t, func(c *changing) { c.say(authz.ErrInvalidToken) }, time.Minute)
		if lasted == 0 || lasted > 5*time.Second {
			t.Errorf("the connection lasted %s after the revocation", lasted)
		}
	})
}

// Ensure that trouble of ours cuts nothing that is still valid, and that expiry
// is kept all the same.
func TestUpgradedConnectionOutlivesTroubleUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trouble := func(c *changing) { c.say(errors.New("disk on fire")) }
		if lasted := openUpgrade(t, trouble, time.Minute); lasted != 0 {
			t.Errorf("trouble cut the connection after %s", lasted)
		}
		left := time.Hour - opened
		if lasted := openUpgrade(t, trouble, 2*time.Hour); lasted < left || lasted > left+5*time.Second {
			t.Errorf("with %s to live the connection lasted %s", left, lasted)
		}
	})
}

// Ensure that a panic of what judges a connection ends that connection, and not
// the process.
func TestUpgradedConnectionIsCutOnPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lasted := openUpgrade(t, func(c *changing) { c.panics.Store(true) }, time.Minute)
		if lasted == 0 || lasted > 5*time.Second {
			t.Errorf("the connection lasted %s", lasted)
		}
	})
}

// hanging is an Authenticator that answers once for each connection, and then
// hangs as long as it may.
type hanging struct{ hangs atomic.Bool }

func (h *hanging) Authenticate(ctx context.Context, _ authz.Credential) (authz.Principal, error) {
	if h.hangs.Load() {
		<-ctx.Done()
		return authz.Principal{}, ctx.Err()
	}
	return changed(func(p *authz.Principal) { p.Expires = time.Now().Add(time.Minute) }, "user"), nil
}

// Ensure that many connections end with their tokens while the store hangs, and
// not one after the other.
func TestUpgradedConnectionsExpireTogetherWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth := new(hanging)
		c := testConfig(t, "allow /* user")
		c.Authenticator, c.Now = auth, time.Now
		g := newGuard(t, c)
		start := time.Now()
		for range 20 {
			go func() {
				r := get("GET", "https://api.example.com/socket", "user")
				r.Header.Set("Connection", "Upgrade")
				r.Header.Set("Upgrade", "websocket")
				_ = g.ServeHTTP(httptest.NewRecorder(), r, func(_ http.ResponseWriter, r *http.Request) error {
					<-r.Context().Done()
					if lasted := time.Since(start); lasted < time.Minute || lasted > time.Minute+5*time.Second {
						t.Errorf("a connection of a minute lasted %s", lasted)
					}
					return nil
				})
			}()
		}
		synctest.Wait()
		auth.hangs.Store(true)
		time.Sleep(5 * time.Minute)
	})
}
