// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// recorder hands events to the counters, the audit log, the Caddy events and the
// usage of one configuration. Changes are also in the store's own ring, where the batch that
// made the change has put them.
type recorder struct {
	audit      *zap.Logger                  // logger oauth2.audit
	grantTypes map[string]bool              // those that may become labels
	events     *emitter                     // nil: no Caddy events
	used       func(client, subject string) // nil: nobody wants to know
	throttle   throttle
	// traced: requests may have spans. Set before the first one comes.
	traced bool
}

func newRecorder(audit *zap.Logger, grantTypes []string) *recorder {
	r := &recorder{audit: audit, grantTypes: map[string]bool{"": true}}
	for _, name := range grantTypes {
		r.grantTypes[name] = true
	}
	return r
}

// Record implements [authz.Recorder].
func (r *recorder) Record(ctx context.Context, e authz.Event) {
	if r.used != nil && e.Outcome == authz.Allowed && e.Client != "" && e.Actor != actorAdmin {
		r.used(e.Client, e.Subject)
	}
	switch e.Type {
	case authz.EventDecision:
		if r.traced {
			annotate(ctx, e)
		}
		guardSeconds.Observe(e.Took.Seconds())
		if e.Outcome == authz.Allowed {
			allowedDecisions.Inc()
			return // never a line for a request that passes
		}
		decisions.WithLabelValues(string(e.Outcome), reason(e.Reason)).Inc()
	case authz.EventTokenRequest, authz.EventTokenIssued:
		tokenRequests.WithLabelValues(r.grantType(e.GrantType), string(e.Outcome), reason(e.Reason)).Inc()
	default:
		changes.WithLabelValues(string(e.Type), string(e.Outcome)).Inc()
	}
	if r.events != nil {
		r.events.emit(e, r.grantType(e.GrantType))
	}
	r.log(ctx, e)
}

// grantType returns a grant type when it may be a label: clients send
// whatever they like.
func (r *recorder) grantType(name string) string {
	if r.grantTypes[name] {
		return name
	}
	return other
}

// log writes a change always, and what changed nothing (refusals and
// introspections) as far as the throttle lets it.
func (r *recorder) log(ctx context.Context, e authz.Event) {
	line := r.audit.Check(zap.InfoLevel, string(e.Type))
	if line == nil {
		return
	}
	fields := make([]zap.Field, 0, 10)
	fields = append(fields, zap.String("outcome", string(e.Outcome)))
	if e.Outcome != authz.Allowed || e.Type == authz.EventIntrospected {
		pass, leftOut := r.throttle.take(time.Now())
		if !pass {
			return
		}
		if leftOut > 0 {
			fields = append(fields, zap.Uint64("lines_left_out_before", leftOut))
		}
	}
	for _, field := range [...]struct{ name, value string }{
		{"reason", e.Reason}, {"detail", e.Detail}, {"grant_type", r.grantType(e.GrantType)}, {"client", e.Client},
		{"subject", e.Subject}, {"grant", e.Grant}, {"actor", e.Actor}, {"request", requestID(ctx)},
	} {
		if field.value != "" {
			fields = append(fields, zap.String(field.name, field.value))
		}
	}
	line.Write(fields...)
}

// requestID returns what Caddy calls {http.request.uuid}, for those who log that
// elsewhere too, or "" outside of a request.
func requestID(ctx context.Context) string {
	replacer, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	id, _ := replacer.GetString("http.request.uuid")
	return id
}
