// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Ensure that rows are read as a Caddyfile writes them.
func TestParseRowReadsRows(t *testing.T) {
	for text, want := range map[string]Row{
		"allow /*":                          {Verb: Allow, Path: "/*"},
		"allow GET /orders/* orders:read":   {Verb: Allow, Methods: []string{"GET"}, Path: "/orders/*", Requirement: scope.Requirement{scope.Of("orders:read")}},
		"allow /reports/* b a | admin":      {Verb: Allow, Path: "/reports/*", Requirement: scope.Requirement{scope.Of("a", "b"), scope.Of("admin")}},
		"allow GET POST /users/*/orders a":  {Verb: Allow, Methods: []string{"GET", "POST"}, Path: "/users/*/orders", Requirement: scope.Requirement{scope.Of("a")}},
		"optional GET /catalog/*":           {Verb: Optional, Methods: []string{"GET"}, Path: "/catalog/*"},
		"public GET /health":                {Verb: Public, Methods: []string{"GET"}, Path: "/health"},
		"public M-SEARCH PROPFIND /":        {Verb: Public, Methods: []string{"M-SEARCH", "PROPFIND"}, Path: "/"},
		"deny /internal/*":                  {Verb: Deny, Path: "/internal/*"},
		"public /.well-known/acme/x.y~z-_1": {Verb: Public, Path: "/.well-known/acme/x.y~z-_1"},
		"public /kayıt/日本":                  {Verb: Public, Path: "/kayıt/日本"},
	} {
		words := strings.Fields(text)
		got, err := ParseRow(words[0], words[1:])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// Ensure that what is wrong with a row is said in words that help.
func TestParseRowSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"permit /":              "use allow, optional, public or deny",
		"allow":                 "a path that begins with a slash is missing",
		"allow GET":             "a path that begins with a slash is missing",
		"allow orders:read":     "a path that begins with a slash is missing",
		"allow get /":           `write "GET"`,
		"allow a,b /":           "no method",
		"allow GET GET /":       "named twice",
		"allow TRACE /":         "no guard passes it",
		"allow CONNECT /":       "matches as GET",
		"allow /a/":             `write "/a" for this path alone, "/a/*"`,
		"allow /a*":             "stands for one whole segment",
		"allow /a/*b/c":         "stands for one whole segment",
		"allow /a/**":           "stands for one whole segment",
		"allow /a//b":           "double_slash",
		"allow /a/../b":         "dot_segment",
		"allow /a;b":            "semicolon",
		`allow /a\b`:            "backslash",
		"allow /a./b":           "trailing_dot",
		"allow /%61":            "write it decoded",
		"allow /a?b":            "query",
		"allow /a#b":            "fragment",
		"allow /\xff":           "malformed",
		"allow /a\x01b":         "control_character",
		"allow / a|b":           "put spaces around",
		"allow / | a":           "no scope",
		"allow / a |":           "no scope",
		"allow / a | | b":       "no scope",
		"allow / \"a":           "is no scope",
		"allow / ä":             "is no scope",
		"public / a":            "takes no scopes",
		"optional / a":          "takes no scopes",
		"deny / a":              "takes no scopes",
		"allow " + long(2000):   "longer than 1024",
		"allow " + long(300):    "segment longer than 255",
		"allow / " + long(129):  "is no scope",
		"allow READ /a /b\"":    "is no scope",
		"allow /a/*/* /*/\"":    "is no scope",
		"allow https://a.de/b ": "slash",
	} {
		words := strings.Split(text, " ")
		if _, err := ParseRow(words[0], words[1:]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v does not say %q", text, err, want)
		}
	}
}

func long(n int) string { return "/" + strings.Repeat("a", n-1) }

// FuzzParseRow: what is read is written again so that it reads the same, and
// makes a guard.
func FuzzParseRow(f *testing.F) {
	for _, text := range []string{"allow GET /orders/* orders:read | admin", "deny /", "public /a/*/b", "optional HEAD /*", "allow /a b | c d", "allow / | |", "permit x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := strings.Split(text, " ")
		row, err := ParseRow(words[0], words[1:])
		if err != nil {
			return
		}
		again := strings.Split(row.String(), " ")
		got, err := ParseRow(again[0], again[1:])
		if strings.Contains(row.Path, " ") {
			return // written in quotes in a Caddyfile
		}
		if err != nil || !reflect.DeepEqual(got, row) {
			t.Fatalf("%q reads as %+v, and written again as %+v, %v", text, row, got, err)
		}
		config := testConfig(t)
		config.Rows = []Row{row}
		if _, err := New(config); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
