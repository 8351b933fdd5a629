// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// recoverableKey is where the text of a client's secret is kept, sealed. A
// secret of its own for each record, so that a rotation leaves the old one's
// alone; the digest has a fixed length, so no two clients share a record.
func recoverableKey(id string, digest [32]byte) tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindSealed, "client_secret/"+id+"/"+string(digest[:]))
}

// keepRecoverable keeps the text of the newest secret of c, if c needs it.
func keepRecoverable(db *tokenstore.DB, change *tokenstore.Change, c *Client, text string) error {
	if !c.recoverable() {
		return nil
	}
	key := recoverableKey(c.ID, c.Secrets[0].Digest)
	sealed, err := db.Seal(key, []byte(text))
	if err != nil {
		return err
	}
	change.Put(key, sealed, time.Time{})
	return nil
}

// forgetRecoverable deletes the texts of the secrets that c has, but for those
// that it keeps.
func forgetRecoverable(change *tokenstore.Change, c *Client, kept []Secret) {
	if !c.recoverable() {
		return
	}
	for _, s := range c.Secrets {
		if !slices.ContainsFunc(kept, func(k Secret) bool { return k.Digest == s.Digest }) {
			change.Delete(recoverableKey(c.ID, s.Digest))
		}
	}
}

// secretText returns the text of a secret of c; empty if it is not there, because
// the client was changed in this very moment.
func (r *Registry) secretText(ctx context.Context, c *Client, s Secret) (string, error) {
	if s.text != "" {
		return s.text, nil
	}
	db, err := r.open(ctx)
	if err != nil {
		return "", err
	}
	key := recoverableKey(c.ID, s.Digest)
	rec, err := tokenstore.Cached[tokenstore.Sealed](ctx, db, key)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text, err := db.Unseal(key, rec.Value)
	return string(text), err
}
