// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"fmt"
	"time"
)

// MaxChange is how many keys one change may touch.
const MaxChange = 4096

// Change is built up and then committed once, by [DB.Commit]: all of it happens,
// or nothing. It is not safe for concurrent use. What is wrong with it is said at
// Commit. Values are encoded at Commit and not kept.
//
// Every anchor named for a record is expected to be at that very generation when
// the change is applied. So nothing is ever saved below an anchor that was
// revoked after it was checked, and Commit answers ErrConflict instead.
type Change struct {
	db      *DB
	ops     map[Key]*op
	order   []Key
	expect  map[Key]Revision
	audit   []AuditEntry
	err     error
	applied bool
	// quiet changes raise no epochs: nothing that is cached depends on them.
	quiet bool
	// takeover changes keep the anchors that a record has, moved or not.
	takeover bool
	// urgent changes may use the room that an engine keeps back for a full disk.
	urgent bool
}

// op is what a change does with one key.
type op struct {
	remove  bool
	value   any
	expires time.Time
	anchors []Generation
	// fresh: the key is expected to be absent, so no epoch needs raising.
	fresh bool
}

// NewChange begins a change.
func (db *DB) NewChange() *Change {
	return &Change{db: db, ops: make(map[Key]*op, 4), expect: make(map[Key]Revision, 8)}
}

// fail keeps the first error.
func (c *Change) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("tokenstore: "+format, args...)
	}
}

// set adds an operation.
func (c *Change) set(key Key, o *op) {
	switch {
	case !key.valid() || len(key) > MaxKey:
		c.fail("a key of %d bytes; keys are made by NewKey and have at most %d", len(key), MaxKey)
	case c.ops[key] != nil:
		c.fail("a change touches a record of kind %s twice", key.Kind())
	case len(o.anchors) > MaxAnchors:
		c.fail("a record of kind %s has %d anchors, at most %d are allowed", key.Kind(), len(o.anchors), MaxAnchors)
	case len(c.order) >= MaxChange:
		c.fail("a change of more than %d records", MaxChange)
	}
	if _, sealed := o.value.(Sealed); key.Kind() == KindSealed && !o.remove && !sealed {
		c.fail("a record of kind %s holds a Sealed and nothing else", KindSealed)
	}
	if c.err != nil {
		return
	}
	c.ops[key] = o
	c.order = append(c.order, key)
}

// require adds an expectation.
func (c *Change) require(key Key, rev Revision) {
	if before, ok := c.expect[key]; ok && before != rev {
		// Both cannot hold: what a race decides elsewhere is decided here.
		c.err = fmt.Errorf("%w: a record of kind %s is expected at two revisions", ErrConflict, key.Kind())
		return
	}
	c.expect[key] = rev
}

// Create adds a record under a key that must be absent: a key may exist though
// its record has expired, until that is swept. It expires at expires, or never if
// that is zero. It depends on anchors (see [SameChange] for one that this change
// writes too).
func (c *Change) Create(key Key, value any, expires time.Time, anchors ...Generation) {
	c.require(key, 0)
	c.set(key, &op{value: value, expires: expires, anchors: anchors, fresh: true})
}

// Replace writes a record anew that must still be at revision at. Whatever has
// key as an anchor ends with it. To keep the expiry and anchors, pass on those of
// the record that was loaded.
func (c *Change) Replace(key Key, at Revision, value any, expires time.Time, anchors ...Generation) {
	c.require(key, at)
	c.set(key, &op{value: value, expires: expires, anchors: anchors, fresh: at == 0})
}

// Put writes a record, whatever was there.
func (c *Change) Put(key Key, value any, expires time.Time, anchors ...Generation) {
	c.set(key, &op{value: value, expires: expires, anchors: anchors})
}

// Delete removes a record if it is there. Whatever has key as an anchor ends.
func (c *Change) Delete(key Key) { c.set(key, &op{remove: true}) }

// DeleteAt removes a record that must still be at revision at.
func (c *Change) DeleteAt(key Key, at Revision) {
	c.require(key, at)
	c.set(key, &op{remove: true})
}

// Expect makes the change depend on generations that were seen before, beyond
// the anchors of what it writes, which are expected anyway. Revision 0 expects
// the key to be absent.
func (c *Change) Expect(gens ...Generation) {
	for _, g := range gens {
		c.require(g.Key, g.Revision)
	}
}

// Revoke ends everything that depends on anchor, from the moment that Commit
// answers. What lives on (the store, a client, a user) gets a new generation, or
// its first. What ends with its revocation (a session, a consent, a grant) is
// deleted, and nothing below it can be minted again. A change that revokes is
// let through to a disk that is full as long as the engine has a reserve.
func (c *Change) Revoke(anchor Key) {
	c.urgent = true
	switch anchor.Kind() {
	case KindStore, KindClientAnchor, KindUserAnchor:
		c.Put(anchor, nil, time.Time{})
	case KindSessionAnchor, KindConsentAnchor, KindGrant:
		c.Delete(anchor)
	default:
		c.fail("a record of kind %s is no anchor", anchor.Kind())
	}
}

// Audit keeps entry in the audit ring, in the same batch as the change. Its Seq, its
// Request, and its Time where that is zero, are set at Commit.
func (c *Change) Audit(entry AuditEntry) { c.audit = append(c.audit, entry) }
