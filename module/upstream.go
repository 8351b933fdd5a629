// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// resolveUpstreams replaces the placeholders in what goes upstream whoever calls,
// once, at load, and in copies: what is configured is shown by Caddy's admin
// endpoint, and what it stands for is not.
func (p *Protect) resolveUpstreams() error {
	p.rows = slices.Clone(p.Rows)
	var err error
	if p.usual, err = resolveUpstream(p.Upstream); err != nil {
		return err
	}
	for i := range p.rows {
		row := &p.rows[i]
		if row.Upstream, err = resolveUpstream(row.Upstream); err != nil {
			return fmt.Errorf("%s: %w", row, err)
		}
	}
	return nil
}

// resolveUpstream returns a copy of u without placeholders.
func resolveUpstream(u *protect.Upstream) (*protect.Upstream, error) {
	if u == nil || u.Basic == nil && len(u.Static) == 0 {
		return u, nil
	}
	resolved := *u
	resolved.Static = maps.Clone(u.Static)
	for name, text := range u.Static {
		var err error
		if resolved.Static[name], err = resolveSecret(text); err != nil {
			return nil, fmt.Errorf("upstream header %s: %w", name, err)
		}
	}
	if u.Basic != nil {
		username, err := resolveSecret(u.Basic.Username)
		if err != nil {
			return nil, fmt.Errorf("upstream basic: user name: %w", err)
		}
		password, err := resolveSecret(u.Basic.Password)
		if err != nil {
			return nil, fmt.Errorf("upstream basic: password: %w", err)
		}
		resolved.Basic = &protect.Basic{Username: username, Password: password}
	}
	return &resolved, nil
}

// literalPassword reports whether the password of u stands in the configuration
// itself, which Caddy keeps in a file and hands out at its admin endpoint.
func literalPassword(u *protect.Upstream) bool {
	return u != nil && u.Basic != nil && !strings.Contains(u.Basic.Password, "{")
}
