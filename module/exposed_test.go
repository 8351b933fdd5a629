// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// Ensure that a site which would take tokens over plain http is refused, with
// the ways out, and that those ways are open.
func TestGuardsBeyondLoopbackNeedHTTPS(t *testing.T) {
	const resource, host, verb = `"resource": "https://api.example.com",`, `["api.example.com"]`, `"verb": "allow"`
	for name, test := range map[string]struct {
		change  []string
		refused bool
	}{
		"plain http":             {[]string{resource, ""}, true},
		"an address":             {[]string{resource, "", host, `["192.0.2.1"]`}, true},
		"a resource of http":     {[]string{resource, `"resource": "http://api.example.com",`}, true},
		"optional":               {[]string{resource, "", verb, `"verb": "optional"`, `, "requirement": [["orders:read"]]`, ""}, true},
		"TLS ends before":        {nil, false},
		"insecure_http":          {[]string{resource, "", `"issuer"`, `"insecure_http": true, "issuer"`}, false},
		"localhost":              {[]string{resource, "", host, `["localhost"]`}, false},
		"a name below localhost": {[]string{resource, "", host, `["api.localhost"]`}, false},
		"a loopback address":     {[]string{resource, "", host, `["127.0.0.2"]`}, false},
		"no token is taken":      {[]string{resource, "", verb, `"verb": "public"`, `, "requirement": [["orders:read"]]`, ""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := caddy.Load([]byte(strings.NewReplacer(test.change...).Replace(adminConfig(t.TempDir()))), true)
			if err == nil {
				err = caddy.Stop()
			} else if test.refused && strings.Contains(err.Error(), "would take tokens over plain http: serve it with https") {
				return
			}
			if test.refused || err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}
