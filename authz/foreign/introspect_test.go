// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

// active is the answer about a good opaque token, with changes.
func (w *world) active(changes claims) claims {
	c := w.claims(claims{"active": true, "token_type": "Bearer", "jti": nil})
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// Ensure that the issuer is asked as RFC 7662 has it, once for as long as its
// answer may be used, and never about our own tokens.
func TestOpaqueTokensAreAskedAbout(t *testing.T) {
	w := newWorld(t)
	s := w.set(w.introspected(30 * time.Second))
	var sent string
	w.answer = func(rw http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		sent = r.Method + " " + user + " " + secret + " " + string(body)
		_, _ = io.WriteString(rw, `{"active":true,"token_type":"bearer","client_id":"app","sub":"ann","aud":["api"],"scope":"read"}`)
	}
	p := passes(t, s, "opaque+token", "first")
	if sent != "POST the+gate s%3Acret token=opaque%2Btoken&token_type_hint=access_token" {
		t.Errorf("sent %q", sent)
	}
	if p.Issuer != w.server.URL || p.Subject != "ann" || p.Client != "app" || p.Scopes.String() != "read" || !p.Expires.Equal(w.now().Add(30*time.Second)) {
		t.Errorf("%+v", p)
	}
	w.pass(30*time.Second - 1)
	passes(t, s, "opaque+token", "within the time")
	if n := w.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	w.says(claims{"active": false})
	w.pass(1)
	refuses(t, s, "opaque+token", "revoked, after the time", authz.ErrInvalidToken)
	if n := w.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
	if p := passes(t, s, "co2at_ours", "our own"); p.Issuer != ours || w.asked.Load() != 2 {
		t.Errorf("our own token: %+v, asked %d times", p, w.asked.Load())
	}
	refuses(t, s, "co2at_unknown", "what looks like ours", errAskedUs)
}

// Ensure that who comes again at once with a token that was refused costs its issuer
// no question, and that the token is good soon after its issuer says so; and that
// where no answer may be used again, no refusal is.
func TestRefusalsAreKeptBriefly(t *testing.T) {
	w := newWorld(t)
	s := w.set(w.introspected(time.Minute))
	w.says(claims{"active": false})
	for range 10 {
		refuses(t, s, "token", "unknown to its issuer", authz.ErrInvalidToken)
	}
	w.says(w.active(nil))
	w.pass(refusedFor - 1)
	refuses(t, s, "token", "within the time", authz.ErrInvalidToken)
	if n := w.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	w.pass(1)
	passes(t, s, "token", "after it")
	w.says(claims{"active": false})
	w.pass(time.Minute)
	refuses(t, s, "token", "when it has ended", authz.ErrInvalidToken)

	w.asked.Store(0)
	always := w.set(w.introspected(0))
	refuses(t, always, "token", "first", authz.ErrInvalidToken)
	refuses(t, always, "token", "again", authz.ErrInvalidToken)
	if n := w.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want at every request", n)
	}
}

// Ensure that made-up tokens push no good one out of memory, and that they take no
// more room than they have.
func TestRefusalsDisplaceNoGoodToken(t *testing.T) {
	w := newWorld(t)
	s := w.set(w.introspected(time.Minute))
	w.says(w.active(nil))
	passes(t, s, "good", "first")
	until := w.now().Add(refusedFor)
	for i := range 2 * maxRefusals {
		w.memory.remember(s.digest(fmt.Sprint("made up ", i)), &verdict{refused: authz.ErrInvalidToken, until: until})
	}
	passes(t, s, "good", "after the flood")
	if n := w.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	total := 0
	for i := range w.memory.verdicts {
		total += len(w.memory.verdicts[i].refused)
	}
	if total > maxRefusals {
		t.Errorf("%d refusals, want at most %d", total, maxRefusals)
	}
}

// Ensure that an answer is not used beyond the token's end, and not at all when
// it may not be.
func TestAnswersEndWithTheirTokens(t *testing.T) {
	w := newWorld(t)
	s := w.set(w.introspected(time.Minute))
	w.says(w.active(claims{"exp": w.now().Add(10 * time.Second).Unix()}))
	passes(t, s, "token", "first")
	w.pass(10*time.Second + DefaultLeeway - 1)
	passes(t, s, "token", "before its end")
	w.pass(1)
	refuses(t, s, "token", "after it", authz.ErrInvalidToken)

	w.asked.Store(0)
	w.says(w.active(nil))
	always := w.set(w.introspected(0))
	passes(t, always, "token", "first")
	passes(t, always, "token", "again")
	if n := w.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want at every request", n)
	}
}

