// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzAuthorizationRequest looks for a query that leads a browser to a place that no
// client registered, that has something of the query in a header, or that is taken
// for trouble of ours.
func FuzzAuthorizationRequest(f *testing.F) {
	h := newHouse(f)
	for _, seed := range []string{
		"response_type=code&client_id=web&redirect_uri=" + escape(webURI) + pkce, "response_type=code&client_id=old&state=%0d%0aX:y", "client_id=native&redirect_uri=http://127.0.0.1:1/cb",
		"client_id=web&request_uri=urn:ietf:params:oauth:request_uri:co2pr_x", "handle=AAAA", "response_type=code&client_id=first&prompt=none&max_age=1&acr_values=2" + pkce, "client_id=spa&redirect_uri=https://spa.example.com/q?x=1",
	} {
		f.Add(seed)
	}
	places := []string{
		webURI, "https://spa.example.com/cb", "https://spa.example.com/q?x=1&", "http://127.0.0.1", "com.example.app:/cb", "https://first.example.com/cb",
		"https://old.example.com/cb", "https://plain.example.com/cb", "https://pushy.example.com/cb", "https://still.example.com/cb", "https://machine.example.com/cb",
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, who := range []string{"", "ann"} {
			r := httptest.NewRequest(http.MethodGet, "/oauth/authorize", nil)
			r.URL.RawQuery = query
			if who != "" {
				r.AddCookie(&http.Cookie{Name: "who", Value: who})
			}
			w := httptest.NewRecorder()
			if err := h.server.ServeHTTP(w, r, nil); err != nil {
				t.Fatalf("%q: %v", query, err)
			}
			to := w.Header().Get("Location")
			if strings.ContainsAny(to, "\r\n") || (w.Code == http.StatusSeeOther) != (to != "") {
				t.Fatalf("%q: %d to %q", query, w.Code, to)
			}
			if to == "" {
				continue
			}
			known := false
			for _, place := range places {
				known = known || strings.HasPrefix(to, place)
			}
			if !known || !strings.Contains(to, "iss=https%3A%2F%2Fauth.example.com") {
				t.Fatalf("%q leads to %q", query, to)
			}
		}
	})
}
