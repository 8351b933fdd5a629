// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // thumbprints
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	jws "github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// rsaBits is the size of new RSA keys (RFC 7518 §3.3).
	rsaBits = 2048
	// usualLongest is what a new key is published for after its last signature,
	// at least. More is noted when something that lasts longer is to be signed.
	usualLongest = 24 * time.Hour
	// MaxRing is how many keys are published at one time: verifiers read no endless
	// sets. A ring that has as many rotates only when the oldest is over.
	MaxRing = 64
	// slack is added to that: a signature may be on its way while its key retires.
	slack = time.Minute
)

// storedKey is a key as the store has it. Times are in seconds since 1970.
type storedKey struct {
	// JWK is the private key, with `alg`.
	JWK jose.JSONWebKey `json:"jwk"`
	// SignsFrom is when it begins to sign; the next one ends that.
	SignsFrom int64 `json:"signs_from"`
	// Longest is, in seconds, how long what it signs lasts at most.
	Longest int64 `json:"longest"`
}

// key is a key ready for use.
type key struct {
	storedKey
	public jws.Key
	signs  jose.SigningKey
}

// ring is the keys of a purpose, by the time from which they sign.
type ring struct {
	generation tokenstore.Generation
	keys       []*key
}

func (k *key) signsFrom() time.Time   { return time.Unix(k.SignsFrom, 0) }
func (k *key) longest() time.Duration { return time.Duration(k.Longest) * time.Second }

// signing returns the key that signs now, or nil in an empty ring.
func (r *ring) signing(now time.Time) *key {
	if len(r.keys) == 0 {
		return nil
	}
	at := r.keys[0]
	for _, k := range r.keys[1:] {
		if !now.Before(k.signsFrom()) {
			at = k
		}
	}
	return at
}

// ends returns when the last of what the i-th key signed has expired; the zero
// time for one that signs still or will.
func (r *ring) ends(i int) time.Time {
	if i == len(r.keys)-1 {
		return time.Time{}
	}
	return r.keys[i+1].signsFrom().Add(r.keys[i].longest() + slack)
}

// over reports whether nothing that the i-th key signed is still valid.
func (r *ring) over(i int, now time.Time) bool {
	ends := r.ends(i)
	return !ends.IsZero() && !now.Before(ends)
}

// waiting reports whether there is a key that does not sign yet.
func (r *ring) waiting(now time.Time) bool {
	return len(r.keys) > 0 && now.Before(r.keys[len(r.keys)-1].signsFrom())
}

// due reports whether the ring, which is not empty, needs another key and has room
// for it: the one that signs has done so long enough, or is not of the algorithm
// wanted.
func (r *ring) due(policy Policy, now time.Time) bool {
	at := r.signing(now)
	return !r.waiting(now) &&
		(at.JWK.Algorithm != policy.Algorithm || !now.Before(at.signsFrom().Add(policy.Rotation-PublishAhead))) &&
		len(r.stored(now)) < MaxRing
}

// next returns the ring as policy wants it now, able to sign what lasts so long, and
// whether that is a rotation; nil when it is so already.
func (r *ring) next(policy Policy, lasts time.Duration, now time.Time) (keys []storedKey, rotates bool, err error) {
	if len(r.keys) == 0 {
		k, err := generate(policy.Algorithm, now, max(lasts, usualLongest))
		return []storedKey{k}, false, err
	}
	keys, lengthened := r.stored(now), false
	if at := r.signing(now); at.longest() < lasts {
		// Doubled, so that lifetimes that differ a little cost no write each.
		longest := int64(max(lasts, 2*at.longest()).Round(time.Second)/time.Second) + 1
		for i := range keys {
			if keys[i].SignsFrom >= at.SignsFrom {
				keys[i].Longest = max(keys[i].Longest, longest)
			}
		}
		lengthened = true
	}
	if r.due(policy, now) {
		k, err := generate(policy.Algorithm, now.Add(PublishAhead), time.Duration(keys[len(keys)-1].Longest)*time.Second)
		return append(keys, k), true, err
	}
	if !lengthened {
		return nil, false, nil
	}
	return keys, false, nil
}

// stored returns the keys that still count.
func (r *ring) stored(now time.Time) []storedKey {
	var keys []storedKey
	for i, k := range r.keys {
		if !r.over(i, now) {
			keys = append(keys, k.storedKey)
		}
	}
	return keys
}

// generate makes a new key.
func generate(algorithm string, from time.Time, longest time.Duration) (storedKey, error) {
	private, err := newPrivate(algorithm)
	if err != nil {
		return storedKey{}, fmt.Errorf("keyring: %w", err)
	}
	return storedKey{
		JWK:       jose.JSONWebKey{Key: private, Algorithm: algorithm, Use: "sig"},
		SignsFrom: from.Unix(), Longest: int64(longest / time.Second),
	}, nil
}

func newPrivate(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case jws.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jws.EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case jws.RS256, jws.PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, fmt.Errorf("no keys are made for algorithm %q", algorithm)
}

// storedRing is the layout of the sealed text.
type storedRing struct {
	Keys []storedKey `json:"keys"`
}

func encodeRing(keys []storedKey) ([]byte, error) { return json.Marshal(storedRing{keys}) }

func decodeRing(text []byte) (*ring, error) {
	var stored storedRing
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, errors.New("the signing keys cannot be read") // the reason could show them
	}
	r := new(ring)
	for _, s := range stored.Keys {
		k, err := newKey(s)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, k)
	}
	slices.SortStableFunc(r.keys, func(a, b *key) int { return int(a.SignsFrom - b.SignsFrom) })
	if len(r.keys) == 0 {
		return nil, errors.New("there are no signing keys where some should be")
	}
	return r, nil
}

// newKey makes a stored key ready for use.
func newKey(s storedKey) (*key, error) {
	k := &key{storedKey: s}
	public := s.JWK.Public()
	if s.JWK.IsPublic() || jws.CheckKey(s.JWK.Algorithm, public.Key) != nil {
		return nil, errors.New("a signing key is not one for its algorithm")
	}
	thumbprint, err := public.Thumbprint(crypto.SHA256) // RFC 7638
	if err != nil {
		return nil, errors.New("a signing key has no thumbprint")
	}
	id := base64.RawURLEncoding.EncodeToString(thumbprint)
	k.public = jws.Key{ID: id, Algorithm: s.JWK.Algorithm, Public: public.Key}
	k.signs = jose.SigningKey{
		Algorithm: jose.SignatureAlgorithm(s.JWK.Algorithm),
		Key:       jose.JSONWebKey{Key: s.JWK.Key, KeyID: id, Algorithm: s.JWK.Algorithm},
	}
	return k, nil
}
