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
	claimPrefix = "http.auth.oauth2.claim."
)

// identity is who a request was found to come from, for the access log. There
// is one for each request; the innermost guard has the word.
type identity struct {
	principal *authz.Principal // nil: anonymous
}

// identify makes p, who may be nil, the identity of the request of ctx.
func identify(ctx context.Context, p *authz.Principal) {
	repl, _ := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	id, again := caddyhttp.GetVar(ctx, identityVar).(*identity)
	if !again {
		id = new(identity)
		caddyhttp.SetVar(ctx, identityVar, id)
		if extra, ok := ctx.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
			extra.Set(zap.Inline(id))
		}
		if repl != nil {
			repl.Map(absentClaim)
		}
	}
	id.principal = p
	if repl != nil {
		setPlaceholders(repl, p)
	}
}

// setPlaceholders sets {http.auth.user.*} and {http.auth.oauth2.*}, all of
// them and for anonymous requests too. Values that are set win over those of
// other handlers, such as map, and a placeholder nobody knows would go to the
// service behind in its braces. Values are never expanded again.
func setPlaceholders(repl *caddy.Replacer, p *authz.Principal) {
	repl.DeleteByPrefix(claimPrefix)
	expires := ""
	if p == nil {
		p = new(authz.Principal)
	} else {
		expires = strconv.FormatInt(p.Expires.Unix(), 10)
	}
	repl.Set("http.auth.user.id", p.Subject)
	repl.Set("http.auth.user.name", p.Username)
	repl.Set("http.auth.oauth2.subject", p.Subject)
	repl.Set("http.auth.oauth2.client_id", p.Client)
	repl.Set("http.auth.oauth2.scope", p.Scopes.String())
	repl.Set("http.auth.oauth2.grant_id", p.Grant)
	repl.Set("http.auth.oauth2.expires_at", expires)
	for name, value := range p.Claims {
		repl.Set(claimPrefix+name, value)
	}
}

// absentClaim makes claims empty that the credential does not have.
func absentClaim(key string) (any, bool) { return "", strings.HasPrefix(key, claimPrefix) }

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
