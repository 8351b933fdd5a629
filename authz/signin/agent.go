// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"net/http"
	"net/netip"
	"strings"
)

// Lengths of the networks in which requests are told apart, in bits. What one
// subscriber has is a /64 of IPv6, and he can be at any address of it.
const (
	network4 = 24
	network6 = 48
)

// Network returns the network around an address, coarse enough not to say where
// exactly somebody is: a /24 of IPv4, a /48 of IPv6. "" if there is no address.
func Network(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	bits := network4
	if address.Is6() {
		bits = network6
	}
	prefix, err := address.Prefix(bits)
	if err != nil || !prefix.IsValid() {
		return ""
	}
	return prefix.String()
}

// network is that of a request.
func (s *Service) network(r *http.Request) string { return Network(s.config.Address(r)) }

// remote is the other end of the connection of a request.
func remote(r *http.Request) netip.Addr {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr()
}

// maxAgent is the length in bytes of as much of a User-Agent as is looked at.
const maxAgent = 512

// browsers and systems are names by what stands in a User-Agent. The first that
// fits is taken: most of them claim to be others too.
var (
	browsers = [][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser", "Samsung Internet"}, {"Vivaldi", "Vivaldi"},
		{"Firefox/", "Firefox"}, {"FxiOS", "Firefox"}, {"CriOS", "Chrome"}, {"Chromium", "Chromium"}, {"HeadlessChrome", "Chrome"}, {"Chrome/", "Chrome"},
		{"Safari/", "Safari"}, {"curl/", "curl"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"},
		{"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"},
	}
)

// agent is what a request tells about the browser, in a few words of ours.
func agent(r *http.Request) string {
	text := r.UserAgent()
	text = text[:min(len(text), maxAgent)]
	browser, system := first(browsers, text), first(systems, text)
	switch {
	case browser == "":
		return system
	case system == "":
		return browser
	}
	return browser + ", " + system
}

func first(names [][2]string, text string) string {
	for _, name := range names {
		if strings.Contains(text, name[0]) {
			return name[1]
		}
	}
	return ""
}
