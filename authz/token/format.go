// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Format is how access tokens look and where their facts are found. It is the
// contract of the namespace oauth2.token_formats. Implementations are safe for
// concurrent use.
type Format interface {
	// Mint makes the text of a token and puts into change what the store must
	// keep of it. The token counts only once change is committed.
	Mint(ctx context.Context, change *tokenstore.Change, t Draft) (raw string, err error)
	// Recognizes reports, from the text alone, whether raw may be a token of this
	// format. It is called for every request and must not allocate.
	Recognizes(raw string) bool
	// Find returns the facts of a token that Recognizes accepted: shared and
	// read-only. The error is tokenstore.ErrNotFound for a token that is not, or
	// no longer, valid; any other is trouble that says nothing about the token.
	Find(ctx context.Context, db *tokenstore.DB, raw string) (*tokenstore.Record[Record], error)
	// End puts into change what ends this one token, which Find returned as rec.
	End(change *tokenstore.Change, rec *tokenstore.Record[Record])
}

// Draft is a token that is about to be made.
type Draft struct {
	// Record are its facts.
	Record Record
	// Expires is when it ends.
	Expires time.Time
	// Anchors are the generations that it depends on.
	Anchors []tokenstore.Generation
}

// Opaque is the format of tokens that say nothing themselves: random texts of
// [New], whose facts are in the store. They are short, tell nobody anything, and
// to revoke one is to delete its record.
type Opaque struct{}

// Mint makes a token of d.Record.Kind.
func (Opaque) Mint(_ context.Context, change *tokenstore.Change, d Draft) (string, error) {
	raw := New(d.Record.Kind)
	change.Create(tokenstore.CredentialKey(Digest(raw)), &d.Record, d.Expires, d.Anchors...)
	return raw, nil
}

// Recognizes reports whether raw is an access or refresh token of ours without a
// typing error: no other text costs a look-up.
func (Opaque) Recognizes(raw string) bool {
	kind, ok := Check(raw)
	return ok && (kind == Access || kind == Refresh)
}

// Find looks in the cache, then in the store.
func (Opaque) Find(ctx context.Context, db *tokenstore.DB, raw string) (*tokenstore.Record[Record], error) {
	return tokenstore.CachedCredential[Record](ctx, db, Digest(raw))
}

// End deletes the record.
func (Opaque) End(change *tokenstore.Change, rec *tokenstore.Record[Record]) { change.Delete(rec.Key) }
