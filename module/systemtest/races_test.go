// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"slices"
	"strings"
	"testing"
)

// ofCaddy are accesses, each of Caddy's own to what is its own, that it does not keep
// apart as it should: they race whatever is behind or before them.
var ofCaddy = []string{
	// The app tls sends events about certificates while it still starts: each event
	// copies all of the app.
	"github.com/caddyserver/caddy/v2/modules/caddytls.(*TLS).CaddyModule()",
	// A request's body is closed while it is sent, when the service ends the stream.
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy.(*bodyNopCloserIfNotRead).Close()",
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy.(*bodyNopCloserIfNotRead).Read()",
}

// ourCode is in the stack of everything that goes through our code.
const ourCode = "github.com/caddy-oauth2/caddy-oauth2/"

// races returns the reports of data races in a log, but for those of Caddy with itself:
// what is known of it, and what neither side of has any code of ours in its stack.
func races(log string) (reports []string) {
	_, log, found := strings.Cut(log, "WARNING: DATA RACE")
	for found {
		var report string
		report, log, found = strings.Cut(log, "WARNING: DATA RACE")
		report, _, _ = strings.Cut(report, "==================")
		accesses, _, _ := strings.Cut(report, "\nGoroutine ") // where they were created is nothing to it
		// On top of a stack, that is: below, it may have called something of ours.
		known := slices.ContainsFunc(ofCaddy, func(access string) bool { return strings.Contains(accesses, ":\n  "+access) })
		if !known && strings.Contains(accesses, ourCode) {
			reports = append(reports, report)
		}
	}
	return reports
}

// Ensure that a race of ours is found, also beside one of Caddy's.
func TestRacesAreFound(t *testing.T) {
	t.Parallel()
	report := func(read, write string) string {
		return "==================\nWARNING: DATA RACE\nRead at 0x00c0001faaa0 by goroutine 56:\n  " + read + "\n      file.go:1 +0x30\n\n" +
			"Previous write at 0x00c0001faaa0 by main goroutine:\n  " + write + "\n      file.go:2 +0x224\n\n" +
			"Goroutine 56 (running) created at:\n  " + ourCode + "module.(*App).Start()\n      file.go:3 +0x40e\n==================\n"
	}
	const own, theirs = ourCode + "module.(*App).relaxed()", "github.com/caddyserver/caddy/v2.run()"
	for name, c := range map[string]struct {
		log  string
		want int
	}{
		"none":                    {"{\"msg\":\"nothing here\"}\n", 0},
		"ours":                    {report(own, theirs), 1},
		"ours, the other way":     {report(theirs, own), 1},
		"Caddy's":                 {report(theirs, theirs), 0},
		"known of Caddy":          {report(ofCaddy[0], own), 0},
		"Caddy's, then ours":      {report(theirs, theirs) + "{\"msg\":\"between\"}\n" + report(own, own), 1},
		"cut off by the end":      {strings.SplitAfter(report(own, own), "Previous")[0], 1},
		"ours and ours once more": {report(own, own) + report(own, own), 2},
	} {
		if got := races(c.log); len(got) != c.want {
			t.Errorf("%s: %d races, want %d:\n%s", name, len(got), c.want, got)
		}
	}
}
