// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// operation is a batch that a child process tried. Everything it puts holds its
// name as value, so that what is found in the store tells who wrote it; and one
// of the keys, witness, is nobody else's, so that it tells whether it was done.
type operation struct {
	Name   string
	Expect map[tokenstore.Key]tokenstore.Revision `json:",omitempty"`
	Put    []tokenstore.Key                       `json:",omitempty"`
	Delete []tokenstore.Key                       `json:",omitempty"`

	begun        tokenstore.Revision // the highest one acknowledged before it began
	acknowledged tokenstore.Revision // 0 while it is not
	refused      bool
}

func (o *operation) witness() tokenstore.Key { return tokenstore.Key("witness " + o.Name) }

// spends says whether the operation changes what it expects to be there: it can
// succeed once.
func (o *operation) spends() bool {
	return slices.ContainsFunc(slices.Concat(o.Put, o.Delete), func(key tokenstore.Key) bool { return o.Expect[key] != 0 })
}

// batch is the operation as the engine sees it. Its ID is always the same.
func (o *operation) batch() tokenstore.Batch {
	sum := sha256.Sum256([]byte(o.Name))
	b := tokenstore.Batch{ID: tokenstore.BatchID(sum[:8]), Delete: o.Delete}
	for key, rev := range o.Expect {
		b.Expect = append(b.Expect, tokenstore.Expect{Key: key, Revision: rev})
	}
	for _, key := range append(slices.Clone(o.Put), o.witness()) {
		b.Put = append(b.Put, tokenstore.Put{Key: key, Value: []byte(o.Name)})
	}
	return b
}

// written is what a key holds: who wrote it, when.
type written struct {
	by  string
	rev tokenstore.Revision
}

// ledger is what a store must hold, as its clients know it. It outlives the
// processes that use the store.
type ledger struct {
	state map[tokenstore.Key]written
	last  tokenstore.Revision // the highest revision known

	// Of the present life, by name.
	ops map[string]*operation
}

func newLedger() *ledger {
	return &ledger{state: make(map[tokenstore.Key]written), ops: make(map[string]*operation)}
}

// begin notes that an operation is about to be tried.
func (l *ledger) begin(o *operation) {
	o.begun = l.last
	l.ops[o.Name] = o
}

// acknowledge notes that an operation was reported as done.
func (l *ledger) acknowledge(name string, rev tokenstore.Revision) {
	l.ops[name].acknowledged = rev
	l.last = max(l.last, rev)
}

// settle compares the ledger with what a store holds after its process has died,
// and takes over what happened. The rules:
//
//   - what was acknowledged is there, whole, and nothing else is but what was
//     tried and neither acknowledged nor refused: that may have been done, or not;
//   - put in the order of their revisions, all expectations held: nothing that
//     could succeed once did twice, and nothing built on what was revoked;
//   - revisions grew: what began after an acknowledgement has a higher one.
func (l *ledger) settle(items []tokenstore.Item) error {
	found := make(map[tokenstore.Key]written, len(items))
	for _, item := range items {
		found[item.Key] = written{by: string(item.Value), rev: item.Revision}
	}
	var done []*operation
	for _, o := range l.ops {
		w, happened := found[o.witness()]
		switch {
		case o.refused && happened:
			return fmt.Errorf("%s was refused but is in the store", o.Name)
		case o.acknowledged != 0 && !happened:
			return fmt.Errorf("%s was acknowledged at %d but is lost", o.Name, o.acknowledged)
		case o.acknowledged != 0 && o.acknowledged != w.rev:
			return fmt.Errorf("%s was acknowledged at %d but is in the store at %d", o.Name, o.acknowledged, w.rev)
		case happened:
			o.acknowledged = w.rev
			done = append(done, o)
		}
	}
	if err := l.replay(done); err != nil {
		return err
	}
	clear(l.ops)
	if !maps.Equal(found, l.state) {
		return l.difference(found)
	}
	return nil
}

// replay does what was done once more, in the order of revisions.
func (l *ledger) replay(done []*operation) error {
	slices.SortFunc(done, func(a, b *operation) int { return cmp.Compare(a.acknowledged, b.acknowledged) })
	previous := tokenstore.Revision(0)
	for _, o := range done {
		if o.acknowledged <= o.begun || o.acknowledged == previous {
			return fmt.Errorf("%s has revision %d; it began after %d, and before it came %d", o.Name, o.acknowledged, o.begun, previous)
		}
		previous = o.acknowledged
		for key, rev := range o.Expect {
			if present := l.state[key]; present.rev != rev {
				return fmt.Errorf("%s succeeded at %d expecting %q at %d, but %q had changed it at %d", o.Name, o.acknowledged, string(key), rev, present.by, present.rev)
			}
		}
		for _, p := range o.batch().Put {
			l.state[p.Key] = written{by: o.Name, rev: o.acknowledged}
		}
		for _, key := range o.Delete {
			delete(l.state, key)
		}
		l.last = max(l.last, o.acknowledged)
	}
	return nil
}

// difference names a key that is not as it should be.
func (l *ledger) difference(found map[tokenstore.Key]written) error {
	for key, want := range l.state {
		if got, ok := found[key]; !ok {
			return fmt.Errorf("%q, written by %s at %d, is lost", string(key), want.by, want.rev)
		} else if got != want {
			return fmt.Errorf("%q is as %s wrote it at %d; it should be as %s did at %d", string(key), got.by, got.rev, want.by, want.rev)
		}
	}
	for key, got := range found {
		if _, ok := l.state[key]; !ok {
			return fmt.Errorf("%q, written by %s at %d, is back", string(key), got.by, got.rev)
		}
	}
	return nil
}
