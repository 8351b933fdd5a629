// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"encoding/binary"
	"fmt"
	"time"
)

// expiryKeys is how many keys one entry of the expiry index holds at most, so
// that an entry and its records go in one transaction of the sweep.
const expiryKeys = 64

// expiryIndex collects, for one batch, which keys expire when. Each distinct
// second becomes one record of KindExpiry, whose id is the second in eight bytes,
// big-endian, so that the index is ordered by time; then the batch's id and a
// number, so that no two collide. Its value lists the keys.
//
// The index is written by the batch that writes the records, so no record is
// without its entry. The reverse happens all the time: a record that was deleted
// or extended leaves its entry behind, and the sweep finds nothing due there.
type expiryIndex struct {
	seconds []int64
	keys    map[int64][][]byte
}

// add notes that key expires at t. Seconds are rounded up: at its second a
// record has expired.
func (x *expiryIndex) add(key Key, t time.Time) {
	if t.IsZero() {
		return
	}
	second := secondAfter(t.UnixMilli())
	if x.keys == nil {
		x.keys = make(map[int64][][]byte, 2)
	}
	if x.keys[second] == nil {
		x.seconds = append(x.seconds, second)
	}
	x.keys[second] = append(x.keys[second], []byte(key))
}

// secondAfter is the first full second, since 1970, not before ms milliseconds.
func secondAfter(ms int64) int64 { return (ms + 999) / 1000 }

// encode adds the index records to puts.
func (x *expiryIndex) encode(puts []Put, id BatchID, auth *authenticator) ([]Put, error) {
	for _, second := range x.seconds {
		keys := x.keys[second]
		for part := uint16(0); len(keys) > 0; part++ {
			some := keys[:min(len(keys), expiryKeys)]
			keys = keys[len(some):]
			key := expiryKey(second, id, part)
			value, err := auth.encodeRecord(key, some, time.Time{}, nil)
			if err != nil {
				return nil, fmt.Errorf("the expiry index: %w", err)
			}
			puts = append(puts, Put{Key: key, Value: value})
		}
	}
	return puts, nil
}

// expiryKey is the key of an entry. Times before 1970 come first, as 0.
func expiryKey(second int64, id BatchID, part uint16) Key {
	b := make([]byte, 0, 8+len(id)+2)
	b = binary.BigEndian.AppendUint64(b, uint64(max(0, second)))
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint16(b, part)
	return NewKey("", KindExpiry, string(b))
}

// expirySecond is the second of an entry's key, and whether key is one.
func expirySecond(key Key) (int64, bool) {
	if key.Realm() != "" || key.Kind() != KindExpiry || len(key.ID()) < 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64([]byte(key.ID()[:8]))), true
}
