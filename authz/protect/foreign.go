// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Foreign is an authorization server that a guard accepts beside its own.
// Nothing is known here of its clients, so a token's scopes are what it says.
type Foreign struct {
	// Issuer is its issuer identifier (RFC 8414 §2).
	Issuer string
	// Audience are the identifiers of which a token must name one. Required.
	Audience []string
}

// checkForeign returns what is wrong with the authorization servers that are
// accepted.
func (c *Config) checkForeign() error {
	seen := []string{c.Issuer}
	for _, f := range c.Foreign {
		if err := checkIssuer(f.Issuer); err != nil {
			return err
		}
		if slices.Contains(seen, f.Issuer) {
			return fmt.Errorf("issuer %q is there twice", f.Issuer)
		}
		if len(f.Audience) == 0 {
			return fmt.Errorf("issuer %q needs an audience", f.Issuer)
		}
		seen = append(seen, f.Issuer)
	}
	return nil
}

// issuers returns the identifiers of all authorization servers that are accepted.
func (c *Config) issuers() []string {
	list := []string{c.Issuer}
	for _, f := range c.Foreign {
		list = append(list, f.Issuer)
	}
	return list
}

// foreign returns the accepted authorization server of that identifier, or nil.
func (c *Config) foreign(issuer string) *Foreign {
	for i := range c.Foreign {
		if c.Foreign[i].Issuer == issuer {
			return &c.Foreign[i]
		}
	}
	return nil
}

// meant reports whether a token with that audience is meant for the guard.
func (f *Foreign) meant(audience []string) bool {
	for _, a := range audience {
		for _, own := range f.Audience {
			if authz.SameResource(a, own) {
				return true
			}
		}
	}
	return false
}

// tell adds to an event whom a request came from. Clients and subjects of other
// issuers are left out: they may have the names of ours.
func (g *Guard) tell(event *authz.Event, p *passage) {
	if p != nil && p.checked && p.principal.Issuer == g.config.Issuer {
		event.Client, event.Subject, event.Grant = p.principal.Client, p.principal.Subject, p.principal.Grant
	}
}
