// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package authz_test

import (
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that nothing but the slash of an empty path is forgiven.
func TestSameResource(t *testing.T) {
	const api = "https://api.example.com"
	for other, same := range map[string]bool{
		api: true, api + "/": true, api + "//": false, api + "/v1": false, "https://API.example.com": false,
		"http://api.example.com": false, api + ":443": false, "": false, "/": false,
	} {
		if authz.SameResource(api, other) != same || authz.SameResource(other, api) != same {
			t.Errorf("%q and %q: not %v", api, other, same)
		}
	}
	for _, differ := range [][2]string{{"https://api/v1", "https://api/v1/"}, {"urn:a", "urn:a/"}, {"", "/"}} {
		if authz.SameResource(differ[0], differ[1]) {
			t.Errorf("%q and %q are one", differ[0], differ[1])
		}
	}
}
