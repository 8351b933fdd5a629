// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"hash/maphash"
	"slices"
	"sync/atomic"

	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// common is what the tokens of a client mostly have in common.
type common struct {
	client   string
	scopes   scope.Set
	audience []string
}

// recent holds what tokens that were read had in common, by a hash of the client's
// id. Clients that share a slot displace each other.
var (
	recent     [256]atomic.Pointer[common]
	recentSeed = maphash.MakeSeed()
)

// Share puts what the last token of the same client has in the place of what is
// equal. So a hundred thousand tokens of a few clients are that many objects in
// memory, and what a request looks at besides is near.
func (r *Record) Share() {
	slot := &recent[maphash.String(recentSeed, r.Client)%uint64(len(recent))]
	c := slot.Load()
	if c == nil || c.client != r.Client || !slices.Equal(c.scopes, r.Scopes) || !slices.Equal(c.audience, r.Audience) {
		slot.Store(&common{r.Client, r.Scopes, r.Audience})
		return
	}
	r.Client, r.Scopes, r.Audience = c.client, c.scopes, c.audience
}

// Interface guards
var _ tokenstore.Alike = (*Record)(nil)
