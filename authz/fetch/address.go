// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package fetch

import "net/netip"

// closed lists the special-purpose ranges (registries of RFC 6890) that no
// public service is in.
var closed = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // behind carrier-grade NAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, where clouds keep their metadata services
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // relays from IPv6, withdrawn
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast
)

// open is what of IPv6 is given to public networks, and opaque what of that
// is not, or carries an IPv4 address that another machine would connect to.
var (
	open   = netip.MustParsePrefix("2000::/3")
	opaque = prefixes(
		"2001::/23",     // protocol assignments, among them Teredo
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4
		"3fff::/20",     // documentation
	)
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// public reports whether a stranger's URL may lead to an address. IPv6 is
// closed but for what is given out: loopback, unspecified, link-local, unique
// local, multicast, IPv4-mapped and NAT64 (64:ff9b::/96) are all outside of it.
func public(address netip.Addr) bool {
	ranges := opaque
	if address.Is4() {
		ranges = closed
	} else if !open.Contains(address) {
		return false
	}
	for _, r := range ranges {
		if r.Contains(address) {
			return false
		}
	}
	return true
}
