// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// tagSize is the length of a record's MAC: HMAC-SHA-256, truncated to 128 bits.
const tagSize = 16

// authenticator makes and checks MACs under the store's secret. Making an HMAC
// costs twice as much as using one, hence the pool.
type authenticator struct {
	record, digest sync.Pool
}

// newAuthenticator derives all keys from the store's secret.
func newAuthenticator(secret []byte) *authenticator {
	pool := func(purpose string) sync.Pool {
		key := derive(secret, purpose)
		return sync.Pool{New: func() any { return &macState{Hash: hmac.New(sha256.New, key)} }}
	}
	return &authenticator{
		record: pool("caddy-oauth2 record mac v1"),
		digest: pool("caddy-oauth2 digest v1"),
	}
}

// macState is an HMAC with room for what it is fed with and gives.
type macState struct {
	hash.Hash
	head []byte
	out  [sha256.Size]byte
}

// sum is the HMAC over name and data, each told apart from the other by the
// length before name.
func (m *macState) sum(name string, data []byte) [sha256.Size]byte {
	m.Reset()
	m.head = binary.BigEndian.AppendUint64(m.head[:0], uint64(len(name)))
	m.head = append(m.head, name...)
	m.Write(m.head)
	m.Write(data)
	m.Sum(m.out[:0])
	return m.out
}

// tag is the MAC of a record. The key holds realm, kind and id, so that a record
// copied to another key, kind or realm is found out.
func (a *authenticator) tag(key Key, envelope []byte) [tagSize]byte {
	m := a.record.Get().(*macState)
	sum := m.sum(string(key), envelope)
	a.record.Put(m)
	return [tagSize]byte(sum[:tagSize])
}

// genuine says whether tag is the MAC of the record, in constant time.
func (a *authenticator) genuine(key Key, envelope, tag []byte) bool {
	want := a.tag(key, envelope)
	return hmac.Equal(want[:], tag)
}

// Digest is an HMAC-SHA-256 of data under a key of this store, for what is too
// short or too guessable for a bare SHA-256: user codes, recovery codes. The
// same data gives different digests for different purposes. It needs the store
// to be computed, so a stolen file without its sealing key cannot be searched.
func (db *DB) Digest(purpose string, data []byte) [32]byte {
	m := db.auth.digest.Get().(*macState)
	sum := m.sum(purpose, data)
	db.auth.digest.Put(m)
	return sum
}
