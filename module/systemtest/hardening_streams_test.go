// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Ensure that a connection the guard upgraded ends soon after its token does.
// Row S14.
func TestUpgradedConnectionEndsWithItsToken(t *testing.T) {
	u := newUpstream(t)
	u.answer = webSocket
	g := start(t, guarded, u.env())
	for name, live := range map[string]struct {
		token string
		end   func(token string)
	}{
		"revoked": {g.shopToken("user"), g.revoke},
		"expired": {g.token("brief", briefSecret), func(string) {}},
	} {
		conn := g.dial()
		if err := conn.send(g.head("GET", "api.localhost", "/socket", "", "Authorization: Bearer "+live.token, "Connection: Upgrade", "Upgrade: websocket",
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")); err != nil {
			t.Fatal(err)
		}
		resp, err := conn.response()
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%s: no upgrade: %v %v", name, resp, err)
		}
		if err := conn.send("ping"); err != nil {
			t.Fatal(err)
		}
		echo := make([]byte, 4)
		if _, err := conn.in.Read(echo); err != nil || string(echo) != "ping" {
			t.Fatalf("%s: no echo: %q %v", name, echo, err)
		}
		live.end(live.token)
		began := time.Now()
		if !conn.ends(patience) {
			t.Errorf("%s: the connection lives", name)
		}
		// Five seconds are promised; the rest is for a busy machine.
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("%s: ended only after %v", name, took)
		}
	}
}

// webSocket is an [upstream.answer] that upgrades and then echoes.
func webSocket(r *http.Request, conn net.Conn, in *bufio.Reader) bool {
	if r.Header.Get("Upgrade") != "websocket" {
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		return true
	}
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	_, _ = io.Copy(conn, in)
	return false
}

// Ensure that a token request which began before a reload, and is sent as slowly
// as its client likes, gets nothing for a secret that the reload has replaced.
func TestSlowTokenRequestDoesNotOutliveItsSecret(t *testing.T) {
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
