// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"strings"
)

// cleanConnection reduces Connection to the options that a proxy needs. A
// proxy removes every header that Connection names (RFC 9110 §7.6.1), so a
// client could have it remove the headers that the guard sets. The only
// protocol that may be upgraded to is WebSocket, by GET over HTTP/1.1
// (RFC 6455 §4.1): an upgrade to h2c would carry further requests past the guard.
func cleanConnection(r *http.Request) {
	upgrade := r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor == 1 &&
		len(r.Header["Upgrade"]) == 1 && strings.EqualFold(r.Header["Upgrade"][0], "websocket")
	asked := false
	var options []string
	for name, values := range r.Header {
		if !strings.EqualFold(name, "Connection") {
			continue
		}
		delete(r.Header, name)
		for _, value := range values {
			for option := range strings.SplitSeq(value, ",") {
				option = strings.Trim(option, " \t")
				switch {
				case strings.EqualFold(option, "upgrade"):
					asked = true
				case strings.EqualFold(option, "close"), strings.EqualFold(option, "keep-alive"), strings.EqualFold(option, "te"):
					options = append(options, option)
				}
			}
		}
	}
	if upgrade && asked {
		options = append(options, "Upgrade")
	} else {
		deleteFold(r.Header, "Upgrade")
	}
	deleteFold(r.Header, "Http2-Settings")
	if len(options) > 0 {
		r.Header["Connection"] = []string{strings.Join(options, ", ")}
	}
}

// deleteFold removes a header whatever its case.
func deleteFold(h http.Header, name string) {
	for key := range h {
		if strings.EqualFold(key, name) {
			delete(h, key)
		}
	}
}

// upgrades reports whether a request that has been cleaned becomes a connection
// of another protocol.
func upgrades(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 || r.Method == http.MethodConnect
}
