// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package keyring_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// Ensure that every algorithm signs what the published keys verify, that J15: no
// private member is published or kept in the clear, and that the purposes share
// no key.
func TestSign(t *testing.T) {
	for _, algorithm := range keyring.Algorithms() {
		w := newWorld(t)
		policy := keyring.Policy{Algorithm: algorithm}
		access := w.sign(t, keyring.AccessTokens, policy, time.Hour)
		if access.Header.Algorithm != algorithm || access.Header.Type != "at+jwt" {
			t.Errorf("%s: header %+v", algorithm, access.Header)
		}
		if err := w.published(t, keyring.AccessTokens).Verify(access); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		identity := w.sign(t, keyring.Identities, policy, time.Minute)
		if err := w.published(t, keyring.AccessTokens).Verify(identity); !errors.Is(err, jose.ErrUnknownKey) {
			t.Errorf("%s: an identity is verified by keys of access tokens: %v", algorithm, err)
		}
		if _, _, err := w.keys.Find(t.Context(), keyring.AccessTokens, identity.Header.KeyID); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("%s: the key of identities is found among those of access tokens: %v", algorithm, err)
		}
		text, err := w.keys.Published(t.Context(), keyring.AccessTokens)
		if err != nil {
			t.Fatal(err)
		}
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) != 1 {
			t.Fatalf("%s: %s, %v", algorithm, text, err)
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, there := set.Keys[0][private]; there {
				t.Errorf("%s: the private member %s is published", algorithm, private)
			}
		}
		if set.Keys[0]["kid"] != access.Header.KeyID || set.Keys[0]["alg"] != algorithm || set.Keys[0]["use"] != "sig" {
			t.Errorf("%s: published as %v", algorithm, set.Keys[0])
		}
		var file bytes.Buffer
		if err := w.db.Snapshot(t.Context(), &file); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(file.Bytes(), []byte(`"kty"`)) || bytes.Contains(file.Bytes(), []byte(`signs_from`)) {
			t.Errorf("%s: the keys are in the clear in the store", algorithm)
		}
	}
}

// Ensure J14: rotation on schedule. The new key is published before it signs, the
// old one until what it signed has expired, and a verifier that fetches the set
// no more often than it may never meets a token that it cannot verify.
func TestRotationOnSchedule(t *testing.T) {
	w := newWorld(t)
	policy := keyring.Policy{Rotation: 24 * time.Hour}
	const lasts, step = 3 * time.Hour, 3 * time.Minute
	var kept jose.KeySet
	var fetched time.Time
	kids := map[string]bool{}
	type outstanding struct {
		token *jose.Token
		until time.Time
	}
	var valid []outstanding
	for range int(60 * time.Hour / step) {
		tok := w.sign(t, keyring.AccessTokens, policy, lasts)
		now := w.db.Now()
		if now.Sub(fetched) >= keyring.PublishedFor {
			kept, fetched = w.published(t, keyring.AccessTokens), now
		}
		kids[tok.Header.KeyID] = true
		valid = append(valid, outstanding{tok, now.Add(lasts)})
		for now.After(valid[0].until) {
			valid = valid[1:]
		}
		for _, o := range []outstanding{valid[0], valid[len(valid)-1]} {
			if err := kept.Verify(o.token); err != nil {
				t.Fatalf("a token valid until %v is refused at %v: %v", o.until, now, err)
			}
		}
		w.pass(step)
	}
	if len(kids) != 3 {
		t.Errorf("%d keys signed in 60 hours", len(kids))
	}
	if n := len(w.published(t, keyring.AccessTokens)); n != 2 {
		t.Errorf("%d keys are published, want the active one and the one before", n)
	}
}

