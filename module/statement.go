// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// sign signs what a guard tells an upstream of a caller.
func (p *Protect) sign(ctx context.Context, claims []byte, expires time.Time) (string, error) {
	keys, err := p.app.signingKeys(ctx)
	if err != nil {
		return "", err
	}
	return keys.Sign(ctx, keyring.Identities, p.app.keyPolicy(keyring.Identities), protect.TypeStatement, claims, expires)
}

// states returns the tokens that the guard tells upstreams of callers by.
func (p *Protect) states() []*protect.Token {
	upstreams := []*protect.Upstream{p.Upstream}
	for _, row := range p.Rows {
		upstreams = append(upstreams, row.Upstream)
	}
	var list []*protect.Token
	for _, u := range upstreams {
		if u != nil && u.Token != nil {
			list = append(list, u.Token)
		}
	}
	return list
}

// checkStatements reports whether each of those tokens is meant for somebody.
func (p *Protect) checkStatements() error {
	nobody := func(t *protect.Token) bool { return len(t.Audience) == 0 }
	if len(p.identities()) == 0 && slices.ContainsFunc(p.states(), nobody) {
		return errors.New("upstream token needs an audience, because the site has no address of its own: name one, or set resource")
	}
	return nil
}
