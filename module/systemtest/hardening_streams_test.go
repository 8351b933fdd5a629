// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Ensure that streams of every kind, over every protocol, are cut when what they
// came with ends, whatever ends it, and no others, and that no client takes what
// it got for the whole. Row S14.
func TestStreamsEndWithWhatTheyCameWith(t *testing.T) {
	t.Parallel()
	g := startStreaming(t, strings.Replace(streaming, "lifetime 3s", "lifetime 6s", 1)) // to open a stream takes a moment
	ends := map[string]struct {
		token string
		end   func(token string)
	}{
		"token revoked": {g.shopToken("user"), g.revoke},
		"client revoked": {g.token("revoked", g.addClient("revoked")), func(string) {
			g.administer("/oauth2/clients/revoked/revoke", struct{}{})
		}},
		"client disabled": {g.token("disabled", g.addClient("disabled")), func(string) {
			g.administer("/oauth2/clients/disabled/edit", map[string]any{"disabled": true})
		}},
		"client removed": {g.token("removed", g.addClient("removed")), func(string) {
			g.administer("/oauth2/clients/removed/remove", struct{}{})
		}},
	}
	transports, grpc := g.transports(), g.dialGRPC()
	staying := append(g.openAll("staying", transports, grpc, func() string { return g.shopToken("user") }),
		g.open("anonymous", "h2", transports["h2"], "/open/events", ""))
	var leaving []*live
	for name, c := range ends {
		leaving = append(leaving, g.openAll(name, transports, grpc, func() string { return c.token })...)
	}
	for _, c := range ends {
		c.end(c.token)
	}
	leaving = append(leaving, g.openAll("token expired", transports, grpc, func() string { return g.token("brief", briefSecret) })...)
	mustEnd(t, leaving)
	for _, s := range staying {
		select {
		case err := <-s.end:
			t.Errorf("%s ended: %v", s.name, err)
		default:
		}
	}
	if n := g.service.whole.Load(); n != 0 {
		t.Errorf("the service takes %d uploads that were cut for whole", n)
	}
	eventually(t, "each cut is counted, and once", func() bool {
		return int(sum(g.metrics(), "caddy_oauth2_events_total", `type="request_cut"`)) == len(leaving)
	})
	for _, s := range staying {
		s.close()
	}
	eventually(t, "the service has nothing under way", func() bool { return g.service.under.Load() == 0 })
}

// Ensure that streams that came through a configuration are cut when the next one
// disables their client, or does not have it any more. Row S14.
func TestStreamsEndWithTheirClientInTheConfiguration(t *testing.T) {
	t.Parallel()
	const secret = "another-secret-0123456789abcdefghijklm"
	with := func(clients string) string {
		return strings.NewReplacer(
			"\t\tclient brief", clients+"\t\tclient brief",
			"\toauth2 {\n", "\tgrace_period 1m\n\toauth2 {\n", // or Caddy would end them
		).Replace(streaming)
	}
	client := func(id, more string) string {
		return "client " + id + " {\nsecret " + secret + "\ngrant_types client_credentials\nscopes user\n" + more + "}\n"
	}
	g := startStreaming(t, with(client("gone", "")+client("asleep", "")))
	transports, grpc := g.transports(), g.dialGRPC()
	delete(transports, "h3") // its client leaves connections behind when the server says goodbye
	staying := g.openAll("staying", transports, grpc, func() string { return g.shopToken("user") })
	leaving := append(g.openAll("gone", transports, grpc, func() string { return g.token("gone", secret) }),
		g.openAll("asleep", transports, grpc, func() string { return g.token("asleep", secret) })...)
	g.mustReload(with(client("asleep", "disabled\n")))
	mustEnd(t, leaving)
	for _, s := range staying {
		select {
		case err := <-s.end:
			t.Errorf("%s ended: %v", s.name, err)
		default:
		}
		s.close()
	}
}

// mustEnd waits until streams end that something has ended, and fails the test
// for those that live on, or end as if they were whole.
func mustEnd(t *testing.T, streams []*live) {
	t.Helper()
	// Five seconds are promised, and a token may have some to live; the rest is for a
	// busy machine.
	late := time.After(patience)
	for _, s := range streams {
		select {
		case err := <-s.end:
			if errors.Is(err, errWhole) {
				t.Errorf("%s: %v", s.name, err)
			}
		case <-late:
			t.Fatalf("%s: lives", s.name)
		}
	}
}

// Ensure that a token request which began before a reload, and is sent as slowly
// as its client likes, gets nothing for a secret that the reload has replaced.
func TestSlowTokenRequestDoesNotOutliveItsSecret(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	body := "grant_type=client_credentials"
	conn := g.dial()
	if err := conn.send(g.head("POST", "localhost", "/oauth/token", body, formType, "Expect: 100-continue",
		"Authorization: Basic "+basic("shop", shopSecret))); err != nil {
		t.Fatal(err)
	}
	// The endpoint reads the body: the old configuration has the request.
	if resp, err := conn.response(); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("%v %v", resp, err)
	}
	g.mustReload(strings.Replace(guarded, shopSecret, "new-"+shopSecret, 1))
	if err := conn.send(body); err != nil {
		t.Fatal(err)
	}
	if resp, err := conn.response(); err == nil && resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the secret of before the reload: %s", resp.Status)
	}
}