// Ensure that a key stays published as long as the longest of what it signed
// lasts, though that is longer than usual.
func TestPublishedAsLongAsNeeded(t *testing.T) {
	const lasts = 40 * 24 * time.Hour
	w := newWorld(t)
	w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour)
	long := w.sign(t, keyring.AccessTokens, keyring.Policy{}, lasts)
	if err := w.keys.Rotate(t.Context(), keyring.AccessTokens, keyring.Policy{}, keyring.AtOnce, "admin"); err != nil {
		t.Fatal(err)
	}
	w.pass(lasts - time.Minute)
	if err := w.published(t, keyring.AccessTokens).Verify(long); err != nil {
		t.Errorf("before it expires: %v", err)
	}
	if _, _, err := w.keys.Find(t.Context(), keyring.AccessTokens, long.Header.KeyID); err != nil {
		t.Errorf("before it expires: %v", err)
	}
	w.pass(lasts + time.Hour)
	if _, _, err := w.keys.Find(t.Context(), keyring.AccessTokens, long.Header.KeyID); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("long after: %v", err)
	}
}

// Ensure that each pace of a rotation on demand does what it says.
func TestRotate(t *testing.T) {
	for pace, want := range map[keyring.Pace]struct{ at, later string }{
		keyring.Overlapping: {"active next", "old active"},
		keyring.AtOnce:      {"old active", "old active"},
		keyring.Revoking:    {"active", "active"},
	} {
		w := newWorld(t)
		before := w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour)
		for range 2 { // the second overlapping one finds its key there already
			if err := w.keys.Rotate(t.Context(), keyring.AccessTokens, keyring.Policy{}, pace, "admin"); err != nil {
				t.Fatal(err)
			}
			if pace == keyring.AtOnce {
				break
			}
		}
		if got := w.states(t); got != want.at {
			t.Errorf("pace %d: keys are %s, want %s", pace, got, want.at)
		}
		same := w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour).Header.KeyID == before.Header.KeyID
		if same != (pace == keyring.Overlapping) {
			t.Errorf("pace %d: the same key signs: %v", pace, same)
		}
		_, _, err := w.keys.Find(t.Context(), keyring.AccessTokens, before.Header.KeyID)
		if errors.Is(err, tokenstore.ErrNotFound) != (pace == keyring.Revoking) {
			t.Errorf("pace %d: the old key: %v", pace, err)
		}
		w.pass(keyring.PublishAhead)
		if got := w.states(t); got != want.later {
			t.Errorf("pace %d, later: keys are %s, want %s", pace, got, want.later)
		}
	}
}

// Ensure that a waiting key is brought forward when it is to sign at once, and
// that another algorithm comes with the usual overlap.
func TestRotateWhileWaiting(t *testing.T) {
	w := newWorld(t)
	rotate := func(pace keyring.Pace) {
		if err := w.keys.Rotate(t.Context(), keyring.AccessTokens, keyring.Policy{}, pace, "admin"); err != nil {
			t.Fatal(err)
		}
	}
	rotate(keyring.Overlapping) // there is no ring: the first key signs at once
	if got := w.states(t); got != "active" {
		t.Fatalf("a new ring is %s", got)
	}
	w.pass(time.Hour)
	rotate(keyring.Overlapping)
	next := w.published(t, keyring.AccessTokens)[1].ID
	rotate(keyring.AtOnce)
	if got := w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour).Header.KeyID; got != next {
		t.Error("another key than the waiting one signs")
	}
	w.pass(time.Hour)
	changed := keyring.Policy{Algorithm: jose.EdDSA}
	if got := w.sign(t, keyring.AccessTokens, changed, time.Hour).Header.Algorithm; got != jose.ES256 {
		t.Errorf("%s signs before it was published", got)
	}
	w.pass(keyring.PublishAhead)
	if got := w.sign(t, keyring.AccessTokens, changed, time.Hour).Header.Algorithm; got != jose.EdDSA {
		t.Errorf("after the overlap %s signs", got)
	}
}

