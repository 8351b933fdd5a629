// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Trust says who named a URL. The zero value is the strictest.
type Trust uint8

const (
	// Stranger: a client, or a document that somebody else wrote. The URL is
	// https at one of [StrangerPorts], and leads to public addresses only.
	Stranger Trust = iota
	// Operator: the configuration. Any address and port; http on loopback.
	Operator
	// OperatorPlain: the configuration, which also accepts http anywhere.
	OperatorPlain
)

// MaxURL is the length in bytes of the longest URL that is fetched.
const MaxURL = 2048

// StrangerPorts returns the ports that a [Stranger]'s URL may have. All others
// belong to services that never meant to be spoken to by us.
func StrangerPorts() []string { return []string{"443", "8443"} }

// CheckURL returns what is wrong with a URL, without resolving its name. It is
// called for every request, and beforehand wherever a URL is configured or
// registered, so that the mistake is seen where it was made.
func CheckURL(raw string, by Trust) error {
	_, err := parse(raw, by)
	return err
}

func parse(raw string, by Trust) (*url.URL, error) {
	if len(raw) > MaxURL {
		return nil, fmt.Errorf("the URL is longer than %d bytes", MaxURL)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return nil, errors.New("it is no absolute URL") // without err: that repeats the URL
	}
	switch {
	case u.User != nil:
		return nil, errors.New("the URL must not hold a user name or password")
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return nil, errors.New("the URL must not have a fragment")
	case strings.Contains(raw, `\`):
		return nil, errors.New("the URL must not have a backslash")
	}
	if err := checkHost(u.Hostname()); err != nil {
		return nil, err
	}
	if err := checkPort(u.Port(), strings.HasSuffix(u.Host, ":"), by); err != nil {
		return nil, err
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && (by == OperatorPlain || by == Operator && IsLoopback(u.Hostname())):
	default:
		return nil, errors.New("the URL must be https")
	}
	if address, err := netip.ParseAddr(u.Hostname()); err == nil && by == Stranger && !public(address) {
		return nil, errors.New("the URL leads to an address that is not public")
	}
	return u, nil
}

// checkHost refuses what two resolvers could read differently: "127.1",
// "0x7f000001" and "2130706433" are 127.0.0.1 to some of them.
func checkHost(host string) error {
	if address, err := netip.ParseAddr(host); err == nil {
		if address.Zone() != "" {
			return errors.New("the URL's address must not have a zone")
		}
		return nil
	}
	if strings.Contains(host, ":") {
		return errors.New("the URL's host is malformed")
	}
	for i := range len(host) {
		if c := host[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return errors.New("the URL's host must be ASCII letters, digits, dashes and dots")
		}
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if slices.Contains(labels, "") {
		return errors.New("the URL's host has an empty part")
	}
	// No top-level domain starts with a digit: this is an address in disguise.
	if last := labels[len(labels)-1]; '0' <= last[0] && last[0] <= '9' {
		return errors.New("the URL's host is an address in an unusual spelling")
	}
	return nil
}

func checkPort(port string, colon bool, by Trust) error {
	if port == "" && !colon {
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '0' {
		return errors.New("the URL's port is malformed")
	}
	if by == Stranger && !slices.Contains(StrangerPorts(), port) {
		return fmt.Errorf("the URL's port must be one of %s", strings.Join(StrangerPorts(), ", "))
	}
	return nil
}

// IsLoopback reports whether a host leads to this machine by its spelling
// alone: a loopback address or localhost (RFC 6761 §6.3).
func IsLoopback(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
