// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// MaxWaiting is how many passwords wait for their turn to be hashed. One more is
// [authz.ErrTemporarilyUnavailable]: whoever waited longer would have given up.
const MaxWaiting = 64

// cores is where all passwords of this process are hashed: cores are what they have
// in common, whichever configuration asks.
var cores = newTurns(runtime.GOMAXPROCS(0), MaxWaiting)

// turns lets so many hash at once, and so many wait. Each hash takes a core and, by
// default, 19 MiB, so that more at once would only be slower, and in the way of
// requests.
type turns struct {
	slots   chan struct{}
	most    int64
	waiting atomic.Int64
	// hashed counts the hashes that were computed.
	hashed atomic.Uint64
}

func newTurns(atOnce, waiting int) *turns {
	return &turns{slots: make(chan struct{}, atOnce), most: int64(waiting)}
}

var errManyWait = fmt.Errorf("%d passwords are waiting to be hashed already", MaxWaiting)

// do hashes when it is its turn. The error is [authz.ErrTemporarilyUnavailable].
func (t *turns) do(ctx context.Context, hash func()) error {
	select {
	case t.slots <- struct{}{}:
	default:
		if err := t.wait(ctx); err != nil {
			return authz.ErrTemporarilyUnavailable.Because(err)
		}
	}
	defer func() { <-t.slots }()
	t.hashed.Add(1)
	hash()
	return nil
}

func (t *turns) wait(ctx context.Context) error {
	defer t.waiting.Add(-1)
	if t.waiting.Add(1) > t.most {
		return errManyWait
	}
	select {
	case t.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errors.New("whoever waited for a password to be hashed has gone")
	}
}

// hashing computes hashes under the parameters of a configuration.
type hashing struct {
	params Params
	turns  *turns
}

// of makes the hash of a new password.
func (h hashing) of(ctx context.Context, password string) (hash Hash, err error) {
	err = h.turns.do(ctx, func() { hash = h.params.compute(password) })
	return hash, err
}

// match reports whether a password belongs to a hash. It costs a hash also when there
// is none.
func (h hashing) match(ctx context.Context, hash Hash, password string) (yes bool, err error) {
	err = h.turns.do(ctx, func() { yes = hash.matches(password, h.params) })
	return yes, err
}
