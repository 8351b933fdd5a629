// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// once is the mark that an assertion leaves in the store: it authenticates one
// request (RFC 7523 §3, item 7). The zero once belongs to no assertion.
type once struct {
	key tokenstore.Key
	// until is when the mark may go, because the assertion has expired.
	until time.Time
}

// onceOf is the mark of the assertion of a client with the given jti. Whoever
// repeats a jti in another assertion repeats the assertion.
func onceOf(client, jti string, expires time.Time) once {
	// The id is never empty and has no NUL in it (see ValidateID), so no two pairs
	// have one text.
	digest := sha256.Sum256([]byte("client_assertion\x00" + client + "\x00" + jti))
	return once{tokenstore.SpentKey(digest), expires}
}

// Asserted reports whether the client has proved who it is by an assertion, which
// must not do so again.
func (a Authenticated) Asserted() bool { return a.once.key != "" }

// CheckUnspent returns [authz.ErrInvalidClient] if the assertion has been spent.
// That it has not is certain only once [Authenticated.Spend] is committed. Other
// errors are trouble of the store.
func (a Authenticated) CheckUnspent(ctx context.Context, db *tokenstore.DB) error {
	if !a.Asserted() {
		return nil
	}
	_, err := tokenstore.Load[struct{}](ctx, db, a.once.key)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return RefusedReplay.err()
}

// Spend makes change spend the assertion. If another request has spent it, the
// commit of change is [tokenstore.ErrConflict], and nothing of it happens.
func (a Authenticated) Spend(change *tokenstore.Change) {
	if a.Asserted() {
		change.Create(a.once.key, nil, a.once.until)
	}
}
