// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// MaxOwned is the largest limit of how many clients one user may have.
const MaxOwned = 500

// ErrLimit: the user has as many clients as one may have.
var ErrLimit = errors.New("client: the user has as many clients as allowed")

// owned lists the clients of one user, so that nobody has to look through all
// there are, and that two who add at a time cannot exceed the limit.
type owned struct {
	Clients []string `cbor:"1,keyasint,omitempty"`
}

func ownedKey(owner string) tokenstore.Key { return tokenstore.NewKey("", tokenstore.KindOwned, owner) }

// loadOwned returns the list and its revision, both zero if there is none.
func loadOwned(ctx context.Context, db *tokenstore.DB, owner string) (owned, tokenstore.Revision, error) {
	rec, err := tokenstore.Load[owned](ctx, db, ownedKey(owner))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return owned{}, 0, nil
	}
	if err != nil {
		return owned{}, 0, err
	}
	return rec.Value, rec.Revision, nil
}

// AddOwned is like [Add] for a client of a user, whose subject is owner and who
// may have at most limit of them. also, unless it is nil, adds to the change. Errors
// also: [ErrLimit], and [tokenstore.ErrConflict] when the user added or removed
// another meanwhile, or because of what also added.
func AddOwned(ctx context.Context, db *tokenstore.DB, owner string, limit int, c Client, also func(*tokenstore.Change)) (raw string, err error) {
	list, at, err := loadOwned(ctx, db, owner)
	if err != nil {
		return "", err
	}
	if len(list.Clients) >= min(limit, MaxOwned) {
		return "", ErrLimit
	}
	c.Owner = owner
	change := db.NewChange()
	list.Clients = append(list.Clients, c.ID)
	change.Replace(ownedKey(owner), at, &list, time.Time{})
	if also != nil {
		also(change)
	}
	raw, err = add(ctx, db, change, owner, c, "")
	if !errors.Is(err, tokenstore.ErrConflict) {
		return raw, err
	}
	if _, known := load(ctx, db, c.ID); known == nil {
		return "", ErrExists
	}
	return "", err
}

// disown takes a client that is removed off its owner's list.
func disown(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, c *Client) error {
	if c.Owner == "" {
		return nil
	}
	list, at, err := loadOwned(ctx, db, c.Owner)
	if err != nil || at == 0 {
		return err
	}
	list.Clients = slices.DeleteFunc(list.Clients, func(id string) bool { return id == c.ID })
	if len(list.Clients) == 0 {
		change.DeleteAt(ownedKey(c.Owner), at)
		return nil
	}
	change.Replace(ownedKey(c.Owner), at, &list, time.Time{})
	return nil
}

// Owned returns the clients of a user, disabled ones included, in the order in
// which they were added.
func Owned(ctx context.Context, db *tokenstore.DB, owner string) ([]*Client, error) {
	list, _, err := loadOwned(ctx, db, owner)
	if err != nil {
		return nil, err
	}
	clients := make([]*Client, 0, len(list.Clients))
	for _, id := range list.Clients {
		c, err := Get(ctx, db, id)
		if errors.Is(err, ErrNotFound) {
			continue // removed just now
		}
		if err != nil {
			return nil, err
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// RemoveOwned puts into change what removes the clients of a user whom actor removes,
// and ends all that they had.
func RemoveOwned(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, owner, actor string) error {
	list, at, err := loadOwned(ctx, db, owner)
	if err != nil || at == 0 {
		return err
	}
	change.DeleteAt(ownedKey(owner), at)
	for _, id := range list.Clients {
		rec, err := load(ctx, db, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		change.DeleteAt(rec.Key, rec.Revision)
		forgetRecoverable(change, &rec.Value, nil)
		change.Delete(tokenstore.ClientAnchorKey(id)) // a missing anchor refuses
		change.Audit(auditEntry(authz.EventClientRemoved, id, actor))
	}
	return nil
}
