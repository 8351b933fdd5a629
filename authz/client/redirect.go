// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"net/url"
	"strings"
)

// ValidateRedirectURI reports what is wrong with uri as a redirect URI: it is
// absolute and without fragment (RFC 6749 §3.1.2), https, or http on loopback
// only (RFC 8252 §7.3), or of a private-use scheme, which has a dot in it
// (RFC 8252 §7.1), so that no script or data URI is one.
func ValidateRedirectURI(uri string) error {
	u, err := parseURI(uri)
	if err != nil {
		return err
	}
	switch {
	case u.User != nil:
		return errors.New("a redirect URI has no user name in it")
	case strings.Contains(u.Host, "%"):
		return errors.New("a redirect URI has no encoded character or zone in its host")
	case u.Scheme == "https" && u.Hostname() != "", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return errors.New("a redirect URI is https; plain http goes to loopback addresses only")
	case u.Scheme != "https" && strings.Contains(u.Scheme, "."):
		return nil
	}
	return errors.New("a redirect URI is https, http on loopback, or of a private-use scheme such as com.example.app")
}

// Redirects reports whether users of the client may be sent to uri: it is one of
// its redirect URIs, character by character (RFC 9700 §2.1), but that at a
// loopback address the port is free, since a native application takes one that it
// finds (RFC 8252 §7.3). That is for the two literal addresses: what localhost is,
// others can decide (§8.3), and who registers it has a server at a known port.
func (c *Client) Redirects(uri string) bool {
	for _, registered := range c.RedirectURIs {
		if uri == registered || sameButPort(uri, registered) {
			return true
		}
	}
	return false
}

// literals are how redirect URIs to loopback addresses begin.
var literals = []string{"http://127.0.0.1", "http://[::1]"}

// sameButPort reports whether two URIs of a loopback address have everything in
// common but the port. It is done on the texts: there is no parser that could read
// them otherwise than the browser.
func sameButPort(uri, registered string) bool {
	for _, literal := range literals {
		rest, ours := strings.CutPrefix(uri, literal)
		registeredRest, theirs := strings.CutPrefix(registered, literal)
		if ours && theirs {
			rest, ok := afterPort(rest)
			registeredRest, registeredOK := afterPort(registeredRest)
			return ok && registeredOK && rest == registeredRest
		}
	}
	return false
}

// afterPort returns what follows a port, which need not be there, and whether it is
// one if it is, and a path or query or nothing follows it.
func afterPort(text string) (rest string, ok bool) {
	if port, found := strings.CutPrefix(text, ":"); found {
		digits := 0
		for number := 0; digits < len(port) && '0' <= port[digits] && port[digits] <= '9'; digits++ {
			if number = 10*number + int(port[digits]-'0'); number > 65535 {
				return "", false
			}
		}
		if digits == 0 || port[0] == '0' {
			return "", false
		}
		text = port[digits:]
	}
	return text, text == "" || text[0] == '/' || text[0] == '?'
}

// IsNative reports whether a redirect URI leads to a program on the user's own
// machine, which any other program there could pretend to be (RFC 8252 §8.6).
func IsNative(redirectURI string) bool {
	u, err := url.Parse(redirectURI)
	return err != nil || u.Scheme != "https" && (u.Scheme != "http" || loopback(u.Hostname()))
}

// loopback reports whether host, without port, is this machine, spelled in the one
// way in which everybody reads it so (RFC 8252 §7.3).
func loopback(host string) bool { return host == "127.0.0.1" || host == "::1" || host == "localhost" }
