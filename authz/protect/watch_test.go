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

// promised is how soon after revocation or expiry a request is cut.
const promised = 5 * time.Second

// changing is an Authenticator whose answer a test changes on the way.
type changing struct {
	answer atomic.Pointer[error]
	panics atomic.Bool
	asked  atomic.Int32
}

func (c *changing) Authenticate(context.Context, authz.Credential) (authz.Principal, error) {
	c.asked.Add(1)
	if c.panics.Load() {
		panic("a fault in an authenticator")
	}
	if err := c.answer.Load(); err != nil {
		return authz.Principal{}, *err
	}
	return changed(func(p *authz.Principal) { p.Expires = time.Now().Add(time.Hour) }, "user"), nil
}

func (c *changing) say(err error) { c.answer.Store(&err) }

// opened is how long a request is under way before something happens to it: some
// rounds of the watch, and the moment is not the watch's own.
const opened = 4*watchEvery + watchEvery/2

// watched returns a guard that asks auth, in real time (or that of a bubble).
func watched(t *testing.T, auth Authenticator, rows ...string) *Guard {
	t.Helper()
	c := testConfig(t, rows...)
	c.Authenticator, c.Now = auth, time.Now
	return newGuard(t, c)
}

// through sends a request through a guard and reports whether it was aborted.
func through(t *testing.T, g *Guard, w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) (aborted bool) {
	t.Helper()
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			aborted = true
		} else if p != nil {
			panic(p)
		}
	}()
	if err := g.ServeHTTP(w, r, next); err != nil {
		t.Error(err)
	}
	return false
}

// lastsAfter lets a request through a guard and returns how long after the call of
// then it was cut; 0 when it was not within wait.
func lastsAfter(t *testing.T, then func(*changing), wait time.Duration) time.Duration {
	t.Helper()
	auth := new(changing)
	g := watched(t, auth, "allow /* user")
	var lasted time.Duration
	aborted := through(t, g, httptest.NewRecorder(), get("GET", "https://api.example.com/events", "user"), func(w http.ResponseWriter, r *http.Request) error {
		time.Sleep(opened) // in the bubble: several rounds of the watch
		if r.Context().Err() != nil {
			t.Error("a valid request was cut")
		}
		then(auth)
		start := time.Now()
		select {
		case <-r.Context().Done():
			lasted = time.Since(start)
			if _, err := w.Write([]byte("late")); !errors.Is(err, errCut) {
				t.Errorf("a cut request can write: %v", err)
			}
			if err := http.NewResponseController(w).Flush(); !errors.Is(err, errCut) {
				t.Errorf("a cut request can flush: %v", err)
			}
		case <-time.After(wait):
		}
		return nil
	})
	if aborted != (lasted != 0) {
		t.Errorf("aborted: %v, cut after %s", aborted, lasted)
	}
	return lasted
}

// Ensure that a request ends within 5 s of the revocation of what it came with.
func TestRequestIsCutOnRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lasted := lastsAfter(t, func(c *changing) { c.say(authz.ErrInvalidToken) }, time.Minute)
		if lasted == 0 || lasted > promised {
			t.Errorf("the request lasted %s after the revocation", lasted)
		}
	})
}

// Ensure that trouble of ours cuts nothing that is still valid, and that expiry
// is kept all the same.
func TestRequestOutlivesTroubleUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trouble := func(c *changing) { c.say(errors.New("disk on fire")) }
		if lasted := lastsAfter(t, trouble, time.Minute); lasted != 0 {
			t.Errorf("trouble cut the request after %s", lasted)
		}
		left := time.Hour - opened
		if lasted := lastsAfter(t, trouble, 2*time.Hour); lasted < left || lasted > left+promised {
			t.Errorf("with %s to live the request lasted %s", left, lasted)
		}
	})
}

// Ensure that a panic of what judges a request ends that request, and not the
// process.
func TestRequestIsCutOnPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if lasted := lastsAfter(t, func(c *changing) { c.panics.Store(true) }, time.Minute); lasted == 0 || lasted > promised {
			t.Errorf("the request lasted %s", lasted)
		}
	})
}

// Ensure that ordinary requests are judged once, and that those without a
// credential are not followed, however long they last.
func TestOnlyWhatLastsIsJudgedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth := new(changing)
		g := watched(t, auth, "allow /a user", "public /b", "optional /c")
		lasting := func(d time.Duration) func(http.ResponseWriter, *http.Request) error {
			return func(http.ResponseWriter, *http.Request) error { time.Sleep(d); return nil }
		}
		for range 100 {
			through(t, g, httptest.NewRecorder(), get("GET", "/a", "user"), lasting(watchAfter-watchAfter/10))
		}
		if n := auth.asked.Load(); n != 100 {
			t.Errorf("100 requests were judged %d times", n)
		}
		auth.say(authz.ErrInvalidToken)
		for _, r := range []*http.Request{get("GET", "/b", "user"), get("GET", "/c", "")} {
			if through(t, g, httptest.NewRecorder(), r, lasting(time.Minute)) {
				t.Errorf("%s was cut", r.URL)
			}
		}
		if g.watch.busy() {
			t.Error("requests that have ended are still known")
		}
	})
}

