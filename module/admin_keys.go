// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// resealStep is how long one request seals anew before it answers how far it
// has come: long enough to get on, short enough that nothing on the way gives up.
const resealStep = 10 * time.Second

// getKeys lists the sealing keys in force, and those that sign.
func getKeys(r *adminRequest) (any, error) {
	if _, err := r.db(); err != nil { // the keys are known once the store is open
		return nil, err
	}
	views, err := r.app.keyViews(r.Context())
	return keyList{Keys: views}, err
}

// keyViews are the sealing keys in force, and those that sign. The app has started.
func (a *App) keyViews(ctx context.Context) ([]keyView, error) {
	stats := a.runtime.db.Stats()
	views := []keyView{}
	for _, key := range a.inForce.sealKeys {
		view := keyView{Use: "seal", Fingerprint: key.ID().String(), State: "unused"}
		switch {
		case key.ID() == stats.SealKey:
			view.State, view.Since = "active", moment(stats.SealKeySince)
		case stats.SealKeysNeeded > 1:
			view.State = "opens"
		}
		views = append(views, view)
	}
	signing, err := a.runtime.signs.List(ctx)
	for _, key := range signing {
		views = append(views, keyView{
			Use: string(key.Purpose), Fingerprint: key.ID, Algorithm: key.Algorithm, State: string(key.State),
			Since: moment(key.Since), Until: moment(key.Until),
		})
	}
	return views, err
}

// postKeyRotate rotates the signing keys, or the sealing key.
func postKeyRotate(r *adminRequest) (any, error) {
	var order keyRotation
	if err := r.read(&order); err != nil {
		return nil, err
	}
	switch {
	case order.Seal == order.Signing:
		return nil, adminRefusal(http.StatusBadRequest, `say which key: {"seal": true} rotates the sealing key, {"signing": true} those that sign`)
	case order.Seal && (order.Now || order.Revoke):
		return nil, adminRefusal(http.StatusBadRequest, `"now" and "revoke" are for signing keys`)
	case order.Seal:
		return rotateSeal(r)
	}
	return rotateSigning(r, order)
}

// rotateSigning brings in a new key for every purpose that has one.
func rotateSigning(r *adminRequest, order keyRotation) (any, error) {
	if _, err := r.db(); err != nil { // the keys are known once the store is open
		return nil, err
	}
	pace := keyring.Overlapping
	switch {
	case order.Revoke:
		pace = keyring.Revoking
	case order.Now:
		pace = keyring.AtOnce
	}
	rotated, err := r.app.rotateSigningKeys(r.Context(), pace, actorAdmin)
	if errors.Is(err, keyring.ErrFull) {
		return nil, adminRefusal(http.StatusConflict, err.Error())
	}
	if err != nil {
		return nil, err
	}
	if rotated == 0 {
		return nil, adminRefusal(http.StatusConflict, "there are no signing keys: nothing has been signed yet. Opaque tokens are not")
	}
	return keyRotated{Rotated: rotated, Finished: true}, nil
}

// rotateSigningKeys brings in a new key for each purpose that has one, and returns
// for how many that is. The app has started.
func (a *App) rotateSigningKeys(ctx context.Context, pace keyring.Pace, actor string) (rotated int, err error) {
	for _, purpose := range keyring.Purposes() {
		inUse, err := a.runtime.signs.InUse(ctx, purpose)
		if err != nil {
			return rotated, err
		}
		if !inUse {
			continue
		}
		if err := a.runtime.signs.Rotate(ctx, purpose, a.keyPolicy(purpose), pace, actor); err != nil {
			return rotated, err
		}
		a.recorder.Record(ctx, authz.Event{Type: authz.EventKeyRotated, Outcome: authz.Allowed, Actor: actor})
		rotated++
	}
	return rotated, nil
}

// rotateSeal seals anew what older sealing keys sealed, for at most
// [resealStep]; the same request goes on where it stopped. What a transaction
// has done is done, whatever becomes of the request.
func rotateSeal(r *adminRequest) (any, error) {
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
