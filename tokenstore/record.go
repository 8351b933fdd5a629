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

// envelopeVersion is the layout of a record that this code writes.
const envelopeVersion = 1

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

// envelope is a record on disk, followed by its MAC.
type envelope struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	// Expires is in milliseconds since 1970; 0 is never.
	Expires int64
	Anchors []wireAnchor
	Payload cbor.RawMessage
}

// wireAnchor is a Generation on disk. Revision 0 stands for the revision of the
// record itself: both were written by one batch.
type wireAnchor struct {
	_        struct{} `cbor:",toarray"`
	Key      []byte
	Revision uint64
}

// encoding and decoding are how everything is laid out in CBOR (RFC 8949):
// deterministic, without indefinite lengths and tags, duplicate keys refused.
// Fields that a later version added are passed over.
var (
	encoding = func() cbor.EncMode {
		opts := cbor.CoreDetEncOptions()
		opts.Time = cbor.TimeUnixDynamic
		opts.TagsMd = cbor.TagsForbidden
		mode, err := opts.EncMode()
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

// encodeRecord lays out a record and adds its MAC.
func (a *authenticator) encodeRecord(key Key, value any, expires time.Time, anchors []Generation) ([]byte, error) {
	payload, err := encoding.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("tokenstore: a record of kind %s cannot be encoded: %w", key.Kind(), err)
	}
	if len(payload) > MaxValue {
		return nil, fmt.Errorf("tokenstore: a record of kind %s has %d bytes, at most %d are allowed",
			key.Kind(), len(payload), MaxValue)
	}
	return a.encodeEnvelope(key, payload, millis(expires), anchors)
}

// encodeEnvelope is encodeRecord for a payload that is encoded already.
func (a *authenticator) encodeEnvelope(key Key, payload []byte, expires int64, anchors []Generation) ([]byte, error) {
	env := envelope{Version: envelopeVersion, Expires: expires, Payload: payload}
	for _, g := range anchors {
		env.Anchors = append(env.Anchors, wireAnchor{Key: []byte(g.Key), Revision: uint64(g.Revision)})
	}
	out, err := encoding.Marshal(&env)
	if err != nil {
		return nil, fmt.Errorf("tokenstore: a record of kind %s cannot be encoded: %w", key.Kind(), err)
	}
	tag := a.tag(key, out)
	return append(out, tag[:]...), nil
}

// facts is a decoded record whose value still is bytes.
type facts struct {
	key      Key
	revision Revision
	expires  int64 // milliseconds, 0 never
	anchors  []Generation
	payload  []byte
}

// decodeRecord checks the MAC of item, and only then looks at what it says. The
// error is ErrDamaged, whatever is wrong.
func (a *authenticator) decodeRecord(item Item) (facts, error) {
	split := len(item.Value) - tagSize
	if split < 0 || !a.genuine(item.Key, item.Value[:split], item.Value[split:]) {
		return facts{}, fmt.Errorf("%w: the MAC of a record of kind %s does not fit", ErrDamaged, item.Key.Kind())
	}
	var env envelope
	if err := decoding.Unmarshal(item.Value[:split], &env); err != nil {
		return facts{}, fmt.Errorf("%w: the envelope of a record of kind %s: %w", ErrDamaged, item.Key.Kind(), err)
	}
	if env.Version != envelopeVersion {
		return facts{}, fmt.Errorf("%w: a record of kind %s has layout %d, this program reads %d",
			ErrDamaged, item.Key.Kind(), env.Version, envelopeVersion)
	}
	f := facts{key: item.Key, revision: item.Revision, expires: env.Expires, payload: env.Payload}
	if len(env.Anchors) > 0 {
		f.anchors = make([]Generation, len(env.Anchors))
	}
	for i, w := range env.Anchors {
		f.anchors[i] = Generation{Key: Key(w.Key), Revision: Revision(w.Revision)}
		if w.Revision == 0 {
			f.anchors[i].Revision = item.Revision
		}
	}
	return f, nil
}

// expired says whether the record counts as absent at now, in milliseconds.
func (f *facts) expired(now int64) bool { return f.expires != 0 && now >= f.expires }

// typed decodes the value.
func typed[T any](f facts) (*Record[T], error) {
	r := &Record[T]{Key: f.key, Revision: f.revision, Expires: moment(f.expires), Anchors: f.anchors}
	if err := decoding.Unmarshal(f.payload, &r.Value); err != nil {
		return nil, fmt.Errorf("%w: the value of a record of kind %s: %w", ErrDamaged, f.key.Kind(), err)
	}
	return r, nil
}
