// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"fmt"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that the queue is bounded, that whoever finds it full is told at once,
// and that those in it are served.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := newStore(t, Options{faults: faults{commit: g.commit}})
	first := queuedAlone(t, s, g, batch("first", ""))
	var waiting []*request
	for i := range maxQueue {
		r, err := newRequest(batch(fmt.Sprint("k", i), ""))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.enqueue(r); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		waiting = append(waiting, r)
	}
	_, err := s.Apply(t.Context(), batch("one too many", ""))
	wantError(t, err, tokenstore.ErrUnavailable)
	g.open()
	g.pass <- asIs
	first.wait.Wait()
	for i, r := range waiting {
		<-r.done
		if r.err != nil {
			t.Errorf("request %d: %v", i, r.err)
		}
	}
	wantItem(t, s, "one too many", "", 0)
}

// Ensure that a batch whose caller gives up while it waits is not done, and that
// one whose commit has begun is answered truthfully, however late.
func TestGivingUpInTheQueue(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := newStore(t, Options{faults: faults{commit: g.commit}})
	ctx, giveUp := context.WithCancel(t.Context())
	results := make(chan error, 2)
	begun := batch("begun", "v")
	go func() {
		_, err := s.Apply(ctx, begun)
		results <- err
	}()
	<-g.arrived
	waits := batch("waits", "v")
	go func() {
		_, err := s.Apply(ctx, waits)
		results <- err
	}()
	eventually(t, func() bool { return len(s.queue) == 1 })
	giveUp()
	err := <-results // of the one that waits: the other's commit stands at the gate
	wantError(t, err, context.Canceled)
	wantError(t, err, tokenstore.ErrUnavailable)
	g.open()
	g.pass <- asIs
	if err := <-results; err != nil {
		t.Errorf("the batch whose commit had begun: %v", err)
	}
	rev := mustApply(t, s, begun) // answers as before
	wantItem(t, s, "begun", "v", rev)
	wantItem(t, s, "waits", "", 0)
}
