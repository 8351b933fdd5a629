// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// canaries are secrets that must be in no log. Safe for concurrent use.
type canaries struct {
	mu      sync.Mutex
	secrets []string
}

// canary plants a secret: when the test ends, no log may hold it in any form.
// It returns the secret.
func (g *gateway) canary(secret string) string {
	g.t.Helper()
	if len(secret) < 8 {
		g.t.Fatalf("a canary of %d bytes could be in a log by chance", len(secret))
	}
	g.canaries.mu.Lock()
	defer g.canaries.mu.Unlock()
	g.canaries.secrets = append(g.canaries.secrets, secret)
	return secret
}

// forms lists how a secret may look in a log: as it is, and as the encodings
// that loggers and protocols put text into.
func forms(secret string) []string {
	raw := []byte(secret)
	quoted, err := json.Marshal(secret)
	if err != nil {
		panic(err) // a string always encodes
	}
	escaped := strings.Builder{}
	for _, b := range raw {
		escaped.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{b})))
	}
	return []string{
		secret, string(quoted[1 : len(quoted)-1]), url.QueryEscape(secret), url.PathEscape(secret), escaped.String(),
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
		strings.TrimRight(base64.StdEncoding.EncodeToString(raw), "="), strings.TrimRight(base64.URLEncoding.EncodeToString(raw), "="),
	}
}

// inspectLogs fails the test for a canary, a data race of ours or a panic in the logs.
// Row L02.
func (g *gateway) inspectLogs() {
	g.t.Helper()
	text := g.logs.String()
	g.canaries.mu.Lock()
	defer g.canaries.mu.Unlock()
	for i, secret := range g.canaries.secrets {
		for _, form := range forms(secret) {
			if at := strings.Index(text, form); at >= 0 {
				g.t.Errorf("canary %d is in the log: %s", i, lineAt(text, at))
				break
			}
		}
	}
	for _, report := range races(text) {
		g.t.Errorf("a data race:\n%.4000s", report)
	}
	for _, sign := range []string{"panic:", "goroutine 1 [", `"msg":"panic`} {
		if at := strings.Index(text, sign); at >= 0 {
			g.t.Errorf("%q in the log:\n%s", sign, text[at:min(len(text), at+4000)])
		}
	}
}

// lineAt returns the line of text around position at.
func lineAt(text string, at int) string {
	begin := strings.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := strings.Cut(text[begin:], "\n")
	return line
}

// Ensure that the search for canaries finds every form it claims to find, and
// that a log without them passes: a search that cannot fail proves nothing.
func TestCanaryIsFoundInEveryForm(t *testing.T) {
	t.Parallel()
	const secret = `p+ss/"wörd" of 2&3`
	for _, form := range forms(secret) {
		found := &recordingTB{TB: t}
		g := &gateway{t: found, logs: new(logBuffer)}
		g.canary(secret)
		g.logs.Write([]byte("one line\n{\"msg\":\"" + form + "\"}\nanother\n"))
		if g.inspectLogs(); !found.failed {
			t.Errorf("not found as %q", form)
		}
	}
	clean := &recordingTB{TB: t}
	g := &gateway{t: clean, logs: new(logBuffer)}
	g.canary(secret)
	g.logs.Write([]byte("one line\n{\"msg\":\"nothing here\"}\n"))
	if g.inspectLogs(); clean.failed {
		t.Error("found where it is not")
	}
}

// recordingTB notes failures instead of failing.
type recordingTB struct {
	testing.TB
	failed bool
}

func (r *recordingTB) Errorf(string, ...any) { r.failed = true }