// hanging is an Authenticator that answers once for each request, and then hangs
// as long as it may.
type hanging struct{ hangs atomic.Bool }

func (h *hanging) Authenticate(ctx context.Context, _ authz.Credential) (authz.Principal, error) {
	if h.hangs.Load() {
		<-ctx.Done()
		return authz.Principal{}, ctx.Err()
	}
	return changed(func(p *authz.Principal) { p.Expires = time.Now().Add(time.Minute) }, "user"), nil
}

// Ensure that many requests end with their tokens while the store hangs, and not
// one after the other.
func TestRequestsExpireTogetherWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth := new(hanging)
		g := watched(t, auth, "allow /* user")
		start := time.Now()
		for range 20 {
			go through(t, g, httptest.NewRecorder(), get("GET", "https://api.example.com/events", "user"), func(_ http.ResponseWriter, r *http.Request) error {
				<-r.Context().Done()
				if lasted := time.Since(start); lasted < time.Minute || lasted > time.Minute+promised {
					t.Errorf("a request of a minute lasted %s", lasted)
				}
				return nil
			})
		}
		synctest.Wait()
		auth.hangs.Store(true)
		time.Sleep(5 * time.Minute)
	})
}

// halfHanging is an Authenticator whose tokens of another issuer hang as long as they
// may, once told so, and whose own ones take a look at the store.
type halfHanging struct{ hanging }

func (h *halfHanging) Authenticate(ctx context.Context, c authz.Credential) (authz.Principal, error) {
	expires := func(p *authz.Principal) { p.Expires = time.Now().Add(time.Hour) }
	switch {
	case c.Value == "foreign":
		if _, err := h.hanging.Authenticate(ctx, c); err != nil {
			return authz.Principal{}, err
		}
		return changed(func(p *authz.Principal) { p.Issuer, p.Audience = testForeign, []string{"api"}; expires(p) }, "user"), nil
	case ctx.Err() != nil:
		return authz.Principal{}, ctx.Err()
	case h.hangs.Load():
		return authz.Principal{}, authz.ErrInvalidToken
	}
	return changed(expires, "user"), nil
}

// Ensure that an issuer that hangs does not keep revoked tokens of ours in use: its
// streams would take all the time there is.
func TestAttackStreamsOfAnIssuerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth := new(halfHanging)
		c := abroad(t, "allow /* user")
		c.Authenticator, c.Now = auth, time.Now
		g := newGuard(t, c)
		ended := make(chan struct{})
		for range 40 {
			go through(t, g, httptest.NewRecorder(), get("GET", "https://api.example.com/events", "foreign"), func(_ http.ResponseWriter, r *http.Request) error {
				<-ended
				return nil
			})
		}
		through(t, g, httptest.NewRecorder(), get("GET", "https://api.example.com/events", "user"), func(_ http.ResponseWriter, r *http.Request) error {
			time.Sleep(opened)
			auth.hangs.Store(true)
			start := time.Now()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Minute):
			}
			if lasted := time.Since(start); lasted > promised {
				t.Errorf("the request lasted %s after the revocation", lasted)
			}
			return nil
		})
		close(ended)
		time.Sleep(time.Minute)
	})
}

// Ensure that a round costs next to nothing for each of the streams that somebody
// holds open by the ten thousand.
func TestAttackManyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, ended := watched(t, new(changing), "allow /* user"), make(chan struct{})
		const streams = 1000
		for range streams {
			go through(t, g, httptest.NewRecorder(), get("GET", "https://api.example.com/events", "user"), func(http.ResponseWriter, *http.Request) error {
				<-ended
				return nil
			})
		}
		time.Sleep(watchAfter + watchAfter/2)
		g.watch.due.Store(true)                                            // no round but those of the test
		if each := testing.AllocsPerRun(10, g.round) / streams; each > 4 { // most are of the test itself
			t.Errorf("%.1f allocations for each stream", each)
		}
		close(ended)
		synctest.Wait()
	})
}

// Ensure that following a request costs no allocation.
func TestFollowingDoesNotAllocate(t *testing.T) {
	g := typicalGuard(t)
	p := new(passage)
	g.enter(p) // sets the timer
	g.leave(p)
	if n := testing.AllocsPerRun(200, func() { g.enter(p); g.leave(p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFollow(b *testing.B) {
	g := typicalGuard(b)
	b.RunParallel(func(b *testing.PB) {
		p := new(passage)
		for b.Next() {
			g.enter(p)
			g.leave(p)
		}
	})
}
