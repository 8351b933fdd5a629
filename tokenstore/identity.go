// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Format is the version of what this code writes. A store of a newer one is
// refused.
const Format = 1

// magic begins every identity record.
const magic = "caddy-oauth2"

// storeSecretSize is the size of the store's secret, in bytes. The keys of all
// MACs and digests derive from it.
const storeSecretSize = 32

// identity is what a store says of itself. On disk its MAC follows, as after
// every record; it is not an envelope because the MAC's key is inside.
type identity struct {
	_       struct{} `cbor:",toarray"`
	Magic   string
	Format  uint64
	ID      []byte // 16 random bytes
	Created int64  // milliseconds since 1970
	// Keys are the sealing keys with which anything in the store may be sealed:
	// without any one of them the store does not open.
	Keys []sealUse
	// Secret is the store's secret, sealed.
	Secret []byte

	revision Revision
}

// sealUse says since when a sealing key is in use.
type sealUse struct {
	_     struct{} `cbor:",toarray"`
	ID    SealKeyID
	Since int64 // milliseconds since 1970
}

// identityKey is where the identity is kept.
func identityKey() Key { return NewKey("", KindMeta, "identity") }

// checkSealKeys refuses lists that cannot be meant, and copies the list.
func checkSealKeys(keys []SealKey) ([]SealKey, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: none was given; name the file that holds the key", ErrSealKey)
	}
	if len(keys) > MaxSealKeys {
		return nil, fmt.Errorf("%w: %d keys, at most %d are taken", ErrSealKey, len(keys), MaxSealKeys)
	}
	for i, k := range keys {
		if !k.usable() {
			return nil, fmt.Errorf("%w: key %d is empty", ErrSealKey, i+1)
		}
		if slices.ContainsFunc(keys[:i], func(o SealKey) bool { return o.id == k.id }) {
			return nil, fmt.Errorf("%w: key %s is given twice", ErrSealKey, k.id)
		}
	}
	return slices.Clone(keys), nil
}

// identify reads the identity, or makes one where the engine is empty.
func (db *DB) identify(ctx context.Context, now time.Time) error {
	items, err := db.get(ctx, identityKey())
	if err != nil {
		return err
	}
	if items[0].Revision == 0 {
		if err := db.found(ctx, now); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
		// Read back what was written, by us or by whoever came first.
		if items, err = db.get(ctx, identityKey()); err != nil {
			return err
		}
	}
	ident, secret, err := recognise(items[0], *db.sealKeys.Load())
	if err != nil {
		return err
	}
	db.auth = newAuthenticator(secret)
	db.ident.Store(ident)
	return nil
}

// found makes an empty engine a store.
func (db *DB) found(ctx context.Context, now time.Time) error {
	some, _, err := db.scan(ctx, "", 1)
	if err != nil {
		return err
	}
	if len(some) > 0 {
		return fmt.Errorf("%w: it holds data but does not say whose; it is another program's, or damaged. "+
			"Name another file, or restore a backup", ErrFormat)
	}
	first := (*db.sealKeys.Load())[0]
	secret := make([]byte, storeSecretSize)
	rand.Read(secret)
	id := make([]byte, 16)
	rand.Read(id)
	ident := &identity{
		Magic: magic, Format: Format, ID: id, Created: now.UnixMilli(),
		Keys:   []sealUse{{ID: first.id, Since: now.UnixMilli()}},
		Secret: first.seal(identityKey(), secret),
	}
	value, err := ident.encode(newAuthenticator(secret))
	if err != nil {
		return err
	}
	_, err = db.applyRetrying(ctx, Batch{
		ID:     newBatchID(),
		Expect: []Expect{{Key: identityKey()}},
		Put:    []Put{{Key: identityKey(), Value: value}},
	})
	return err
}

// encode lays out the identity and adds its MAC.
func (id *identity) encode(auth *authenticator) ([]byte, error) {
	out, err := encoding.Marshal(id)
	if err != nil {
		return nil, fmt.Errorf("tokenstore: the identity cannot be encoded: %w", err)
	}
	tag := auth.tag(identityKey(), out)
	return append(out, tag[:]...), nil
}

// recognise checks an identity and, with it, the sealing keys, and opens the
// store's secret.
func recognise(item Item, keys []SealKey) (ident *identity, secret []byte, err error) {
	ident, signed, err := decodeIdentity(item)
	if err != nil {
		return nil, nil, err
	}
	if err = ident.admits(keys); err != nil {
		return nil, nil, err
	}
	if secret, err = unseal(keys, identityKey(), ident.Secret); err != nil {
		return nil, nil, fmt.Errorf("the store's own secret: %w", err)
	}
	if len(secret) != storeSecretSize || !newAuthenticator(secret).genuine(identityKey(), signed, item.Value[len(signed):]) {
		return nil, nil, fmt.Errorf("%w: the MAC of the store's identity does not fit; restore a backup", ErrDamaged)
	}
	return ident, secret, nil
}

