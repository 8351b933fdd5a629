// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"
)

// storeLogger logs for the store.
func storeLogger() *slog.Logger { return runtimeLogger("oauth2.store") }

// runtimeLogger logs for what outlives configurations: always through the logger
// that Caddy has at that moment, for a reload closes the one before.
func runtimeLogger(name string) *slog.Logger {
	return slog.New(presentHandler{name, func(h slog.Handler) slog.Handler { return h }})
}

// presentHandler hands records to Caddy's present default log, prepared with
// the attributes and groups that were asked for.
type presentHandler struct {
	name    string
	prepare func(slog.Handler) slog.Handler
}

func (h presentHandler) present() slog.Handler {
	return h.prepare(zapslog.NewHandler(caddy.Log().Core(), zapslog.WithName(h.name)))
}

// Enabled implements [slog.Handler].
func (h presentHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.present().Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h presentHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.present().Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h presentHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return presentHandler{h.name, func(base slog.Handler) slog.Handler { return h.prepare(base).WithAttrs(attrs) }}
}

// WithGroup implements [slog.Handler].
func (h presentHandler) WithGroup(name string) slog.Handler {
	return presentHandler{h.name, func(base slog.Handler) slog.Handler { return h.prepare(base).WithGroup(name) }}
}
