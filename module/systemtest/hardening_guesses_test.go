// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// behindProxy is config for a gateway behind a proxy on this machine, whose word it
// takes for the address of a client.
func behindProxy(config string) string {
	return strings.Replace(config, "{\n\timport", "{\n\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32 ::1/128\n\t}\n\timport", 1)
}

// Ensure that whoever guesses at a client's secret has to wait, over a reload too,
// and that neither a forwarded address helps against it nor another's guesses hurt
// a client whose address a trusted proxy tells. Rows A29 and H18.
func TestGuessingAtClientSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		others int // what the client gets at an address of its own
	}{
		"behind a trusted proxy": {behindProxy(clients), http.StatusOK},
		"without one":            {clients, http.StatusTooManyRequests},
	} {
		g := start(t, c.config)
		g.canary(basicSecret)
		guesser, right := "X-Forwarded-For: 198.51.100.1", "Authorization: Basic "+basic("basic", basicSecret)
		for i := range 20 {
			a, code := g.tokenRequest("", guesser, "Authorization: Basic "+basic("basic", "wrong"+strconv.Itoa(i)))
			if a.status != http.StatusUnauthorized || code != "invalid_client" {
				t.Fatalf("%s: guess %d: %d %s", name, i, a.status, a.body)
			}
		}
		if err := g.reload(c.config + "# again\n"); err != nil {
			t.Fatal(err)
		}
		// The wait may be over by now, but not forgotten: the next failure doubles it.
		var a answer
		var code string
		for i := range 6 {
			g.tokenRequest("", guesser, "Authorization: Basic "+basic("basic", "wrong again"+strconv.Itoa(i)))
			if a, code = g.tokenRequest("", guesser, right); a.status == http.StatusTooManyRequests {
				break
			}
		}
		if s, err := strconv.Atoi(a.header.Get("Retry-After")); a.status != http.StatusTooManyRequests || code != "slow_down" || err != nil || s < 1 || s > 30 {
			t.Errorf("%s: the one who guesses: %d %v %s", name, a.status, a.header, a.body)
		}
		if a, _ := g.tokenRequest("", "X-Forwarded-For: 192.0.2.1", right); a.status != c.others {
			t.Errorf("%s: the client elsewhere: %d %s", name, a.status, a.body)
		}
		if a, code := g.tokenRequest("&client_id=post&client_secret="+postSecret, guesser); a.status != http.StatusOK {
			t.Errorf("%s: another client: %d %s", name, a.status, code)
		}
	}
}
