// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// maxEmitting is how many Caddy events are under way at most. Their handlers
// may run commands, and what is recorded must not wait for those.
const maxEmitting = 16

// emitter makes Caddy events out of what is recorded, named oauth2.token_revoked
// and so on, for `events { on … }` and for other modules.
type emitter struct {
	app   *caddyevents.App
	ctx   caddy.Context
	log   *zap.Logger
	slots chan struct{}
	// refused bounds the events of what changed nothing, leftOut the lines about
	// events that had no slot: anybody can cause both.
	refused, leftOut throttle
}

func newEmitter(ctx caddy.Context) (*emitter, error) {
	loaded, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	app, ok := loaded.(*caddyevents.App)
	if !ok {
		return nil, fmt.Errorf("the app events is %T, of another module", loaded)
	}
	return &emitter{app: app, ctx: ctx, log: ctx.Logger(), slots: make(chan struct{}, maxEmitting)}, nil
}

// emit does not wait for the handlers, and costs a look when there are none.
func (m *emitter) emit(e authz.Event, grantType string) {
	name := "oauth2." + string(e.Type)
	if e.Type == authz.EventIntrospected || !m.app.ShouldEmit(name) {
		return
	}
	if e.Outcome != authz.Allowed && e.Type != authz.EventRequestCut {
		if pass, _ := m.refused.take(time.Now()); !pass {
			return
		}
	}
	select {
	case m.slots <- struct{}{}:
	default:
		if pass, more := m.leftOut.take(time.Now()); pass {
			m.log.Warn("an event is left out: its handlers are too slow", zap.String("event", name), zap.Uint64("lines_left_out_before", more))
		}
		return
	}
	go func() {
		defer func() { <-m.slots }()
		m.app.Emit(m.ctx, name, map[string]any{
			"client": e.Client, "subject": e.Subject, "grant": e.Grant, "actor": e.Actor, "outcome": string(e.Outcome),
			"reason": e.Reason, "grant_type": grantType,
		})
	}()
}
