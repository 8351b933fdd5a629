// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

func bearer(raw string) authz.Credential {
	return authz.Credential{Scheme: authz.SchemeBearer, Value: raw}
}

// valid fails the test unless raw is valid or not, as wanted.
func (w *world) valid(t *testing.T, raw string, want bool) {
	t.Helper()
	_, err := w.verifier.Authenticate(t.Context(), bearer(raw))
	if want && err != nil {
		t.Errorf("a valid token: %v", err)
	}
	if !want && !errors.Is(err, authz.ErrInvalidToken) {
		t.Errorf("an invalid token: error = %v", err)
	}
}

// Ensure that all facts that were minted come back, from the store and from the cache.
func TestPrincipalStatesWhatWasMinted(t *testing.T) {
	eachFormat(t, func(t *testing.T, newWorld func(testing.TB) *world) {
		w := newWorld(t)
		o := w.order(t)
		o.Facts.Subject, o.Facts.Session, o.Facts.ACR = "user-1", "session-1", "urn:two-factors"
		o.Facts.Claims = map[string]any{"team": "blue"}
		before := w.db.Now()
		o.Facts.AuthTime = before.Unix() - 60
		issued := w.mint(t, o)
		want := authz.Principal{
			Issuer: issuer, Subject: "user-1", Client: "job", Scopes: scope.Of("orders:read"), Audience: []string{issuer},
			Grant: issued.Grant, Session: "session-1", Scheme: authz.SchemeBearer, ACR: "urn:two-factors",
			AuthTime: time.Unix(o.Facts.AuthTime, 0).UTC(), Claims: map[string]any{"team": "blue"},
		}
		for _, where := range []string{"store", "cache"} {
			got, err := w.verifier.Authenticate(t.Context(), bearer(issued.Access))
			if err != nil {
				t.Fatal(where, err)
			}
			if left := got.Expires.Sub(before); left < time.Hour-time.Second || left > time.Hour+time.Minute {
				t.Errorf("%s: expires in %v", where, left)
			}
			if age := before.Sub(got.IssuedAt); age < -time.Minute || age > 2*time.Second {
				t.Errorf("%s: issued %v ago", where, age)
			}
			got.Expires, got.IssuedAt = time.Time{}, time.Time{}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\n got %+v\nwant %+v", where, got, want)
			}
		}
	})
}

// Ensure that only live access tokens presented as bearer tokens are one.
func TestOnlyBearerAccessTokensAuthenticate(t *testing.T) {
	eachFormat(t, func(t *testing.T, newWorld func(testing.TB) *world) {
		w := newWorld(t)
		o := w.order(t)
		o.RefreshLifetime = 24 * time.Hour
		issued := w.mint(t, o)
		w.valid(t, issued.Access, true)
		w.valid(t, issued.Refresh, false)
		w.valid(t, token.New(token.Access), false)
		w.valid(t, issued.Access+" ", false)
		w.valid(t, "", false)
		_, err := w.verifier.Authenticate(t.Context(), authz.Credential{Scheme: "DPoP", Value: issued.Access})
		if !errors.Is(err, authz.ErrInvalidToken) {
			t.Errorf("under another scheme: %v", err)
		}

		bound := w.order(t)
		bound.Facts.ConfirmationKey = "thumbprint"
		w.valid(t, w.mint(t, bound).Access, false)
	})
}

// Ensure that a revocation of anything a token depends on holds at the very next
// request, although the token was in the cache.
func TestRevocationHoldsAtTheNextRequest(t *testing.T) {
	for name, revoke := range map[string]func(*world, token.Issued) func(*tokenstore.Change){
		"token": func(w *world, i token.Issued) func(*tokenstore.Change) {
			return func(c *tokenstore.Change) {
				rec, err := w.verifier.Find(context.Background(), i.Access)
				if err != nil {
					t.Fatal(err)
				}
				w.minter.Format.End(c, rec)
			}
		},
		"grant": func(_ *world, i token.Issued) func(*tokenstore.Change) {
			return func(c *tokenstore.Change) { c.Revoke(tokenstore.GrantKey(i.Grant)) }
		},
		"client": func(w *world, _ token.Issued) func(*tokenstore.Change) {
			return func(c *tokenstore.Change) { c.Revoke(w.client) }
		},
		"store": func(w *world, _ token.Issued) func(*tokenstore.Change) {
			return func(c *tokenstore.Change) { c.Revoke(w.db.StoreAnchor()) }
		},
	} {
		eachFormat(t, func(t *testing.T, newWorld func(testing.TB) *world) {
			w := newWorld(t)
			issued := w.mint(t, w.order(t))
			w.valid(t, issued.Access, true)
			w.valid(t, issued.Access, true)
			w.change(t, revoke(w, issued))
			if w.valid(t, issued.Access, false); t.Failed() {
				t.Errorf("after the %s was revoked", name)
			}
		})
	}
}