// Ensure that many requests with one token ask once, that who gives up takes
// nobody along, and that another token waits for none of them.
func TestManyRequestsAskOnce(t *testing.T) {
	w := newWorld(t)
	s := w.set(w.introspected(time.Minute))
	release := make(chan struct{})
	arrived := make(chan struct{}, 100)
	w.answer = func(rw http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		if r.FormValue("token") == "slow" {
			<-release
		}
		_, _ = io.WriteString(rw, `{"active":true,"token_type":"Bearer","client_id":"app","aud":"api"}`)
	}
	impatient, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if _, err := s.Authenticate(impatient, bearer("slow")); !errors.Is(err, authz.ErrTemporarilyUnavailable) {
			t.Errorf("who gave up: %v", err)
		}
	}()
	var group sync.WaitGroup
	<-arrived
	for range 50 {
		group.Go(func() { passes(t, s, "slow", "one of many") })
	}
	passes(t, s, "quick", "another token")
	cancel()
	<-gone // before there is an answer
	close(release)
	group.Wait()
	if n := w.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want once for each token", n)
	}
}

// Ensure that an endpoint which hangs is asked about so many tokens and no more, and
// that the others answer meanwhile.
func TestAnEndpointThatHangsHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	w.says(w.active(nil))
	release := make(chan struct{})
	var hanging sync.WaitGroup
	for i := range maxFlights {
		hanging.Go(func() {
			_, _ = w.memory.once(t.Context(), "https://hangs.example/introspect", digest{byte(i), byte(i >> 8)}, func(context.Context) (*verdict, error) {
				<-release
				return nil, authz.ErrTemporarilyUnavailable
			})
		})
	}
	full := func() bool {
		w.memory.mu.Lock()
		defer w.memory.mu.Unlock()
		return len(w.memory.flights) == maxFlights
	}
	for !full() {
		runtime.Gosched()
	}
	_, err := w.memory.once(t.Context(), "https://hangs.example/introspect", digest{255, 255}, nil)
	if !errors.Is(err, errBusy) {
		t.Errorf("one more: %v", err)
	}
	passes(t, w.set(w.introspected(time.Minute)), "token", "of another issuer")
	close(release)
	hanging.Wait()
	w.memory.Close()
	if n := len(w.memory.asking); n != 0 {
		t.Errorf("%d endpoints are remembered when all have answered", n)
	}
}

// Ensure that a token which is revoked while an earlier request asks about it is
// refused to later ones: the answer to that question is older than they may have it.
func TestRevokedWhileAskedAbout(t *testing.T) {
	w := newWorld(t)
	s := w.set(w.introspected(0))
	begun, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	w.answer = func(rw http.ResponseWriter, _ *http.Request) {
		good := false
		first.Do(func() { good = true; close(begun); <-release })
		_ = json.NewEncoder(rw).Encode(claims{"active": good, "token_type": "Bearer", "client_id": "app", "aud": "api"})
	}
	var group sync.WaitGroup
	group.Go(func() { passes(t, s, "token", "before it was revoked") })
	<-begun // and now it is revoked
	entered := make(chan struct{}, 20)
	for range cap(entered) {
		group.Go(func() {
			ctx := arriving{t.Context(), entered}
			if _, err := s.Authenticate(ctx, bearer("token")); !errors.Is(err, authz.ErrInvalidToken) {
				t.Errorf("after it was revoked: %v", err)
			}
		})
	}
	for range cap(entered) {
		<-entered
	}
	close(release)
	group.Wait()
	if n := w.asked.Load(); n < 2 {
		t.Errorf("asked %d times: the later ones were not asked about", n)
	}
}

// arriving is a context that tells when somebody begins to wait with it.
type arriving struct {
	context.Context
	entered chan<- struct{}
}

func (a arriving) Done() <-chan struct{} {
	select {
	case a.entered <- struct{}{}:
	default: // again
	}
	return a.Context.Done()
}

// Ensure that an answer that says something else than yes is a no, and one that
// says nothing is trouble of ours (row S01).
func TestAnswersThatAreNoYes(t *testing.T) {
	w := newWorld(t)
	s := w.set(w.introspected(time.Minute))
	for name, answer := range map[string]claims{
		"inactive": {"active": false}, "inactive, with facts": w.active(claims{"active": false}), "another issuer's": w.active(claims{"iss": ours}),
		"a refresh token's": w.active(claims{"token_type": nil}), "Hydra's refresh token": w.active(claims{"token_type": nil, "token_use": "refresh_token"}),
		"Keycloak's refresh token": w.active(claims{"typ": "Refresh"}), "of another type": w.active(claims{"token_type": "N_A"}),
		"no client": w.active(claims{"client_id": nil}), "no audience": w.active(claims{"aud": nil}),
		"expired": w.active(claims{"exp": w.now().Unix() - 60}), "not yet": w.active(claims{"nbf": w.now().Unix() + 60}),
	} {
		w.says(answer)
		refuses(t, s, name, name, authz.ErrInvalidToken)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"HTML":      func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "<html>") },
		"nothing":   func(http.ResponseWriter, *http.Request) {},
		"not said":  func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, `{"sub":"ann"}`) },
		"as text":   func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, `{"active":"true"}`) },
		"enormous":  func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, strings.Repeat(" ", 1<<20)) },
		"forbidden": func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusUnauthorized) },
		"trouble":   func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) },
		"elsewhere": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "/other", http.StatusTemporaryRedirect)
		},
	} {
		w.mu.Lock()
		w.answer = answer
		w.mu.Unlock()
		refuses(t, s, "token", name, authz.ErrTemporarilyUnavailable)
	}
	if _, failed := w.memory.Questions(); failed != 8 {
		t.Errorf("%d questions without an answer, want 8", failed)
	}
	w.says(w.active(nil))
	passes(t, s, "token", "when it is back")
	w.says(w.active(claims{"cnf": map[string]any{"jkt": "x"}}))
	if p := passes(t, s, "bound", "a bound token"); p.ConfirmationKey == "" {
		t.Error("a token bound to a key is a plain one")
	}
}

