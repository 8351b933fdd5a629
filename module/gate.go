// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// gateWait is how long a request waits for a configuration to start. Caddy may
// accept requests a moment before the app has started.
const gateWait = 10 * time.Second

// Why a gate does not let pass.
var (
	errNotStarted = errors.New("the oauth2 app has not started yet")
	errShut       = errors.New("the oauth2 app's configuration did not come to serve")
)

// gate holds requests back until the app has started. The zero value is not
// ready; see newGate. It opens at most once and never closes again: what comes
// after is the business of the store, which refuses when it is closed.
type gate struct {
	opened, shut chan struct{}
	once         *sync.Once
}

func newGate() gate {
	return gate{opened: make(chan struct{}), shut: make(chan struct{}), once: new(sync.Once)}
}

// open lets everybody pass, now and later.
func (g gate) open() { g.once.Do(func() { close(g.opened) }) }

// close turns those away who still wait. It has no effect on an open gate.
func (g gate) close() { g.once.Do(func() { close(g.shut) }) }

// wait returns nil once the gate is open. The error is an
// [authz.ErrTemporarilyUnavailable].
func (g gate) wait(ctx context.Context) error {
	select {
	case <-g.opened:
		return nil
	default:
	}
	timer := time.NewTimer(gateWait)
	defer timer.Stop()
	select {
	case <-g.opened:
		return nil
	case <-g.shut:
		return authz.ErrTemporarilyUnavailable.Because(errShut)
	case <-timer.C:
		return authz.ErrTemporarilyUnavailable.Because(errNotStarted)
	case <-ctx.Done():
		return authz.ErrTemporarilyUnavailable.Because(context.Cause(ctx))
	}
}
