// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package keyring makes, keeps and rotates the keys that this server signs with.
//
// There is one ring of keys for each [Purpose], so that what is signed for one is
// worth nothing for another. A ring is one sealed record of the store: it is made
// when something is first to be signed, survives whatever happens to the process,
// and changes as a whole, expecting what was read before; so configurations and
// processes that share the store share its keys.
//
// A key is published before it signs, for [PublishAhead], so that whoever keeps
// the published set for its time has it when the first signature comes; and it
// is published after its last signature until everything that it signed has
// expired. Its id is the thumbprint of RFC 7638, and so its own alone.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	jws "github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Purpose is what the keys of a ring sign. The values are part of keys in the
// store: they never change.
type Purpose string

const (
	// AccessTokens: tokens that clients present (RFC 9068).
	AccessTokens Purpose = "access"
	// Identities: what upstreams are told of a caller, which no guard accepts.
	Identities Purpose = "identity"
)

// Purposes lists all of them.
func Purposes() []Purpose { return []Purpose{AccessTokens, Identities} }

const (
	// DefaultAlgorithm signs unless the configuration says otherwise.
	DefaultAlgorithm = jws.ES256
	// DefaultRotation is how long a key signs unless the configuration says otherwise.
	DefaultRotation = 90 * 24 * time.Hour
	// MinRotation and MaxRotation bound how long a key signs.
	MinRotation = time.Hour
	MaxRotation = 10 * 365 * 24 * time.Hour
	// PublishAhead is how long a new key is published before it signs: twice the
	// time for which the published set may be kept.
	PublishAhead = 10 * time.Minute
	// PublishedFor is how long the published set may be kept.
	PublishedFor = 5 * time.Minute
)

const (
	// absentFor is how long it is believed that there is no ring: what is absent is
	// not cached, and anybody can send tokens that ask for it. A ring made here is
	// known at once.
	absentFor = time.Second
	// actorSchedule is who rotates keys when their time has come.
	actorSchedule = "schedule"
	// changeTries bounds how often a change begins anew because somebody else was
	// faster.
	changeTries = 5
)

// Algorithms lists those that sign.
func Algorithms() []string { return []string{jws.ES256, jws.EdDSA, jws.RS256, jws.PS256} }

// Policy says how a configuration wants the keys of a ring. The zero value is the
// default of everything.
type Policy struct {
	// Algorithm is one of [Algorithms]. Default: [DefaultAlgorithm].
	Algorithm string
	// Rotation is how long a key signs, from [MinRotation] to [MaxRotation].
	// Default: [DefaultRotation].
	Rotation time.Duration
}

// Validate reports what is wrong with p.
func (p Policy) Validate() error {
	if p.Algorithm != "" && !slices.Contains(Algorithms(), p.Algorithm) {
		return fmt.Errorf("alg %q is none that signs here: use %s", p.Algorithm, strings.Join(Algorithms(), ", "))
	}
	if p.Rotation != 0 && (p.Rotation < MinRotation || p.Rotation > MaxRotation) {
		return fmt.Errorf("keys rotate after %v to %v", MinRotation, MaxRotation)
	}
	return nil
}

// Outlasts returns what is wrong with keys of this policy for tokens that last so
// long: they would have to be published after [MaxRing] others have come.
func (p Policy) Outlasts(lifetime time.Duration) error {
	rotation := p.withDefaults().Rotation
	longest := max(usualLongest, 2*lifetime) // see next
	if longest/rotation < MaxRing-2 {        // one signs, one waits
		return nil
	}
	return fmt.Errorf("keys that rotate after %v and tokens that last %v: more than %d keys would have to be published; "+
		"let keys sign longer, or tokens last shorter", rotation, lifetime, MaxRing)
}

func (p Policy) withDefaults() Policy {
	if p.Algorithm == "" {
		p.Algorithm = DefaultAlgorithm
	}
	if p.Rotation == 0 {
		p.Rotation = DefaultRotation
	}
	return p
}

// Keyring holds the rings of one store. It is safe for concurrent use and lives as
// long as the store is open.
type Keyring struct {
	db    *tokenstore.DB
	slots map[Purpose]*slot
}

// slot is what is in memory of one ring.
type slot struct {
	key    tokenstore.Key
	ring   atomic.Pointer[ring] // as it was last read
	absent atomic.Pointer[absence]
	change sync.Mutex // serialises changes by this process
}

// absence is the belief that there is no ring, up to a time in milliseconds. Whoever
// knows better puts another one in its place, so that who looked before that, and
// found nothing, cannot bring the belief back.
type absence struct{ until int64 }

// New returns the keyring of a store. It reads nothing yet.
func New(db *tokenstore.DB) *Keyring {
	k := &Keyring{db: db, slots: map[Purpose]*slot{}}
	for _, purpose := range Purposes() {
		k.slots[purpose] = &slot{key: purpose.record()}
		k.slots[purpose].absent.Store(new(absence))
	}
	return k
}

// record is where the ring of a purpose is in a store.
func (p Purpose) record() tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindSealed, "keyring:"+string(p))
}

// Records are where all rings are in a store, for who does without those there:
// others are made at first need.
func Records() []tokenstore.Key {
	var keys []tokenstore.Key
	for _, purpose := range Purposes() {
		keys = append(keys, purpose.record())
	}
	return keys
}

// Now is the time of the store.
func (k *Keyring) Now() time.Time { return k.db.Now() }

