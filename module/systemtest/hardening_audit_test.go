// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// auditLines returns the events of logger oauth2.audit, in order.
func (g *gateway) auditLines() []string {
	g.t.Helper()
	var events []string
	for line := range strings.SplitSeq(g.logs.String(), "\n") {
		var entry struct {
			Logger string `json:"logger"`
			Msg    string `json:"msg"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Logger == "oauth2.audit" {
			events = append(events, entry.Msg)
		}
	}
	return events
}

// Ensure that every change leaves its trace, in order, in the log and in the
// store's ring, and that the ring survives a restart. Row L04.
func TestEveryChangeIsAudited(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	token := g.shopToken("user")
	g.revoke(token)
	g.addClient("stored")
	g.administer("/oauth2/clients/stored/edit", map[string]any{"disabled": true})
	var rotated struct {
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal(g.administer("/oauth2/clients/stored/rotate-secret", map[string]any{}), &rotated); err != nil {
		t.Fatal(err)
	}
	g.canary(rotated.Secret)
	g.administer("/oauth2/clients/stored/remove", map[string]any{})
	g.administer("/oauth2/keys/rotate", map[string]any{"seal": true})

	want := []string{"token_issued", "token_revoked", "client_added", "client_edited", "client_secret_rotated", "client_removed", "key_rotated"}
	eventually(t, "all of it is in the log, in order", func() bool { return subsequence(g.auditLines(), want) == "" })
	line := regexp.MustCompile(`"token_issued".*"request": ?"([0-9a-f-]{36})"`).FindStringSubmatch(g.logs.String())
	if line == nil {
		t.Fatal("the line of an issued token does not name its request")
	}
	g.kill()
	g.start()
	var ring struct {
		Entries []struct {
			Seq     uint64 `json:"seq"`
			Event   string `json:"event"`
			Request string `json:"request"`
		} `json:"entries"`
	}
	_, answer := g.adminRequest(http.MethodGet, "/oauth2/audit", nil)
	if err := json.Unmarshal(answer, &ring); err != nil {
		t.Fatal(err)
	}
	var events []string
	for i := range ring.Entries { // newest first
		e := ring.Entries[len(ring.Entries)-1-i]
		events = append(events, e.Event)
		if e.Event == "token_issued" && e.Request != line[1] {
			t.Errorf("the ring has it from request %q, the log from %s", e.Request, line[1])
		}
	}
	if got := subsequence(events, want); got != "" {
		t.Errorf("the ring lacks %s, or has it out of order: %q", got, events)
	}
}

// subsequence returns the first of want that does not come in have after the
// ones before it, or "".
func subsequence(have, want []string) string {
	for _, event := range have {
		if len(want) > 0 && event == want[0] {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		return want[0]
	}
	return ""
}

// Ensure that a flood of refused requests writes neither the log nor the store
// full.
func TestFloodOfRefusalsFillsNoDisk(t *testing.T) {
	g, u := startGuarded(t)
	g.shopToken("user")
	logged, stored := len(g.auditLines()), fileSize(t, g.storeFile())
	const flood = 3000
	conn, began := g.dial(), time.Now()
	untouched(t, u, func() {
		for range flood {
			if err := conn.send("GET /x HTTP/1.1\r\nHost: api.localhost:" + g.port + "\r\n\r\nPOST /oauth/token HTTP/1.1\r\nHost: localhost:" + g.port +
				"\r\n" + formType + "\r\nAuthorization: Basic " + basic("shop", "wrong") + "\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials"); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				resp, err := conn.response()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := drain(resp); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	if grown := fileSize(t, g.storeFile()) - stored; grown != 0 {
		t.Errorf("the store grew by %d bytes", grown)
	}
	// Caddy's access log is the operator's to bound; ours has a hundred lines at
	// once, and ten a second.
	took := time.Since(began)
	if grown := len(g.auditLines()) - logged; grown == 0 || grown > 101+int(10*took.Seconds()) {
		t.Errorf("the audit log grew by %d lines for %d refusals in %v", grown, 2*flood, took)
	}
	if refused := sum(g.metrics(), "caddy_oauth2_token_requests_total", `outcome="denied"`); refused < flood {
		t.Errorf("%v refusals are counted", refused)
	}
	if got := g.call("api.localhost", "/x", ""); got != http.StatusUnauthorized {
		t.Errorf("afterwards: %d", got)
	}
}