// Ensure that a token of ours with a typing error, or another secret that somebody
// took for one, is ours to refuse: no other issuer is asked about it.
func TestWhatBeginsLikeOursIsOurs(t *testing.T) {
	w := newSignedWorld(t)
	access := token.New(token.Access)
	for _, raw := range []string{access, access[:20], access + "x", token.New(token.Refresh), token.New(token.Code), token.New(token.ClientSecret), "co2cs_"} {
		if !w.verifier.Recognizes(raw) {
			t.Errorf("%.6s… of %d bytes would be shown to others", raw, len(raw))
		}
	}
	for _, raw := range []string{"", "co2", "opaque", "x" + access} {
		if w.verifier.Recognizes(raw) {
			t.Errorf("%q is taken for ours", raw)
		}
	}
}

// Ensure that a token ends with its lifetime, also in the cache.
func TestTokenExpires(t *testing.T) {
	eachFormat(t, func(t *testing.T, newWorld func(testing.TB) *world) {
		w := newWorld(t)
		issued := w.mint(t, w.order(t))
		w.ahead.Store(int64(time.Hour - time.Minute))
		w.valid(t, issued.Access, true)
		w.ahead.Store(int64(time.Hour))
		w.valid(t, issued.Access, false)
	})
}

// Ensure that a grant lives as long as the longest-lived of its tokens, and that
// tokens can join an existing one.
func TestTokensShareAGrant(t *testing.T) {
	eachFormat(t, func(t *testing.T, newWorld func(testing.TB) *world) {
		w := newWorld(t)
		o := w.order(t)
		o.RefreshLifetime = 24 * time.Hour
		first := w.mint(t, o)

		w.ahead.Store(int64(23 * time.Hour))
		joined := w.order(t)
		joined.Grant, joined.Facts.Grant = nil, first.Grant
		gens, err := w.db.Generations(t.Context(), tokenstore.GrantKey(first.Grant))
		if err != nil {
			t.Fatal("the grant has ended before its refresh token:", err)
		}
		joined.Anchors = append(joined.Anchors, gens...)
		joined.Lifetime = time.Minute
		second := w.mint(t, joined)
		if second.Grant != first.Grant {
			t.Errorf("joined %q, is in %q", first.Grant, second.Grant)
		}
		w.valid(t, second.Access, true)
		w.change(t, func(c *tokenstore.Change) { c.Revoke(tokenstore.GrantKey(first.Grant)) })
		w.valid(t, second.Access, false)
	})
}

// Ensure that a revocation between the check and the commit wins, and that
// nothing of the order is saved then.
func TestRevokeBetweenCheckAndCommitWins(t *testing.T) {
	w := newWorld(t)
	change := w.db.NewChange()
	issued, err := w.minter.Mint(t.Context(), w.db, change, w.order(t))
	if err != nil {
		t.Fatal(err)
	}
	w.change(t, func(c *tokenstore.Change) { c.Revoke(w.client) })
	if _, err := w.db.Commit(t.Context(), change); !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("commit = %v", err)
	}
	w.valid(t, issued.Access, false)
	if _, err := w.db.Generations(t.Context(), tokenstore.GrantKey(issued.Grant)); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("the grant: %v", err)
	}
}

