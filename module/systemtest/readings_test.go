// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"
)

// readings are ways in which servers in the field come from a request target to
// the path that they serve.
var readings = map[string]func(target string) string{
	// Decodes once, cleans, as Go's ServeMux and nginx do; case counts.
	"decode-clean": func(target string) string { return path.Clean("/" + decode(withoutQuery(target))) },
	// Cleans before it decodes.
	"clean-decode": func(target string) string { return path.Clean("/" + decode(path.Clean(withoutQuery(target)))) },
	// Decodes twice, as a proxy in front of a framework does.
	"decode-twice": func(target string) string { return path.Clean("/" + decode(decode(withoutQuery(target)))) },
	// Strips path parameters from each segment, as servlet containers do.
	"servlet": func(target string) string {
		segments := strings.Split(withoutQuery(target), "/")
		for i, s := range segments {
			s, _, _ = strings.Cut(s, ";")
			segments[i] = decode(s)
		}
		return path.Clean("/" + strings.Join(segments, "/"))
	},
	// Takes backslashes for slashes, ignores case and trailing dots and spaces, as
	// Windows does.
	"windows": func(target string) string {
		segments := strings.Split(strings.ReplaceAll(decode(withoutQuery(target)), `\`, "/"), "/")
		for i, s := range segments {
			if strings.Trim(s, ".") != "" {
				segments[i] = strings.TrimRight(s, ". ")
			}
		}
		return strings.ToLower(path.Clean("/" + strings.Join(segments, "/")))
	},
	// Ends at NUL, as C does.
	"c-string": func(target string) string {
		decoded, _, _ := strings.Cut(decode(withoutQuery(target)), "\x00")
		return path.Clean("/" + decoded)
	},
}

func withoutQuery(target string) string {
	target, _, _ = strings.Cut(target, "?")
	return target
}

// decode percent-decodes what can be decoded and leaves the rest.
func decode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+2 < len(s) && s[i] == '%' {
			if d, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(d)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// newRandom returns a source of randomness whose seed a failing test prints.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, seed))
}

// drain reads a response's body to its end.
func drain(resp *http.Response) (string, error) {
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	return string(body), err
}
