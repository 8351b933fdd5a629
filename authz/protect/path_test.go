// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
)

// Ensure that ordinary paths, of any language, are not called ambiguous.
func TestOrdinaryPathsAreClear(t *testing.T) {
	for _, p := range []string{
		"", "/", "/orders/17", "/a/", "/.well-known/x", "/.hidden/..x/x..y/...z", "/a.b.c", "/a%20b", "/a+b", "/a:b@c!$&'()*,=~",
		"/%41", "/%e6%97%a5%e6%9c%ac", "/日本", "/caf%c3%a9", "/100%25", "/100%25-z", "/%25g1", "/x%ef%bf%bdy",
	} {
		if found := scan(p, encoded); found != 0 {
			t.Errorf("%s: %s", p, found)
		}
	}
}

// Ensure that each ambiguity is called by its name, on the wire and decoded.
func TestAmbiguitiesAreNamed(t *testing.T) {
	for p, want := range map[string]ambiguity{
		"/a%2Fb": encodedSlash, `/a\b`: backslash, "/a%5Cb": backslash, "/a;b": semicolon, "/a%3bb": semicolon,
		"/a//b": doubleSlash, "/a%2541b": doubleEncoding, "/a%25%34%31": doubleEncoding, "/a./b": trailingDot, "/a%20": trailingDot,
		"/a%23b": encodedDelimiter, "/a%3Fb": encodedDelimiter, "/a/../b": dotSegment, "/%2E": dotSegment, "/..;/a": dotSegment | semicolon,
		`/..\a`: dotSegment | backslash, "/%00": control, "/a%7f": control, "/%": malformed, "/%4": malformed, "/%zz": malformed,
		"/%ff": malformed, "/%c0%af": malformed, "/%ed%a0%80": malformed, "/%25u0041": malformed, "/%c4%b1": lookalike,
		"/a%2f/b": encodedSlash | doubleSlash, "/%2f": encodedSlash | doubleSlash,
	} {
		if got := scan(p, encoded); got != want {
			t.Errorf("%s on the wire: %s", p, got)
		}
		plain, err := url.PathUnescape(p)
		if want &= ^encodedSlash; err == nil && !strings.Contains(strings.ToLower(p), "%2f") {
			if got := scan(plain, decoded); got != want {
				t.Errorf("%s decoded: %s", p, got)
			}
		}
	}
	if got := (semicolon | dotSegment).String(); got != "semicolon, dot_segment" {
		t.Error(got)
	}
}

