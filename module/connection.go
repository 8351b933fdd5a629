// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// connectionKey is the key of the connection in the contexts of its requests.
type connectionKey struct{}

// keepConnections has a server note in the context of each request which
// connection it came on, and returns what reads it there: nil where there is no
// server, as for handlers in other apps.
func keepConnections(ctx caddy.Context) func(*http.Request) net.Conn {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil
	}
	server.RegisterConnContext(withConnection)
	return connectionOf
}

// withConnection is called for each new connection, by each guard of the server.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	if ctx.Value(connectionKey{}) != nil {
		return ctx
	}
	return context.WithValue(ctx, connectionKey{}, conn)
}

// connectionOf returns the connection that a request came on, or nil.
func connectionOf(r *http.Request) net.Conn {
	conn, _ := r.Context().Value(connectionKey{}).(net.Conn)
	return conn
}
