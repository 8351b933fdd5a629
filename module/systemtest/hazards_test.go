// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// hazardous is [guarded] with what it lacks of what will hurt.
const hazardous = guarded + `
http://hazards.localhost:{$PORT} {
	oauth2_protect user
	handle_path /v1/* {
		reverse_proxy {$UPSTREAM}
	}
}
`

// harmless is [guarded] with what looks like it and does not hurt.
const harmless = guarded + `
http://harmless.localhost:{$PORT} {
	oauth2_protect user
	handle {
		forward_auth {$UPSTREAM} {
			uri /verify
			copy_headers X-Verified
		}
		reverse_proxy {$UPSTREAM}
	}
}
`

// Ensure that a configuration that will hurt says so at its start, with the site,
// and that one that does without is silent.
func TestHazardsAreNamedAtLoad(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	signs := []string{"on the issuer's own origin", "changed below oauth2_protect", "admin endpoint is not on this machine"}
	innocent := start(t, harmless, u.env())
	for _, sign := range signs {
		if strings.Contains(innocent.logs.String(), sign) {
			t.Errorf("without reason: %s", sign)
		}
	}
	g := prepare(t, strings.Replace(hazardous, "\toauth2_server\n", "\toauth2_server\n\treverse_proxy {$UPSTREAM}\n", 1), u.env())
	_, port, err := net.SplitHostPort(g.admin)
	if err != nil {
		t.Fatal(err)
	}
	g.write("preamble", fmt.Sprintf(preamble, "0.0.0.0:"+port))
	g.start()
	for _, sign := range append(signs, `"at":"http://localhost:`, `"at":"http://hazards.localhost:`) {
		eventually(t, "the log has "+sign, func() bool { return strings.Contains(g.logs.String(), sign) })
	}
}
