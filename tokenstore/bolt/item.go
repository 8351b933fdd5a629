// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// sealBytes is what a sealed value has in front: revision and checksum.
const sealBytes = 8 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// unsealed copies value into a buffer that has room for the seal in front.
func unsealed(value []byte) []byte {
	raw := make([]byte, sealBytes+len(value))
	copy(raw[sealBytes:], value)
	return raw
}

// seal fills in the front of a buffer made by unsealed.
func seal(key, raw []byte, rev tokenstore.Revision) {
	binary.BigEndian.PutUint64(raw, uint64(rev))
	binary.BigEndian.PutUint32(raw[8:], checksum(key, raw))
}

// unseal checks a sealed value and takes it apart. The value returned is part of
// raw. That there is none (raw is nil) is not for unseal to judge.
func unseal(key, raw []byte) (tokenstore.Revision, []byte, error) {
	if len(raw) < sealBytes {
		return 0, nil, fmt.Errorf("%w: an item of %d bytes", tokenstore.ErrDamaged, len(raw))
	}
	if binary.BigEndian.Uint32(raw[8:]) != checksum(key, raw) {
		return 0, nil, fmt.Errorf("%w: the checksum of an item is wrong", tokenstore.ErrDamaged)
	}
	return tokenstore.Revision(binary.BigEndian.Uint64(raw)), raw[sealBytes:], nil
}

// checksum is over the key as well, so that no item passes for another.
func checksum(key, raw []byte) uint32 {
	sum := crc32.Update(0, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, raw[:8])
	return crc32.Update(sum, castagnoli, raw[sealBytes:])
}
