// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// maxGrantsScanned is how many grants one request for those of a client looks
// at: there is no index by client, and no request may take long.
const maxGrantsScanned = 20_000

// getGrants lists the grants that have not ended, of one client or of all.
func getGrants(r *adminRequest) (any, error) {
	cursor, limit, err := r.page()
	if err != nil {
		return nil, err
	}
	from, err := cursorIn(cursor, tokenstore.KindGrant)
	if err != nil {
		return nil, err
	}
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	wanted := r.URL.Query().Get("client")
	list := grantList{Grants: []grantView{}}
	for scanned := 0; ; scanned += maxPage {
		records, next, err := tokenstore.List[token.Grant](r.Context(), db, "", tokenstore.KindGrant, from, maxPage)
		if err != nil {
			return nil, err
		}
		for _, rec := range records {
			if wanted != "" && rec.Value.Client != wanted {
				continue
			}
			if len(list.Grants) == limit {
				list.Cursor = cursorOut(rec.Key)
				return list, nil
			}
			list.Grants = append(list.Grants, viewGrant(rec))
		}
		if from = next; from == "" || scanned+maxPage >= maxGrantsScanned {
			list.Cursor = cursorOut(from)
			return list, nil
		}
	}
}

func viewGrant(rec *tokenstore.Record[token.Grant]) grantView {
	g := rec.Value
	return grantView{
		ID: rec.Key.ID(), GrantType: g.Type, Client: g.Client, Subject: g.Subject,
		Scopes: append([]string{}, g.Scopes...), Audience: g.Audience,
		IssuedAt: time.Unix(g.IssuedAt, 0).UTC(), Expires: moment(rec.Expires),
	}
}

// postGrantRevoke ends a grant and all its tokens.
func postGrantRevoke(r *adminRequest) (any, error) {
	id := r.PathValue("id")
	if err := r.read(&struct{}{}); err != nil {
		return nil, err
	}
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	rec, err := tokenstore.Load[token.Grant](r.Context(), db, tokenstore.GrantKey(id))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, adminRefusal(http.StatusNotFound, fmt.Sprintf("there is no grant %q: it was revoked, has expired or never was", id))
	}
	if err != nil {
		return nil, err
	}
	done := authz.Event{Type: authz.EventGrantRevoked, Outcome: authz.Allowed, Actor: actorAdmin,
		Grant: id, GrantType: rec.Value.Type, Client: rec.Value.Client, Subject: rec.Value.Subject}
	change := db.NewChange()
	change.Revoke(rec.Key)
	return grantRevoked{ID: id, Revoked: true}, r.commit(db, change, done)
}
