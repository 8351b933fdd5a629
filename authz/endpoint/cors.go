// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import "net/http"

// preflightAge is how long, in seconds, a browser may remember a preflight.
const preflightAge = "600"

// preflight answers a CORS preflight request to an endpoint that clients call,
// and reports whether the request was one. It does not say which client will
// ask, so any configured client's origin is allowed to try; the answer proper
// is then readable for that client's own origins only. Pages of clients in the
// store need no preflight: a form without special headers goes without.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h := w.Header()
	if origin := r.Header.Get("Origin"); s.config.Clients.AllowsOrigin(origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", http.MethodPost)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		h.Set("Access-Control-Max-Age", preflightAge)
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// allowClientOrigin lets a web page read the answer when the client that was
// authenticated registered the page's origin. Cookies play no part, so
// Access-Control-Allow-Credentials never is set.
func (s *Server) allowClientOrigin(x *exchange) {
	if x.client.Client == nil {
		return
	}
	if origin := x.r.Header.Get("Origin"); origin != "" && x.client.AllowsOrigin(origin) {
		x.w.Header().Set("Access-Control-Allow-Origin", origin)
	}
}

// allowAnyOrigin lets every web page read a public document.
func allowAnyOrigin(h http.Header) { h.Set("Access-Control-Allow-Origin", "*") }
