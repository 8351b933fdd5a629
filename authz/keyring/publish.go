// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Published returns the public keys of a purpose as a JWK Set (RFC 7517 §5):
// those that sign, will sign, or have signed something that may still be valid.
// While there are none the set is empty.
func (k *Keyring) Published(ctx context.Context, purpose Purpose) ([]byte, error) {
	r, err := k.read(ctx, purpose)
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		return nil, err
	}
	now := k.db.Now()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for i, key := range r.keys {
		if !r.over(i, now) {
			// Built of the public part alone, so that no private member can get in.
			set.Keys = append(set.Keys, jose.JSONWebKey{
				Key: key.public.Public, KeyID: key.public.ID, Algorithm: key.public.Algorithm, Use: "sig",
			})
		}
	}
	return json.Marshal(set)
}

// State is what a key does at present.
type State string

// States of keys.
const (
	// Next: it is published and will sign.
	Next State = "next"
	// Active: it signs.
	Active State = "active"
	// Old: it signs no more, but something that it signed may still be valid.
	Old State = "old"
)

// Info is what may be known of a key.
type Info struct {
	Purpose   Purpose
	ID        string
	Algorithm string
	State     State
	// Since is when it began, or will begin, to sign.
	Since time.Time
	// Until is when it is published no more; zero while no other follows it.
	Until time.Time
}

// List returns the keys of all purposes, by purpose and age.
func (k *Keyring) List(ctx context.Context) ([]Info, error) {
	var list []Info
	for _, purpose := range Purposes() {
		r, err := k.read(ctx, purpose)
		if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
			return nil, err
		}
		now := k.db.Now()
		for i, key := range r.keys {
			if r.over(i, now) {
				continue
			}
			info := Info{Purpose: purpose, ID: key.public.ID, Algorithm: key.public.Algorithm, State: Old, Since: key.signsFrom(), Until: r.ends(i)}
			switch {
			case key == r.signing(now):
				info.State = Active
			case now.Before(info.Since):
				info.State = Next
			}
			list = append(list, info)
		}
	}
	return list, nil
}

// Pace is how fast a rotation on demand goes.
type Pace int

const (
	// Overlapping is the rotation on schedule, but now: the new key is published for
	// [PublishAhead] and then signs; the old one is published until what it signed
	// has expired. Nobody notices.
	Overlapping Pace = iota
	// AtOnce lets the new key sign from now on. Verifiers elsewhere that keep the
	// published set refuse tokens until they fetch it anew.
	AtOnce
	// Revoking is AtOnce, and drops all older keys: what they signed is refused here
	// from now on, and elsewhere as soon as the published set is fetched anew. It is
	// for keys that somebody else may have.
	Revoking
)

// ErrFull: there are [MaxRing] keys whose signatures may still be valid.
var ErrFull = errors.New("keyring: as many keys are published as can be; wait until what they signed has expired, or revoke them")

// Rotate brings in a new key of the policy's algorithm, for an actor whom the audit
// ring names; where one waits already that will do, it makes none. Without a ring it
// makes one. The errors are [ErrFull], except for Revoking, and tokenstore.ErrConflict
// when others rotate all the time.
func (k *Keyring) Rotate(ctx context.Context, purpose Purpose, policy Policy, pace Pace, actor string) error {
	s := k.slots[purpose]
	s.change.Lock()
	defer s.change.Unlock()
	err := tokenstore.ErrConflict
	for try := 0; try < changeTries && errors.Is(err, tokenstore.ErrConflict); try++ {
		err = k.amend(ctx, s, actor, func(r *ring) ([]storedKey, bool, error) { return r.rotate(policy.withDefaults(), pace, k.db.Now()) })
	}
	if err != nil {
		return fmt.Errorf("rotating the keys of purpose %s: %w", purpose, err)
	}
	return nil
}

// rotate returns the ring with a new key. One that waits already, but not for a
// rotation that revokes, is that key.
func (r *ring) rotate(policy Policy, pace Pace, now time.Time) (keys []storedKey, rotates bool, err error) {
	if len(r.keys) == 0 {
		return r.next(policy, 0, now)
	}
	keys = r.stored(now)
	last := &keys[len(keys)-1]
	waits := r.waiting(now) && last.JWK.Algorithm == policy.Algorithm
	switch {
	case waits && pace == Overlapping:
		return nil, false, nil
	case waits && pace == AtOnce:
		last.SignsFrom = now.Unix()
		return keys, true, nil
	case r.waiting(now):
		keys = keys[:len(keys)-1] // it has signed nothing yet
	}
	from := now
	if pace == Overlapping {
		from = now.Add(PublishAhead)
	}
	k, err := generate(policy.Algorithm, from, time.Duration(last.Longest)*time.Second)
	if err != nil {
		return nil, false, err
	}
	if pace == Revoking {
		keys = nil
	}
	if len(keys) >= MaxRing {
		return nil, false, ErrFull
	}
	return append(keys, k), true, nil
}
