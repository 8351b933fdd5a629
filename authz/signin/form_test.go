// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func FuzzParseForm(f *testing.F) {
	f.Add("handle=x&do=signin&username=ann&password=a+b")
	f.Add("do=a&do=b")
	f.Add("%zz;&=")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := parseForm(body)
		if err != nil {
			return
		}
		for name, values := range form {
			if len(values) != 1 {
				t.Errorf("%q stands there %d times", name, len(values))
			}
		}
	})
}

// FuzzTarget checks that nothing leads to another host, also as browsers read it, which
// take \ for / and pass over tabs and line ends.
func FuzzTarget(f *testing.F) {
	s := &Service{config: Config{Prefix: "/oauth"}}
	for _, to := range []string{"/app?x=1", "//evil.example", `/\evil.example`, "/\t/evil.example", "https://evil.example", "", "/\u3002/"} {
		f.Add(to)
	}
	f.Fuzz(func(t *testing.T, to string) {
		target := s.target(order{Return: to})
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(target)
		if !strings.HasPrefix(read, "/") || strings.HasPrefix(read, "//") {
			t.Errorf("%q leads to %q", to, target)
		}
		if u, err := url.Parse("https://auth.example.com" + target); err == nil && u.Host != "auth.example.com" {
			t.Errorf("%q leads to %q", to, u.Host)
		}
	})
}

func FuzzAgent(f *testing.F) {
	f.Add("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1")
	f.Fuzz(func(t *testing.T, text string) {
		if got := agent(&http.Request{Header: http.Header{"User-Agent": {text}}}); len(got) > 40 {
			t.Errorf("%q", got)
		}
	})
}

// Ensure that browsers are recognised by what they say and not by what they claim.
func TestAgent(t *testing.T) {
	for text, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":              "Edge, Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1":     "Chrome, iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":                      "Safari, macOS",
		"Mozilla/5.0 (Linux; Android 15; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36": "Samsung Internet, Android",
		"curl/8.5": "curl", "<script>": "", "": "",
	} {
		if got := agent(&http.Request{Header: http.Header{"User-Agent": {text}}}); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Ensure that sessions say roughly where they are used.
func TestNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7": "203.0.113.0/24", "::ffff:203.0.113.7": "203.0.113.0/24", "2001:db8:1:2:3::4": "2001:db8:1::/48", "fe80::1%eth0": "fe80::/48",
	} {
		if got := Network(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if got := Network(netip.Addr{}); got != "" {
		t.Errorf("no address: %s", got)
	}
}
