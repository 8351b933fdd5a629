// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// resealStep is how long one request seals anew before it answers how far it
// has come: long enough to get on, short enough that nothing on the way gives up.
const resealStep = 10 * time.Second

// getKeys lists the sealing keys in force.
func getKeys(r *adminRequest) (any, error) {
	db, err := r.db() // the keys are known once the store is open
	if err != nil {
		return nil, err
	}
	stats := db.Stats()
	list := keyList{Keys: []keyView{}}
	for _, key := range r.app.inForce.sealKeys {
		view := keyView{Use: "seal", Fingerprint: key.ID().String(), State: "unused"}
		switch {
		case key.ID() == stats.SealKey:
			view.State, view.Since = "active", moment(stats.SealKeySince)
		case stats.SealKeysNeeded > 1:
			view.State = "opens"
		}
		list.Keys = append(list.Keys, view)
	}
	return list, nil
}

// postKeyRotate seals anew what older sealing keys sealed, for at most
// [resealStep]; the same request goes on where it stopped. What a transaction
// has done is done, whatever becomes of the request.
func postKeyRotate(r *adminRequest) (any, error) {
	var order keyRotation
	if err := r.read(&order); err != nil {
		return nil, err
	}
	if !order.Seal {
		return nil, adminRefusal(http.StatusBadRequest, `say which key: {"seal": true} rotates the sealing key`)
	}
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), resealStep)
	defer cancel()
	n, err := db.Reseal(ctx, nil)
	if errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil {
		left := db.Stats().Records[tokenstore.KindSealed] - int64(n)
		return keyRotated{Resealed: n, Remaining: int(max(left, 0))}, nil
	}
	if err != nil {
		return nil, err
	}
	done := authz.Event{Type: authz.EventKeyRotated, Outcome: authz.Allowed, Actor: actorAdmin}
	return keyRotated{Resealed: n, Finished: true}, r.commit(db, db.NewChange(), done)
}
