// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
)

// Authorize says how clients send users here to be asked.
type Authorize struct {
	// Whether all authorization requests must be pushed first (RFC 9126). Without it,
	// those of clients with `require_par` must. Default: false.
	RequirePAR bool `json:"require_par,omitempty"`
}

// authorization adds to the configuration of the endpoints what is for people.
func (a *App) authorization(c *endpoint.Config) {
	texts := make(map[string]string, len(a.Scopes))
	for _, s := range a.Scopes {
		texts[s.Name] = s.Text
	}
	c.SignIn = a.people.signin
	c.Handles = a.people.handles
	c.Render = a.people.pages.Render
	c.ScopeText = func(word string) string { return texts[word] }
	c.RequirePAR = a.Authorize.RequirePAR
	c.Users = a.users
	if g, ok := a.grantTypes[authz.GrantAuthorizationCode].(*AuthorizationCode); ok {
		c.CodeLifetime = time.Duration(g.CodeLifetime)
	}
	if g, ok := a.grantTypes[authz.GrantRefreshToken].(*RefreshToken); ok {
		c.Refresh = g.policy()
	}
}
