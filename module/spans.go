// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// annotate writes a guard's decision into the request's span, where Caddy's
// handler `tracing` has begun one.
func annotate(ctx context.Context, e authz.Event) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	attributes := make([]attribute.KeyValue, 0, 4)
	for _, a := range [...]struct{ name, value string }{
		{"oauth2.decision", string(e.Outcome)}, {"oauth2.reason", e.Reason},
		{"oauth2.client_id", e.Client}, {"oauth2.grant_id", e.Grant},
	} {
		if a.value != "" {
			attributes = append(attributes, attribute.String(a.name, a.value))
		}
	}
	span.SetAttributes(attributes...)
}
