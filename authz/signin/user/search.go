// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"errors"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Search is like List for users whose user name or e-mail address begins with a
// text, in whatever form, in the order of these; who is found by both is there
// twice. No name begins with a text that no name can have.
func (d *Directory) Search(ctx context.Context, text string, cursor tokenstore.Cursor, limit int) ([]*tokenstore.Record[User], tokenstore.Cursor, error) {
	_, db, err := d.open(ctx)
	if err != nil {
		return nil, "", err
	}
	prefix, err := Canonical(text)
	if err != nil {
		return nil, "", nil
	}
	names, next, err := tokenstore.ListUnder[reference](ctx, db, nameKey(prefix), cursor, limit)
	if err != nil {
		return nil, "", err
	}
	users := make([]*tokenstore.Record[User], 0, len(names))
	for _, name := range names {
		u, err := bySubject(ctx, db, name.Value.Subject)
		if errors.Is(err, ErrNotFound) {
			continue // removed just now
		}
		if err != nil {
			return nil, "", err
		}
		users = append(users, u)
	}
	return users, next, nil
}
