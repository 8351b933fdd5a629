// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"net/url"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Explanation says what a guard does with a request, and by which row.
type Explanation struct {
	// Row is the row that matches, as [Row.String] writes it; "" when none does.
	Row string `json:"row,omitempty"`
	// Source is where it was written, such as "Caddyfile:12".
	Source string `json:"source,omitempty"`
	// Requirement is what a token must have; "" is any valid token, or none at all.
	Requirement string `json:"requirement,omitempty"`
	// Conditions are what its principal must meet besides, or "".
	Conditions string `json:"conditions,omitempty"`
	// Verdict is one sentence for people.
	Verdict string `json:"verdict"`
	// Status is the status that a request without a credential gets from the
	// guard; 0 when it passes.
	Status int `json:"status"`
}

// Explain says what the guard does with a request of that method and path (or
// URL, of which the path counts). Nothing is sent and nothing recorded.
func (g *Guard) Explain(method, path string) Explanation {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return Explanation{Verdict: "refused: this is no request target", Status: http.StatusBadRequest}
	}
	r := &http.Request{Method: method, URL: u, RequestURI: path, Header: http.Header{}}
	row, refusal := g.route(r)
	switch {
	case row == ownPath:
		return g.explainOwn(method, u.Path)
	case refusal == authz.ErrDenied:
		return Explanation{Verdict: "refused: no row matches", Status: refusal.Status}
	case refusal == authz.ErrAmbiguousRequest:
		verdict := "refused: the path can be read in more than one way"
		if sent, ok := sentPath(path); ok {
			if found := scan(sent, encoded); found != 0 {
				verdict += " (" + found.String() + ")"
			}
		}
		return Explanation{Verdict: verdict, Status: refusal.Status}
	case refusal != nil:
		return Explanation{Verdict: "refused: no guard passes this method", Status: refusal.Status}
	}
	e := Explanation{Row: row.String(), Source: row.Source, Requirement: row.Requirement.String(), Conditions: row.Conditions.String()}
	switch row.Verb {
	case Public:
		e.Verdict = "passes, whoever asks"
	case Optional:
		e.Verdict = "passes without a token; a token that is sent must be valid"
	case Deny:
		e.Verdict, e.Status = "refused, whoever asks", http.StatusForbidden
	case Allow:
		e.Verdict, e.Status = "needs a valid token", http.StatusUnauthorized
		if e.Requirement != "" {
			e.Verdict = "needs a token with " + e.Requirement
		}
		if g.config.Sessions != nil {
			e.Verdict += "; a browser that opens a page is sent to sign in"
		}
	}
	return e
}

// explainOwn is Explain for the paths that the guard keeps for itself.
func (g *Guard) explainOwn(method, path string) Explanation {
	about, status := "reserved", http.StatusNotFound
	at := g.config.Sessions.stop(path)
	switch {
	case at != nil && method != at.method:
		about, status = "there is nothing but "+at.method, http.StatusMethodNotAllowed
	case at != nil:
		about, status = at.about, at.bare
	case hasPrefixFold(path, authz.PathResourceMetadata):
		about, status = "metadata of the protected resource", http.StatusOK
	}
	return Explanation{Verdict: "answered by the guard itself: " + about, Status: status}
}
