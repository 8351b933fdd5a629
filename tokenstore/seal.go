// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"encoding/binary"
	"fmt"
)

// Sealed is a value that only a sealing key opens: version, the key's
// fingerprint, nonce, ciphertext. The record that holds one must be of
// [KindSealed] and hold nothing else, so that [DB.Reseal] finds them all.
type Sealed []byte

// sealedVersion is the first byte of a sealed value: AES-256-GCM with a random nonce.
const sealedVersion = 1

// sealedHead is the length of version and fingerprint.
const sealedHead = 1 + len(SealKeyID{})

// String hides the value, which is encrypted but nobody's business in a log.
func (s Sealed) String() string { return fmt.Sprintf("sealed, %d bytes", len(s)) }

// keyID is the fingerprint of the key that opens s.
func (s Sealed) keyID() (SealKeyID, error) {
	if len(s) < sealedHead || s[0] != sealedVersion {
		return SealKeyID{}, fmt.Errorf("%w: not a sealed value of this version", ErrDamaged)
	}
	return SealKeyID(s[1:sealedHead]), nil
}

// Seal encrypts plaintext for the record under key: it opens nowhere else,
// because realm, kind and id are part of what is authenticated. It is sealed
// with the first of the sealing keys.
func (db *DB) Seal(key Key, plaintext []byte) (Sealed, error) {
	return (*db.sealKeys.Load())[0].seal(key, plaintext), nil
}

// Unseal opens what Seal made for the same key. Errors: ErrSealKey when none of
// the sealing keys is the one it was sealed with, ErrDamaged when it was changed
// or belongs to another record.
func (db *DB) Unseal(key Key, s Sealed) ([]byte, error) {
	plaintext, err := unseal(*db.sealKeys.Load(), key, s)
	if err != nil {
		db.reportDamage(key, err)
	}
	return plaintext, err
}

// SealDetached encrypts plaintext that leaves the store and comes back, through a
// browser for instance. It opens for the same label only. A rotation of the
// sealing key leaves it behind: it is for what lasts an hour, not a year.
func (db *DB) SealDetached(label string, plaintext []byte) []byte {
	return (*db.sealKeys.Load())[0].seal(detachedKey(label), plaintext)
}

// OpenDetached opens what SealDetached made for the same label. The error says
// nothing about the store: whoever carried the text may have changed it.
func (db *DB) OpenDetached(label string, sealed []byte) ([]byte, error) {
	return unseal(*db.sealKeys.Load(), detachedKey(label), sealed)
}

// detachedKey stands, among what is authenticated, for the record that there is not.
func detachedKey(label string) Key { return NewKey("", KindMeta, "detached/"+label) }

// seal encrypts plaintext for the record under key.
func (k SealKey) seal(key Key, plaintext []byte) Sealed {
	out := make(Sealed, 0, sealedHead+len(plaintext)+k.gcm.Overhead())
	out = append(out, sealedVersion)
	out = append(out, k.id[:]...)
	return k.gcm.Seal(out, nil, plaintext, sealedData(out[:sealedHead], key))
}

// unseal opens s, made for the record under key, with whichever of keys it names.
func unseal(keys []SealKey, key Key, s Sealed) ([]byte, error) {
	id, err := s.keyID()
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.id != id {
			continue
		}
		plaintext, err := k.gcm.Open(nil, nil, s[sealedHead:], sealedData(s[:sealedHead], key))
		if err != nil {
			return nil, fmt.Errorf("%w: a sealed value does not open", ErrDamaged)
		}
		return plaintext, nil
	}
	return nil, fmt.Errorf("%w: a value is sealed with key %s, which is not among those given", ErrSealKey, id)
}

// sealedData is the associated data of a sealed value: its head, and the record's
// key (in which the kind is) with its length before it.
func sealedData(head []byte, key Key) []byte {
	data := make([]byte, 0, len(head)+8+len(key))
	data = append(data, head...)
	data = binary.BigEndian.AppendUint64(data, uint64(len(key)))
	return append(data, key...)
}