// Ensure that trouble of the store is never held against a token.
func TestTroubleIsNotAnInvalidToken(t *testing.T) {
	w := newWorld(t)
	issued := w.mint(t, w.order(t))
	trouble := func(when string) {
		t.Helper()
		_, err := w.verifier.Authenticate(t.Context(), bearer(issued.Access))
		if !errors.Is(err, authz.ErrTemporarilyUnavailable) || errors.Is(err, authz.ErrInvalidToken) {
			t.Errorf("%s: %v", when, err)
		}
	}
	for _, cause := range []error{tokenstore.ErrUnavailable, tokenstore.ErrDamaged, errors.New("disk on fire")} {
		w.engine.failing.Store(&cause)
		trouble(cause.Error())
	}
	w.engine.failing.Store(nil)
	w.valid(t, issued.Access, true)

	open := w.verifier.Store
	w.verifier.Store = func(context.Context) (*tokenstore.DB, error) { return nil, context.DeadlineExceeded }
	trouble("not open yet")
	w.verifier.Store = open
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	trouble("closed")
}

// Ensure that whoever reads the store learns no token from it.
func TestStoreHoldsNoTokenText(t *testing.T) {
	w := newWorld(t)
	o := w.order(t)
	o.RefreshLifetime = time.Hour
	issued := w.mint(t, o)
	var all bytes.Buffer
	w.snapshot(t, &all)
	for _, raw := range []string{issued.Access, issued.Refresh} {
		if bytes.Contains(all.Bytes(), []byte(raw)) || bytes.Contains(all.Bytes(), []byte(raw[6:30])) {
			t.Error("found")
		}
	}
	digest := token.Digest(issued.Access)
	if !bytes.Contains(all.Bytes(), digest[:]) {
		t.Error("the digest is not in the store, so this test finds nothing")
	}
}

// Ensure that neither a hit nor a text that is no token allocates.
func TestAuthenticateDoesNotAllocate(t *testing.T) {
	eachFormat(t, func(t *testing.T, newWorld func(testing.TB) *world) {
		w := newWorld(t)
		hit := bearer(w.cached(t))
		garbage := bearer("bm8gdG9rZW4gb2Ygb3Vycw==")
		if n := testing.AllocsPerRun(1000, func() { _, _ = w.verifier.Authenticate(t.Context(), hit) }); n != 0 {
			t.Errorf("hit: %v allocations", n)
		}
		if n := testing.AllocsPerRun(1000, func() { _, _ = w.verifier.Authenticate(t.Context(), garbage) }); n != 0 {
			t.Errorf("garbage: %v allocations", n)
		}
	})
}

// cached returns a token that is in the cache, which takes in entries with a delay.
func (w *world) cached(t testing.TB) string {
	t.Helper()
	issued := w.mint(t, w.order(t))
	w.settle(t, bearer(issued.Access))
	return issued.Access
}

// settle waits until a credential is in the cache.
func (w *world) settle(t testing.TB, c authz.Credential) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for missed := true; missed; {
		if time.Now().After(deadline) {
			t.Fatal("the token does not come into the cache")
		}
		before := w.db.Stats().CacheMisses
		if _, err := w.verifier.Authenticate(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		missed = w.db.Stats().CacheMisses != before
	}
}

func BenchmarkAuthenticateHit(b *testing.B) {
	w := newWorld(b)
	c, ctx := bearer(w.cached(b)), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.verifier.Authenticate(ctx, c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMint measures everything up to the commit, which is the engine's.
func BenchmarkMint(b *testing.B) {
	w := newWorld(b)
	o := w.order(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.minter.Mint(b.Context(), w.db, w.db.NewChange(), o); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAuthenticateFirst is a token that is used for the first time, among
// 20,000 in a file; the cache knows what they have in common.
func BenchmarkAuthenticateFirst(b *testing.B) {
	const live = 20_000
	w := newWorld(b)
	o := w.order(b)
	var tokens []authz.Credential
	for len(tokens) < live {
		change := w.db.NewChange()
		for range 500 {
			issued, err := w.minter.Mint(b.Context(), w.db, change, o)
			if err != nil {
				b.Fatal(err)
			}
			tokens = append(tokens, bearer(issued.Access))
		}
		if _, err := w.db.Commit(b.Context(), change); err != nil {
			b.Fatal(err)
		}
	}
	before := w.db.Stats()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := w.verifier.Authenticate(b.Context(), tokens[i%live]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(w.db.Stats().Loads-before.Loads)/float64(b.N), "loads/op")
}
