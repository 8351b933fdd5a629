// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"time"
)

// About is what a store says of itself.
type About struct {
	// ID is the random id that the store got when it was made at Created. A backup
	// has the id of its store.
	ID      [16]byte
	Created time.Time
	// SealKeys are the fingerprints of the keys without which the store does not
	// open.
	SealKeys []SealKeyID
	// Clock is the latest time that the store is known to have seen. Zero where
	// the sealing keys were not given, because then nobody can vouch for it.
	Clock time.Time
	// Authentic says that the identity's MAC, and Clock's, were checked.
	Authentic bool
}

// Describe reads what a store says of itself, and changes nothing. Without keys,
// or with others than the store's, it tells what can be told without them.
//
// Errors: ErrFormat, ErrDamaged, ErrUnavailable.
func Describe(ctx context.Context, store Store, keys []SealKey) (About, error) {
	db := &DB{store: store}
	items, err := db.get(ctx, identityKey())
	if err != nil {
		return About{}, err
	}
	ident, _, err := decodeIdentity(items[0])
	if err != nil {
		return About{}, err
	}
	about := About{Created: moment(ident.Created)}
	copy(about.ID[:], ident.ID)
	for _, use := range ident.Keys {
		about.SealKeys = append(about.SealKeys, use.ID)
	}
	if ident.admits(keys) != nil {
		return about, nil
	}
	_, secret, err := recognise(items[0], keys)
	if err != nil {
		return about, err
	}
	db.auth = newAuthenticator(secret)
	mark, err := db.readClock(ctx)
	if err != nil {
		return about, err
	}
	about.Clock, about.Authentic = moment(mark), true
	return about, nil
}
