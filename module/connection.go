// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"net"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// connectionKey is the key of the connection in the contexts of its requests.
type connectionKey struct{}

// keepConnections has the server of a guard note in the context of each request
// which connection it came on, and returns what reads it there: nil where there is
// no server, as for handlers in other apps.
func (a *App) keepConnections(ctx caddy.Context) func(*http.Request) net.Conn {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil
	}
	if !slices.Contains(a.keeping, server) { // other guards have the same one
		a.keeping = append(a.keeping, server)
		server.RegisterConnContext(func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, conn)
		})
	}
	return connectionOf
}

// connectionOf returns the connection that a request came on, or nil.
func connectionOf(r *http.Request) net.Conn {
	conn, _ := r.Context().Value(connectionKey{}).(net.Conn)
	return conn
}
