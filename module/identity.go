// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

const (
	identityVar = "oauth2.identity"

	placeholders = "http.auth."
	claimPrefix  = "oauth2.claim."
)

// identity is who a request was found to come from, for placeholders and the
// access log. There is one for each request; the innermost guard has the word.
type identity struct {
	principal *authz.Principal // nil: anonymous
}

// identify makes p, who may be nil, the identity of the request of ctx. Every
// request that passes comes here, and few ask: so nothing is put into words yet.
func identify(ctx context.Context, p *authz.Principal) {
	vars, _ := ctx.Value(caddyhttp.VarsCtxKey).(map[string]any)
	id, again := vars[identityVar].(*identity)
	if !again {
		id = new(identity)
		if vars != nil {
			vars[identityVar] = id
		}
		addToLog(ctx, id)
	}
	id.principal = p
	repl, _ := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if repl == nil {
		return
	}
	// Values that are set come before those of functions, and an authentication
	// handler further out sets some.
	repl.DeleteByPrefix(placeholders)
	if !again {
		repl.Map(id.placeholder)
	}
}

// identified reports whether a guard has found out whom the request comes from.
func identified(ctx context.Context) bool {
	_, yes := caddyhttp.GetVar(ctx, identityVar).(*identity)
	return yes
}

// addToLog adds id to the request's line in the access log, where there is one.
func addToLog(ctx context.Context, id *identity) {
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server != nil && server.Logs == nil {
		return
	}
	if extra, ok := ctx.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(zap.Inline(id))
	}
}

// placeholder gives {http.auth.user.*} and {http.auth.oauth2.*} their values,
// which are never expanded again. For anonymous requests, and for claims that a
// credential does not have, they are empty: an unknown placeholder would go to
// the service behind in its braces.
func (id *identity) placeholder(key string) (any, bool) {
	name, ours := strings.CutPrefix(key, placeholders)
	if !ours {
		return nil, false
	}
	p := id.principal
	if p == nil {
		p = new(authz.Principal)
	}
	switch name {
	case "user.id", "oauth2.subject":
		return p.Subject, true
	case "user.name":
		return p.Username, true
	case "oauth2.client_id":
		return p.Client, true
	case "oauth2.issuer":
		return p.Issuer, true
	case "oauth2.scope":
		return p.Scopes.String(), true
	case "oauth2.grant_id":
		return p.Grant, true
	case "oauth2.expires_at":
		if id.principal == nil {
			return "", true
		}
		return strconv.FormatInt(p.Expires.Unix(), 10), true
	}
	claim, ours := strings.CutPrefix(name, claimPrefix)
	if !ours {
		return nil, false
	}
	if value, ok := p.Claims[claim]; ok {
		return value, true
	}
	return "", true
}

// MarshalLogObject adds the identity to the line of the access log.
func (id *identity) MarshalLogObject(line zapcore.ObjectEncoder) error {
	p := id.principal
	if p == nil {
		return nil
	}
	line.AddString("oauth2_issuer", p.Issuer)
	line.AddString("oauth2_client", p.Client)
	line.AddString("oauth2_grant", p.Grant)
	if p.Subject != "" {
		line.AddString("oauth2_subject", p.Subject)
	}
	return nil
}