// Ensure that an allowed ambiguity passes only where every reading of the
// path meets the same row.
func TestAllowedAmbiguitiesMustNotChangeTheRow(t *testing.T) {
	config := testConfig(t, "allow /admin/* admin", "public /pub/*", "public /files/*", "public /kayıt/*", "deny /files/secret/*", "public /by/*/x", "deny /by/secret/x", "allow /* user")
	for _, c := range []struct {
		allow, target string
		status        int
	}{
		{"encoded_slash", "/files/a%2Fb", 200},
		{"", "/files/a%2Fb", 400},
		{"semicolon", "/files/a%2Fb", 400},
		{"encoded_slash", "/files%2Fa", 400},
		{"encoded_slash", "/files/secret%2Fa", 400},
		{"encoded_slash", "/files/a%2F..%2Fsecret", 400},
		{"encoded_slash", "/files/%2Fa", 400},
		{"encoded_slash double_slash", "/files/%2Fa", 200},
		{"encoded_slash double_slash", "/files/%2Fsecret", 400},
		{"semicolon", "/files/a;v=1/b", 200},
		{"semicolon", "/files/secret;v=1", 400},
		{"semicolon", "/files/..;/admin", 400},
		{"semicolon", "/files;a=b/x", 400},
		{"semicolon", "/files/;/secret", 400},
		{"semicolon double_slash", "/files/;/secret", 400},
		{"semicolon double_slash", "/files/;/open", 400},
		{"double_slash", "/files//a", 200},
		{"double_slash", "//files/a", 400},
		{"double_slash", "/files//secret", 400},
		{"double_encoding", "/files/%2541", 200},
		{"double_encoding", "/files/%2573ecret", 400},
		{"double_encoding", "/files/a%252fb", 200},
		{"double_encoding", "/files/a%252f..%252fsecret", 400},
		{"double_encoding", "/files/%25252541", 400},
		{"double_encoding", "/files/a%2500", 400},
		{"double_encoding encoded_slash", "/files/a%2500%2fb", 400},
		{"backslash", `/files/a\b`, 200},
		{"backslash", `/files/secret\b`, 400},
		{"backslash", `/files\a`, 400},
		{"trailing_dot", "/files/a./b%20/c", 200},
		{"trailing_dot", "/files/secret.", 400},
		{"trailing_dot", "/files/.../a", 400},
		{"encoded_delimiter", "/files/a%23b", 200},
		{"encoded_delimiter", "/files/secret%3f", 400},
		{"encoded_slash semicolon double_slash backslash trailing_dot", `/files/a%2fb;c\d./e/x//y`, 400}, // too many at once
		{"", "/files/ka%c4%b1t", 200},
		{"", "/kay%c4%b1t/x", 200},
		{"", "/kay%c4%b1t/%c5%bfecret", 200},
		{"", "/files/%c5%bfecret", 400},
		{"", "/f%c4%b1les/x", 400},
		{"", "/by/%c5%bfome/x", 200},
		{"", "/by/%c5%bfecret/x", 400},
		{"encoded_slash", "/.oauth2%2fx", 400},
	} {
		config.AllowAmbiguous = strings.Fields(c.allow)
		w, seen, err := serve(t, get("GET", "http://gateway"+c.target, ""), newGuard(t, config))
		if err != nil || w.Code != c.status || (seen != nil) != (c.status == 200) {
			t.Errorf("%s with %q: status %d, passed %v", c.target, c.allow, w.Code, seen != nil)
		}
	}
	r := get("GET", "/", "")
	r.RequestURI, r.URL.Path = "/files/a%2fb", "/files/a%2fb" // rewritten into what it looked like
	config.AllowAmbiguous = []string{"double_encoding"}
	if w, seen, _ := serve(t, r, newGuard(t, config)); w.Code != 400 || seen != nil {
		t.Errorf("an encoded slash hides behind a rewrite: %d", w.Code)
	}
	config.AllowAmbiguous = []string{"dot_segment"}
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "encoded_slash") {
		t.Errorf("%v does not say what is allowed", err)
	}
}

// Ensure that a rewrite before the guard hides nothing from it: both what the
// client sent and what the upstream will get are judged.
func TestTheOriginalTargetIsJudgedToo(t *testing.T) {
	config := testConfig(t, "public /*")
	config.Original = func(r *http.Request) string { return r.Header.Get("Sent") }
	g := newGuard(t, config)
	for _, c := range []struct {
		sent, path, raw string
		passes          bool
	}{
		{"/api/a", "/a", "", true},
		{"/api/a%20b", "/a b", "", true},
		{"/api/..;/a", "/a", "", false},
		{"/api//a", "/a", "", false},
		{"/api/a%2fb", "/a/b", "", false},
		{"/api/a", "/a//b", "", false},
		{"/api/a", "/a/b", "/a%2fb", false},
		{"/api/a", "/a/%2e%2e/b", "", false},
		{"/api/a", "a", "", false},
		{"/%2f", "/%2f", "", false},
		{"*", "/a", "", false},
		{"", "/a", "", true},
	} {
		r := get("GET", "/", "")
		r.Header.Set("Sent", c.sent)
		r.URL.Path, r.URL.RawPath = c.path, c.raw
		if _, seen, err := serve(t, r, g); (seen != nil) != c.passes || err != nil {
			t.Errorf("%s rewritten to %s: passed %v", c.sent, c.path, seen != nil)
		}
	}
}