// Ensure that the keys are those of the store: found again after it was opened
// anew, and when it was sealed anew.
func TestKeysOutliveTheProcess(t *testing.T) {
	w := newWorld(t)
	first := w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	w.open(t)
	if _, _, err := w.keys.Find(t.Context(), keyring.AccessTokens, first.Header.KeyID); err != nil {
		t.Fatalf("after opening anew: %v", err)
	}
	if err := w.db.SetSealKeys(t.Context(), []tokenstore.SealKey{tokenstore.GenerateSealKey(), w.seal}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Reseal(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if second := w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour); second.Header != first.Header {
		t.Errorf("sealed anew, another key signs: %v, before %v", second.Header, first.Header)
	}
}

// Ensure that a ring does not grow without end where keys rotate far faster than
// what they sign expires; that what they signed holds all the while; and that a
// configuration that would have it so is told.
func TestRingIsBounded(t *testing.T) {
	w := newWorld(t)
	policy := keyring.Policy{Rotation: keyring.MinRotation}
	const lasts = 90 * 24 * time.Hour
	if policy.Outlasts(lasts) == nil || policy.Outlasts(24*time.Hour) != nil || (keyring.Policy{}).Outlasts(365*24*time.Hour) != nil {
		t.Error("the policy is misjudged")
	}
	first := w.sign(t, keyring.AccessTokens, policy, lasts)
	for range 3 * keyring.MaxRing {
		w.pass(policy.Rotation)
		w.sign(t, keyring.AccessTokens, policy, lasts)
	}
	published := w.published(t, keyring.AccessTokens)
	if len(published) != keyring.MaxRing {
		t.Errorf("%d keys are published, want %d", len(published), keyring.MaxRing)
	}
	if err := published.Verify(first); err != nil {
		t.Errorf("the first token: %v", err)
	}
	for _, pace := range []keyring.Pace{keyring.Overlapping, keyring.AtOnce} {
		if err := w.keys.Rotate(t.Context(), keyring.AccessTokens, policy, pace, "admin"); !errors.Is(err, keyring.ErrFull) {
			t.Errorf("rotating: %v", err)
		}
	}
	if err := w.keys.Rotate(t.Context(), keyring.AccessTokens, policy, keyring.Revoking, "admin"); err != nil {
		t.Error(err)
	}
	w.sign(t, keyring.AccessTokens, policy, lasts)
	w.pass(policy.Rotation)
	w.sign(t, keyring.AccessTokens, policy, lasts)
	if n := len(w.published(t, keyring.AccessTokens)); n != 2 {
		t.Errorf("revoked, %d keys are published", n)
	}
}

// Ensure X06 for keys: one that somebody else may have, and that was withdrawn after
// a backup was made, is not trusted again once that backup is restored.
func TestWithdrawnKeysDoNotComeBackWithABackup(t *testing.T) {
	w := newWorld(t)
	leaked := w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour).Header.KeyID
	told := w.sign(t, keyring.Identities, keyring.Policy{}, time.Minute).Header.KeyID
	var copied bytes.Buffer
	if err := w.db.Snapshot(t.Context(), &copied); err != nil {
		t.Fatal(err)
	}
	backup := w.path + ".backup"
	if err := os.WriteFile(backup, copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, purpose := range keyring.Purposes() {
		if err := w.keys.Rotate(t.Context(), purpose, keyring.Policy{}, keyring.Revoking, "admin"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.Restore(t.Context(), backup, w.path, bolt.RestoreOptions{RestoreOptions: tokenstore.RestoreOptions{
		SealKeys: []tokenstore.SealKey{w.seal}, Forget: keyring.Records(),
	}}); err != nil {
		t.Fatal(err)
	}
	w.open(t)
	for purpose, id := range map[keyring.Purpose]string{keyring.AccessTokens: leaked, keyring.Identities: told} {
		if now := w.sign(t, purpose, keyring.Policy{}, time.Minute).Header.KeyID; now == id {
			t.Errorf("%s: the withdrawn key signs", purpose)
		}
		if _, _, err := w.keys.Find(t.Context(), purpose, id); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("%s: the withdrawn key is trusted: %v", purpose, err)
		}
	}
}

// Ensure that of many who need the first key, and rotate, in several processes,
// all end up with the same keys.
func TestConcurrentFirstUse(t *testing.T) {
	w := newWorld(t)
	rings := []*keyring.Keyring{w.keys, keyring.New(w.db), keyring.New(w.db)} // as processes that share a store
	var all sync.WaitGroup
	var mu sync.Mutex
	kids := map[string]bool{}
	for i := range 30 {
		all.Go(func() {
			raw, err := rings[i%len(rings)].Sign(t.Context(), keyring.AccessTokens, keyring.Policy{}, "at+jwt", []byte(`{}`), w.db.Now().Add(time.Hour))
			if err != nil {
				t.Error(err)
				return
			}
			tok, err := jose.Parse(raw, jose.ES256)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			kids[tok.Header.KeyID] = true
		})
	}
	all.Wait()
	if len(kids) != 1 {
		t.Fatalf("%d keys signed", len(kids))
	}
	for _, ring := range rings {
		all.Go(func() {
			if err := ring.Rotate(t.Context(), keyring.AccessTokens, keyring.Policy{}, keyring.AtOnce, "admin"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := w.states(t); got != "old old old active" {
		t.Errorf("after three rotations: %s", got)
	}
}

// Ensure that who has just seen that there are no keys signs with those that
// another process makes then, at once.
func TestKeysOfAnotherProcessAreFound(t *testing.T) {
	w := newWorld(t)
	other := keyring.New(w.db)
	if used, err := other.InUse(t.Context(), keyring.AccessTokens); used || err != nil {
		t.Fatalf("in use before anything is: %v, error %v", used, err)
	}
	first := w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour)
	w.keys = other
	if second := w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour); second.Header != first.Header {
		t.Errorf("another key signs: %v, before %v", second.Header, first.Header)
	}
}

// Ensure J12 for our own keys: whatever keys are asked for, the store is not.
func TestUnknownKeyCostsNoRead(t *testing.T) {
	w := newWorld(t)
	for _, known := range []bool{false, true} {
		if known {
			w.pass(time.Minute)
			w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour)
			w.warm(t)
		}
		ask := func(id string) {
			if _, _, err := w.keys.Find(t.Context(), keyring.AccessTokens, id); !errors.Is(err, tokenstore.ErrNotFound) {
				t.Fatal(err)
			}
		}
		ask("first")
		before := w.reads.Load()
		for i := range 1000 {
			ask(fmt.Sprint(i))
		}
		if n := w.reads.Load() - before; n > 5 {
			t.Errorf("a ring: %v; %d reads for 1000 unknown keys", known, n)
		}
	}
}

// Ensure that trouble is told as such, and that policies have bounds.
func TestTroubleAndPolicy(t *testing.T) {
	w := newWorld(t)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	_, signing := w.keys.Sign(t.Context(), keyring.AccessTokens, keyring.Policy{}, "at+jwt", []byte(`{}`), time.Now())
	_, _, finding := w.keys.Find(t.Context(), keyring.AccessTokens, "x")
	_, publishing := w.keys.Published(t.Context(), keyring.AccessTokens)
	_, listing := w.keys.List(t.Context())
	rotating := w.keys.Rotate(t.Context(), keyring.AccessTokens, keyring.Policy{}, keyring.AtOnce, "admin")
	for name, err := range map[string]error{"signing": signing, "finding": finding, "publishing": publishing, "listing": listing, "rotating": rotating} {
		if !errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []keyring.Policy{{Algorithm: "HS256"}, {Algorithm: "none"}, {Rotation: time.Minute}, {Rotation: 20 * 365 * 24 * time.Hour}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is allowed", bad)
		}
	}
	if err := (keyring.Policy{Algorithm: jose.RS256, Rotation: time.Hour}).Validate(); err != nil {
		t.Error(err)
	}
}
