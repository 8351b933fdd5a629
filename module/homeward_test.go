// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Ensure that hosts are told apart by their names alone, since ports and schemes may be
// others behind a proxy, and that none leads to an issuer that is not here.
func TestOtherHosts(t *testing.T) {
	for _, c := range []struct{ issuer, sites, others string }{
		{"https://auth.example.com", "https://auth.example.com", ""},
		{"https://auth.example.com", "http://auth.example.com:8080 https://api.example.com", "api.example.com"},
		{"https://AUTH.example.com/tenant", "https://auth.example.com https://api.example.com:8443 http://10.0.0.1", "10.0.0.1 api.example.com"},
		{"https://auth.example.com", "http://inside:8080 http://api.example.com", ""},
		{"http://localhost:8080", "http://localhost:8080 http://127.0.0.1:8080 http://[::1]:8080", "127.0.0.1 ::1"},
		{"https://auth.example.com", "", ""},
	} {
		sites := map[string]bool{}
		for _, site := range strings.Fields(c.sites) {
			sites[site] = true
		}
		others := otherHosts(c.issuer, sites)
		if got := strings.Join(slices.Sorted(maps.Keys(others)), " "); got != c.others {
			t.Errorf("%s at %s: %q, want %q", c.issuer, c.sites, got, c.others)
		}
	}
}
