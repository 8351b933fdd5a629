// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

const (
	identityVar       = "oauth2.identity"
	placeholderPrefix = "http.auth."
	claimPrefix       = "oauth2.claim."
)

// identity is who a request was found to come from, for placeholders and the
// access log. There is one for each request; the innermost guard has the word.
type identity struct {
	principal *authz.Principal // nil: anonymous
}

// identify makes p, who may be nil, the identity of the request of ctx.
func identify(ctx context.Context, p *authz.Principal) {
	if known, ok := caddyhttp.GetVar(ctx, identityVar).(*identity); ok {
		known.principal = p
	} else {
		id := &identity{principal: p}
		caddyhttp.SetVar(ctx, identityVar, id)
		if repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			repl.Map(id.placeholder)
		}
		if extra, ok := ctx.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
			extra.Set(zap.Inline(id))
		}
	}
	// What a handler before us set would win over a placeholder function.
	if repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Delete("http.auth.user.id")
		repl.Delete("http.auth.user.name")
	}
}

// placeholder resolves {http.auth.user.*} and {http.auth.oauth2.*}. It knows
// them for anonymous requests too, as empty: an unknown placeholder would go to
// the service behind in its braces.
func (id *identity) placeholder(key string) (any, bool) {
	name, ours := strings.CutPrefix(key, placeholderPrefix)
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
	case "oauth2.scope":
		return p.Scopes.String(), true
	case "oauth2.grant_id":
		return p.Grant, true
	case "oauth2.expires_at":
		if p.Expires.IsZero() {
			return "", true
		}
		return p.Expires.Unix(), true
	}
	if claim, isClaim := strings.CutPrefix(name, claimPrefix); isClaim {
		if value, ok := p.Claims[claim]; ok {
			return value, true
		}
		return "", true
	}
	return nil, false
}

// MarshalLogObject adds the identity to the line of the access log.
func (id *identity) MarshalLogObject(line zapcore.ObjectEncoder) error {
	p := id.principal
	if p == nil {
		return nil
	}
	line.AddString("oauth2_client", p.Client)
	line.AddString("oauth2_grant", p.Grant)
	if p.Subject != "" {
		line.AddString("oauth2_subject", p.Subject)
	}
	return nil
}
