// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// askingKey is the key, in the contexts of expressions, of the identity that asks
// to pass.
type askingKey struct{}

// compileExpression makes the expression of a row ready: one in CEL, as Caddy's
// matcher `expression` takes it, with the placeholders of the principal that asks
// to pass and all others of the request.
func compileExpression(ctx caddy.Context, text string) (protect.Expression, error) {
	matcher := &caddyhttp.MatchExpression{Expr: text}
	if err := matcher.Provision(ctx); err != nil {
		return nil, err
	}
	return func(r *http.Request, p *authz.Principal) (bool, error) {
		// The request is not p's yet, so its own placeholders do not tell of p.
		asking, repl := &identity{principal: p}, caddy.NewEmptyReplacer()
		repl.Map(asking.placeholder)
		if outer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			repl.Map(outer.Get)
		}
		inner := context.WithValue(context.WithValue(r.Context(), askingKey{}, asking), caddy.ReplacerCtxKey, repl)
		return matcher.MatchWithError(r.WithContext(inner))
	}, nil
}

// compileRows makes the expressions of all rows ready, once for all the guards
// that are made of them.
func (p *Protect) compileRows(ctx caddy.Context) error {
	p.expressions = map[string]protect.Expression{}
	for _, row := range p.Rows {
		if row.Conditions == nil || row.Conditions.Expression == "" {
			continue
		}
		expression, err := compileExpression(ctx, row.Conditions.Expression)
		if err != nil {
			return err
		}
		p.expressions[row.Conditions.Expression] = expression
	}
	return nil
}

// ValidateExpression returns what is wrong with the expression of a row.
func ValidateExpression(text string) error {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	_, err := compileExpression(ctx, text)
	return err
}

// compiled finds an expression that compileRows has made. Where only the form of
// a guard is in question there is none, and nobody would meet it.
func (p *Protect) compiled(text string) (protect.Expression, error) {
	if expression := p.expressions[text]; expression != nil {
		return expression, nil
	}
	return func(*http.Request, *authz.Principal) (bool, error) { return false, nil }, nil
}
