// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// AllSessions lists a page of the sessions of all users that are still good, in no
// order that means anything, and the cursor of the rest ("" at the end). A page may
// be short, or empty, before that. It is for administration only.
func (s *Service) AllSessions(ctx context.Context, cursor tokenstore.Cursor, limit int) ([]*Session, tokenstore.Cursor, error) {
	db, err := s.config.Store(ctx)
	if err != nil {
		return nil, "", err
	}
	records, next, err := tokenstore.List[sessionRecord](ctx, db, "", tokenstore.KindSession, cursor, limit)
	if err != nil {
		return nil, "", err
	}
	var all []*Session
	for _, r := range records {
		if _, _, client := splitSessionKey(r.Key); client != "" {
			continue // a client that the session before it signed in
		}
		if session := s.newSession(r); db.Now().Before(session.Expires) {
			all = append(all, session)
		}
	}
	return all, next, nil
}
