// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"
)

// An envelope is a record on disk, followed by its MAC. It is CBOR (RFC 8949),
// an array of four:
//
//	layout   its number, 1
//	expires  milliseconds since 1970; 0 is never
//	anchors  an array of [key, revision], or null. Revision 0 stands for the
//	         revision of the record itself: both were written by one batch.
//	value    whatever was given to save
//
// Every token that is used for the first time means two envelopes, and every
// token issued means three: so they are laid out by hand.

// envelopeVersion is the layout of a record that this code writes.
const envelopeVersion = 1

// The heads of CBOR items that an envelope is made of (RFC 8949 §3): major type
// in the upper three bits, then the argument.
const (
	cborUint  = 0 << 5
	cborNeg   = 1 << 5
	cborBytes = 2 << 5
	cborArray = 4 << 5
	cborNull  = 0xf6

	cborMajor = 7 << 5
)

// encodeRecord lays out a record and adds its MAC.
func (a *authenticator) encodeRecord(key Key, value any, expires time.Time, anchors []Generation) ([]byte, error) {
	room := encodeRoom.Get().(*bytes.Buffer)
	defer encodeRoom.Put(room)
	room.Reset()
	if err := encoding.MarshalToBuffer(value, room); err != nil {
		return nil, fmt.Errorf("tokenstore: a record of kind %s cannot be encoded: %w", key.Kind(), err)
	}
	if room.Len() > MaxValue {
		return nil, fmt.Errorf("tokenstore: a record of kind %s has %d bytes, at most %d are allowed",
			key.Kind(), room.Len(), MaxValue)
	}
	return a.encodeEnvelope(key, room.Bytes(), millis(expires), anchors), nil
}

// encodeRoom holds buffers for values on their way into an envelope.
var encodeRoom = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// encodeEnvelope is encodeRecord for a value that is encoded already.
func (a *authenticator) encodeEnvelope(key Key, payload []byte, expires int64, anchors []Generation) []byte {
	const head, anchorHead = 1 + 1 + 9 + 9, 1 + 9 + 9
	size := head + len(payload) + tagSize
	for _, g := range anchors {
		size += anchorHead + len(g.Key)
	}
	out := make([]byte, 0, size)
	out = append(out, cborArray|4, cborUint|envelopeVersion)
	if expires < 0 {
		out = appendHead(out, cborNeg, uint64(-1-expires))
	} else {
		out = appendHead(out, cborUint, uint64(expires))
	}
	if len(anchors) == 0 {
		out = append(out, cborNull)
	} else {
		out = appendHead(out, cborArray, uint64(len(anchors)))
	}
	for _, g := range anchors {
		out = append(out, cborArray|2)
		out = appendHead(out, cborBytes, uint64(len(g.Key)))
		out = append(out, g.Key...)
		out = appendHead(out, cborUint, uint64(g.Revision))
	}
	out = append(out, payload...)
	tag := a.tag(key, out)
	return append(out, tag[:]...)
}

// appendHead appends the head of an item, in the shortest form.
func appendHead(to []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(to, major|byte(n))
	case n <= math.MaxUint8:
		return append(to, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(to, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(to, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(to, major|27), n)
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
	f, version, ok := decodeEnvelope(item.Value[:split], item.Revision)
	if !ok {
		return facts{}, fmt.Errorf("%w: the envelope of a record of kind %s does not read", ErrDamaged, item.Key.Kind())
	}
	if version != envelopeVersion {
		return facts{}, fmt.Errorf("%w: a record of kind %s has layout %d, this program reads %d",
			ErrDamaged, item.Key.Kind(), version, envelopeVersion)
	}
	f.key, f.revision = item.Key, item.Revision
	return f, nil
}

// decodeEnvelope reads what encodeEnvelope wrote, in a record of that revision.
// What is said by a layout other than ours is not looked at.
func decodeEnvelope(data []byte, revision Revision) (f facts, version uint64, ok bool) {
	r := reader{data: data, ok: true}
	r.expect(cborArray, 4)
	version = r.argument(cborUint)
	if !r.ok || version != envelopeVersion {
		return facts{}, version, r.ok
	}
	if len(r.data) > 0 && r.data[0]&cborMajor == cborNeg {
		f.expires = -1 - int64(r.argument(cborNeg)&math.MaxInt64)
	} else {
		f.expires = int64(r.argument(cborUint) & math.MaxInt64)
	}
	f.anchors = r.anchors(revision)
	if len(r.data) == 0 {
		r.ok = false
	}
	f.payload = r.data
	return f, version, r.ok
}

// reader takes CBOR items off the front of data. After the first that is not as
// it should be, ok is false, and nothing more is read.
type reader struct {
	data []byte
	ok   bool
}

// argument takes a head of that major type and gives back its argument.
func (r *reader) argument(major byte) uint64 {
	if !r.ok || len(r.data) == 0 || r.data[0]&cborMajor != major {
		r.ok = false
		return 0
	}
	n := uint64(r.data[0] &^ cborMajor)
	r.data = r.data[1:]
	if n < 24 {
		return n
	}
	if n > 27 || len(r.data) < 1<<(n-24) {
		r.ok = false
		return 0
	}
	size := 1 << (n - 24)
	n = 0
	for _, b := range r.data[:size] {
		n = n<<8 | uint64(b)
	}
	r.data = r.data[size:]
	return n
}

// expect takes a head that must have that very argument.
func (r *reader) expect(major byte, n uint64) {
	if r.argument(major) != n {
		r.ok = false
	}
}

// anchors takes the list of anchors, of a record in that revision.
func (r *reader) anchors(revision Revision) []Generation {
	if r.ok && len(r.data) > 0 && r.data[0] == cborNull {
		r.data = r.data[1:]
		return nil
	}
	n := r.argument(cborArray)
	if !r.ok || n > MaxAnchors {
		r.ok = false
		return nil
	}
	list := make([]Generation, n)
	begin := r.data
	var ends [MaxAnchors]int // where each key ends, counted from begin
	var sizes [MaxAnchors]int
	for i := range list {
		r.expect(cborArray, 2)
		size := r.argument(cborBytes)
		if !r.ok || size > uint64(len(r.data)) {
			r.ok = false
			return nil
		}
		r.data = r.data[size:]
		ends[i], sizes[i] = len(begin)-len(r.data), int(size)
		if list[i].Revision = Revision(r.argument(cborUint)); list[i].Revision == 0 {
			list[i].Revision = revision
		}
	}
	text := string(begin[:len(begin)-len(r.data)]) // one for all keys
	for i := range list {
		list[i].Key = Key(text[ends[i]-sizes[i] : ends[i]])
	}
	return list
}