// servers are three ways in which services understand a target that they got.
// They return the path, decoded and in lower case.
var servers = map[string]func(target string) string{
	// Go's ServeMux: decodes once, resolves dot segments, merges slashes.
	"go": func(target string) string {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return ""
		}
		return path.Clean("/" + u.Path)
	},
	// Like Tomcat: path parameters are cut off each segment, then decoded,
	// then backslashes are slashes, then dot segments and slashes.
	"tomcat": func(target string) string {
		target = eachSegment(beforeQuery(target), func(s string) string { s, _, _ = strings.Cut(s, ";"); return s })
		p := strings.ReplaceAll(unescapeAll(target, '/'), `\`, "/")
		p = eachSegment(p, func(s string) string { s, _, _ = strings.Cut(s, ";"); return s })
		return path.Clean("/" + p)
	},
	// A file server on Windows behind a second decoder: NUL ends the name, dots and
	// spaces at the end of segments are dropped.
	"windows": func(target string) string {
		p := unescapeAll(unescapeAll(beforeQuery(target), '/'), '/')
		p, _, _ = strings.Cut(p, "#")
		p, _, _ = strings.Cut(p, "\x00")
		p = path.Clean("/" + strings.ReplaceAll(p, `\`, "/"))
		return path.Clean(eachSegment(p, func(s string) string { return strings.TrimRight(s, ". ") }))
	},
}

func beforeQuery(target string) string { target, _, _ = strings.Cut(target, "?"); return target }

// protection orders rows by how much they demand.
func protection(e *entry) int {
	switch {
	case e == nil || e.Verb == Deny:
		return 3
	case e.Verb == Allow:
		return len(e.Requirement) + 1
	}
	return 0
}

// differ sends a target through the guard's reading and those of the servers,
// and returns which of them meets a row that demands more than the one applied.
func differ(g *Guard, target string) string {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return ""
	}
	row, refusal := g.route(&http.Request{Method: "GET", URL: u, RequestURI: target})
	if refusal != nil || row == ownPath {
		return ""
	}
	for name, server := range servers {
		if p := server(u.RequestURI()); protection(g.table.find("GET", p)) > protection(row) {
			return fmt.Sprintf("%s reads %q as %q, which is %v, but the guard applied %v", name, target, p, g.table.find("GET", p), row)
		}
	}
	return ""
}

func differentialGuards(t testing.TB) []*Guard {
	var guards []*Guard
	for _, rows := range [][]string{
		{"allow /admin/* admin", "public /*"},
		{"public /pub/*", "allow /* user"},
		{"public /pub/*/x", "allow /pub/* user", "deny /pub/x/x", "allow /admin/*"},
	} {
		for _, allow := range [][]string{nil, Ambiguities()} {
			config := testConfig(t, rows...)
			config.AllowAmbiguous = allow
			guards = append(guards, newGuard(t, config))
		}
	}
	return guards
}

// Ensure that no service meets a path that is better protected than the one
// that the guard saw, on random targets made of everything that parsers
// disagree about (W22).
func TestNoServerReadsAPathIntoABetterProtectedRow(t *testing.T) {
	const targets = 100_000
	pieces := strings.Fields(`/ / / / admin pub x a ADMIN . .. ... ; ;a=b %2f %2F %5c \ %2e %2E%2e .%2e ..; %3b %00 %09 %20 %23 %3f # ?
		%25 %252f %252e %2561 %61 %41dmin %c0%af %ef%bc%8f %c4%b1 adm %c5%bf // %ff %2500 %25%32%66 in . %2525 pub/ /admin/ /../ :`)
	random := rand.New(rand.NewPCG(3, 4))
	guards := differentialGuards(t)
	passed := 0
	for range targets {
		var b strings.Builder
		b.WriteByte('/')
		for range 1 + random.IntN(7) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		for _, g := range guards {
			if difference := differ(g, b.String()); difference != "" {
				t.Fatal(difference)
			}
		}
		if u, err := url.ParseRequestURI(b.String()); err == nil {
			if _, refusal := guards[1].route(&http.Request{Method: "GET", URL: u, RequestURI: b.String()}); refusal == nil {
				passed++
			}
		}
	}
	if passed < targets/50 {
		t.Errorf("only %d of %d targets passed: the test shows little", passed, targets)
	}
}

// FuzzPath: what the guard allowed is what the upstream sees. No server reads
// the target into a better protected row; without exceptions, all read the
// path that the guard matched; and a target that was sent on by one guard is
// judged the same by the next.
func FuzzPath(f *testing.F) {
	for _, targets := range []map[string]string{ambiguousTargets, restrictedTargets} {
		for _, target := range targets {
			f.Add(target)
		}
	}
	guards := differentialGuards(f)
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		for _, g := range guards {
			if difference := differ(g, target); difference != "" {
				t.Fatal(difference)
			}
			row, refusal := g.route(&http.Request{Method: "GET", URL: u, RequestURI: target})
			forwarded := u.RequestURI()
			again, err := url.ParseRequestURI(forwarded)
			if err != nil {
				if refusal == nil {
					t.Fatalf("%q passed but cannot be sent on as %q", target, forwarded)
				}
				continue
			}
			next, second := g.route(&http.Request{Method: "GET", URL: again, RequestURI: forwarded})
			if refusal == nil && (second != nil || next != row) {
				t.Fatalf("%q meets %v, sent on as %q it meets %v, %v", target, row, forwarded, next, second)
			}
			if refusal == nil && row != ownPath && g.allowed == lookalike {
				for name, server := range servers {
					if got, want := server(forwarded), path.Clean("/"+u.Path); got != want {
						t.Fatalf("%s reads %q as %q, the guard matched %q", name, forwarded, got, want)
					}
				}
			}
		}
	})
}

