// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

var kills = flag.Int("storetest.kills", 50, "how often the crash suite kills a process")

// Crash kills processes in the middle of issuing, redeeming and revoking, and
// holds what the store has afterwards against a ledger that outlives them:
// nothing acknowledged is lost, nothing revoked comes back, nothing single-use
// succeeds twice, and what nobody knows happened once or not at all. The package
// under test must have called [Main].
//
// A kill leaves the kernel's memory as it is: this shows that the engine
// acknowledges after it has written, not that it has synced.
func Crash(t *testing.T, open Open) {
	disk := Disk{Dir: t.TempDir(), Cut: func() error { return nil }, Mend: func() error { return nil }}
	if err := crash(t.Context(), disk, open, *kills); err != nil {
		t.Error(err)
	}
}

// Disk is a directory on a disk whose power can be cut.
type Disk struct {
	Dir string
	// Cut cuts the power: what was not synced is lost, and the disk fails until
	// Mend, which is called when nobody has a file on it open any more.
	Cut, Mend func() error
}

// PowerLoss is [Crash], but with each kill the power is cut: this shows that the
// engine syncs before it acknowledges. The error says what was lost; it is
// [ErrBroken] where the store breaks what was promised, and another one where the
// test itself could not go on.
func PowerLoss(ctx context.Context, open Open, disk Disk) error {
	return crash(ctx, disk, open, *kills)
}

// ErrBroken: what a store has after a crash is not what it has acknowledged.
var ErrBroken = errors.New("the store breaks its promise")

func crash(ctx context.Context, disk Disk, open Open, kills int) error {
	l := newLedger()
	operations := 0
	for life := range kills {
		if err := l.live(ctx, disk, life); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		operations += len(l.ops)
		if err := l.inspect(ctx, disk.Dir, open); err != nil {
			return fmt.Errorf("%w: after kill %d: %w", ErrBroken, life, err)
		}
	}
	if operations < 10*kills {
		return fmt.Errorf("only %d operations in %d lives: this proves little", operations, kills)
	}
	return nil
}

// live runs a child, notes what it tells, and kills it after some dozen
// acknowledgements.
func (l *ledger) live(ctx context.Context, disk Disk, life int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), envDir+"="+disk.Dir, fmt.Sprintf("%s=%d", envLife, life))
	cmd.Stderr = os.Stderr
	hold, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	defer func() { _ = hold.Close() }()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	told := l.listen(json.NewDecoder(out), 1+rand.IntN(150), func() error {
		return errors.Join(disk.Cut(), cmd.Process.Kill())
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // says that it was killed
	return errors.Join(told, disk.Mend())
}

// listen notes what the child tells until its last word. What it has trouble with
// once it is to die is the disk's, and no news.
func (l *ledger) listen(in *json.Decoder, acknowledgements int, kill func() error) error {
	for {
		var m message
		err := in.Decode(&m)
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			if acknowledgements > 0 {
				return errors.New("the child ended by itself")
			}
			return nil
		case err != nil:
			return err
		case m.Trouble != "" && acknowledgements > 0:
			return errors.New(m.Trouble)
		case m.Trouble != "":
		case m.Begin != nil:
			l.begin(m.Begin)
		case m.Refused:
			l.ops[m.End].refused = true
		default:
			l.acknowledge(m.End, m.Rev)
			if acknowledgements--; acknowledgements == 0 {
				if err := kill(); err != nil {
					return err
				}
			}
		}
	}
}

// inspect opens what the child has left, and tries what clients would: to repeat
// what they know nothing of, to redeem again what was redeemed.
func (l *ledger) inspect(ctx context.Context, dir string, open Open) (err error) {
	store, err := open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, o := range l.ops {
		if err := l.repeat(ctx, store, o); err != nil {
			return err
		}
	}
	items, err := all(ctx, store)
	if err != nil {
		return err
	}
	if err := l.settle(items); err != nil {
		return err
	}
	return l.tidy(ctx, store)
}

// repeat applies an operation that was done under its own ID, which must answer
// as before, and, when it spent something, under a new one, which must find that
// spent. One of unknown outcome is repeated every other time.
func (l *ledger) repeat(ctx context.Context, store tokenstore.Store, o *operation) error {
	if o.refused || o.acknowledged == 0 && rand.IntN(2) == 0 {
		return nil
	}
	rev, err := store.Apply(ctx, o.batch())
	switch {
	case o.acknowledged == 0 && err == nil:
		l.acknowledge(o.Name, rev)
	case o.acknowledged == 0 && errors.Is(err, tokenstore.ErrConflict):
		o.refused = true
		return nil
	case err != nil:
		return fmt.Errorf("repeating %s, done at %d: %w", o.Name, o.acknowledged, err)
	case rev != o.acknowledged:
		return fmt.Errorf("%s was done at %d; repeating it was answered with %d", o.Name, o.acknowledged, rev)
	}
	if !o.spends() {
		return nil
	}
	anew := o.batch()
	anew.ID = newID()
	if _, err := store.Apply(ctx, anew); !errors.Is(err, tokenstore.ErrConflict) {
		return fmt.Errorf("%s succeeded at %d; trying it once more ended with: %v", o.Name, o.acknowledged, err)
	}
	return nil
}

// all reads the whole store.
func all(ctx context.Context, store tokenstore.Store) ([]tokenstore.Item, error) {
	var found []tokenstore.Item
	for from := tokenstore.Cursor(""); ; {
		items, next, err := store.Range(ctx, from, 1000)
		if err != nil {
			return nil, err
		}
		found = append(found, items...)
		if next == "" {
			return found, nil
		}
		from = next
	}
}

// tidy removes the witnesses, so that many kills take no longer each than few.
func (l *ledger) tidy(ctx context.Context, store tokenstore.Store) error {
	var witnesses []tokenstore.Key
	for key, w := range l.state {
		if key == (&operation{Name: w.by}).witness() {
			witnesses = append(witnesses, key)
		}
	}
	rev, err := store.Apply(ctx, tokenstore.Batch{ID: newID(), Delete: witnesses})
	if err != nil {
		return fmt.Errorf("removing witnesses: %w", err)
	}
	if rev <= l.last {
		return fmt.Errorf("revision %d came after %d", rev, l.last)
	}
	l.last = rev
	for _, key := range witnesses {
		delete(l.state, key)
	}
	return nil
}
