// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package handle

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// MaxLength is the length in bytes of the longest handle that is read.
const MaxLength = 32 << 10

// ErrInvalid: a handle is no handle of ours, has expired, is for something else,
// or was made for another browser. Which of these is nobody's business.
var ErrInvalid = errors.New("handle: not valid in this browser, or not any more")

// Keeper makes and opens handles. It is safe for concurrent use.
type Keeper struct {
	// Store returns the open store, waiting for it a bounded time. Required.
	Store func(context.Context) (*tokenstore.DB, error)
	// Secure says that browsers reach this server by https only. Cookies are then
	// bound to host and https (RFC 6265bis §4.1.3.2). Without it, as on loopback,
	// any program on the same host name can read and replace them.
	Secure bool
}

// Opened is a handle that was opened.
type Opened struct {
	id      [16]byte
	expires time.Time
	made    time.Time
}

// Made is when the handle was made.
func (o Opened) Made() time.Time { return o.made }

// content is what is sealed.
type content struct {
	ID      [16]byte        `cbor:"1,keyasint"`
	Made    int64           `cbor:"2,keyasint"` // in milliseconds since 1970
	Expires int64           `cbor:"3,keyasint"` // in milliseconds since 1970
	Value   cbor.RawMessage `cbor:"4,keyasint"`
}

// Seal makes a handle for value, which is encoded as CBOR. It opens for the same
// purpose only, for lifetime, and in the browser of binding, which
// [Keeper.Binding] has returned.
func (k *Keeper) Seal(ctx context.Context, purpose, binding string, lifetime time.Duration, value any) (string, error) {
	db, err := k.Store(ctx)
	if err != nil {
		return "", err
	}
	encoded, err := cbor.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("handle: %w", err)
	}
	now := db.Now()
	c := content{Made: now.UnixMilli(), Expires: now.Add(lifetime).UnixMilli(), Value: encoded}
	_, _ = rand.Read(c.ID[:]) // it never fails
	plaintext, err := cbor.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("handle: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(db.SealDetached(label(purpose, binding), plaintext)), nil
}

// Open decodes into value what Seal has sealed for this purpose and the browser
// that sends r. The error is [ErrInvalid]; any other is trouble.
func (k *Keeper) Open(ctx context.Context, r *http.Request, purpose, text string, value any) (Opened, error) {
	binding, ok := k.Bound(r)
	if !ok {
		return Opened{}, ErrInvalid
	}
	return k.OpenFor(ctx, binding, purpose, text, value)
}

// OpenFor is like Open for a binding that is known otherwise.
func (k *Keeper) OpenFor(ctx context.Context, binding, purpose, text string, value any) (Opened, error) {
	if len(text) > MaxLength {
		return Opened{}, ErrInvalid
	}
	db, err := k.Store(ctx)
	if err != nil {
		return Opened{}, err
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Opened{}, ErrInvalid
	}
	plaintext, err := db.OpenDetached(label(purpose, binding), sealed)
	if err != nil {
		return Opened{}, ErrInvalid
	}
	var c content
	if err := cbor.Unmarshal(plaintext, &c); err != nil {
		return Opened{}, ErrInvalid
	}
	expires := time.UnixMilli(c.Expires)
	if !db.Now().Before(expires) {
		return Opened{}, ErrInvalid
	}
	if err := cbor.Unmarshal(c.Value, value); err != nil {
		return Opened{}, ErrInvalid // of a version that had it otherwise
	}
	return Opened{id: c.ID, expires: expires, made: time.UnixMilli(c.Made)}, nil
}

// Spend makes change use the handle up. If it was used before, the commit of
// change is [tokenstore.ErrConflict], and nothing of it happens.
func Spend(change *tokenstore.Change, o Opened) { change.Create(o.spentKey(), nil, o.expires) }

// Spent reports whether the handle was used up, as far as that can be known before a
// commit. An error is trouble.
func Spent(ctx context.Context, db *tokenstore.DB, o Opened) (bool, error) {
	_, err := tokenstore.Load[any](ctx, db, o.spentKey())
	if errors.Is(err, tokenstore.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (o Opened) spentKey() tokenstore.Key {
	return tokenstore.SpentKey(sha256.Sum256(append([]byte("handle\x00"), o.id[:]...)))
}

// label is what a handle is for and whose it is. A binding has no NUL in it.
func label(purpose, binding string) string { return "handle\x00" + binding + "\x00" + purpose }
