// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// MaxValue is the largest value of a record, encoded, in bytes.
const MaxValue = 1 << 20

// MaxKey is the longest key of a record, in bytes.
const MaxKey = 1024

// MaxAnchors is how many anchors a record may have. Those of a token are the
// store, client, user, session, consent and grant.
const MaxAnchors = 16

// Generation is an anchor at a certain generation: the revision of its key.
type Generation struct {
	Key      Key
	Revision Revision
}

// SameChange is, among the anchors given to [Change.Create] or [Change.Put], an
// anchor that the very same change writes: a grant and its first token, say.
// Both then have one revision, which nobody can know beforehand.
func SameChange(anchor Key) Generation { return Generation{Key: anchor} }

// Record is what the store keeps under a key, verified. One that came from
// [Cached] is shared: it is read, never written.
type Record[T any] struct {
	Key      Key
	Revision Revision
	// Expires is the moment from which the record counts as absent. Zero: never.
	// It has a resolution of one millisecond.
	Expires time.Time
	// Anchors are the generations on which the record depends.
	Anchors []Generation
	Value   T
}

// encoding and decoding are how everything is laid out in CBOR (RFC 8949):
// deterministic, without indefinite lengths and tags, duplicate keys refused.
// Fields that a later version added are passed over.
var (
	encoding = func() cbor.UserBufferEncMode {
		opts := cbor.CoreDetEncOptions()
		opts.Time = cbor.TimeUnixDynamic
		opts.TagsMd = cbor.TagsForbidden
		mode, err := opts.UserBufferEncMode()
		if err != nil {
			panic("tokenstore: " + err.Error()) // the options are fixed above
		}
		return mode
	}()
	decoding = func() cbor.DecMode {
		mode, err := cbor.DecOptions{
			DupMapKey:   cbor.DupMapKeyEnforcedAPF,
			IndefLength: cbor.IndefLengthForbidden,
			TagsMd:      cbor.TagsForbidden,
		}.DecMode()
		if err != nil {
			panic("tokenstore: " + err.Error()) // the options are fixed above
		}
		return mode
	}()
)

// millis is t as an envelope has it.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is the reverse of millis.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// expired says whether the record counts as absent at now, in milliseconds.
func (f *facts) expired(now int64) bool { return f.expires != 0 && now >= f.expires }

// Alike is a value of which many are the same in part. Share is called when it was
// read, before anybody has it: it may put what another one has in the place of what
// is equal, so that many values take less memory, and less of it is far away.
type Alike interface{ Share() }

// typed decodes the value.
func typed[T any](f facts) (*Record[T], error) {
	r := &Record[T]{Key: f.key, Revision: f.revision, Expires: moment(f.expires), Anchors: f.anchors}
	return r, f.into(&r.Value)
}

// into decodes the value into what value points to.
func (f *facts) into(value any) error {
	if err := decoding.Unmarshal(f.payload, value); err != nil {
		return fmt.Errorf("%w: the value of a record of kind %s: %w", ErrDamaged, f.key.Kind(), err)
	}
	return nil
}