// Ensure that explanations agree with what requests meet.
func TestExplainSaysWhatRequestsMeet(t *testing.T) {
	config := testConfig(t, "allow GET /orders/* read | admin write", "allow /any", "optional /o", "public /p", "deny /d")
	config.Rows[0].Source = "Caddyfile:12"
	g := newGuard(t, config)
	for request, want := range map[string]Explanation{
		"GET /orders/7":    {Row: "allow GET /orders/* read | admin write", Source: "Caddyfile:12", Requirement: "read | admin write", Verdict: "needs a token with read | admin write", Status: 401},
		"GET http://a/any": {Row: "allow /any", Verdict: "needs a valid token", Status: 401},
		"POST /o":          {Row: "optional /o", Verdict: "passes without a token; a token that is sent must be valid"},
		"PUT /p":           {Row: "public /p", Verdict: "passes, whoever asks"},
		"GET /d":           {Row: "deny /d", Verdict: "refused, whoever asks", Status: 403},
		"GET /none":        {Verdict: "refused: no row matches", Status: 403},
		"TRACE /p":         {Verdict: "refused: no guard passes this method", Status: 405},
		"GET /p/..;/x":     {Verdict: "refused: the path can be read in more than one way (semicolon, dot_segment)", Status: 400},
		"GET /.oauth2/x":   {Verdict: "answered by the guard itself: reserved", Status: 404},
		"GET /.well-known/oauth-protected-resource": {Verdict: "answered by the guard itself: metadata of the protected resource", Status: 200},
		"GET orders":        {Verdict: "refused: this is no request target", Status: 400},
		"GET http://a@b/p/": {Verdict: "refused: the path can be read in more than one way", Status: 400},
	} {
		method, target, _ := strings.Cut(request, " ")
		if got := g.Explain(method, target); got != want {
			t.Errorf("%s: %+v", request, got)
		}
	}
}
