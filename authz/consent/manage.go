// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package consent

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// List returns up to limit consents of a user from cursor on, in the order of the
// clients' ids, and the cursor of the rest ("" at the end). Those are among them
// whose client is gone, or had all that it got revoked; see [Consent.ClientGeneration].
func List(ctx context.Context, db *tokenstore.DB, subject string, cursor tokenstore.Cursor, limit int) ([]*Consent, tokenstore.Cursor, error) {
	records, next, err := tokenstore.ListUnder[Consent](ctx, db, key(subject, ""), cursor, limit)
	consents := make([]*Consent, len(records))
	for i, r := range records {
		consents[i] = &r.Value
	}
	return consents, next, err
}

// End ends what a user allows a client, and every grant and token that came of it.
// actor is who does it, for the audit log. Errors: [ErrNotFound],
// [tokenstore.ErrConflict] when it changed meanwhile, or trouble of the store.
func End(ctx context.Context, db *tokenstore.DB, actor, subject, client string) error {
	rec, err := tokenstore.Load[Consent](ctx, db, key(subject, client))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	change := db.NewChange()
	change.DeleteAt(rec.Key, rec.Revision)
	change.Revoke(tokenstore.ConsentAnchorKey(rec.Value.Anchor))
	change.Audit(entry(authz.EventConsentEnded, &rec.Value, actor))
	_, err = db.Commit(ctx, change)
	return err
}

// EndAll puts into change what ends all consents of a user, who is being removed. Of
// more than one change can hold, most end before it.
func EndAll(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, subject string) error {
	for {
		consents, next, err := List(ctx, db, subject, "", tokenstore.MaxList)
		if err != nil {
			return err
		}
		part := change
		if next != "" {
			part = db.NewChange()
		}
		for _, c := range consents {
			part.Delete(key(subject, c.Client))
			part.Revoke(tokenstore.ConsentAnchorKey(c.Anchor))
		}
		if next == "" {
			return nil
		}
		if _, err := db.Commit(ctx, part); err != nil {
			return err
		}
	}
}

// NoteReplay puts into change that something spent came again, so that the user can
// be shown it. Without a consent there is nothing to note.
func NoteReplay(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, subject, client string, now time.Time) error {
	rec, err := tokenstore.Load[Consent](ctx, db, key(subject, client))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c := rec.Value
	c.Replayed = now.Unix()
	change.Replace(rec.Key, rec.Revision, &c, rec.Expires, rec.Anchors...)
	return nil
}