// Find returns the public key that a token of a purpose names, and the generation
// of its ring: when that moves, the answer may have become another. The error is
// tokenstore.ErrNotFound for a key that there is not, or no longer; any other is
// trouble. It costs no read while the ring is in the cache, whatever is asked for.
func (k *Keyring) Find(ctx context.Context, purpose Purpose, id string) (jws.Key, tokenstore.Generation, error) {
	r, err := k.read(ctx, purpose)
	if err != nil {
		return jws.Key{}, tokenstore.Generation{}, err
	}
	now := k.db.Now()
	for i, key := range r.keys {
		if key.public.ID == id && !r.over(i, now) {
			return key.public, r.generation, nil
		}
	}
	return jws.Key{}, tokenstore.Generation{}, tokenstore.ErrNotFound
}

// Sign signs claims, a JSON object, as a compact JWS of a media type. The key will be
// published until expires, which must be when the claims say. A ring that
// there is not yet is made, and one whose key has signed long enough gets another;
// both are saved before anything is signed.
func (k *Keyring) Sign(ctx context.Context, purpose Purpose, policy Policy, mediaType string, claims []byte, expires time.Time) (string, error) {
	key, err := k.signing(ctx, purpose, policy.withDefaults(), expires.Sub(k.db.Now()))
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(key.signs, new(jose.SignerOptions).WithType(jose.ContentType(mediaType)))
	if err != nil {
		return "", fmt.Errorf("keyring: %w", err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("keyring: %w", err)
	}
	return signed.CompactSerialize()
}

// Ensure makes the ring if there is none, so that the first signature need not
// wait for a key.
func (k *Keyring) Ensure(ctx context.Context, purpose Purpose, policy Policy) error {
	_, err := k.signing(ctx, purpose, policy.withDefaults(), 0)
	return err
}

// InUse reports whether there are keys of a purpose.
func (k *Keyring) InUse(ctx context.Context, purpose Purpose) (bool, error) {
	_, err := k.read(ctx, purpose)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// signing returns the key that signs now, for something that lasts so long.
func (k *Keyring) signing(ctx context.Context, purpose Purpose, policy Policy, lasts time.Duration) (*key, error) {
	s := k.slots[purpose]
	for range changeTries {
		r, err := k.read(ctx, purpose)
		if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
			return nil, err
		}
		now := k.db.Now()
		able := r.signing(now)
		if able != nil && able.longest() < lasts {
			able = nil // it would not be published as long as that lasts
		}
		if able != nil && (!r.due(policy, now) || !s.change.TryLock()) {
			return able, nil // or somebody else sees to it already
		}
		if able == nil {
			s.change.Lock()
		}
		err = k.amend(ctx, s, actorSchedule, func(r *ring) ([]storedKey, bool, error) { return r.next(policy, lasts, k.db.Now()) })
		s.change.Unlock()
		if able != nil && err != nil && !errors.Is(err, tokenstore.ErrConflict) {
			return able, nil // a key that is late does no harm yet: the next one tries again
		}
		if err != nil && !errors.Is(err, tokenstore.ErrConflict) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: the signing keys change faster than they can be read", tokenstore.ErrUnavailable)
}

// read returns the ring of a purpose, or tokenstore.ErrNotFound and an empty one.
func (k *Keyring) read(ctx context.Context, purpose Purpose) (*ring, error) {
	s := k.slots[purpose]
	now := k.db.Now().UnixMilli()
	believed := s.absent.Load()
	if now < believed.until {
		return &ring{}, tokenstore.ErrNotFound
	}
	// The cache tells of every change at once: see tokenstore.
	rec, err := tokenstore.Cached[tokenstore.Sealed](ctx, k.db, s.key)
	if errors.Is(err, tokenstore.ErrNotFound) {
		s.absent.CompareAndSwap(believed, &absence{now + absentFor.Milliseconds()})
		return &ring{}, err
	}
	if err != nil {
		return &ring{}, err
	}
	if r := s.ring.Load(); r != nil && r.generation.Revision == rec.Revision {
		return r, nil
	}
	r, err := k.open(rec)
	if err != nil {
		return &ring{}, err
	}
	s.ring.Store(r)
	return r, nil
}

// open decodes a ring.
func (k *Keyring) open(rec *tokenstore.Record[tokenstore.Sealed]) (*ring, error) {
	text, err := k.db.Unseal(rec.Key, rec.Value)
	if err != nil {
		return nil, err
	}
	r, err := decodeRing(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", tokenstore.ErrDamaged, err)
	}
	r.generation = tokenstore.Generation{Key: rec.Key, Revision: rec.Revision}
	return r, nil
}

// amend reads the ring past the cache and writes what change makes of it, if
// anything, with a line in the audit ring where that is a rotation. The error is tokenstore.ErrConflict when somebody else was faster. It
// is called with the slot's mutex held.
func (k *Keyring) amend(ctx context.Context, s *slot, actor string, change func(*ring) (keys []storedKey, rotates bool, err error)) error {
	r := &ring{generation: tokenstore.Generation{Key: s.key}}
	defer func() { s.absent.Store(new(absence)) }() // whatever comes of it
	rec, err := tokenstore.Load[tokenstore.Sealed](ctx, k.db, s.key)
	if err == nil {
		r, err = k.open(rec)
	}
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		return err
	}
	keys, rotates, err := change(r)
	if err != nil || keys == nil {
		return err
	}
	text, err := encodeRing(keys)
	if err != nil {
		return err
	}
	sealed, err := k.db.Seal(s.key, text)
	if err != nil {
		return err
	}
	c := k.db.NewChange()
	c.Replace(s.key, r.generation.Revision, sealed, time.Time{})
	if rotates {
		c.Audit(tokenstore.AuditEntry{Type: string(authz.EventKeyRotated), Outcome: string(authz.Allowed), Actor: actor})
	}
	_, err = k.db.Commit(ctx, c)
	return err
}