// decodeIdentity reads an identity as far as that goes without the sealing key,
// and gives back the bytes that its MAC covers.
func decodeIdentity(item Item) (*identity, []byte, error) {
	split := len(item.Value) - tagSize
	if item.Revision == 0 || split < 0 {
		return nil, nil, fmt.Errorf("%w: the store's identity is missing or cut short; restore a backup", ErrFormat)
	}
	signed := item.Value[:split]
	var fields []cbor.RawMessage
	var word string
	var version uint64
	if decoding.Unmarshal(signed, &fields) != nil || len(fields) < 2 ||
		decoding.Unmarshal(fields[0], &word) != nil || word != magic ||
		decoding.Unmarshal(fields[1], &version) != nil {
		return nil, nil, fmt.Errorf("%w: its identity is not one of ours; it is another program's, or damaged. "+
			"Name another file, or restore a backup", ErrFormat)
	}
	if version > Format {
		return nil, nil, fmt.Errorf("%w: it has format %d, this program knows up to %d; "+
			"run the newer program again, or restore a backup from before the upgrade", ErrFormat, version, Format)
	}
	ident := &identity{revision: item.Revision}
	if err := decoding.Unmarshal(signed, ident); err != nil || version < Format {
		return nil, nil, fmt.Errorf("%w: its identity of format %d does not read; restore a backup", ErrFormat, version)
	}
	return ident, signed, nil
}

// admits says whether keys hold all that the store is sealed with.
func (id *identity) admits(keys []SealKey) error {
	var missing []string
	for _, use := range id.Keys {
		if !slices.ContainsFunc(keys, func(k SealKey) bool { return k.id == use.ID }) {
			missing = append(missing, use.ID.String())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	given := make([]string, len(keys))
	for i, k := range keys {
		given[i] = k.id.String()
	}
	return fmt.Errorf("%w: the store is sealed with %s, but given was %s. "+
		"Give back the key that belongs to this store, after the new one if there is one; "+
		"an old key can go once everything was sealed anew", ErrSealKey,
		strings.Join(missing, ", "), strings.Join(given, ", "))
}

// SetSealKeys replaces the sealing keys: the first seals from now on, all open.
// Values sealed before stay as they are until [DB.Reseal]. Errors: ErrSealKey,
// when one is missing that something in the store is still sealed with; then
// nothing changes.
func (db *DB) SetSealKeys(ctx context.Context, keys []SealKey) error {
	keys, err := checkSealKeys(keys)
	if err != nil {
		return err
	}
	return db.noteSealKeys(ctx, keys)
}

// noteSealKeys takes keys into use, but first, in the identity, notes the one
// that seals: a store that may hold something sealed with a key never opens
// without it.
func (db *DB) noteSealKeys(ctx context.Context, keys []SealKey) error {
	first := keys[0].id
	err := db.changeIdentity(ctx, keys, func(ident *identity, _ []byte) bool {
		if slices.ContainsFunc(ident.Keys, func(u sealUse) bool { return u.ID == first }) {
			return false
		}
		ident.Keys = append(ident.Keys, sealUse{ID: first, Since: db.clock.millis()})
		return true
	})
	if err != nil {
		return err
	}
	db.sealKeys.Store(&keys)
	return nil
}

// changeIdentity reads the identity with keys, lets change have it together with
// the store's secret, and writes it where change says that it did. It starts from what is stored, not from what is
// remembered, because an earlier write may have had an unknown outcome.
func (db *DB) changeIdentity(ctx context.Context, keys []SealKey, change func(ident *identity, secret []byte) bool) error {
	db.identMu.Lock()
	defer db.identMu.Unlock()
	items, err := db.get(ctx, identityKey())
	if err != nil {
		return err
	}
	ident, secret, err := recognise(items[0], keys)
	if err != nil {
		return err
	}
	if change(ident, secret) {
		value, err := ident.encode(db.auth)
		if err != nil {
			return err
		}
		ident.revision, err = db.applyRetrying(ctx, Batch{
			ID:     newBatchID(),
			Expect: []Expect{{Key: identityKey(), Revision: ident.revision}},
			Put:    []Put{{Key: identityKey(), Value: value}},
		})
		if err != nil {
			return err
		}
	}
	db.ident.Store(ident)
	return nil
}

// sealing is the identity's revision if the key that s is sealed with is one
// without which the store does not open. Whatever saves s expects that revision:
// so no value is ever left behind under a key that Reseal has just let go.
func (db *DB) sealing(s Sealed) (Revision, error) {
	id, err := s.keyID()
	if err != nil {
		return 0, err
	}
	ident := db.ident.Load()
	if !slices.ContainsFunc(ident.Keys, func(u sealUse) bool { return u.ID == id }) {
		return 0, fmt.Errorf("%w: the sealing key has changed meanwhile", ErrConflict)
	}
	return ident.revision, nil
}
