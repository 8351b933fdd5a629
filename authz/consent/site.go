// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package consent

import (
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Site is what a user said about one resource (RFC 8707 §2), a scope of which is no
// scope of another one.
type Site struct {
	// Resource is the resource, the issuer where the client named none.
	Resource string `cbor:"1,keyasint"`
	// Scopes are those that the user allowed there.
	Scopes scope.Set `cbor:"2,keyasint,omitempty"`
	// Declined are those that the user unticked when last asked. They are asked for
	// again only together with something else.
	Declined scope.Set `cbor:"3,keyasint,omitempty"`
}

// site is what the user said about a resource; false: nothing.
func (c *Consent) site(resource string) (Site, bool) {
	i := slices.IndexFunc(c.Sites, func(s Site) bool { return s.Resource == resource })
	if i < 0 {
		return Site{Resource: resource}, false
	}
	return c.Sites[i], true
}

// Scopes are what the user allowed at one site or another, for people to see.
func (c *Consent) Scopes() scope.Set {
	var words []string
	for _, s := range c.Sites {
		words = append(words, s.Scopes...)
	}
	return scope.Of(words...)
}

// Resources are the sites about which the user said something, for people to see.
func (c *Consent) Resources() []string {
	var resources []string
	for _, s := range c.Sites {
		resources = append(resources, s.Resource)
	}
	return resources
}

// Allowed are the scopes that the user allowed at every one of some resources.
func (c *Consent) Allowed(resources []string) scope.Set {
	var all scope.Set
	for i, resource := range resources {
		site, _ := c.site(resource)
		if i == 0 {
			all = site.Scopes
		}
		all = all.Intersect(site.Scopes)
	}
	return all
}

// Unticked are the scopes that the user unticked at one of some resources.
func (c *Consent) Unticked(resources []string) scope.Set {
	var words []string
	for _, resource := range resources {
		site, _ := c.site(resource)
		words = append(words, site.Declined...)
	}
	return scope.Of(words...)
}

// answer notes that the user, asked for some scopes at some resources, allowed granted
// of these. It reports whether the user took back what had been allowed there.
func (c *Consent) answer(asked, granted scope.Set, resources []string) (takenBack bool) {
	declined := without(asked, granted)
	sites := slices.Clone(c.Sites)
	for _, resource := range resources {
		site, _ := c.site(resource)
		takenBack = takenBack || len(declined.Intersect(site.Scopes)) > 0
		site.Scopes = scope.Of(append(without(site.Scopes, asked), granted...)...)
		site.Declined = scope.Of(append(without(site.Declined, asked), declined...)...)
		sites = append(slices.DeleteFunc(sites, func(s Site) bool { return s.Resource == resource }), site)
	}
	c.Sites = sites
	return takenBack
}

func without(set, other scope.Set) scope.Set {
	return slices.DeleteFunc(slices.Clone(set), other.Has)
}
