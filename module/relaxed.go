// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz/account"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/foreign"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Bounds of the list, so that neither a start nor its log line grows with the store.
const (
	// relaxedLookedAt is how many clients of the store are looked at.
	relaxedLookedAt = 10 * tokenstore.MaxList
	// relaxedNamed is how many settings of clients of the store are named.
	relaxedNamed = 100
)

// relaxed lists what the configuration and the clients of the store have less
// strict than the defaults, one sentence each, for the log at start and for
// `caddy oauth2 stats`. Guards know their sites once the app has started.
func (a *App) relaxed(ctx context.Context) []string {
	var list []string
	if a.InsecureHTTP {
		list = append(list, "insecure_http: tokens may travel in the clear")
	}
	if a.ScopePolicy == ScopeFilter {
		list = append(list, "scope_policy filter: clients may get less than they ask for")
	}
	if a.AssertionAudience == AudienceTokenURL {
		list = append(list, "assertion_audience token_url: another server can pass on assertions that clients make for it")
	}
	if a.Developers.Who == account.Everybody {
		list = append(list, "developers everybody: whoever has an account registers clients, and asks others for their consent")
	}
	for _, c := range a.Clients {
		if c.WeakSecret {
			list = append(list, fmt.Sprintf("client %s: weak_secret", c.ID))
		}
		list = append(list, relaxedClient(&c.Client)...)
	}
	list = append(list, a.relaxedStored(ctx)...)
	for _, guard := range a.guards {
		place := "oauth2_protect of " + cmp.Or(strings.Join(guard.identities(), " "), anyAddress)
		for _, setting := range guard.relaxed() {
			list = append(list, place+": "+setting)
		}
	}
	return list
}

// relaxedClient lists what a client has less strict than the defaults.
func relaxedClient(c *client.Client) (list []string) {
	if c.PKCE == client.PKCEOptional || c.PKCE == client.PKCEPlain {
		list = append(list, fmt.Sprintf("client %s: pkce %s: whoever gets hold of a code may be able to redeem it", c.ID, c.PKCE))
	}
	if !c.Rotates() {
		list = append(list, fmt.Sprintf("client %s: refresh_rotation off: a stolen refresh token is not noticed", c.ID))
	}
	return list
}

// relaxedStored lists what the clients of the store have less strict than the
// defaults. A configured client of the same id stands in its place.
func (a *App) relaxedStored(ctx context.Context) (list []string) {
	var cursor tokenstore.Cursor
	for range relaxedLookedAt / tokenstore.MaxList {
		page, next, err := client.List(ctx, a.runtime.db, cursor, tokenstore.MaxList)
		if err != nil {
			return append(list, "clients of the store: they could not be read")
		}
		for _, c := range page {
			if !a.registry.Configured(c.ID) {
				list = append(list, relaxedClient(c)...)
			}
		}
		if len(list) > relaxedNamed {
			return append(list[:relaxedNamed], "clients of the store: more of them, which are not named here")
		}
		if cursor = next; cursor == "" {
			return list
		}
	}
	return append(list, fmt.Sprintf("clients of the store: those after the first %d were not looked at", relaxedLookedAt))
}

// relaxed lists what one guard has less strict than the defaults.
func (p *Protect) relaxed() []string {
	var list []string
	if len(p.AllowAmbiguous) > 0 {
		list = append(list, "allow_ambiguous "+strings.Join(p.AllowAmbiguous, " "))
	}
	if p.Bearer != nil && p.Bearer.Query {
		list = append(list, "accept bearer query: URLs with tokens end up in histories and logs")
	}
	if p.Bearer != nil && p.Bearer.Cookie != "" {
		list = append(list, "accept bearer cookie: browsers send it along with requests of other sites")
	}
	if len(p.CSRFTrust) > 0 {
		list = append(list, "csrf trust "+strings.Join(p.CSRFTrust, " ")+": pages there act here for whoever looks at them")
	}
	for _, issuer := range p.Issuers {
		if issuer.Profile == foreign.ProfileGeneric {
			list = append(list, "issuer "+issuer.Issuer+" profile generic: its tokens need not say that they are access tokens")
		}
	}
	if p.Upstream != nil && p.Upstream.KeepCredential {
		list = append(list, "keep_credential: the service learns tokens")
	}
	if literalPassword(p.Upstream) {
		list = append(list, "upstream basic: the password stands in the configuration itself")
	}
	for _, row := range p.Rows {
		if literalPassword(row.Upstream) {
			list = append(list, fmt.Sprintf("upstream basic at %s: the password stands in the configuration itself", row))
		}
		if row.Upstream != nil && row.Upstream.KeepCredential {
			list = append(list, fmt.Sprintf("keep_credential at %s: the service learns tokens", row))
		}
	}
	return list
}