// Ensure that an issuer with keys and introspection is asked about opaque tokens
// only, one with introspection alone about all of its own, and that a signed
// token that names none of them is shown to nobody.
func TestWhoIsAskedAboutWhat(t *testing.T) {
	w := newWorld(t)
	w.says(w.active(nil))
	both := w.set(func(i *Issuer) { w.introspected(time.Minute)(i); i.JWKS = w.server.URL + "/jwks" })
	passes(t, both, w.sign(w.claims(nil), at), "signed")
	if n := w.asked.Load(); n != 0 {
		t.Errorf("asked %d times about a signed token", n)
	}
	passes(t, both, "opaque", "opaque")
	alone := w.set(w.introspected(time.Minute))
	passes(t, alone, w.sign(w.claims(nil), at), "signed")
	if n := w.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want once each", n)
	}
	refuses(t, alone, w.sign(w.claims(claims{"iss": "https://other.example"}), at), "somebody else's", errAskedUs)
	refuses(t, w.set(nil), "opaque", "opaque, where nobody is asked", errAskedUs)
	if n := w.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

// Ensure that what is remembered does not grow without end, and that expired
// verdicts go first where some are seen.
func TestMemoryIsBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 2 * MaxVerdicts {
		var d digest
		copy(d[:], fmt.Sprintf("%c%d", i, i))
		w.memory.remember(d, &verdict{until: w.now().Add(time.Minute)})
	}
	total := 0
	for i := range w.memory.verdicts {
		total += len(w.memory.verdicts[i].known)
	}
	if total > MaxVerdicts {
		t.Errorf("%d verdicts, want at most %d", total, MaxVerdicts)
	}
}

// FuzzAnswer ensures that no introspection response makes us panic, or is a yes
// without saying so and for whom.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"active":true,"token_type":"Bearer","client_id":"app","sub":"ann","aud":["api"],"scope":"read","exp":2000000000}`))
	f.Add([]byte(`{"active":false,"active":true}`))
	f.Add([]byte(`{"active":true,"token_type":"Bearer","client_id":"app","aud":{"a":1},"exp":1e308,"scp":["a",7]}`))
	f.Add([]byte(`{"active":true,"typ":["Bearer"],"cid":"x","aud":""}`))
	f.Add([]byte(strings.Repeat(`{"a":`, 500)))
	i := &issuer{Issuer: Issuer{Issuer: "https://issuer.example", Introspection: new(Introspection)}}
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := readAnswer(body)
		if err != nil {
			return
		}
		p, err := i.judgeAnswer(c, now)
		if err == nil && (c["active"] != true || p.Client == "" || len(p.Audience) == 0 || !p.Expires.IsZero() && !now.Before(p.Expires)) {
			t.Errorf("%q is a yes: %+v", body, p)
		}
	})
}

// FuzzClaims ensures the same of the claims of signed tokens.
func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"iss":"https://issuer.example","sub":"ann","aud":"api","client_id":"app","exp":2000000000,"scope":"a b"}`), true)
	f.Add([]byte(`{"iss":"https://issuer.example","sub":"ann","aud":["api"],"azp":"app","exp":2000000000.5,"scp":["a","b c"]}`), false)
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, body []byte, standard bool) {
		i := &issuer{Issuer: Issuer{Issuer: "https://issuer.example", Profile: ProfileGeneric}}
		if standard {
			i.Profile = ProfileStandard
		}
		var c claims
		if json.Unmarshal(body, (*jose.Claims)(&c)) != nil {
			return
		}
		p, err := i.judge(c, now)
		if err == nil && (p.Issuer != "https://issuer.example" || p.Client == "" || len(p.Audience) == 0 || !now.Before(p.Expires)) {
			t.Errorf("%q is good: %+v", body, p)
		}
	})
}
