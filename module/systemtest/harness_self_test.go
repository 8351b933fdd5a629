// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"strings"
	"testing"
)

// Ensure that the tools of these tests tell the truth about an unprotected
// proxy: bytes go out as written, the upstream remembers them, a killed gateway
// comes back on the same folder, a reload takes effect and a wrong one is
// refused.
func TestHarnessOnPlainProxy(t *testing.T) {
	const config = "{\n\timport {$HARNESS}\n}\nhttp://localhost:{$PORT} {\n\treverse_proxy {$UPSTREAM}\n}\n"
	u := newUpstream(t)
	g := start(t, config, u.env())

	if a := g.get("localhost", "/a/%2e%2E/b;c?d", "X-Odd: 1", "x_odd: 2"); a.status != 200 || a.body != "legacy\n" {
		t.Fatalf("answer %d %q", a.status, a.body)
	}
	if raw := u.last().Raw; !strings.HasPrefix(raw, "GET /a/%2e%2E/b;c?d HTTP/1.1\r\n") {
		t.Errorf("the upstream got %q", raw)
	}
	if lines := u.last().lines("X-Odd"); len(lines) == 0 {
		t.Errorf("header lost: %q", u.last().Raw)
	}
	g.wire(g.head("GET", "localhost", "/1", "", "Connection: keep-alive") + g.head("GET", "localhost", "/2", ""))
	eventually(t, "both of two pipelined requests arrive", func() bool { return u.count() == 3 })

	g.kill()
	g.start()
	if status := g.call("localhost", "/", ""); status != 200 {
		t.Errorf("after a crash: %d", status)
	}
	if err := g.reload(strings.Replace(config, "reverse_proxy", "respond 418\n\treverse_proxy", 1)); err != nil {
		t.Error(err)
	}
	if status := g.call("localhost", "/", ""); status != 418 {
		t.Errorf("after a reload: %d", status)
	}
	if err := g.reload("nonsense {"); err == nil {
		t.Error("a wrong configuration was taken")
	}
	if code := g.stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}
