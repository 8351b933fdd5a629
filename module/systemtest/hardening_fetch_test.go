// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strings"
	"testing"
)

// Ensure that no client is registered whose keys we would fetch from a place that
// is not a client's: our own network in every spelling, other schemes, other
// services' ports. Rows F01 and F05.
func TestKeysAreNotFetchedFromWithin(t *testing.T) {
	t.Parallel()
	g, _, _ := startAssertions(t)
	for _, uri := range []string{
		"https://127.0.0.1/keys", "https://10.1.2.3/keys", "https://169.254.169.254/latest", "https://[::1]/keys", "https://[fd00::1]/keys",
		"https://[::ffff:127.0.0.1]/keys", "https://0.0.0.0/keys", "https://0/keys", "https://2130706433/keys", "https://0x7f000001/keys",
		"https://0177.0.0.1/keys", "https://127.1/keys", "http://keys.example.com/keys", "file:///etc/passwd", "gopher://keys.example.com/",
		"ftp://keys.example.com/", "unix:/run/caddy.sock", "https://keys.example.com:22/", "https://keys.example.com:6379/",
		"https://user@keys.example.com/", "https://keys.example.com/#a", `https://keys.example.com\@127.0.0.1/`,
	} {
		_, refusal, code := g.caddy("", "oauth2", "client", "add", "inner", "--address", g.admin, "--auth-method", "private_key_jwt", "--jwks-uri", uri)
		if code == 0 || !strings.Contains(refusal, "jwks_uri") {
			t.Errorf("%s: exit code %d, %s", uri, code, refusal)
			g.cli(0, "", "client", "remove", "inner")
		}
	}
}

// Ensure that a name which leads within is not followed there, and that nobody
// learns from the answer what is there: it is the one for a name that leads
// nowhere. Rows F01 and F03.
func TestNamesThatLeadWithinAreNotFollowed(t *testing.T) {
	t.Parallel()
	g, _, _ := startAssertions(t)
	var answers []string
	for id, uri := range map[string]string{"within": "https://localhost:8443/keys", "nowhere": "https://keys.invalid:8443/keys"} {
		g.cli(0, "", "client", "add", id, "--auth-method", "private_key_jwt", "--jwks-uri", uri, "--scopes", "user")
		status, code := g.assert("token", newAsserter(t, id).fresh(g), nil)
		if status == http.StatusOK {
			t.Errorf("%s: its assertion was accepted", uri)
		}
		answers = append(answers, http.StatusText(status)+" "+code)
	}
	if answers[0] != answers[1] {
		t.Errorf("the answers differ: %q", answers)
	}
	eventually(t, "the log says why", func() bool { return strings.Contains(g.logs.String(), "the address is not public") })
}
