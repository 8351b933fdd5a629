// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// refuseExposed refuses a guard whose clients would send tokens over plain
// http (RFC 6750 §5.3), unless that is the same machine or insecure_http is set.
// A site without an address cannot be judged.
func (p *Protect) refuseExposed() error {
	takesTokens := slices.ContainsFunc(p.Rows, func(row protect.Row) bool {
		return row.Verb == protect.Allow || row.Verb == protect.Optional
	})
	if p.app.InsecureHTTP || !takesTokens {
		return nil
	}
	for _, address := range p.identities() {
		if exposed(address) {
			return fmt.Errorf("%s would take tokens over plain http: serve it with https; where TLS ends at a proxy in front of this Caddy, "+
				"name the https address with the subdirective resource; or allow it with insecure_http in the global oauth2 block", address)
		}
	}
	return nil
}

// exposed reports whether the requests for a site or resource pass a network
// in the clear.
func exposed(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	belowLocalhost := strings.HasSuffix(strings.ToLower(u.Hostname()), ".localhost") // RFC 6761 §6.3
	return !belowLocalhost && !fetch.IsLoopback(u.Hostname())
}
