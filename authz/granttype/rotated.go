// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package granttype

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// rotated is what the store keeps of a refresh token that was replaced, under the
// digest of its text and for as long as it would have lasted. It depends on the
// grant alone. The numbers are on disk.
type rotated struct {
	Client  string `cbor:"1,keyasint"`
	Subject string `cbor:"2,keyasint"`
	Grant   string `cbor:"3,keyasint"`
	// Until is when the answer is no longer given again, in milliseconds since 1970.
	Until int64 `cbor:"4,keyasint"`
	// Successor is the digest of the refresh token in the answer.
	Successor [sha256.Size]byte `cbor:"5,keyasint"`
	// Asked is a digest of what was asked for.
	Asked [sha256.Size]byte `cbor:"6,keyasint"`
	// Answer is the answer, sealed under a key that is made of the token's text: who
	// has the store, has no token.
	Answer []byte `cbor:"7,keyasint,omitempty"`
}

func rotatedKey(raw string) tokenstore.Key {
	digest := token.Digest(raw)
	return tokenstore.NewKey("", tokenstore.KindRotated, string(digest[:]))
}

// window is how long an answer is given again.
func (g RefreshToken) window() time.Duration {
	if g.ReuseWindow == 0 {
		return DefaultReuseWindow
	}
	return max(g.ReuseWindow, 0)
}

// Validate reports what is wrong with the settings.
func (g RefreshToken) Validate() error {
	if g.ReuseWindow > MaxReuseWindow {
		return fmt.Errorf("the same answer is given again for at most %v", MaxReuseWindow)
	}
	return nil
}

// keep puts into change that a refresh token was replaced, and by what.
func (g RefreshToken) keep(r *Request, change *tokenstore.Change, raw string, rec *tokenstore.Record[token.Record], answer *Answer) error {
	sealed, err := sealAnswer(raw, answer)
	if err != nil {
		return err
	}
	change.Create(rotatedKey(raw), &rotated{
		Client: rec.Value.Client, Subject: rec.Value.Subject, Grant: rec.Value.Grant,
		Until: r.DB.Now().Add(g.window()).UnixMilli(), Successor: token.Digest(answer.Refresh), Asked: r.asked(), Answer: sealed,
	}, rec.Expires, onlyGrant(rec.Anchors)...)
	return nil
}

// Replaced returns what is still known of a refresh token that was replaced by
// another: its client, its subject and its grant. The error is
// tokenstore.ErrNotFound where nothing is, or the grant is over.
func Replaced(ctx context.Context, db *tokenstore.DB, raw string) (*token.Record, error) {
	if kind, ok := token.Check(raw); !ok || kind != token.Refresh {
		return nil, tokenstore.ErrNotFound
	}
	rec, err := tokenstore.Load[rotated](ctx, db, rotatedKey(raw))
	if err != nil {
		return nil, err
	}
	return &token.Record{Kind: token.Refresh, Client: rec.Value.Client, Subject: rec.Value.Subject, Grant: rec.Value.Grant}, nil
}

// again judges a refresh token that is not there, which may have been replaced.
func (g RefreshToken) again(ctx context.Context, r *Request, raw string) (*Authorization, error) {
	rec, err := tokenstore.Load[rotated](ctx, r.DB, rotatedKey(raw))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, authz.ErrInvalidGrant
	}
	if err != nil {
		return nil, err
	}
	before := &rec.Value
	if before.Client != r.Client.ID {
		return nil, authz.ErrInvalidGrant
	}
	now := r.DB.Now()
	if now.UnixMilli() >= before.Until {
		return nil, r.replayed(ctx, before.Grant, before.Subject)
	}
	if before.Asked != r.asked() {
		return nil, authz.ErrInvalidGrant
	}
	_, err = tokenstore.Load[token.Record](ctx, r.DB, tokenstore.CredentialKey(before.Successor))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, authz.ErrInvalidGrant // it was used: the answer did arrive
	}
	if err != nil {
		return nil, err
	}
	if err := r.checkUser(ctx, before.Subject); err != nil {
		return nil, err
	}
	answer, err := openAnswer(raw, before.Answer)
	if err != nil {
		return nil, err
	}
	if !now.Before(answer.Expires) {
		return nil, authz.ErrInvalidGrant
	}
	return &Authorization{Again: answer, Facts: token.Record{Subject: before.Subject, Scopes: answer.Scopes}, Grant: before.Grant}, nil
}

// asked is a digest of all parameters but those that prove who the client is.
func (r *Request) asked() [sha256.Size]byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(r.Form)) {
		switch name {
		case authz.ParamClientSecret, authz.ParamClientAssertion, authz.ParamClientAssertionType:
			continue
		}
		fmt.Fprintf(h, "%q%q", name, r.Form[name])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// onlyGrant returns the grant among anchors.
func onlyGrant(anchors []tokenstore.Generation) []tokenstore.Generation {
	return slices.DeleteFunc(slices.Clone(anchors), func(g tokenstore.Generation) bool { return g.Key.Kind() != tokenstore.KindGrant })
}

// answerCipher is the cipher for what belongs to a refresh token. The token has 256
// random bits, so no salt is needed (RFC 5869 §3.1).
func answerCipher(raw string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(raw), nil, "caddy-oauth2 answer to a refresh", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func sealAnswer(raw string, a *Answer) ([]byte, error) {
	aead, err := answerCipher(raw)
	if err != nil {
		return nil, err
	}
	plaintext, err := cbor.Marshal(a)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plaintext, nil), nil
}

func openAnswer(raw string, sealed []byte) (*Answer, error) {
	aead, err := answerCipher(raw)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("granttype: a kept answer is too short")
	}
	plaintext, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	if err != nil {
		return nil, fmt.Errorf("granttype: a kept answer does not open: %w", err)
	}
	a := new(Answer)
	return a, cbor.Unmarshal(plaintext, a)
}
