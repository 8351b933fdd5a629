// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// FuzzDecodeRecord: whatever lies in the file, decoding it never panics, and what
// is not byte for byte what was written is damaged. With its MAC made right, so
// that the decoder behind it is reached, it still never panics.
func FuzzDecodeRecord(f *testing.F) {
	auth := newAuthenticator(make([]byte, storeSecretSize))
	key := NewKey("", KindGrant, "g")
	good, err := auth.encodeRecord(key, token{Scope: "a b"}, time.Unix(2e9, 0), []Generation{{Key: GrantKey("x"), Revision: 7}, SameChange(GrantKey("y"))})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good[:len(good)-tagSize])
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0x9f}, 40))
	f.Fuzz(func(t *testing.T, value []byte) {
		got, err := auth.decodeRecord(Item{Key: key, Value: value, Revision: 9})
		if (err == nil) != bytes.Equal(value, good) {
			t.Fatalf("accepted: %v", err == nil)
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("another error: %v", err)
		}
		if err == nil && (len(got.anchors) != 2 || got.anchors[0].Revision != 7 || got.anchors[1].Revision != 9) {
			t.Fatalf("anchors %v", got.anchors)
		}
		tag := auth.tag(key, value)
		forged := Item{Key: key, Value: append(bytes.Clone(value), tag[:]...), Revision: 9}
		if got, err := auth.decodeRecord(forged); err == nil {
			if _, err := typed[token](got); err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatalf("another error: %v", err)
			}
		} else if !errors.Is(err, ErrDamaged) {
			t.Fatalf("another error: %v", err)
		}
		if _, _, err := decodeIdentity(forged); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatalf("another error: %v", err)
		}
	})
}

// FuzzSealed: whatever is presented as sealed, unsealing never panics, and gives
// a plaintext only for what was sealed, under its own key. (Each fuzzing process
// seals with a nonce of its own, so what another one sealed opens as well.)
func FuzzSealed(f *testing.F) {
	key := NewKey("", KindSealed, "k")
	sealer := newSealKey([SealKeySize]byte{1})
	good := sealer.seal(key, []byte("plaintext"))
	f.Add([]byte(good), "k")
	f.Add([]byte(good), "other")
	f.Add([]byte(good[:sealedHead]), "k")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, value []byte, id string) {
		plain, err := unseal([]SealKey{sealer}, NewKey("", KindSealed, id), value)
		if err == nil && (string(plain) != "plaintext" || id != "k") {
			t.Fatalf("opened for %q: %q", id, plain)
		}
		if bytes.Equal(value, good) && id == "k" && err != nil {
			t.Fatalf("refused: %v", err)
		}
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrSealKey) {
			t.Fatalf("another error: %v", err)
		}
	})
}
