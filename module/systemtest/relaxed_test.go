// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"strings"
	"testing"
)

// Ensure that a legacy behaviour which a command has given to a client of the store
// is listed by a command, is in the log of the next start, and is in neither any more
// once it has been taken back.
func TestRelaxedClientOfTheStoreIsListed(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	g.addClient("legacy-app")
	settings := []string{"client legacy-app: pkce optional", "client legacy-app: refresh_rotation off"}
	listed := func(want bool) {
		t.Helper()
		shown, _ := g.cli(0, "", "stats")
		g.stop()
		before := len(g.logs.String())
		g.start()
		logged := g.logs.String()[before:]
		for _, setting := range settings {
			if strings.Contains(shown, setting) != want {
				t.Errorf("%q is listed %v, want %v:\n%s", setting, !want, want, shown)
			}
			if strings.Contains(logged, setting) != want {
				t.Errorf("%q is in the log %v, want %v:\n%s", setting, !want, want, logged)
			}
		}
	}
	listed(false)
	g.cli(0, "", "client", "edit", "legacy-app", "--pkce", "optional", "--refresh-rotation", "off")
	listed(true)
	g.cli(0, "", "client", "edit", "legacy-app", "--pkce", "always", "--refresh-rotation", "on")
	listed(false)
}
