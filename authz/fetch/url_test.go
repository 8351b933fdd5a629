// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"net/netip"
	"strings"
	"testing"
)

// Ensure that a URL of a stranger is refused by its spelling where that is
// enough: addresses that are not public in all their spellings, other schemes,
// ports of other services, and what two parsers read differently (rows F01,
// F04, F05).
func TestStrangersURLsAreCheckedBySpelling(t *testing.T) {
	for _, bad := range []string{
		"", "example.com", "//example.com/", "https://", "https:///path", "https:example.com",
		"http://example.com/", "file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "unix:///run/docker.sock",
		"https://127.0.0.1/", "https://127.1/", "https://0/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/",
		"https://017700000001/", "https://0177.0.0.1/", "https://127.0.0.1./", "https://1.2.3/", "https://example.com.7/",
		"https://10.0.0.1/", "https://169.254.169.254/latest/", "https://192.168.1.1/", "https://100.64.0.1/",
		"https://[::1]/", "https://[::]/", "https://[fd00::1]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[2606:4700::1%25lo]/",
		"https://[::ffff:127.0.0.1]/", "https://[::ffff:8.8.8.8]/", "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/",
		"https://[2002:7f00:1::]/", "https://[2001:0:7f00:1::]/", "https://[ff02::1]/",
		"https://example.com:22/", "https://example.com:6379/", "https://example.com:80/", "https://example.com:0443/", "https://example.com:/",
		"https://example.com:443443/", "https://example.com:-1/",
		"https://user@example.com/", "https://example.com:pass@10.0.0.1/", `https://example.com\@10.0.0.1/`, "https://example.com/#x", "https://example.com/#",
		"https://example.com%2e10.0.0.1/", "https://ex%61mple.com%00/", "https://bücher.example/", "https://①②⑦.0.0.1/", "https://a..example.com/", "https://exa mple.com/",
		"https://example.com/" + strings.Repeat("a", MaxURL),
	} {
		if err := CheckURL(bad, Stranger); err == nil {
			t.Errorf("CheckURL(%.60q) let it pass", bad)
		}
	}
	for _, good := range []string{
		"https://example.com", "https://example.com/jwks.json?x=1", "https://example.com:443/", "https://example.com:8443/",
		"https://EXAMPLE.com./", "https://8.8.8.8/", "https://[2606:4700::1111]/", "https://xn--bcher-kva.example/", "https://3com.example/",
	} {
		if err := CheckURL(good, Stranger); err != nil {
			t.Errorf("CheckURL(%q) = %v", good, err)
		}
	}
}

// Ensure that the operator's word opens addresses and ports, and http only on
// loopback unless that was named too; nothing else.
func TestOperatorsURLsSkipTheAddressCheckOnly(t *testing.T) {
	for url, want := range map[string][2]bool{
		"https://10.0.0.1:9443/":     {true, true},
		"http://127.0.0.1:8080/":     {true, true},
		"http://localhost:8080/":     {true, true},
		"http://[::1]:8080/":         {true, true},
		"http://10.0.0.1/":           {false, true},
		"http://keycloak:8080/":      {false, true},
		"http://localhost.evil.com/": {false, true},
		"file:///etc/passwd":         {false, false},
		"https://127.1/":             {false, false},
		"https://user@example.com/":  {false, false},
		"https://example.com/#x":     {false, false},
	} {
		for i, by := range []Trust{Operator, OperatorPlain} {
			if err := CheckURL(url, by); (err == nil) != want[i] {
				t.Errorf("CheckURL(%q, %d) = %v", url, by, err)
			}
		}
	}
}

// Ensure that every special-purpose range is closed to strangers, at both of
// its ends, and that its neighbours are not.
func TestOnlyPublicAddressesAreOpen(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
		"169.254.0.0", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.0",
		"192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255",
		"::", "::1", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:1ff:ffff::", "2001:db8::1", "2002:808:808::1",
		"3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1",
	} {
		if public(netip.MustParseAddr(text)) {
			t.Errorf("%s is open", text)
		}
	}
	for _, text := range []string{
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1", "2606:4700::1111", "2a00::1",
	} {
		if !public(netip.MustParseAddr(text)) {
			t.Errorf("%s is closed", text)
		}
	}
}

// FuzzCheckURL ensures that what is accepted for a stranger has no second
// reading: its host is a name, or a public address in the usual spelling.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{"https://example.com/", "https://127.1/", "https://[::ffff:1.2.3.4]/", `https://a\@b/`, "https://a:443@b/", "https://0x7f.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parse(raw, Stranger)
		if err != nil {
			return
		}
		if err := CheckURL(u.String(), Stranger); err != nil {
			t.Fatalf("%q is accepted, but not as it is sent: %q: %v", raw, u, err)
		}
		host := u.Hostname()
		if address, err := netip.ParseAddr(host); err == nil && !public(address) {
			t.Fatalf("%q leads to %s", raw, address)
		}
		if u.Scheme != "https" || strings.ContainsAny(host, "@\\/ %#?") {
			t.Fatalf("%q is accepted: %q", raw, host)
		}
	})
}
