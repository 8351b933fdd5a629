// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// passage is what a guard leaves in the request's context for guards further
// in: they decide by their own rows on the same credential, which is no longer
// in the request.
type passage struct {
	context.Context

	// found says what the request carried; credential is set when that was
	// present, and still unchecked unless checked is true.
	found  presence
	source source
	// checked: principal is who the credential stands for.
	checked bool
	// vouched: the request passes as the principal.
	vouched    bool
	credential authz.Credential
	principal  authz.Principal
	// dress is what the guard put on the request, or nil.
	dress *dress
	// space holds the values of the usual number of headers, so that they
	// cost no allocation of their own.
	space [5]string
	// stay is for the watch, once the request has passed.
	stay
}

type passageKey struct{}

// Value returns the passage itself to guards, and its principal to everybody
// once the request may pass as that.
func (p *passage) Value(key any) any {
	switch key.(type) {
	case passageKey:
		return p
	case authz.PrincipalKey:
		if !p.vouched {
			return (*authz.Principal)(nil)
		}
		return &p.principal
	}
	return p.Context.Value(key)
}

// passageFrom returns what the nearest guard outside left, or nil.
func passageFrom(ctx context.Context) *passage {
	p, _ := ctx.Value(passageKey{}).(*passage)
	return p
}

// carrying returns p where the request came with a credential, and nil where a guard
// has only put something on it, or there was none.
func (p *passage) carrying() *passage {
	if p != nil && p.found == absent {
		return nil
	}
	return p
}

// values returns room for n header values.
func (p *passage) values(n int) []string {
	if n > len(p.space) {
		return make([]string, n)
	}
	return p.space[:n]
}

// inner returns a passage for a guard inside the one that left p. It is a
// copy: p belongs to a request that is still on its way.
func (p *passage) inner(ctx context.Context) *passage {
	return &passage{Context: ctx, found: p.found, source: p.source, credential: p.credential, checked: p.checked, principal: p.principal}
}
